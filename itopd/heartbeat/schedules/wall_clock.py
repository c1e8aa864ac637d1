"""From the time on a wall clock to an instant, in the hours that summer time skips or repeats."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal
from zoneinfo import ZoneInfo

from itopd.clock import from_itop, to_itop

Pass = Literal["first", "second"]

_PARKED = datetime(3000, 1, 1)  # noqa: DTZ001 - a time on the wall clock of whatever zone


def parked(zone: ZoneInfo) -> datetime:
    """Return iTop's "never": ``3000-01-01 00:00:00`` on the wall clock of ``zone``."""
    return _PARKED.replace(tzinfo=zone).astimezone(UTC)


def whole_second(instant: datetime) -> datetime:
    """Return the beginning of the second: plans are made of whole seconds."""
    return instant.replace(microsecond=0)


def is_skipped(wall: datetime, zone: ZoneInfo) -> bool:
    """Return whether no clock of ``zone`` ever shows the naive time ``wall``."""
    shown = wall.replace(tzinfo=zone).astimezone(UTC).astimezone(zone)
    return shown.replace(tzinfo=None) != wall


def moved_forward(wall: datetime, zone: ZoneInfo, repeated: Pass = "first") -> datetime:
    """Return the instant when ``zone`` shows ``wall``; a skipped time is moved on by what the clock skipped.

    That is iTop's rule: 02:30 becomes 03:30 when the clock goes from 02:00 to 03:00. ``repeated`` says which pass of a
    repeated hour is meant.
    """
    second = repeated == "second" and not is_skipped(wall, zone)
    return wall.replace(tzinfo=zone, fold=int(second)).astimezone(UTC)


def end_of_gap(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return the first instant after the gap that swallowed the skipped time ``wall``."""
    # The offsets before and after the gap differ by its length: read with the one before, the skipped time lies
    # after the gap; read with the one after, it lies before it. The clock jumps somewhere between.
    late = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    early = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    after = late.astimezone(zone).utcoffset()
    while (late - early).total_seconds() > 1:
        middle = whole_second(early + (late - early) / 2)
        if middle.astimezone(zone).utcoffset() == after:
            late = middle
        else:
            early = middle
    return late


def disambiguated(planned: datetime, ledger: datetime | None, zone: ZoneInfo) -> datetime:
    """Return the instant a stored local time means, when the ledger may know better.

    iTop's tables store local time without offset, so in the repeated hour two instants look alike. If what the ledger
    planned is stored as the same text, it is what was meant.
    """
    if ledger is not None and to_itop(ledger, zone) == to_itop(planned, zone):
        return ledger
    return planned


def stored(text: str | None, zone: ZoneInfo) -> datetime | None:
    """Return the instant of a stored local date-time, ``None`` when it is not set."""
    return from_itop(text, zone) if text else None
