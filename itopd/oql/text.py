"""Tree -> text: iTop's canonical form (``spec/oql.md`` §8).

Every alias is explicit, every operation in parentheses, every text in single quotes. Parsing the result gives the
same tree again. Attributes are printed as qualified as the tree has them: resolve first for iTop's form.
"""

from __future__ import annotations

import re

from itopd.oql.functions import FUNCTIONS
from itopd.oql.tree import (
    Binary,
    Expression,
    Field,
    Function,
    In,
    InQuery,
    Interval,
    Join,
    Logical,
    Matches,
    Name,
    Null,
    Number,
    Parameter,
    Query,
    Text,
    Union,
)

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")

RESERVED = frozenset(FUNCTIONS) | {
    "UNION",
    "SELECT",
    "FROM",
    "AS",
    "WHERE",
    "JOIN",
    "ON",
    "AND",
    "OR",
    "REGEXP",
    "LIKE",
    "IN",
    "MATCHES",
    "NULL",
    "INTERVAL",
    "SECOND",
    "MINUTE",
    "HOUR",
    "BELOW",
    "ABOVE",
}
"""Words that are no names unless they stand between backticks (§1.1)."""


_LONG_CHAIN = 20
"""Operands that are printed one inside the other, as iTop does; more of them would be nested too deeply to be read."""


def to_text(tree: Query | Union) -> str:
    """Return the canonical text of a query."""
    if isinstance(tree, Union):
        return " UNION ".join(to_text(member) for member in tree.members)
    selected = ", ".join(_quoted(alias) for alias in tree.selected)
    joins = "".join(f" {_join(join)}" for join in tree.joins)
    where = "1" if tree.where is None else condition_to_text(tree.where)
    return f"SELECT {selected} FROM {_name(tree.cls)} AS {_quoted(tree.alias)}{joins} WHERE {where}"  # noqa: S608 - OQL, not SQL


def condition_to_text(node: Expression) -> str:  # noqa: PLR0911 - one per kind of node
    """Return the canonical text of a condition."""
    match node:
        case Text():
            return _literal(node.value)
        case Number():
            return _number(node)
        case Null():
            return "NULL"
        case Field():
            return f"{_quoted(node.alias)}.{_quoted(node.name)}" if node.alias else _quoted(node.name)
        case Parameter():
            return f":{node.text}"
        case Binary():
            return f"({_operand(node.left)} {node.operator} {_operand(node.right)})"
        case Logical():
            operands = [condition_to_text(operand) for operand in node.operands]
            if len(operands) > _LONG_CHAIN:
                return f"({f' {node.operator} '.join(operands)})"
            return (
                "(" * (len(node.operands) - 1)
                + operands[0]
                + "".join(f" {node.operator} {operand})" for operand in operands[1:])
            )
        case In():
            items = ", ".join(condition_to_text(item) for item in node.items)
            return f"({_operand(node.operand)} {_in(node)} ({items}))"
        case InQuery():
            return f"({_operand(node.operand)} {_in(node)} ({to_text(node.query)}))"
        case Matches():
            return f"{condition_to_text(node.field)} MATCHES {condition_to_text(node.words)}"
        case Interval():
            return f"INTERVAL {condition_to_text(node.amount)} {node.unit}"
        case Function():
            return f"{node.name}({', '.join(condition_to_text(argument) for argument in node.arguments)})"


def _operand(node: Expression) -> str:
    # A full-text search has no parentheses of its own, and is no operand without them.
    text = condition_to_text(node)
    return f"({text})" if isinstance(node, Matches) else text


def _join(join: Join) -> str:
    sides = [f"{_quoted(f.alias)}.{_name(f.name)}" if f.alias else _name(f.name) for f in (join.left, join.right)]
    return f"JOIN {_name(join.cls)} AS {_quoted(join.alias)} ON {sides[0]} {join.operator} {sides[1]}"


def _in(node: In | InQuery) -> str:
    return "NOT IN" if node.negated else "IN"


def _number(node: Number) -> str:
    digits = f"0x{abs(node.value):x}" if node.hexadecimal else str(abs(node.value))
    return f"-{digits}" if node.value < 0 else digits


def _literal(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _quoted(name: Name) -> str:
    return f"`{name.text}`"


def _name(name: Name) -> str:
    return name.text if _PLAIN.match(name.text) and name.text not in RESERVED else _quoted(name)
