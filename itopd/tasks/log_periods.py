"""How long a log file lasts and what it is called then: pure functions (``spec/heartbeat.md`` §10).

Names are iTop's, with one correction (§12): a month belongs to its calendar year, not to the year of its ISO week.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from pathlib import PurePath
from zoneinfo import ZoneInfo

from itopd.errors import SettingsError

NO_ROTATION = "DefaultLogFileNameBuilder"


class Rotation(StrEnum):
    """How long one file lasts; the values are iTop's names in ``log_filename_builder_impl``."""

    DAILY = "DailyRotatingLogFileNameBuilder"
    WEEKLY = "WeeklyRotatingLogFileNameBuilder"
    MONTHLY = "MonthlyRotatingLogFileNameBuilder"

    @classmethod
    def named(cls, name: str) -> Rotation | None:
        """Return the rotation a setting names; ``None``: files never rotate. Raises :class:`SettingsError`."""
        if name == NO_ROTATION:
            return None
        try:
            return cls(name)
        except ValueError:
            known = ", ".join(rotation.value for rotation in cls)
            raise SettingsError(
                f"log_filename_builder_impl '{name}' is unknown; use {known}, or {NO_ROTATION} to never rotate"
            ) from None


@dataclass(frozen=True, slots=True)
class Rotating:
    """When the files of a rotation get a new name, as the heartbeat asks for it."""

    rotation: Rotation

    @property
    def text(self) -> str:
        """Return the schedule in words."""
        return f"{self.rotation.name.lower()} at midnight"

    def first(self, now: datetime, zone: ZoneInfo) -> datetime:
        """Return the next date."""
        return next_rotation(self.rotation, now, zone)

    def next(self, planned: datetime, now: datetime, zone: ZoneInfo) -> datetime:
        """Return the date after a run, counted from now."""
        return next_rotation(self.rotation, max(planned, now), zone)


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
    # A midnight that summer time skips moves on by what the clock skipped.
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)


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
