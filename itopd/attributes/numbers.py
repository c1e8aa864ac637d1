"""Numbers: integers, percentages, durations, decimals, booleans."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, tzinfo
from decimal import Decimal
from typing import Any, ClassVar, Final, NoReturn

from itopd.attributes.base import TypeOf
from itopd.attributes.columns import Column, ColumnKind, Stored, rounded
from itopd.attributes.refusals import Refused, RefusedKind, wrong_format
from itopd.datamodel import Attribute
from itopd.rules import Rules

_LONGEST: Final = 20
"""Digits of a number that is read at all: no column holds more, and longer texts only cost time."""

_INTEGER = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)")
_LEADING_NUMBER = re.compile(r"[ \t\n\r\v\f]*([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?)")
"""What PHP takes for the number at the start of a text."""


class Integer(TypeOf[int | None]):
    """A whole number of 32 bits with sign; percentages are stored alike."""

    null = None
    kind: ClassVar[ColumnKind] = ColumnKind.INT
    low: ClassVar[int] = -(2**31)
    high: ClassVar[int] = 2**31 - 1

    def _columns(self) -> tuple[Column, ...]:
        return (Column(self.attribute.sql, self.kind, default=self.default("")),)

    def parse(self, text: str, rules: Rules, zone: tzinfo = UTC) -> int | None:
        """Return the number; with lenient rules what PHP makes of it (``12.9`` = 12, ``abc`` = 0)."""
        if not text:
            return None
        stripped = text.strip()
        if _INTEGER.fullmatch(stripped):
            return int(stripped) if len(stripped) <= _LONGEST else self._out_of_range(stripped)
        if rules.bad_number == "lenient":
            number = _leading_number(text)
            return int(number) if number.adjusted() <= _LONGEST else self._out_of_range(text)
        raise wrong_format(text, "a whole number")

    def check(self, value: int | None) -> Refused | None:
        """Refuse what the column cannot hold."""
        if value is None or self.low <= value <= self.high:
            return None
        return self._refusal(str(value))

    def default(self, now: str) -> int | None:
        """Return the model's default."""
        default = self.attribute.default
        return None if default is None or default == "" else int(default)

    def _refusal(self, text: str) -> Refused:
        return Refused(RefusedKind.OUT_OF_RANGE, f"number out of range [{text}], from {self.low} to {self.high}")

    def _out_of_range(self, text: str) -> NoReturn:
        raise self._refusal(text)


class Duration(Integer):
    """A number of seconds, not negative. The column has no default whatever the model says."""

    kind = ColumnKind.UNSIGNED
    low = 0
    high = 2**32 - 1

    def _columns(self) -> tuple[Column, ...]:
        return (Column(self.attribute.sql, self.kind),)

    def parse(self, text: str, rules: Rules, zone: tzinfo = UTC) -> int | None:
        """Return the seconds; a text that is no number matches nothing, with lenient rules too."""
        match = _LEADING_NUMBER.fullmatch(text.strip())
        if text and match is None:
            raise Refused(RefusedKind.NO_MATCH, f"no match found for [{text}], expected a number of seconds")
        return super().parse(text, rules, zone)


class DecimalNumber(TypeOf[Decimal | None]):
    """A number with a fixed count of decimals."""

    null = None

    def __init__(self, attribute: Attribute) -> None:
        super().__init__(attribute)
        self._limit = Decimal(10) ** (attribute.digits - attribute.decimals)

    def _columns(self) -> tuple[Column, ...]:
        a = self.attribute
        default = None if a.default is None or a.default == "" else f"{Decimal(str(a.default)):.{a.decimals}f}"
        return (Column(a.sql, ColumnKind.DECIMAL, a.digits, a.decimals, default=default),)

    def decode(self, stored: Sequence[Any]) -> Decimal | None:
        """Return the number with exactly its decimals, also from an engine that keeps fewer."""
        value = stored[0]
        return None if value is None else rounded(Decimal(str(value)), self.attribute.decimals)

    def parse(self, text: str, rules: Rules, zone: tzinfo = UTC) -> Decimal | None:
        """Return the number rounded to its decimals; with lenient rules the number the text starts with, or 0."""
        if not text:
            return None
        stripped = text.strip()
        if _DECIMAL.fullmatch(stripped):
            number = Decimal(stripped)
        elif rules.bad_number == "lenient":
            number = _leading_number(text)
        else:
            raise wrong_format(text, f"a number with '.' and at most {self.attribute.decimals} decimals")
        if self._is_too_great(number):
            raise self._too_great(text)
        return rounded(number, self.attribute.decimals)

    def check(self, value: Decimal | None) -> Refused | None:
        """Refuse a number that has more digits before the point than the column once it is rounded."""
        return self._too_great(str(value)) if value is not None and self._is_too_great(value) else None

    def _is_too_great(self, number: Decimal) -> bool:
        if not number.is_finite() or number.copy_abs() >= self._limit:
            return True
        return rounded(number, self.attribute.decimals).copy_abs() >= self._limit

    def encode(self, value: Decimal | None) -> tuple[Stored, ...]:
        """Return the number rounded to its decimals."""
        return (None if value is None else rounded(value, self.attribute.decimals),)

    def to_text(self, value: Decimal | None) -> str:
        """Return the number with all its decimals."""
        return "" if value is None else f"{value:f}"

    def default(self, now: str) -> Decimal | None:
        """Return the model's default."""
        default = self.attribute.default
        return None if default is None or default == "" else rounded(Decimal(str(default)), self.attribute.decimals)

    def _too_great(self, text: str) -> Refused:
        a = self.attribute
        return wrong_format(text, f"a number with at most {a.digits - a.decimals} digits before the point")


class Boolean(TypeOf[bool | None]):
    """Yes or no. Unset is stored as no (observed), so it reads back as no."""

    null = None

    def _columns(self) -> tuple[Column, ...]:
        return (Column(self.attribute.sql, ColumnKind.TINYINT, default=int(bool(self.default("")))),)

    def decode(self, stored: Sequence[Any]) -> bool | None:
        """Return the value."""
        value = stored[0]
        return None if value is None else bool(value)

    def encode(self, value: bool | None) -> tuple[Stored, ...]:
        """Return 1 or 0."""
        return (1 if value else 0,)

    def parse(self, text: str, rules: Rules, zone: tzinfo = UTC) -> bool | None:
        """Return the value of ``1``, ``0``, ``yes``, ``no`` in any case; anything else matches nothing."""
        word = text.strip().lower()
        if not text:
            return None
        if word in {"1", "yes"}:
            return True
        if word in {"0", "no"}:
            return False
        raise Refused(RefusedKind.NO_MATCH, f"no match found for [{text}], expected yes, no, 1 or 0")

    def is_null(self, value: bool | None) -> bool:
        """Return whether the value is unset: no is a value."""
        return value is None

    def to_text(self, value: bool | None) -> str:
        """Return ``yes`` or ``no``."""
        return "" if value is None else "yes" if value else "no"

    def history_text(self, value: bool | None) -> str:
        """Return ``1`` or ``0``."""
        return "" if value is None else "1" if value else "0"

    def default(self, now: str) -> bool | None:
        """Return the model's default."""
        default = self.attribute.default
        if default is None or default == "":
            return None
        return str(default).lower() in {"1", "true", "yes"}


def _leading_number(text: str) -> Decimal:
    match = _LEADING_NUMBER.match(text)
    return Decimal(match.group(1)) if match else Decimal(0)
