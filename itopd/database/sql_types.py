"""Column kinds as SQLAlchemy types, the same for every engine: they build expressions and convert almost nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine, UserDefinedType

from itopd.attributes import BINARY_KINDS, Column, ColumnKind, rounded

_INTEGERS = frozenset({ColumnKind.INT, ColumnKind.UNSIGNED, ColumnKind.TINYINT, ColumnKind.TINYINT_UNSIGNED})
_NATIVE_DATES = {ColumnKind.DATE: "DATE", ColumnKind.DATETIME: "TIMESTAMP(0)"}

KEPT_DIGITS: Final = 15
"""Digits that every number of SQLite's floating point keeps."""

INTEGER: Final[TypeEngine[int]] = sa.Integer().with_variant(sa.BigInteger(), "postgresql")
"""Of ids and other whole numbers. One that no column holds is looked up in vain; PostgreSQL makes no INTEGER of it."""


class StoredDecimal(TypeDecorator[Decimal]):
    """A decimal with exactly its decimals, also from SQLite, which keeps numbers as floating point."""

    impl = sa.Numeric
    cache_ok = True

    def __init__(self, digits: int, scale: int) -> None:
        super().__init__(digits, scale, asdecimal=False)
        self.digits = digits
        self.scale = scale

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return a type that gives what the driver reads, which on PostgreSQL is exact."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(sa.Numeric(self.digits, self.scale, asdecimal=True))
        return dialect.type_descriptor(sa.Numeric(self.digits, self.scale, asdecimal=False))

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:  # noqa: ANN401, ARG002
        """Return the number as the column shows it."""
        return None if value is None else rounded(Decimal(str(value)), self.scale)


class _NativeDate(UserDefinedType[str]):
    """PostgreSQL's own type of a column whose values are text in Python; a bound text is cast to it."""

    cache_ok = True
    render_bind_cast = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_options: object) -> str:
        """Return the type as SQL writes it."""
        return self.name


class StoredDate(TypeDecorator[str]):
    """A date or date-time: text in Python, and in the database wherever that compares and reads it as text."""

    impl = sa.String
    cache_ok = True

    def __init__(self, native: str) -> None:
        super().__init__()
        self.native = native

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return PostgreSQL's type, or text."""
        return _NativeDate(self.native) if dialect.name == "postgresql" else dialect.type_descriptor(sa.String())


def array_type(kind: TypeEngine[Any]) -> str:
    """Return the array of PostgreSQL that values of a column's type are given in, without the length of the column."""
    match kind:
        case sa.Integer():
            return "bigint[]"
        case StoredDecimal():
            return "numeric[]"
        case StoredDate():
            return f"{kind.native}[]"
        case sa.LargeBinary():
            return "bytea[]"
        case _:
            return "text[]"


def sql_type(column: Column) -> TypeEngine[Any]:
    """Return the type of a column. Dates are text: they are given and read as text."""
    if column.kind in _INTEGERS:
        return INTEGER
    if column.kind in _NATIVE_DATES:
        return StoredDate(_NATIVE_DATES[column.kind])
    if column.kind is ColumnKind.DECIMAL:
        return StoredDecimal(column.length, column.scale)
    if column.kind in BINARY_KINDS:
        return sa.LargeBinary()
    return sa.String(column.length or None)
