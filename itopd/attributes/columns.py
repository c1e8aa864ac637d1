"""Columns as iTop creates them (``spec/objects.md`` §3, ``spec/model.md``): enough for DDL on every engine."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

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
