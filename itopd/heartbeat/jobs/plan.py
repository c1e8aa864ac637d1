"""When a job runs: its schedule on the clock of its zone, inside its window; what becomes of missed and failed runs.

=====================  ==============================================================================================
what happens           what follows
=====================  ==============================================================================================
a run is late          ``misfire = once``: it runs once, as soon as it can; ``skip``: only within ``misfire_grace``
its window has closed  that run is missed, whatever the misfire rule; the next planned one counts
a run fails            it is tried again ``retries`` times, after ``retry_delay``, then twice that, ... at most an hour;
                       then the job waits for its next planned time. What is planned sooner than a retry replaces it
=====================  ==============================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from itopd.errors import SettingsError
from itopd.heartbeat.jobs.windows import Window
from itopd.heartbeat.schedules.schedule import Periodic, Schedule, backed_off
from itopd.heartbeat.schedules.wall_clock import whole_second

_LONGEST_PAUSE = 3600
_MOST_STEPS = 5000
"""Planned times outside the window that are passed over before it counts as never."""


@dataclass(frozen=True, slots=True)
class Watching:
    """The schedule of a hot folder: always due; what makes it run is a file that waits."""

    watch: str

    @property
    def text(self) -> str:
        """Return what is watched."""
        return f"watch {self.watch}"

    def first(self, now: datetime, zone: ZoneInfo) -> datetime:
        """Return now."""
        del zone
        return whole_second(now)

    def next(self, planned: datetime, now: datetime, zone: ZoneInfo) -> datetime:
        """Return now: the next file may wait already."""
        del planned, zone
        return whole_second(now)


@dataclass(frozen=True, slots=True)
class Plan:
    """A schedule on the clock of its own zone, inside a window: a :class:`Schedule` that heeds no other zone."""

    base: Schedule
    zone: ZoneInfo
    window: Window | None = None
    own_zone: bool = False
    """The job names its zone itself."""

    @property
    def text(self) -> str:
        """Return all of it in words; a row planned by another text is planned again."""
        window = f" in {self.window.text}" if self.window is not None else ""
        return f"{self.base.text}{window}" + (f" {self.zone.key}" if self.own_zone else "")

    def first(self, now: datetime, zone: ZoneInfo | None = None) -> datetime:
        """Return the first date for what never ran."""
        del zone
        return self._inside(self.base.first(now, self.zone))

    def next(self, planned: datetime, now: datetime, zone: ZoneInfo | None = None) -> datetime:
        """Return the date after the run that was planned for ``planned`` and ended (or began) at ``now``."""
        del zone
        return self._inside(self.base.next(planned, now, self.zone))

    def is_open(self, now: datetime) -> bool:
        """Return whether a run may begin now."""
        return self.window is None or self.window.is_open(now, self.zone)

    def coming(self, now: datetime, count: int) -> list[datetime]:
        """Return the next ``count`` dates if nothing ran in between: pure arithmetic."""
        dates = [self.first(now)]
        while len(dates) < count:
            dates.append(self.next(dates[-1], dates[-1]))
        return dates

    def _inside(self, at: datetime) -> datetime:
        """Return a planned date, or the first one after it that lies in the window."""
        if self.window is None:
            return at
        for _ in range(_MOST_STEPS):
            if self.window.is_open(at, self.zone):
                return at
            opening = self.window.opening(at, self.zone)
            if isinstance(self.base, Periodic | Watching):
                return opening
            before = opening - timedelta(seconds=1)
            at = self.base.next(before, before, self.zone)
        raise SettingsError(f"schedule '{self.base.text}' never falls into {self.window.text}: correct one of them")


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a failed run is tried again before the job waits for its next planned time."""

    times: int = 3
    delay: timedelta = field(default=timedelta(minutes=1))
    """Before the first retry; it doubles each time, to at most an hour."""

    def after_failure(self, planned: datetime, failures: int, now: datetime, plan: Plan) -> datetime:
        """Return when to run after ``failures`` failures in a row; ``planned`` is the schedule's next date.

        Each planned time has its own retries: the failures in a row are counted off in rounds of one run and its
        retries.
        """
        number = failures % (self.times + 1)
        again = self.pause_after(number, now)
        if number and again < planned and plan.is_open(again):
            return again
        return backed_off(planned, failures, now)

    def pause_after(self, failures: int, now: datetime) -> datetime:
        """Return the end of the pause after ``failures`` failures in a row."""
        first = self.delay.total_seconds()
        seconds = min(first * 2.0 ** min(max(failures - 1, 0), 32), max(first, _LONGEST_PAUSE))
        return whole_second(now).astimezone(UTC) + timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class Misfire:
    """What becomes of a run that could not begin when it was planned."""

    grace: timedelta | None = None
    """How late it may begin; ``None``: however late, once."""

    def missed(self, planned: datetime, now: datetime, plan: Plan) -> str:
        """Return why a run planned for ``planned`` may not begin now and is missed; empty: it may begin."""
        if plan.window is not None and not plan.is_open(now):
            return f"its window {plan.window.text} has closed"
        late = whole_second(now) - planned
        if self.grace is not None and late > self.grace:
            return f"it is {late} late and misfire_grace is {self.grace}"
        return ""
