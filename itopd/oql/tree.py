"""The tree of a query: what was written, with every class alias explicit (``spec/oql.md`` §2).

Positions are byte offsets in the UTF-8 text; they never count when two trees are compared. ``WHERE 1`` and no
condition at all are the same tree. A chain of one logical operator (``a OR b OR c``) is one node, so that ten
thousand alternatives are no deeper than two.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Name:
    """A name and where it stands."""

    text: str
    position: int = dataclasses.field(default=0, compare=False)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Text:
    """A text literal."""

    value: str
    position: int = dataclasses.field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Number:
    """An integer literal, clamped to 64 bits; hexadecimal ones print as such."""

    value: int
    position: int = dataclasses.field(default=0, compare=False)
    hexadecimal: bool = dataclasses.field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Null:
    """``NULL``."""

    position: int = dataclasses.field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Field:
    """An attribute, ``id`` included; after :func:`itopd.oql.resolve` the alias is always there."""

    alias: Name | None
    name: Name

    @property
    def position(self) -> int:
        """Where its attribute stands."""
        return self.name.position


@dataclass(frozen=True, slots=True)
class Parameter:
    """``:name`` or ``:name->attribute``."""

    name: str
    attribute: str | None = None
    position: int = dataclasses.field(default=0, compare=False)

    @property
    def text(self) -> str:
        """The parameter without its colon: the name under which a literal argument is looked up first."""
        return self.name if self.attribute is None else f"{self.name}->{self.attribute}"


@dataclass(frozen=True, slots=True)
class Binary:
    """Two operands; ``parenthesised`` remembers what the author wrote, for warnings only."""

    operator: str
    left: Expression
    right: Expression
    position: int = dataclasses.field(default=0, compare=False)
    """Where the operator stands."""
    parenthesised: bool = dataclasses.field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Logical:
    """``AND`` or ``OR`` of two or more operands, from left to right."""

    operator: str
    operands: tuple[Expression, ...]
    position: int = dataclasses.field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class In:
    """``operand [NOT ]IN (items)``."""

    operand: Expression
    negated: bool
    items: tuple[Expression, ...]
    position: int = dataclasses.field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class InQuery:
    """``operand [NOT ]IN (SELECT ...)``."""

    operand: Expression
    negated: bool
    query: Query | Union
    position: int = dataclasses.field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Matches:
    """Full-text search of words in an attribute."""

    field: Field
    words: Expression
    position: int = dataclasses.field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Interval:
    """``INTERVAL amount UNIT``, only as an argument of a function."""

    amount: Expression
    unit: str
    position: int = dataclasses.field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Function:
    """A call of a function."""

    name: str
    arguments: tuple[Expression, ...]
    position: int = dataclasses.field(default=0, compare=False)


Expression: TypeAlias = (
    Text | Number | Null | Field | Parameter | Binary | Logical | In | InQuery | Matches | Interval | Function
)


@dataclass(frozen=True, slots=True)
class Join:
    """``JOIN cls AS alias ON left operator right``."""

    cls: Name
    alias: Name
    left: Field
    operator: str
    right: Field


@dataclass(frozen=True, slots=True)
class Query:
    """One ``SELECT``."""

    selected: tuple[Name, ...]
    cls: Name
    alias: Name
    joins: tuple[Join, ...] = ()
    where: Expression | None = None
    source: str = dataclasses.field(default="", compare=False, repr=False)
    """The whole text that it was parsed from; '' for nested queries and for trees made otherwise."""

    def classes(self) -> dict[str, str]:
        """Return its own aliases with their classes, in the order in which they are declared."""
        return {self.alias.text: self.cls.text} | {join.alias.text: join.cls.text for join in self.joins}


@dataclass(frozen=True, slots=True)
class Union:
    """Two or more ``SELECT``s, joined by ``UNION``."""

    members: tuple[Query, ...]
    source: str = dataclasses.field(default="", compare=False, repr=False)
    """The whole text that it was parsed from; '' for nested queries and for trees made otherwise."""


def members(tree: Query | Union) -> tuple[Query, ...]:
    """Return the members of a union, or the query itself."""
    return tree.members if isinstance(tree, Union) else (tree,)


def children(node: Expression) -> tuple[Expression, ...]:
    """Return the operands of an expression, from left to right; a nested query is none of them."""
    match node:
        case Binary():
            return (node.left, node.right)
        case Logical():
            return node.operands
        case In():
            return (node.operand, *node.items)
        case InQuery():
            return (node.operand,)
        case Matches():
            return (node.field, node.words)
        case Interval():
            return (node.amount,)
        case Function():
            return node.arguments
        case _:
            return ()


def walk(tree: Query | Union | Expression) -> Iterator[tuple[Expression, int]]:
    """Yield every expression below ``tree`` with its depth (from 1), nested queries included, left to right."""
    pending: list[tuple[Query | Union | Expression, int]] = [(tree, 1)]
    while pending:
        node, depth = pending.pop()
        if isinstance(node, Union):
            pending.extend((member, depth) for member in reversed(node.members))
        elif isinstance(node, Query):
            if node.where is not None:
                pending.append((node.where, depth))
        else:
            yield node, depth
            if isinstance(node, InQuery):
                pending.append((node.query, depth + 1))
            pending.extend((child, depth + 1) for child in reversed(children(node)))
