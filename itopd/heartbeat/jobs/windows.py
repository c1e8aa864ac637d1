"""Windows: the hours of a day in which a job may begin."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from itopd.heartbeat.schedules.wall_clock import end_of_gap, is_skipped

_MIDNIGHT = time(0, 0)
_LAST_MINUTE = time(23, 59)
_SEARCH_DAYS = 8
"""Summer time can swallow the window of one day; so many in a row it cannot."""


@dataclass(frozen=True, slots=True)
class Window:
    """From one time of the day to another, both minutes included; ``22:00`` to ``04:00`` goes over midnight."""

    not_before: time = _MIDNIGHT
    not_after: time = _LAST_MINUTE

    @property
    def text(self) -> str:
        """Return the window in words: ``22:00-04:00``."""
        return f"{self.not_before:%H:%M}-{self.not_after:%H:%M}"

    def holds(self, at: time) -> bool:
        """Return whether the minute of a time of the day lies inside."""
        minute = at.replace(second=0, microsecond=0, tzinfo=None)
        if self.not_before <= self.not_after:
            return self.not_before <= minute <= self.not_after
        return minute >= self.not_before or minute <= self.not_after

    def is_open(self, instant: datetime, zone: ZoneInfo) -> bool:
        """Return whether a job may begin at an instant."""
        return self.holds(instant.astimezone(zone).time())

    def opening(self, instant: datetime, zone: ZoneInfo) -> datetime:
        """Return the first instant at which it opens after ``instant``, which lies outside."""
        day = instant.astimezone(zone).date()
        for ahead in range(_SEARCH_DAYS):
            wall = datetime.combine(day + timedelta(days=ahead), self.not_before)
            opens = end_of_gap(wall, zone) if is_skipped(wall, zone) else wall.replace(tzinfo=zone).astimezone(UTC)
            if opens > instant and self.is_open(opens, zone):
                return opens
        raise ValueError(f"the window {self.text} does not open within {_SEARCH_DAYS} days of {instant} in {zone}")
