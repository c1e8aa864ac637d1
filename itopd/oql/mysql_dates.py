"""MySQL's date functions in Python, for engines that lack them (``spec/oql.md`` §7.5, §7.6).

Dates come and go as text, ``Y-m-d`` or ``Y-m-d H:i:s``. What is no date gives ``None``, as in MySQL.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache

_DELIMITED = re.compile(
    r"\s*(\d{4}|\d{2})[^\w\s](\d{1,2})[^\w\s](\d{1,2})(?:[T\s]+(\d{1,2})(?:[^\w\s](\d{1,2})(?:[^\w\s](\d{1,2})(?:\.\d*)?)?)?)?"
)
_DIGITS = re.compile(r"(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(\d{2}))?\Z")
_TO_DAYS = 365
"""MySQL counts days from the year 0: its number of a day is Python's ordinal plus this."""

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_UNITS = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86400}


def shown(instant: datetime) -> str:
    """Return an instant in stored form, its year with four digits (``strftime`` writes fewer before the year 1000)."""
    return instant.isoformat(" ", "seconds")


@lru_cache(maxsize=4096)
def read_date(value: object) -> tuple[datetime, bool] | None:
    """Return the instant that a value means and whether a time was given."""
    if value is None:
        return None
    text = str(value)
    found = _DELIMITED.match(text) or _DIGITS.match(text)
    if found is None:
        return None
    years, months, days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    if len(found[1]) == 2:
        years += 2000 if years < 70 else 1900
    try:
        # iTop's dates have no zone
        return datetime(years, months, days, hours, minutes, seconds), found[4] is not None  # noqa: DTZ001
    except ValueError:
        return None


ZERO = "0000-00-00 00:00:00"
"""What a text is worth that is compared with a date and is none."""


def comparable(value: object) -> str | None:
    """Return a text as the full date-time that it means beside a date."""
    if value is None:
        return None
    read = read_date(value)
    return ZERO if read is None else shown(read[0])


def date_part(value: object) -> str | None:
    """``DATE``."""
    read = read_date(value)
    return None if read is None else read[0].date().isoformat()


def time_part(value: object) -> str | None:
    """``TIME``."""
    read = read_date(value)
    return None if read is None else f"{read[0]:%H:%M:%S}"


def year(value: object) -> int | None:
    """``YEAR``."""
    read = read_date(value)
    return None if read is None else read[0].year


def month(value: object) -> int | None:
    """``MONTH``."""
    read = read_date(value)
    return None if read is None else read[0].month


def day(value: object) -> int | None:
    """``DAY``."""
    read = read_date(value)
    return None if read is None else read[0].day


def to_days(value: object) -> int | None:
    """``TO_DAYS``: 719528 is 1970-01-01."""
    read = read_date(value)
    return None if read is None else read[0].toordinal() + _TO_DAYS


def from_days(value: object) -> str | None:
    """``FROM_DAYS``; the zero date outside of the years 1 to 9999."""
    number = integer(value)
    if number is None:
        return None
    try:
        return date.fromordinal(number - _TO_DAYS).isoformat()
    except (ValueError, OverflowError):
        return ZERO[:10]


def add_interval(value: object, amount: object, unit: str) -> str | None:
    """``DATE_ADD``: months and years clip to the last day of the month; a date stays one but for units of time."""
    read, count = read_date(value), integer(amount)
    if read is None or count is None:
        return None
    instant, with_time = read
    try:
        if unit in _UNITS:
            instant += timedelta(seconds=count * _UNITS[unit])
            with_time = with_time or unit != "DAY"
        else:
            instant = _add_months(instant, count * (12 if unit == "YEAR" else 1))
    except (ValueError, OverflowError):
        return None
    return shown(instant) if with_time else instant.date().isoformat()


def _add_months(instant: datetime, months: int) -> datetime:
    years, index = divmod(instant.month - 1 + months, 12)
    year_then, month_then = instant.year + years, index + 1
    last = monthrange(year_then, month_then)[1] if 1 <= year_then <= 9999 else 1
    return instant.replace(year=year_then, month=month_then, day=min(instant.day, last))


