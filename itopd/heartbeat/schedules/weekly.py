"""Weekly schedules of iTop's scheduled processes: some days of the week at one time (``spec/heartbeat.md`` §6)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from itopd.errors import SettingsError
from itopd.heartbeat.schedules.wall_clock import moved_forward, parked

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_TIME = re.compile(r"[0-2][0-9]:[0-5][0-9]")
_LEADING_NUMBER = re.compile(r"\s*(\d+)")
_DISABLING = ("", "0")


@dataclass(frozen=True, slots=True)
class Weekly:
    """Some days of the week at one time; disabled it is parked at ``3000-01-01 00:00:00``."""

    enabled: bool
    days: frozenset[int]
    """0 is Monday."""
    time: str
    """As the setting is written: iTop compares it with the clock as text."""

    @classmethod
    def of_settings(cls, module: str, settings: Mapping[str, object], default_time: str) -> Weekly:
        """Read ``enabled``, ``week_days`` and ``time`` of a module; absent or ``None`` means the default.

        Raises :class:`SettingsError` for days or a time that cannot be read.
        """
        enabled, days, at = (settings.get(key) for key in ("enabled", "week_days", "time"))
        return cls(
            enabled=True if enabled is None else _is_true(enabled),
            days=frozenset(range(7)) if days is None else _week_days(str(days), module),
            time=_checked_time(default_time if at is None else str(at), module),
        )

    @property
    def text(self) -> str:
        """Return the schedule in words."""
        names = ", ".join(DAYS[day] for day in sorted(self.days))
        return f"{names} {self.time}" if self.enabled else "disabled"

    def first(self, now: datetime, zone: ZoneInfo) -> datetime:
        """Return the next occurrence."""
        return self.occurrence(now, zone)

    def next(self, planned: datetime, now: datetime, zone: ZoneInfo) -> datetime:
        """Return the occurrence after a run, counted from now; never the one that just ran."""
        found = self.occurrence(now, zone)
        # A time with seconds counts as still to come during its own minute (text comparison).
        return found if found > planned else self.occurrence(max(planned, now) + timedelta(minutes=1), zone)

    def occurrence(self, now: datetime, zone: ZoneInfo) -> datetime:
        """Return the next occurrence from an instant, by iTop's rule."""
        if not self.enabled:
            return parked(zone)
        wall = now.astimezone(zone)
        today = wall.weekday()
        later = sorted(day for day in self.days if day > today or (day == today and wall.strftime("%H:%M") < self.time))
        ahead = later[0] - today if later else min(self.days) + 7 - today
        hours, minutes = self.time.split(":")[:2]
        midnight = datetime.combine(wall.date() + timedelta(days=ahead), time())
        # Hours above 23 overflow into the next day.
        return moved_forward(midnight + timedelta(hours=_leading(hours), minutes=_leading(minutes)), zone, "second")


def _is_true(value: object) -> bool:
    """Return whether PHP takes a value for true: of texts only ``''`` and ``'0'`` are false."""
    return value not in _DISABLING if isinstance(value, str) else bool(value)


def _week_days(text: str, module: str) -> frozenset[int]:
    if text == "":
        raise SettingsError(f"{module}: missing setting 'week_days'; name days, as in 'monday, friday'")
    found = set()
    for item in text.split(","):
        name = item.strip().lower()
        if name not in DAYS:
            raise SettingsError(
                f"{module}: wrong format for setting 'week_days' (found '{item.strip()}'); write English names of days "
                "separated by commas"
            )
        found.add(DAYS.index(name))
    return frozenset(found)


def _checked_time(text: str, module: str) -> str:
    parts = text.split(":")
    if _TIME.search(text) is None or not all(_LEADING_NUMBER.match(part) for part in parts[:2]):
        raise SettingsError(
            f"{module}: wrong format for setting 'time' (found '{text}'); write hours and minutes with two digits "
            "each, as in 09:30"
        )
    return text


def _leading(text: str) -> int:
    found = _LEADING_NUMBER.match(text)
    return int(found[1]) if found else 0
