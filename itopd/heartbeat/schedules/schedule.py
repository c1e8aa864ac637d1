"""When things run: pure functions from instants to instants (``spec/heartbeat.md`` §5, §6).

A schedule has a ``first`` date, planned when its row is made, and a ``next`` date after a run. Instants are aware, in
UTC, whole seconds; schedules speak of the wall clock of iTop's time zone, which is handed in.

=================  ==========================================================================================
kind               on the days when the clock changes
=================  ==========================================================================================
:class:`Periodic`  elapsed time; a period of whole days keeps its time on the wall clock (moved on when skipped)
:class:`Weekly`    a skipped time moves on by the hour that was skipped; of a repeated hour the second pass counts
:class:`CronText`  a skipped time runs once, at the first minute after the gap; a repeated time runs once, in the
                   first pass - but where the hour is ``*`` the hours go on, so both passes count
=================  ==========================================================================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from itopd.errors import SettingsError
from itopd.heartbeat.schedules.cron_text import CronText
from itopd.heartbeat.schedules.wall_clock import moved_forward, parked, whole_second

_DAY = 86400
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": _DAY}
_EVERY = re.compile(r"every\s+(\d{1,9})\s*([smhd])", re.IGNORECASE)


class Schedule(Protocol):
    """When a task or job runs."""

    @property
    def text(self) -> str:
        """Return the schedule in words; a row planned by another text is planned again."""
        ...

    def first(self, now: datetime, zone: ZoneInfo) -> datetime:
        """Return the first date for what never ran."""
        ...

    def next(self, planned: datetime, now: datetime, zone: ZoneInfo) -> datetime:
        """Return the date after the run that was planned for ``planned`` and ended (or began) at ``now``."""
        ...


@dataclass(frozen=True, slots=True)
class Periodic:
    """Every so many seconds, on the grid of the planned date; at least one second."""

    seconds: int

    def __post_init__(self) -> None:
        if self.seconds < 1:
            raise SettingsError(f"a period of {self.seconds} seconds would never end; give at least 1 second")

    @property
    def text(self) -> str:
        """Return the period in its greatest unit: ``every 5m``."""
        unit = max((unit for unit in _UNITS if self.seconds % _UNITS[unit] == 0), key=lambda unit: _UNITS[unit])
        return f"every {self.seconds // _UNITS[unit]}{unit}"

    def first(self, now: datetime, zone: ZoneInfo) -> datetime:
        """Return now: what is new runs at once."""
        del zone
        return whole_second(now)

    def next(self, planned: datetime, now: datetime, zone: ZoneInfo) -> datetime:
        """Return the first point of the grid that is not before the present second, and after ``planned``."""
        planned, now = whole_second(planned), whole_second(now)
        if self.seconds % _DAY == 0:
            return self._next_day(planned, now, zone)
        missed = max(0, (now - planned) // timedelta(seconds=1))
        return planned + timedelta(seconds=self.seconds * max(1, -(-missed // self.seconds)))

    def _next_day(self, planned: datetime, now: datetime, zone: ZoneInfo) -> datetime:
        days = self.seconds // _DAY
        wall = planned.astimezone(zone).replace(tzinfo=None)
        elapsed = (now.astimezone(zone).date() - wall.date()).days
        times = max(1, elapsed // days)
        # The grid point of the present day, or of the last one before it, may already have passed: then the next one.
        for count in (times, times + 1):
            candidate = moved_forward(wall + timedelta(days=days * count), zone)
            if candidate >= now:
                break
        return candidate


@dataclass(frozen=True, slots=True)
class Parked:
    """Never: iTop's rows then say ``3000-01-01 00:00:00``."""

    @property
    def text(self) -> str:
        """Return the schedule in words."""
        return "never"

    def first(self, now: datetime, zone: ZoneInfo) -> datetime:
        """Return the date that stands for never."""
        del now
        return parked(zone)

    def next(self, planned: datetime, now: datetime, zone: ZoneInfo) -> datetime:
        """Return the date that stands for never."""
        del planned, now
        return parked(zone)


def parse_schedule(text: str) -> Periodic | CronText:
    """Return the schedule that a job's text means: ``every 5m`` (s, m, h, d), cron text, or ``@daily``.

    Raises :class:`SettingsError` saying what is wrong and what can be written.
    """
    every = _EVERY.fullmatch(text.strip())
    if every is not None:
        return Periodic(int(every[1]) * _UNITS[every[2].lower()])
    if text.strip().lower().startswith("every"):
        raise SettingsError(f"schedule '{text}': after 'every' write a number and s, m, h or d, as in 'every 5m'")
    return CronText.parse(text)


def after_set_back(schedule: Schedule, planned: datetime, latest: datetime | None, now: datetime) -> datetime:
    """Return ``planned``, or now when the clock was set back since and ``schedule`` counts elapsed time.

    A last run that lies ahead tells that the clock was set back. Without this a task of every two seconds would wait
    for as long as the clock was wrong. Dates on the wall clock are waited for. So is what remains of up to a minute,
    by which the clocks of two hosts at the same rows may differ.
    """
    counts_seconds = isinstance(schedule, Periodic) and schedule.seconds % _DAY != 0
    if counts_seconds and planned > now and latest is not None and latest - now > _CLOCKS_DIFFER:
        return whole_second(now)
    return planned


def backed_off(planned_next: datetime, failures: int, now: datetime) -> datetime:
    """Return when to try again after ``failures`` failures in a row: the schedule's date, or later.

    The first two failures change nothing; then the pause doubles from one minute to at most one hour.
    """
    if failures < _PATIENCE:
        return planned_next
    pause = min(60 * 2 ** min(failures - _PATIENCE, 6), 3600)
    return max(planned_next, whole_second(now).astimezone(UTC) + timedelta(seconds=pause))


_PATIENCE = 3
_CLOCKS_DIFFER = timedelta(minutes=1)
