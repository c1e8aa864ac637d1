"""Conditions of uniqueness rules, judged in memory for objects that are not written yet (``spec/objects.md`` §5.1).

Only what such rules are made of is understood: comparisons of attributes with constants, ``IN``, ``ISNULL``, ``AND``,
``OR``. A rule with anything else is judged by the database, one object at a time (:attr:`Condition.in_memory`).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from itopd.attributes import TEXT_KINDS, bind
from itopd.database import Database, collation_key
from itopd.datamodel import Class
from itopd.objects import is_stored
from itopd.oql import ColumnPath, compile_query, parse, resolve, tree
from itopd.oql import parse_condition as parse_oql

Values = Callable[[str], Any]
Judge = Callable[[Values], bool | None]
"""``None`` = unknown, as SQL's NULL."""

_COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


class _NotInMemory(Exception):
    """The condition holds something that only a database can judge."""


@dataclass(frozen=True, slots=True)
class Condition:
    """An OQL condition on the attributes of one class."""

    text: str
    codes: frozenset[str]
    """Attributes it reads; empty when it cannot be judged in memory."""
    judge: Judge | None
    """``None`` when it cannot be judged in memory."""

    @property
    def in_memory(self) -> bool:
        """Whether :meth:`holds` can be asked."""
        return self.judge is not None

    def holds(self, values: Values) -> bool:
        """Return whether an object with these values fulfils the condition."""
        assert self.judge is not None  # noqa: S101 - callers ask in_memory first
        return self.judge(values) is True


def parse_condition(cls: Class, text: str) -> Condition:
    """Read a condition on a class; :class:`~itopd.errors.OqlError` when it is none."""
    expression = parse_oql(text)
    try:
        codes: set[str] = set()
        judge = _judge(cls, expression, codes)
    except _NotInMemory:
        return Condition(text, frozenset(), None)
    return Condition(text, frozenset(codes), judge)


def _judge(cls: Class, node: tree.Expression, codes: set[str]) -> Judge:
    match node:
        case tree.Logical(operator="AND"):
            return _all([_judge(cls, operand, codes) for operand in node.operands])
        case tree.Logical(operator="OR"):
            judges = [_negated(_judge(cls, operand, codes)) for operand in node.operands]
            return _negated(_all(judges))
        case tree.Binary() if node.operator in _COMPARISONS:
            return _comparison(_COMPARISONS[node.operator], *_sides(cls, node.left, node.right, codes))
        case tree.In():
            equal = [_comparison(operator.eq, *_sides(cls, node.operand, item, codes)) for item in node.items]
            among = _negated(_all([_negated(judge) for judge in equal]))
            return _negated(among) if node.negated else among
        case tree.Function(name="ISNULL", arguments=(tree.Field() as asked,)):
            read = _field(cls, asked, codes)
            return lambda values: read(values) is None
    raise _NotInMemory


def _sides(
    cls: Class, left: tree.Expression, right: tree.Expression, codes: set[str]
) -> tuple[Callable[[Values], Any], Callable[[Values], Any]]:
    """Return how to read both sides of a comparison: exactly one must be an attribute, the other a fitting constant."""
    match left, right:
        case tree.Field(), (tree.Text() | tree.Number()):
            constant = _constant(cls, left, right)
            return _field(cls, left, codes), lambda _: constant
        case ((tree.Text() | tree.Number()), tree.Field()):
            constant = _constant(cls, right, left)
            return lambda _: constant, _field(cls, right, codes)
    raise _NotInMemory


def _field(cls: Class, node: tree.Field, codes: set[str]) -> Callable[[Values], Any]:
    code = node.name.text
    if code not in cls.attributes or not is_stored(cls, code):
        raise _NotInMemory
    kind = bind(cls.attributes[code])
    codes.add(code)
    if kind.columns[0].kind in TEXT_KINDS:

        def text(values: Values) -> bytes | None:
            stored = kind.encode(values(code))[0]
            return None if stored is None else collation_key(str(stored))

        return text
    return lambda values: kind.encode(values(code))[0]


def _constant(cls: Class, field: tree.Field, node: tree.Text | tree.Number) -> object:
    code = field.name.text
    if code not in cls.attributes or not is_stored(cls, code):
        raise _NotInMemory
    if bind(cls.attributes[code]).columns[0].kind in TEXT_KINDS:
        if cls.attributes[code].values and isinstance(node, tree.Number):
            raise _NotInMemory
        return collation_key(str(node.value))
    if isinstance(node, tree.Number):
        return node.value
    if cls.attributes[code].is_external_key and node.value.isascii() and node.value.isdigit():
        return int(node.value)
    raise _NotInMemory


def _comparison(compare: Callable[[Any, Any], bool], left: Callable[..., Any], right: Callable[..., Any]) -> Judge:
    def judge(values: Values) -> bool | None:
        one, other = left(values), right(values)
        return None if one is None or other is None else compare(one, other)

    return judge


def _all(judges: list[Judge]) -> Judge:
    def judge(values: Values) -> bool | None:
        answers = [one(values) for one in judges]
        return False if False in answers else None if None in answers else True

    return judge


def _negated(judge: Judge) -> Judge:
    def negate(values: Values) -> bool | None:
        answer = judge(values)
        return None if answer is None else not answer

    return negate


def satisfying(database: Database, connection: sa.Connection, cls: str, text: str, ids: Iterable[int]) -> set[int]:
    """Return those of the stored objects that fulfil a condition which only the database can judge."""
    among = ", ".join(map(str, ids))
    query = resolve(parse(f"SELECT {cls} WHERE id IN ({among}) AND ({text})"), database.model)
    compiled = compile_query(query, database, columns=[ColumnPath(cls, "id")], arguments={}, now="", order=False)
    (column,) = compiled.columns
    return {column.decode(row) for row in connection.execute(compiled.select)}
