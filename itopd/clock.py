"""Time, injected: nothing else in itopd asks the machine what time it is.

Inside, instants are aware datetimes in UTC. iTop's columns hold the local time of its ``timezone`` setting without an
offset (``spec/heartbeat.md`` §3): :func:`to_itop` and :func:`from_itop` convert at that border.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

ITOP_DATE = "%Y-%m-%d"
ITOP_DATETIME = "%Y-%m-%d %H:%M:%S"


class Clock(Protocol):
    """What tells the time."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never jump, for measuring and for waiting."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never jump."""
        return time.monotonic()


class FixedClock:
    """A clock that a test sets and moves."""

    def __init__(self, instant: datetime) -> None:
        if instant.tzinfo is None:
            raise ValueError("a clock needs an aware instant")
        self._instant = instant.astimezone(UTC)
        self._monotonic = 0.0

    def now(self) -> datetime:
        """Return the instant that was set."""
        return self._instant

    def monotonic(self) -> float:
        """Return the seconds this clock was moved forward."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Move on by ``seconds``."""
        self._instant += timedelta(seconds=seconds)
        self._monotonic += seconds


def to_itop(instant: datetime, zone: ZoneInfo) -> str:
    """Return ``instant`` as iTop stores a date-time: local time of ``zone``, ``Y-m-d H:i:s``."""
    return instant.astimezone(zone).strftime(ITOP_DATETIME)


def from_itop(text: str, zone: ZoneInfo) -> datetime:
    """Return the instant that a stored date-time means; in the repeated hour, its first pass.

    Raises ``ValueError`` when ``text`` is no ``Y-m-d H:i:s``.
    """
    return datetime.strptime(text, ITOP_DATETIME).replace(tzinfo=zone).astimezone(UTC)
