"""What a column of an engine cannot hold: found in whole columns of a batch, named value by value, replaced if asked.

A batch is looked at column by column, as a value at a time would cost more than the copy itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from itopd.attributes import BINARY_KINDS, MOST_BYTES, Column, ColumnKind, Stored, rounded


class Trouble(StrEnum):
    """Why a value cannot be held; all but the last can be replaced."""

    NUL = "nul"
    UTF8 = "utf8"
    ENUM = "enum"
    TOO_LONG = "too_long"
    ZERO_DATE = "zero_date"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one value; ``text`` completes "the value ..."."""

    trouble: Trouble
    text: str


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """What one column takes."""

    all_well: Callable[[Sequence[Any]], bool]
    """Asked for the values of a column that are not NULL; quick."""
    fault: Callable[[Any], Fault | None]
    """Asked for a single one of them when the answer was no."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the target's engine and server hold."""

    dialect: str
    largest: int
    """Bytes of the largest single value, as it is sent to the server."""

    @property
    def surely_small(self) -> int:
        """Return bytes up to which a value is not too large however it is sent: MySQL's escapes double it at most."""
        return self.largest // 2 if self.dialect == "mysql" else self.largest

    def sent_size(self, data: bytes, *, as_text: bool) -> int:
        """Return how many bytes a value takes on its way: to MySQL bytes go as hexadecimal digits, texts escaped."""
        if self.dialect != "mysql":
            return len(data)
        return len(data) + sum(map(data.count, _ESCAPED)) if as_text else 2 * len(data)


_INTEGERS: Final = {
    ColumnKind.INT: (-(2**31), 2**31 - 1),
    ColumnKind.UNSIGNED: (0, 2**32 - 1),
    ColumnKind.TINYINT: (-128, 127),
    ColumnKind.TINYINT_UNSIGNED: (0, 255),
}
_SQLITE_INTEGERS: Final = {
    ColumnKind.UNSIGNED: (0, 2**63 - 1),
    ColumnKind.TINYINT_UNSIGNED: (0, 2**63 - 1),
}
_ANY_INTEGER: Final = (-(2**63), 2**63 - 1)
_BYTES_PER_CHARACTER: Final = 4
_ESCAPED: Final = (b"\0", b"\n", b"\r", b"\x1a", b'"', b"'", b"\\")
"""What takes two bytes in a statement to MySQL."""
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
_MYSQL_ZERO: Final = re.compile(r"\d{4}-(?:00-\d\d|\d\d-00).*|0000-.*", re.ASCII | re.DOTALL)


def rule_of(column: Column, limits: Limits) -> ColumnRule:
    """Return what a column of the target takes."""
    if column.kind in _INTEGERS:
        return _integers(column, limits)
    if column.kind is ColumnKind.DECIMAL:
        return _decimals(column, limits)
    if column.kind in BINARY_KINDS:
        return _binaries(column, limits)
    if column.kind in {ColumnKind.DATE, ColumnKind.DATETIME} and limits.dialect != "sqlite":
        return _dates(column, limits)
    return _texts(column, limits)


def replaced(value: Stored, trouble: Trouble, column: Column, limits: Limits) -> Stored:
    """Return what is stored instead of a value that the target cannot hold."""
    match value, trouble:
        case str(), Trouble.NUL:
            return value.replace("\0", "")
        case str(), Trouble.UTF8:
            return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        case _, Trouble.ENUM | Trouble.ZERO_DATE:
            return None
        case str() | bytes(), Trouble.TOO_LONG:
            return _cut(value, column, limits)
        case _:
            raise ValueError(f"a value with the trouble '{trouble}' cannot be replaced")


def _cut(text: str | bytes, column: Column, limits: Limits) -> str | bytes:
    most = _most_bytes(column, limits)
    if isinstance(text, bytes):
        return text[:most]
    characters = text[: column.length] if column.kind is ColumnKind.VARCHAR else text
    return characters.encode()[:most].decode("utf-8", "ignore")


def _texts(column: Column, limits: Limits) -> ColumnRule:
    enforced = limits.dialect != "sqlite"
    most_characters = column.length if column.kind is ColumnKind.VARCHAR and enforced else limits.largest
    surely_well = min(_most_bytes(column, limits), limits.surely_small)
    holds_nul = limits.dialect != "postgresql"
    codes = frozenset(column.values) if column.kind is ColumnKind.ENUM else None

    def all_well(values: Sequence[Any]) -> bool:
        try:
            joined = "".join(values)
            joined.encode()
        except (TypeError, UnicodeEncodeError):
            return False
        if codes is not None:
            return codes.issuperset(values)
        longest = max(map(len, values))
        return (
            longest <= most_characters
            and longest * _BYTES_PER_CHARACTER <= surely_well
            and (holds_nul or "\0" not in joined)
        )

    def fault(value: Any) -> Fault | None:  # noqa: ANN401 - whatever the source holds
        if not isinstance(value, str):
            return _wrong_type(value, "a text")
        try:
            data = value.encode()
        except UnicodeEncodeError as error:
            return Fault(Trouble.UTF8, f"holds bytes that are not UTF-8, from character {error.start + 1}")
        if codes is not None:
            return None if value in codes else Fault(Trouble.ENUM, f"{value[:40]!r} is none of the column's list")
        if not holds_nul and "\0" in value:
            return Fault(Trouble.NUL, f"holds a NUL character at position {value.index(chr(0)) + 1}")
        if len(value) > most_characters:
            return Fault(Trouble.TOO_LONG, f"has {len(value):,} characters of {most_characters:,} at most")
        return _too_many_bytes(data, column, limits, as_text=True)

    return ColumnRule(all_well, fault)


