"""When log files rotate and what they are called then: pure functions (``spec/heartbeat.md`` §10).

Names are iTop's, with one correction (§12): a month belongs to its calendar year, not to the year of its ISO week.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from enum import StrEnum
from pathlib import PurePath
from zoneinfo import ZoneInfo

from itopd.errors import SettingsError
from itopd.heartbeat.wall_clock import moved_forward


class Rotation(StrEnum):
    """How long one file lasts; the values are iTop's names in ``log_filename_builder_impl``."""

    DAILY = "DailyRotatingLogFileNameBuilder"
    WEEKLY = "WeeklyRotatingLogFileNameBuilder"
    MONTHLY = "MonthlyRotatingLogFileNameBuilder"

    @classmethod
    def named(cls, name: str) -> Rotation:
        """Return the rotation a setting names. Raises :class:`SettingsError` for a builder that does not rotate."""
        try:
            return cls(name)
        except ValueError:
            known = ", ".join(rotation.value for rotation in cls)
            raise SettingsError(f"log_filename_builder_impl '{name}' does not rotate files; use {known}") from None


def next_rotation(rotation: Rotation, now: datetime, zone: ZoneInfo) -> datetime:
    """Return the next midnight that starts a day, a week (Monday) or a month."""
    today = now.astimezone(zone).date()
    match rotation:
        case Rotation.DAILY:
            day = today + timedelta(days=1)
        case Rotation.WEEKLY:
            day = today + timedelta(days=7 - today.weekday())
        case Rotation.MONTHLY:
            day = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
    return moved_forward(datetime.combine(day, time()), zone)


def is_due(rotation: Rotation, last_modified: datetime, now: datetime, zone: ZoneInfo) -> bool:
    """Return whether a file was last written in another period than now."""
    return _period(rotation, last_modified.astimezone(zone)) != _period(rotation, now.astimezone(zone))


def rotated_name(rotation: Rotation, file_name: str, last_modified: datetime, zone: ZoneInfo) -> str:
    """Return the new name of a file: ``error.log`` becomes ``error.2027-week06.log``."""
    path = PurePath(file_name)
    return f"{path.stem}.{_period(rotation, last_modified.astimezone(zone))}{path.suffix}"


def _period(rotation: Rotation, local: datetime) -> str:
    match rotation:
        case Rotation.DAILY:
            return f"{local:%Y-%m-%d}"
        case Rotation.WEEKLY:
            year, week, _ = local.isocalendar()
            return f"{year}-week{week:02d}"
        case Rotation.MONTHLY:
            return f"{local:%Y}-month{local:%m}"
