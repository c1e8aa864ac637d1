"""Dates and date-times: text in stored form, never a datetime, so nothing is converted and no zone is guessed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, tzinfo
from typing import Any, ClassVar

from itopd.attributes.base import HistoryKind, TypeOf
from itopd.attributes.columns import Column, ColumnKind
from itopd.attributes.refusals import Refused, RefusedKind
from itopd.clock import ITOP_DATE, ITOP_DATETIME
from itopd.datamodel import NOW
from itopd.rules import Rules

_DATE = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})")
_DATETIME = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2}) ([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})")


class Date(TypeOf[str | None]):
    """A day, ``Y-m-d``."""

    null = None
    kind: ClassVar[ColumnKind] = ColumnKind.DATE
    form: ClassVar[re.Pattern[str]] = _DATE
    expected: ClassVar[str] = "YYYY-MM-DD"
    zero: ClassVar[str] = "0000-00-00"
    output: ClassVar[str] = ITOP_DATE
    length: ClassVar[int] = 10

    def _columns(self) -> tuple[Column, ...]:
        return (Column(self.attribute.sql, self.kind),)

    def decode(self, stored: Sequence[Any]) -> str | None:
        """Return the stored text; a date of zeros is unset."""
        value: str | None = stored[0]
        return None if value is None or value.startswith("0000-00-00") else value

    def parse(self, text: str, rules: Rules, zone: tzinfo = UTC) -> str | None:
        """Return the date in stored form (``2024-2-9`` = ``2024-02-09``).

        With lenient rules a text of digits alone is a Unix time, and a date of zeros is unset. A day that does not
        exist is refused in both.
        """
        if not text:
            return None
        match = self.form.fullmatch(text)
        if match:
            parts = [int(part) for part in match.groups()]
            normal = self._normal(parts)
            if normal is not None:
                return normal
            if rules.bad_date == "lenient" and not any(parts):
                return None
        elif rules.bad_date == "lenient" and text.isascii() and text.isdigit() and len(text) <= 11:
            return datetime.fromtimestamp(int(text), zone).strftime(self.output)
        raise Refused(RefusedKind.WRONG_DATE, f"wrong date [{text}], expected {self.expected}")

    def check(self, value: str | None) -> Refused | None:
        """Refuse a text that is not a date in stored form."""
        if value is None:
            return None
        match = self.form.fullmatch(value)
        if len(value) == self.length and match and self._normal([int(part) for part in match.groups()]) == value:
            return None
        return Refused(RefusedKind.WRONG_DATE, f"wrong date [{value}], expected {self.expected}")

    def default(self, now: str) -> str | None:
        """Return now for a mandatory date-time, else the model's default or nothing."""
        default = self.attribute.default
        if default == NOW:
            return now[: self.length]
        return None if default is None or default == "" else str(default)

    def _normal(self, parts: list[int]) -> str | None:
        try:
            return date(*parts).isoformat()
        except ValueError:
            return None


class ObsolescenceDate(Date):
    """The day since which an object is obsolete or archived; a background task sets it, without history."""

    history = HistoryKind.NONE


class DateTime(Date):
    """An instant in local time of iTop's timezone, ``Y-m-d H:i:s``; deadlines are stored alike."""

    kind = ColumnKind.DATETIME
    form = _DATETIME
    expected = "YYYY-MM-DD HH:MM:SS"
    output = ITOP_DATETIME
    length = 19

    def _normal(self, parts: list[int]) -> str | None:
        try:
            day, clock = date(*parts[:3]), time(parts[3], parts[4], parts[5])
        except ValueError:
            return None
        return f"{day.isoformat()} {clock.isoformat()}"