def integer(value: object) -> int | None:
    """Return a number rounded half away from zero; a text is worth its leading number."""
    if value is None or isinstance(value, int):
        return value
    found = re.match(r"\s*[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?", str(value))
    try:
        return int(Decimal(found.group()).to_integral_value(ROUND_HALF_UP)) if found else 0
    except (InvalidOperation, OverflowError):
        return None


def date_format(value: object, layout: object) -> str | None:
    """``DATE_FORMAT``; an unknown letter stands for itself."""
    read = read_date(value)
    if read is None or layout is None:
        return None
    return re.sub(r"%(.)", lambda code: _format_code(read[0], code[1]), str(layout), flags=re.DOTALL)


def _format_code(at: datetime, code: str) -> str:
    known = _CODES.get(code)
    return code if known is None else known(at)


def _ordinal_suffix(number: int) -> str:
    if number % 100 in {11, 12, 13}:
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def _week(at: datetime, code: str) -> tuple[int, int]:
    """Return year and week: ``U`` and ``u`` count from 0 within the year, ``V`` and ``v`` from 1 across years.

    ``u`` and ``v`` begin weeks on Monday and number as ISO does (week 1 has four days); ``U`` and ``V`` begin them on
    Sunday, and week 1 is the first whole one.
    """
    if code == "v":
        iso = at.isocalendar()
        return iso.year, iso.week
    if code == "u":
        iso = at.isocalendar()
        if iso.year < at.year:
            return at.year, 0
        if iso.year > at.year:
            last_full = (at - timedelta(days=7)).isocalendar()
            return at.year, last_full.week + 1
        return at.year, iso.week
    week = int(at.strftime("%U"))
    if code == "V" and week == 0:
        return _week(datetime(at.year - 1, 12, 31), code)  # noqa: DTZ001 - iTop's dates have no zone
    return at.year, week


def _half(at: datetime) -> str:
    return "AM" if at.hour < 12 else "PM"


_CODES: dict[str, Callable[[datetime], str]] = {
    "Y": lambda at: f"{at.year:04d}",
    "y": lambda at: f"{at.year % 100:02d}",
    "m": lambda at: f"{at.month:02d}",
    "c": lambda at: str(at.month),
    "M": lambda at: _MONTHS[at.month - 1],
    "b": lambda at: _MONTHS[at.month - 1][:3],
    "d": lambda at: f"{at.day:02d}",
    "e": lambda at: str(at.day),
    "D": lambda at: f"{at.day}{_ordinal_suffix(at.day)}",
    "j": lambda at: f"{at:%j}",
    "H": lambda at: f"{at.hour:02d}",
    "k": lambda at: str(at.hour),
    "h": lambda at: f"{at.hour % 12 or 12:02d}",
    "I": lambda at: f"{at.hour % 12 or 12:02d}",
    "l": lambda at: str(at.hour % 12 or 12),
    "i": lambda at: f"{at.minute:02d}",
    "S": lambda at: f"{at.second:02d}",
    "s": lambda at: f"{at.second:02d}",
    "p": _half,
    "r": lambda at: f"{at.hour % 12 or 12:02d}:{at:%M:%S} {_half(at)}",
    "T": lambda at: f"{at:%H:%M:%S}",
    "f": lambda _at: "000000",
    "W": lambda at: _DAYS[at.weekday()],
    "a": lambda at: _DAYS[at.weekday()][:3],
    "w": lambda at: str(at.isoweekday() % 7),
    "U": lambda at: f"{_week(at, 'U')[1]:02d}",
    "u": lambda at: f"{_week(at, 'u')[1]:02d}",
    "V": lambda at: f"{_week(at, 'V')[1]:02d}",
    "v": lambda at: f"{_week(at, 'v')[1]:02d}",
    "X": lambda at: f"{_week(at, 'V')[0]:04d}",
    "x": lambda at: f"{_week(at, 'v')[0]:04d}",
}
