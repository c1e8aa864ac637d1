"""OQL on MariaDB and MySQL: iTop's own engine, whose coercions are the reference."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from itopd.oql.shapes import check_shape
from itopd.oql.values import Kind, Sql, Statement, Value, infix, number

_BITS = frozenset({"&", "|", "^", "<<", ">>"})


class MariaDb:
    """Nearly everything is native."""

    def check_size(self, statement: Statement) -> None:
        """Count what the server limits."""
        check_shape(statement, most_tables=61, most_levels=63, engine="MariaDB")

    def compare(self, operator: str, left: Value, right: Value) -> Sql:
        """Compare; the server coerces."""
        return infix(left.sql, operator, right.sql)

    def is_in(self, operand: Value, items: Sequence[Value]) -> Sql:
        """Use one parameter for many literals: they are sent as a list."""
        literals = [item.literal for item in items]
        if None not in literals and len({type(literal) for literal in literals}) == 1:
            many: Sql = sa.bindparam(None, literals, expanding=True, unique=True)
            return infix(operand.sql, "IN", many)
        return infix(operand.sql, "IN", sa.tuple_(*(item.sql for item in items)))

    def as_id(self, value: Value) -> Sql:
        """The server coerces."""
        return value.sql

    def like(self, text: Value, pattern: Value) -> Sql:
        """Native."""
        return infix(text.sql, "LIKE", pattern.sql)

    def regexp(self, text: Value, pattern: Value) -> Sql:
        """Native."""
        return infix(text.sql, "REGEXP", pattern.sql)

    def arithmetic(self, operator: str, left: Value, right: Value) -> Value:
        """Native, but for what the server refuses: negative differences of unsigned numbers, more than 64 bits."""
        if operator in _BITS:
            return Value(sa.cast(infix(left.sql, operator, right.sql), sa.Numeric(20, 0)), Kind.NUMBER)
        if operator == "*":
            return Value(infix(infix(left.sql, operator, _ONE), operator, right.sql), Kind.NUMBER)
        return Value(infix(_wide(left, operator), operator, _wide(right, operator)), Kind.NUMBER)

    def as_truth(self, value: Value) -> Sql:
        """The server coerces."""
        return value.sql

    def order_key(self, value: Value) -> Sql:
        """The column's collation sorts."""
        return value.sql

    def address_key(self, value: Value) -> Sql:
        """Native."""
        return sa.func.inet_aton(value.sql)

    def in_order(self, key: Sql, *, ascending: bool) -> Sql:
        """Native."""
        return key.asc() if ascending else key.desc()

    def concatenate(self, parts: Sequence[Sql]) -> Sql:
        """Native."""
        if not parts:
            return sa.literal_column("''")
        return parts[0] if len(parts) == 1 else sa.func.concat(*parts)

    def text_or_empty(self, value: Value) -> Sql:
        """Native."""
        return sa.func.coalesce(value.sql, sa.literal_column("''"))

    def now(self, now: str) -> Value:
        """Return a typed date-time."""
        return Value(sa.cast(sa.bindparam(None, now, sa.String(), unique=True), sa.DateTime), Kind.DATETIME)

    def today(self, now: str) -> Value:
        """Return a typed date."""
        return Value(sa.cast(sa.bindparam(None, now[:10], sa.String(), unique=True), sa.Date), Kind.DATE)

    def add_interval(self, date: Value, amount: Value, unit: str, kind: Kind) -> Sql:  # noqa: ARG002 - native
        """``TIMESTAMPADD`` is ``DATE_ADD`` with plain arguments; the server counts months and seconds in 64 bits."""
        if isinstance(amount.literal, int):
            amount = number(max(-_MOST_UNITS, min(amount.literal, _MOST_UNITS)))
        return sa.func.timestampadd(sa.literal_column(unit), amount.sql, date.sql)

    def call(self, name: str, arguments: Sequence[Value], kind: Kind) -> Sql:  # noqa: ARG002 - the server finds it
        """Native, under the same names."""
        return getattr(sa.func, name.lower())(*(argument.sql for argument in arguments))  # type: ignore[no-any-return]


_SMALL = 2**31
_MOST_UNITS = 10**12
"""Of an interval; no date is as far from another in any unit."""
_ONE: Sql = sa.literal_column("1.")
"""A decimal: a product with it has 65 digits, and as many behind the point as without it."""


def _wide(value: Value, operator: str) -> Sql:
    """Return an operand in a type in which the operation cannot overflow: the server would refuse the statement."""
    if isinstance(value.literal, int) and abs(value.literal) >= _SMALL:
        return sa.cast(value.sql, sa.Numeric(20, 0))
    return sa.cast(value.sql, sa.Integer) if value.unsigned and operator == "-" else value.sql
