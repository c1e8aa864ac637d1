"""Cron text as cron(5) reads it: five fields, or a nickname.

Minute, hour, day of month, month, day of week. A field is ``*`` or a list of numbers, names (``jan``, ``mon``) and
ranges, each range or ``*`` with an optional ``/step``. Sunday is 0 and 7. When both day fields are restricted a day
matches that fits *either*; when one of them starts with ``*`` it must fit both.

When the clock changes (the table of ``schedule.py``): a time that the clock skips runs once, at the first minute after
the gap; a time that comes twice runs once, in its first pass. Where the hour field starts with ``*`` the text does not
name hours but says "in every hour", and the repeated hour is one more hour: it runs in both passes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from itopd.errors import SettingsError
from itopd.heartbeat.schedules.wall_clock import end_of_gap, is_skipped

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_LONGEST_MONTH = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}
_SEARCH_DAYS = 8 * 366 + 2
"""29 February, which 1900 and 2100 do not have, comes at least once in eight years."""


@dataclass(frozen=True, slots=True)
class Field:
    """How one of the five fields is written."""

    name: str
    lowest: int
    highest: int
    names: tuple[str, ...] = ()
    first_name: int = 0


_FIELDS = (
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day of month", 1, 31),
    Field("month", 1, 12, _MONTHS, 1),
    Field("day of week", 0, 7, _DAYS),
)


@dataclass(frozen=True, slots=True)
class CronText:
    """A parsed cron text."""

    text: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """0 is Sunday."""
    every_hour: bool
    """The hour field starts with ``*``."""
    both_days: bool
    """A day must fit both day fields, since one of them starts with ``*``."""

    @classmethod
    def parse(cls, text: str) -> CronText:
        """Read a cron text. Raises :class:`SettingsError` naming the field that is wrong."""
        written = " ".join(text.split())
        plain = _NICKNAMES.get(written.lower(), written)
        if plain.startswith("@"):
            known = ", ".join(_NICKNAMES)
            raise SettingsError(f"schedule '{text}': unknown word {plain.split(' ', maxsplit=1)[0]}; known are {known}")
        parts = plain.split(" ")
        if len(parts) != len(_FIELDS):
            raise SettingsError(
                f"schedule '{text}': write 'every 5m', or the five fields of cron text (minute, hour, day of month, "
                f"month, day of week); found {len(parts) if plain else 0}"
            )
        try:
            minutes, hours, days, months, weekdays = (
                _values(part, field) for part, field in zip(parts, _FIELDS, strict=True)
            )
        except SettingsError as error:
            raise SettingsError(f"schedule '{text}': {error.message}") from None
        both_days = parts[2].startswith("*") or parts[4].startswith("*")
        if both_days and not any(min(days) <= _LONGEST_MONTH.get(month, 31) for month in months):
            raise SettingsError(f"schedule '{text}': no such month has a day {min(days)}; it would never run")
        return cls(
            text=written,
            minutes=tuple(sorted(minutes)),
            hours=tuple(sorted(hours)),
            days=days,
            months=months,
            weekdays=frozenset(day % 7 for day in weekdays),
            every_hour=parts[1].startswith("*"),
            both_days=both_days,
        )

    def first(self, now: datetime, zone: ZoneInfo) -> datetime:
        """Return the first time after ``now``."""
        return self.after(now, zone)

    def next(self, planned: datetime, now: datetime, zone: ZoneInfo) -> datetime:
        """Return the first time after both; what was missed meanwhile is one run, the one that just ended."""
        return self.after(max(planned, now), zone)

    def after(self, instant: datetime, zone: ZoneInfo) -> datetime:
        """Return the first time after ``instant``."""
        # The clock shows an earlier day than yesterday's never again, whatever the zone does at midnight.
        day = (instant.astimezone(zone) - timedelta(days=1)).date()
        for later in range(_SEARCH_DAYS):
            found = [at for at in self.times_of(day + timedelta(days=later), zone) if at > instant]
            if found:
                # A clock set back across midnight shows the next day's first minutes before this day's last ones.
                following = self.times_of(day + timedelta(days=later + 1), zone)
                return min(found + [at for at in following if at > instant])
        raise SettingsError(f"schedule '{self.text}': no time within eight years of {instant:%Y-%m-%d}")

    def times_of(self, day: date, zone: ZoneInfo) -> Iterator[datetime]:
        """Yield the instants of the times of one day of the calendar; skipped ones of a gap yield its end."""
        if not self._fits(day):
            return
        starts = datetime.combine(day, time(), zone).astimezone(UTC)
        ends = datetime.combine(day + timedelta(days=1), time(), zone).replace(fold=1).astimezone(UTC)
        changes = ends - starts != timedelta(days=1)
        for hour in self.hours:
            for minute in self.minutes:
                if not changes:
                    yield starts + timedelta(hours=hour, minutes=minute)
                    continue
                wall = datetime.combine(day, time(hour, minute))
                if is_skipped(wall, zone):
                    yield end_of_gap(wall, zone)
                    continue
                yield wall.replace(tzinfo=zone).astimezone(UTC)
                if self.every_hour:
                    yield wall.replace(tzinfo=zone, fold=1).astimezone(UTC)

    def _fits(self, day: date) -> bool:
        by_date, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        fits = by_date and by_weekday if self.both_days else by_date or by_weekday
        return fits and day.month in self.months


def _values(text: str, field: Field) -> frozenset[int]:
    return frozenset(value for item in text.split(",") for value in _range(item, field))


def _range(item: str, field: Field) -> range:
    """Return the values of one item of a list: ``*``, ``5``, ``1-5``, ``mon-fri``, ``*/15``, ``0-30/10``."""
    span, slash, step_text = item.partition("/")
    step = _number(step_text, item, field) if slash else 1
    if step < 1:
        raise _wrong(item, field, "a step is at least 1")
    if span == "*":
        # Day 7 is day 0 again: within * it would come twice and spoil the steps.
        return range(field.lowest, min(field.highest, 6 if field.name == "day of week" else 59) + 1, step)
    first_text, dash, last_text = span.partition("-")
    first = _value(first_text, item, field)
    if not dash:
        if slash:
            raise _wrong(item, field, f"a step needs a range before it, as in '{first_text}-{field.highest}/{step}'")
        return range(first, first + 1)
    last = _value(last_text, item, field)
    if field.name == "day of week" and last == 0 and first > 0:
        last = 7  # fri-sun
    if last < first:
        raise _wrong(item, field, "the range runs backwards")
    return range(first, last + 1, step)


def _value(text: str, item: str, field: Field) -> int:
    if text.lower() in field.names:
        return field.names.index(text.lower()) + field.first_name
    value = _number(text, item, field)
    if not field.lowest <= value <= field.highest:
        raise _wrong(item, field, f"{value} is not in {field.lowest}-{field.highest}")
    return value


def _number(text: str, item: str, field: Field) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 4:
        raise _wrong(item, field, f"'{text}' is no number" + (" or name" if field.names else ""))
    return int(text)


def _wrong(item: str, field: Field, why: str) -> SettingsError:
    return SettingsError(f"the {field.name} '{item}' is wrong: {why}")
