"""What an expression is worth in SQL: its expression, and the kind of its values, which decides how it compares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.sql.elements import BinaryExpression, Grouping, UnaryExpression
from sqlalchemy.sql.operators import custom_op

from itopd.datamodel import Attribute

Sql: TypeAlias = sa.ColumnElement[Any]
Statement: TypeAlias = sa.Select[*tuple[Any, ...]]


class Kind(Enum):
    """How values compare (``spec/oql.md`` §7.4)."""

    TEXT = "text"
    ENUM = "enum"
    """A text among the codes of an enum, or its position among them when compared with a number."""
    NUMBER = "number"
    DATE = "date"
    DATETIME = "datetime"
    NULL = "null"
    """Unknown, whatever it is compared with."""

    @property
    def is_text(self) -> bool:
        """Whether values are texts under iTop's collation."""
        return self in {Kind.TEXT, Kind.ENUM}

    @property
    def is_temporal(self) -> bool:
        """Whether values are dates."""
        return self in {Kind.DATE, Kind.DATETIME}


@dataclass(frozen=True, slots=True)
class Value:
    """One operand."""

    _sql: Sql | None
    kind: Kind
    literal: str | int | None = None
    """The value itself where it is known before the query runs: literals and arguments."""
    codes: tuple[str, ...] = ()
    """The codes of an enum, in the order of the model."""
    unsigned: bool = False
    """A number of which MariaDB may not subtract more than it is."""

    @property
    def sql(self) -> Sql:
        """The expression; a literal is bound when it is first asked for, as thousands in a list never are."""
        if self._sql is None:
            object.__setattr__(self, "_sql", _bound(self.literal))
        return self._sql  # type: ignore[return-value]  # it is there now


@dataclass(frozen=True, slots=True)
class Many:
    """The values of a list argument, to be expanded in place inside a list."""

    items: tuple[Value, ...]


def null() -> Value:
    """Return the unknown value."""
    return Value(sa.literal_column("NULL"), Kind.NULL)


def text(value: str) -> Value:
    """Return a text that is bound."""
    return Value(None, Kind.TEXT, value)


def number(value: int) -> Value:
    """Return a number that is bound."""
    return Value(None, Kind.NUMBER, value)


def _bound(literal: str | int | None) -> Sql:
    if not isinstance(literal, int):
        return sa.bindparam(None, literal, sa.String(), unique=True)
    fits = -(2**63) <= literal < 2**63
    return sa.bindparam(None, literal, sa.BigInteger() if fits else sa.Numeric(), unique=True)


_COMPARISONS = frozenset({"=", "!=", "<", ">", "<=", ">=", "LIKE", "REGEXP", "~", "IN", "NOT IN", "IS"})
_LOGICAL = frozenset({"AND", "OR"})
_BOOLEAN = sa.Boolean()


class _Operator(custom_op[Any]):
    """An operator of which there is one object: SQLAlchemy compares operators many times for each expression."""

    __slots__ = ()
    __eq__ = object.__eq__
    __hash__ = object.__hash__


@cache
def _operator(text: str) -> _Operator:
    return _Operator(text, is_comparison=text in _COMPARISONS)


def infix(left: Sql, operator: str, right: Sql) -> Sql:
    """Return an operation in parentheses, so that SQL's own precedence never matters.

    Comparisons are of the type Boolean, which tells PostgreSQL's dialect that they are no numbers.
    """
    kind = _BOOLEAN if operator in _COMPARISONS or operator in _LOGICAL else None
    return Grouping(BinaryExpression(left, right, _operator(operator), type_=kind))


def negation(condition: Sql) -> Sql:
    """Return the condition that another one is false."""
    return Grouping(UnaryExpression(condition, operator=_operator("NOT"), type_=_BOOLEAN))


def truth(value: bool) -> Value:
    """Return 1 or 0."""
    return Value(sa.literal_column("1" if value else "0"), Kind.NUMBER)


def certain(value: bool) -> Sql:
    """Return a condition that always holds, or never."""
    return infix(sa.literal_column("1"), "=", sa.literal_column("1" if value else "0"))


def all_of(conditions: Sequence[Sql]) -> Sql:
    """Return the conjunction of conditions; without any, true."""
    return balanced("AND", conditions) if conditions else certain(True)


def any_of(conditions: Sequence[Sql]) -> Sql:
    """Return the disjunction of conditions; without any, false."""
    return balanced("OR", conditions) if conditions else certain(False)


def balanced(operator: str, operands: Sequence[Sql]) -> Sql:
    """Return operands, of which there is at least one, combined by an operator whose order does not matter.

    Engines parse a chain as a tree as deep as the chain is long, and SQLite stops at 1,000 levels: halves between
    parentheses make it shallow.
    """
    if operator in _LOGICAL and 1 < len(operands) <= _LONG_CHAIN:
        return Grouping(sa.and_(*operands) if operator == "AND" else sa.or_(*operands))
    if len(operands) == 1:
        return operands[0]
    half = len(operands) // 2
    return infix(balanced(operator, operands[:half]), operator, balanced(operator, operands[half:]))


_LONG_CHAIN = 50

_NUMBERS = frozenset(
    {
        "AttributeInteger",
        "AttributePercentage",
        "AttributeDuration",
        "AttributeDecimal",
        "AttributeBoolean",
        "AttributeArchiveFlag",
        "AttributeObsolescenceFlag",
        "AttributeExternalKey",
        "AttributeHierarchicalKey",
        "AttributeObjectKey",
        "AttributeStopWatch",
    }
)
_DATES = frozenset({"AttributeDate", "AttributeObsolescenceDate", "AttributeArchiveDate"})
_DATETIMES = frozenset({"AttributeDateTime", "AttributeDeadline"})
_ENUMS = frozenset({"AttributeEnum", "AttributeMetaEnum"})


def kind_of(attribute: Attribute) -> Kind:
    """Return the kind of an attribute's values."""
    if attribute.type in _NUMBERS:
        return Kind.NUMBER
    if attribute.type in _DATES:
        return Kind.DATE
    if attribute.type in _DATETIMES:
        return Kind.DATETIME
    return Kind.ENUM if attribute.type in _ENUMS else Kind.TEXT


def is_unsigned(attribute: Attribute) -> bool:
    """Return whether an attribute's column holds unsigned numbers."""
    return attribute.type in {"AttributeDuration", "AttributeStopWatch"}


def kind_of_stop_watch_item(item: str) -> Kind:
    """Return the kind of an item of a stop watch: ``started``, ``100_passed``, ``75_deadline``."""
    return Kind.DATETIME if item.endswith(("started", "laststart", "stopped", "deadline")) else Kind.NUMBER
