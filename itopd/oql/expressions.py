"""Conditions -> SQL: each node of the tree becomes a :class:`Value` (``spec/oql.md`` §7)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from itopd.errors import OqlError
from itopd.oql.arguments import Arguments
from itopd.oql.dialect import Dialect
from itopd.oql.matches import word_search
from itopd.oql.places import at
from itopd.oql.regexps import check_pattern
from itopd.oql.tree import (
    Binary,
    Expression,
    Field,
    Function,
    In,
    InQuery,
    Interval,
    Logical,
    Matches,
    Null,
    Number,
    Parameter,
    Query,
    Text,
    Union,
)
from itopd.oql.values import Kind, Many, Sql, Value, all_of, any_of, infix, negation, null, number, text, truth

Lookup = Callable[[Field], Value]
"""Gives the value of an attribute where a condition stands."""

NestedIds = Callable[[Query | Union], sa.SelectBase]
"""Makes the ids that a nested query selects."""

_NUMBER_FUNCTIONS = frozenset({"ISNULL", "YEAR", "MONTH", "DAY", "TO_DAYS", "ROUND", "FLOOR", "INET_ATON"})
_DATE_FUNCTIONS = frozenset({"DATE", "FROM_DAYS"})
_DAY_UNITS = frozenset({"DAY", "MONTH", "YEAR"})


@dataclass(frozen=True)
class Expressions:
    """Makes SQL of expressions; one for each place where names mean something else."""

    dialect: Dialect
    arguments: Arguments
    now: str
    lookup: Lookup
    nested: NestedIds

    def condition(self, node: Expression) -> Sql:
        """Return an expression as a condition."""
        return self.dialect.as_truth(self.value(node))

    def value(self, node: Expression) -> Value:  # noqa: PLR0911 - one per kind of node
        """Return what an expression is worth."""
        match node:
            case Field():
                return self.lookup(node)
            case Text():
                return text(node.value)
            case Number():
                return number(node.value)
            case Null():
                return null()
            case Parameter():
                return self.arguments.scalar(node)
            case Binary():
                return self._binary(node)
            case Logical():
                operands = _with_lists(node.operands) if node.operator == "OR" else node.operands
                conditions = [self.condition(operand) for operand in operands]
                return _number(all_of(conditions) if node.operator == "AND" else any_of(conditions))
            case In():
                return self._in(node)
            case InQuery():
                operand = self.dialect.as_id(self.value(node.operand))
                return _number(
                    infix(operand, "NOT IN" if node.negated else "IN", self.nested(node.query).scalar_subquery())
                )
            case Matches():
                return self._matches(node)
            case Function():
                return self._call(node)
            case Interval():
                return self.value(node.amount)

    def _binary(self, node: Binary) -> Value:
        left, right = self.value(node.left), self.value(node.right)
        match node.operator:
            case "=" | "!=" | "<" | ">" | "<=" | ">=":
                return _number(self.dialect.compare(node.operator, left, right))
            case "LIKE":
                return _number(self.dialect.like(left, right))
            case "NOT LIKE":
                return _negated(self.dialect.like(left, right))
            case "REGEXP":
                if isinstance(right.literal, str):
                    check_pattern(right.literal, node.right.position)
                with at(node.right.position):
                    return _number(self.dialect.regexp(left, right))
            case _:
                return self.dialect.arithmetic(node.operator, left, right)

    def _in(self, node: In) -> Value:
        operand = self.value(node.operand)
        items: list[Value] = []
        for item in node.items:
            value = self.arguments.value(item) if isinstance(item, Parameter) else self.value(item)
            items.extend(value.items if isinstance(value, Many) else [value])
        if not items:
            return truth(node.negated)
        with at(node.position):
            found = self.dialect.is_in(operand, items)
        return _negated(found) if node.negated else _number(found)

    def _matches(self, node: Matches) -> Value:
        words = self.value(node.words)
        if words.kind is Kind.NULL:
            return _number(words.sql)
        if words.literal is None:
            raise OqlError(
                "bad_matches",
                "MATCHES needs words that are known before the query runs; give them as an argument of their own",
                position=node.words.position,
            )
        return _number(word_search(self.dialect, self.value(node.field), str(words.literal)))

    def _call(self, node: Function) -> Value:
        if node.name == "NOW":
            return self.dialect.now(self.now)
        if node.name == "CURRENT_DATE":
            return self.dialect.today(self.now)
        arguments = [self.value(argument) for argument in node.arguments]
        if node.name in {"DATE_ADD", "DATE_SUB"} and isinstance(node.arguments[1], Interval):
            return self._add_interval(node.name, arguments[0], arguments[1], node.arguments[1].unit)
        kind = _kind_of_result(node.name, arguments)
        codes = arguments[0].codes if kind is Kind.ENUM and len({a.codes for a in arguments}) == 1 else ()
        unsigned = node.name == "INET_ATON" or any(argument.unsigned for argument in arguments)
        return Value(self.dialect.call(node.name, arguments, kind), kind, codes=codes, unsigned=unsigned)

    def _add_interval(self, name: str, date: Value, amount: Value, unit: str) -> Value:
        if name == "DATE_SUB":
            amount = self.dialect.arithmetic("-", number(0), amount)
        kind = date.kind
        if kind is Kind.DATE and unit not in _DAY_UNITS:
            kind = Kind.DATETIME
        elif not kind.is_temporal:
            kind = Kind.TEXT
        return Value(self.dialect.add_interval(date, amount, unit, kind), kind)


_MANY_ALTERNATIVES = 20


def _with_lists(operands: Sequence[Expression]) -> Sequence[Expression]:
    """Return ``x = 1 OR x = 2 OR ...`` as ``x IN (1, 2, ...)``: engines take seconds to plan thousands of ``OR``."""
    if len(operands) < _MANY_ALTERNATIVES:
        return operands
    lists: dict[Field, list[Expression]] = {}
    others: list[Expression] = []
    for node in operands:
        match node:
            case Binary("=", Field() as field, Text() | Number() as literal):
                lists.setdefault(field, []).append(literal)
            case _:
                others.append(node)
    return [*(In(field, False, tuple(items)) for field, items in lists.items()), *others]


def _number(sql: Sql) -> Value:
    return Value(sql, Kind.NUMBER)


def _negated(sql: Sql) -> Value:
    return _number(negation(sql))


def _kind_of_result(name: str, arguments: Sequence[Value]) -> Kind:
    if name in _NUMBER_FUNCTIONS:
        return Kind.NUMBER
    if name in _DATE_FUNCTIONS:
        return Kind.DATE
    if name in {"IF", "ELT"}:
        arguments = arguments[1:]
    elif name != "COALESCE":
        return Kind.TEXT
    kinds = {argument.kind for argument in arguments} - {Kind.NULL}
    if not kinds:
        return Kind.NULL
    if len(kinds) == 1:
        return kinds.pop()
    return Kind.DATETIME if kinds == {Kind.DATE, Kind.DATETIME} else Kind.TEXT
