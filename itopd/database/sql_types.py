"""Column kinds as SQLAlchemy types, the same for every engine: they build expressions and convert almost nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from itopd.attributes import BINARY_KINDS, Column, ColumnKind

_INTEGERS = frozenset({ColumnKind.INT, ColumnKind.UNSIGNED, ColumnKind.TINYINT, ColumnKind.TINYINT_UNSIGNED})


class StoredDecimal(TypeDecorator[Decimal]):
    """A decimal with exactly its decimals, also from SQLite, which keeps numbers as floating point."""

    impl = sa.Numeric
    cache_ok = True

    def __init__(self, digits: int, scale: int) -> None:
        super().__init__(digits, scale, asdecimal=False)
        self.digits = digits
        self.scale = scale

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:  # noqa: ANN401, ARG002
        """Return the number as the column shows it."""
        return None if value is None else Decimal(str(value)).quantize(Decimal(1).scaleb(-self.scale))


def sql_type(column: Column) -> TypeEngine[Any]:
    """Return the type of a column. Dates are text: they are stored and read as text."""
    if column.kind in _INTEGERS:
        return sa.Integer()
    if column.kind is ColumnKind.DECIMAL:
        return StoredDecimal(column.length, column.scale)
    if column.kind in BINARY_KINDS:
        return sa.LargeBinary()
    return sa.String(column.length or None)