def _binaries(column: Column, limits: Limits) -> ColumnRule:
    surely_well = min(_most_bytes(column, limits), limits.surely_small)

    def all_well(values: Sequence[Any]) -> bool:
        return set(map(type, values)) <= {bytes} and max(map(len, values)) <= surely_well

    def fault(value: Any) -> Fault | None:  # noqa: ANN401 - whatever the source holds
        if not isinstance(value, bytes):
            return _wrong_type(value, "bytes")
        return _too_many_bytes(value, column, limits, as_text=False)

    return ColumnRule(all_well, fault)


def _integers(column: Column, limits: Limits) -> ColumnRule:
    ranges = _INTEGERS if limits.dialect != "sqlite" else _SQLITE_INTEGERS
    least, most = ranges.get(column.kind, _ANY_INTEGER)

    def all_well(values: Sequence[Any]) -> bool:
        return set(map(type, values)) <= {int} and least <= min(values) and max(values) <= most

    def fault(value: Any) -> Fault | None:  # noqa: ANN401 - whatever the source holds
        if not isinstance(value, int):
            return _wrong_type(value, "an integer")
        return None if least <= value <= most else Fault(Trouble.OTHER, f"{value} is not from {least} to {most}")

    return ColumnRule(all_well, fault)


def _decimals(column: Column, limits: Limits) -> ColumnRule:
    bound = Decimal(10) ** (column.length - column.scale)

    def fault(value: Any) -> Fault | None:  # noqa: ANN401 - whatever the source holds
        if not isinstance(value, Decimal):
            return _wrong_type(value, "a decimal number")
        if not abs(value) < bound:
            return Fault(Trouble.OTHER, f"{value} has more than {column.length - column.scale} digits before the point")
        if limits.dialect == "sqlite" and rounded(Decimal(str(float(value))), column.scale) != value:
            return Fault(Trouble.OTHER, f"{value} has more digits than SQLite's floating point keeps")
        return None

    return ColumnRule(lambda values: not any(map(fault, values)), fault)


def _dates(column: Column, limits: Limits) -> ColumnRule:
    with_time = column.kind is ColumnKind.DATETIME
    shape: re.Pattern[str] = _INSTANT if with_time else _DAY
    parse: Callable[[str], object] = datetime.fromisoformat if with_time else date.fromisoformat
    zero_is_well = limits.dialect == "mysql"

    def all_well(values: Sequence[Any]) -> bool:
        try:
            return all(map(shape.fullmatch, values)) and all(map(parse, values))
        except (TypeError, ValueError):
            return False

    def fault(value: Any) -> Fault | None:  # noqa: ANN401 - whatever the source holds
        if not isinstance(value, str):
            return _wrong_type(value, "a date")
        if all_well((value,)):
            return None
        if shape.fullmatch(value) and _MYSQL_ZERO.fullmatch(value):
            return None if zero_is_well else Fault(Trouble.ZERO_DATE, f"'{value}' is one of MySQL's zero dates")
        return Fault(Trouble.OTHER, f"{value[:40]!r} is no {'date with time' if with_time else 'date'}")

    return ColumnRule(all_well, fault)


def _most_bytes(column: Column, limits: Limits) -> int:
    """Return the bytes that the column itself holds."""
    return MOST_BYTES.get(column.kind, limits.largest) if limits.dialect == "mysql" else limits.largest


def _too_many_bytes(data: bytes, column: Column, limits: Limits, *, as_text: bool) -> Fault | None:
    most = _most_bytes(column, limits)
    if len(data) > most:
        return Fault(Trouble.TOO_LONG, f"has {len(data):,} bytes of {most:,} at most")
    sent = limits.sent_size(data, as_text=as_text)
    if sent > limits.largest:
        return Fault(Trouble.OTHER, f"takes {sent:,} bytes to send, but the server takes {limits.largest:,} at most")
    return None


def _wrong_type(value: object, wanted: str) -> Fault:
    return Fault(Trouble.OTHER, f"is of type {type(value).__name__}, not {wanted}")
