"""Dates and times in PHP's format letters: reading cells (``spec/synchro.md`` §3.4, ``spec/import.md`` §6.4) and
writing values (``spec/export.md`` §4.3).

Stored dates are text, ``Y-m-d`` and ``Y-m-d H:i:s``, local time of iTop's timezone: both directions go from text to
text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from itopd.errors import SettingsError

DATE_LETTERS: Final = frozenset("Yydjmn")
TIME_LETTERS: Final = frozenset("HGhgisaA")

_PATTERNS: Final = {
    "d": "(0[1-9]|[12][0-9]|3[01])",
    "j": "([1-9]|[12][0-9]|3[01])",
    "m": "(0[1-9]|1[0-2])",
    "n": "([1-9]|1[0-2])",
    "Y": "([0-9]{4})",
    "y": "([0-9]{2})",
    "H": "([01][0-9]|2[0-3])",
    "G": "([0-9]|1[0-9]|2[0-3])",
    "h": "(0[1-9]|1[0-2])",
    "g": "([1-9]|1[0-2])",
    "i": "([0-5][0-9])",
    "s": "([0-5][0-9])",
    "a": "(am|pm)",
    "A": "(AM|PM)",
}
_FIELDS: Final = {
    "d": "day",
    "j": "day",
    "m": "month",
    "n": "month",
    "Y": "year",
    "y": "year",
    "H": "hour",
    "G": "hour",
    "h": "hour",
    "g": "hour",
    "i": "minute",
    "s": "second",
    "a": "half",
    "A": "half",
}
_OLD_STYLE: Final = re.compile("%([dmyYHis])")


def modern_format(text: str) -> str:
    """Return a format with the old style ``%d``, ``%m``, ... (any ``%`` means it) turned into plain letters."""
    return _OLD_STYLE.sub(r"\1", text) if "%" in text else text


def date_part(text: str) -> str:
    """Return the part of a format between its first and its last date letter, both included; '' without any."""
    return _part(text, DATE_LETTERS)


def time_part(text: str) -> str:
    """Return the part of a format between its first and its last time letter, both included; '' without any."""
    return _part(text, TIME_LETTERS)


def _part(text: str, letters: frozenset[str]) -> str:
    at = [position for position, token in _tokens(text) if token in letters]
    return text[at[0] : at[-1] + 1] if at else ""


def _tokens(text: str) -> list[tuple[int, str]]:
    """Return the characters of a format with their positions; an escaped one comes with its backslash."""
    tokens = []
    position = 0
    while position < len(text):
        token = text[position : position + 2] if text[position] == "\\" else text[position]
        tokens.append((position, token))
        position += len(token)
    return tokens


@dataclass(frozen=True, slots=True)
class DateFormat:
    """A format that cells are read with."""

    modern: str
    """The format in plain letters."""
    pattern: re.Pattern[str]
    fields: tuple[str, ...]
    """What each group holds: ``year``, ``month``, ``day``, ``hour``, ``minute``, ``second`` or ``half`` (am, pm)."""

    def read(self, text: str, *, now: datetime | None = None) -> datetime | None:
        """Return the local date-time that ``text`` means; ``None`` when it does not match the format exactly.

        Without ``now`` reading is strict: an impossible day does not match, an absent time is 00:00:00. With ``now``
        (local) it is iTop's: an impossible day rolls over into the next month, and what the format does not hold
        is taken from ``now`` - but once it holds an hour, minute or second, the other ones are 0.
        """
        match = self.pattern.fullmatch(text)
        if match is None:
            return None
        found = dict(zip(self.fields, match.groups(), strict=True))
        timed = not found.keys().isdisjoint({"hour", "minute", "second"})
        here = now or datetime.min  # noqa: DTZ901 - local times of iTop's zone carry no zone
        year = _year(found["year"]) if "year" in found else here.year
        month = int(found.get("month", here.month))
        day = int(found.get("day", here.day))
        hour = _hour(found) if "hour" in found else 0 if timed else here.hour
        minute = int(found["minute"]) if "minute" in found else 0 if timed else here.minute
        second = int(found["second"]) if "second" in found else 0 if timed else here.second
        try:
            if now is None:
                return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001
            return datetime(year, month, 1, hour, minute, second) + timedelta(days=day - 1)  # noqa: DTZ001
        except (ValueError, OverflowError):
            return None

    def read_date(self, text: str, *, now: datetime | None = None) -> str | None:
        """Return the stored form ``Y-m-d`` of a date cell, ``None`` when it does not match."""
        moment = self.read(text, now=now)
        return None if moment is None else moment.date().isoformat()

    def read_datetime(self, text: str, *, now: datetime | None = None) -> str | None:
        """Return the stored form ``Y-m-d H:i:s`` of a date-time cell, ``None`` when it does not match."""
        moment = self.read(text, now=now)
        return None if moment is None else moment.isoformat(" ", "seconds")

    def missing_date_parts(self) -> tuple[str, ...]:
        """Return which of year, month and day the format does not hold."""
        return tuple(part for part in ("year", "month", "day") if part not in self.fields)


def _year(digits: str) -> int:
    number = int(digits)
    if len(digits) == 4:
        return number
    return number + (1900 if number >= 70 else 2000)


def _hour(found: dict[str, str]) -> int:
    hour = int(found["hour"])
    half = found.get("half", "").lower()
    if half == "pm" and hour < 12:
        return hour + 12
    return 0 if half == "am" and hour == 12 else hour


@lru_cache(maxsize=64)
def read_format(text: str) -> DateFormat:
    """Return the format to read cells with; letters other than those of ``synchro.md`` §3.4 are literal.

    Raises :class:`SettingsError` for a format without any of those letters.
    """
    pattern = []
    fields = []
    modern = modern_format(text)
    for _, token in _tokens(modern):
        if token in _PATTERNS:
            pattern.append(_PATTERNS[token])
            fields.append(_FIELDS[token])
        else:
            pattern.append(re.escape(token[1:] if len(token) == 2 else token))
    if not fields:
        raise SettingsError(f"date_format '{text}' holds no letter of a date or time: write for instance d/m/Y H:i:s")
    return DateFormat(modern, re.compile("".join(pattern)), tuple(fields))


_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS: Final = (
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


def format_php_date(text: str, moment: datetime) -> str:
    """Return ``moment`` in a format of PHP's ``date`` function; names are English, ``\\`` escapes a letter.

    The zone letters (``e T P p O Z I U c r``) need an aware ``moment``; others look at its local fields alone.
    """
    return "".join(_write_token(token, moment) for _, token in _tokens(text))


def _write_token(token: str, moment: datetime) -> str:
    if len(token) == 2:
        return token[1]
    write = _WRITERS.get(token)
    return token if write is None else write(moment)  # a lone backslash ends up here, too


def _ordinal_suffix(day: int) -> str:
    return "th" if 11 <= day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def _leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _days_in_month(moment: datetime) -> int:
    return ((moment.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)).day


def _offset(moment: datetime, colon: str) -> str:
    seconds = int((moment.utcoffset() or timedelta()).total_seconds())
    sign = "-" if seconds < 0 else "+"
    hours, rest = divmod(abs(seconds), 3600)
    return f"{sign}{hours:02}{colon}{rest // 60:02}"


def _zone_name(moment: datetime) -> str:
    return moment.tzinfo.key if isinstance(moment.tzinfo, ZoneInfo) else _offset(moment, ":")


def _swatch_beat(moment: datetime) -> str:
    offset = moment.utcoffset() or timedelta()
    seconds = moment.hour * 3600 + moment.minute * 60 + moment.second - int(offset.total_seconds()) + 3600
    return f"{seconds % 86400 * 1000 // 86400:03}"


_WRITERS: Final[dict[str, Callable[[datetime], str]]] = {
    "d": lambda m: f"{m.day:02}",
    "D": lambda m: _DAYS[m.weekday()][:3],
    "j": lambda m: str(m.day),
    "l": lambda m: _DAYS[m.weekday()],
    "N": lambda m: str(m.isoweekday()),
    "S": lambda m: _ordinal_suffix(m.day),
    "w": lambda m: str(m.isoweekday() % 7),
    "z": lambda m: str(m.timetuple().tm_yday - 1),
    "W": lambda m: f"{m.isocalendar().week:02}",
    "F": lambda m: _MONTHS[m.month - 1],
    "M": lambda m: _MONTHS[m.month - 1][:3],
    "m": lambda m: f"{m.month:02}",
    "n": lambda m: str(m.month),
    "t": lambda m: str(_days_in_month(m)),
    "L": lambda m: str(int(_leap(m.year))),
    "o": lambda m: str(m.isocalendar().year),
    "Y": lambda m: f"{m.year:04}",
    "X": lambda m: f"+{m.year:04}",
    "x": lambda m: f"{m.year:04}",
    "y": lambda m: f"{m.year % 100:02}",
    "a": lambda m: "am" if m.hour < 12 else "pm",
    "A": lambda m: "AM" if m.hour < 12 else "PM",
    "B": _swatch_beat,
    "g": lambda m: str(m.hour % 12 or 12),
    "G": lambda m: str(m.hour),
    "h": lambda m: f"{m.hour % 12 or 12:02}",
    "H": lambda m: f"{m.hour:02}",
    "i": lambda m: f"{m.minute:02}",
    "s": lambda m: f"{m.second:02}",
    "u": lambda m: f"{m.microsecond:06}",
    "v": lambda m: f"{m.microsecond // 1000:03}",
    "e": _zone_name,
    "I": lambda m: str(int(bool(m.dst()))),
    "O": lambda m: _offset(m, ""),
    "P": lambda m: _offset(m, ":"),
    "p": lambda m: "Z" if not m.utcoffset() else _offset(m, ":"),
    "T": lambda m: m.tzname() or "",
    "Z": lambda m: str(int((m.utcoffset() or timedelta()).total_seconds())),
    "c": lambda m: format_php_date("Y-m-d\\TH:i:sP", m),
    "r": lambda m: format_php_date("D, d M Y H:i:s O", m),
    "U": lambda m: str(int(m.timestamp())),
}

_SLICES: Final = {"Y": (0, 4), "m": (5, 7), "d": (8, 10), "H": (11, 13), "i": (14, 16), "s": (17, 19)}
_STORED: Final = re.compile(r"\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d)?")


@lru_cache(maxsize=64)
def stored_writer(text: str, zone: ZoneInfo) -> Callable[[str], str]:
    """Return a function that writes a stored date (``Y-m-d``) or date-time (``Y-m-d H:i:s``) in a PHP format.

    Made once for a column: formats of ``Y m d H i s`` alone are cut out of the stored text. A value that is no such
    text (a hand-made date of the database like ``2024-2-9``) is returned as it is.
    """
    if text in {"Y-m-d H:i:s", "Y-m-d"}:
        length = len("2024-12-31 23:59:59") if text.endswith("s") else len("2024-12-31")
        return lambda stored: stored if len(stored) == length else _write_slowly(text, zone, stored)
    pieces: list[str | slice] = []
    for _, token in _tokens(text):
        if token in _SLICES:
            pieces.append(slice(*_SLICES[token]))
        elif token in _WRITERS:
            return lambda stored: _write_slowly(text, zone, stored)
        else:
            pieces.append(token[1:] if len(token) == 2 else token)

    def write(stored: str) -> str:
        if len(stored) == 10:
            stored += " 00:00:00"
        if len(stored) != 19:
            return stored
        return "".join([piece if isinstance(piece, str) else stored[piece] for piece in pieces])

    return write


def _write_slowly(text: str, zone: ZoneInfo, stored: str) -> str:
    if _STORED.fullmatch(stored) is None:
        return stored
    try:
        moment = datetime.fromisoformat(stored).replace(tzinfo=zone)
    except ValueError:
        return stored
    return format_php_date(text, moment)
