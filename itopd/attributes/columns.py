"""Columns as iTop creates them (``spec/objects.md`` §3, ``spec/model.md``): enough for DDL on every engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from enum import StrEnum
from typing import Final

Stored = str | int | Decimal | bytes | None
"""What a column gives and takes on every engine: dates are text, decimals :class:`~decimal.Decimal`."""


class ColumnKind(StrEnum):
    """Type of a column, named as iTop's DDL names it."""

    VARCHAR = "VARCHAR"
    TEXT = "TEXT"
    LONGTEXT = "LONGTEXT"
    ENUM = "ENUM"
    INT = "INT"
    UNSIGNED = "INT UNSIGNED"
    TINYINT = "TINYINT"
    TINYINT_UNSIGNED = "TINYINT UNSIGNED"
    DECIMAL = "DECIMAL"
    DATE = "DATE"
    DATETIME = "DATETIME"
    TINYBLOB = "TINYBLOB"
    BLOB = "BLOB"
    LONGBLOB = "LONGBLOB"


TEXT_KINDS = frozenset({ColumnKind.VARCHAR, ColumnKind.TEXT, ColumnKind.LONGTEXT, ColumnKind.ENUM})
"""Kinds whose comparison follows iTop's collation."""

BINARY_KINDS = frozenset({ColumnKind.TINYBLOB, ColumnKind.BLOB, ColumnKind.LONGBLOB})
"""Kinds that hold bytes."""

MOST_BYTES: Final[Mapping[ColumnKind, int]] = {
    ColumnKind.TEXT: 2**16 - 1,
    ColumnKind.TINYBLOB: 2**8 - 1,
    ColumnKind.BLOB: 2**16 - 1,
}
"""Bytes that a column holds, of the kinds whose bytes MariaDB limits below those of a single value."""

_WIDE: Final = Context(prec=400, rounding=ROUND_HALF_UP)
"""For any number that a column or a double holds: Python's own context refuses to round more than 28 digits."""


def rounded(number: Decimal, scale: int) -> Decimal:
    """Return a number with exactly ``scale`` decimals, half rounded away from zero as MariaDB does."""
    return number.quantize(Decimal(1).scaleb(-scale), context=_WIDE)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a class's table. Every column of iTop may be NULL."""

    name: str
    kind: ColumnKind
    length: int = 0
    """Characters of a VARCHAR, digits of a DECIMAL."""
    scale: int = 0
    """Decimals of a DECIMAL."""
    values: tuple[str, ...] = ()
    """Codes of an ENUM, in their order."""
    default: str | int | None = None
    """SQL default; iTop writes every column of a new object, so it matters to foreign writers only."""
