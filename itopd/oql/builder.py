"""Makes the tree while lark parses: one method per rule of ``grammar.lark``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from itopd.oql.lexer import Lexeme

GREATEST = 9223372036854775807
"""Greater numbers are clamped to it (§1)."""

_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class Builder:
    """The callbacks of the grammar; each takes the list of its parts and returns a node.

    Lexemes hold UTF-8 bytes as Latin-1 characters; their ``start_pos`` is a byte offset.
    """

    def start(self, parts: Sequence[Any]) -> Query | Union:
        """Return the whole query."""
        tree: Query | Union = parts[0]
        return tree

    def condition_only(self, parts: Sequence[Any]) -> Expression:
        """Return a text that is no query but a condition."""
        condition: Expression = parts[0]
        return condition

    def union(self, parts: Sequence[Any]) -> Union:
        """Return all members, in the order written."""
        return Union(tuple(parts))

    def simple_query(self, parts: Sequence[Any]) -> Query:
        """``SELECT class AS alias``: the main alias is the one selected."""
        cls, alias, joins, where = parts
        alias = alias or cls
        return Query((alias,), cls, alias, joins, where)

    def projected_query(self, parts: Sequence[Any]) -> Query:
        """``SELECT alias, alias FROM class AS alias``."""
        selected, cls, alias, joins, where = parts
        return Query(selected, cls, alias or cls, joins, where)

    def names(self, parts: Sequence[Any]) -> tuple[Name, ...]:
        """Return the list of selected aliases."""
        return tuple(parts)

    def joins(self, parts: Sequence[Any]) -> tuple[Join, ...]:
        """Return all joins, in the order written."""
        return tuple(parts)

    def join(self, parts: Sequence[Any]) -> Join:
        """Return one join; its alias is the class when there is no ``AS``."""
        cls, alias, left, operator, right = parts
        return Join(cls, alias or cls, left, operator, right)

    def join_operator(self, parts: Sequence[Any]) -> str:
        """Return ``=`` or the tree operator."""
        return str(parts[0])

    def where(self, parts: Sequence[Any]) -> Expression | None:
        """Return the condition; ``WHERE 1`` is none."""
        condition: Expression | None = parts[0]
        return None if condition == Number(1) else condition

    def chain(self, parts: Sequence[Any]) -> Expression:
        """Return operations of one level, associated to the left; runs of one logical operator make one node."""
        node: Expression = parts[0]
        run: list[Expression] = []  # operands of the logical operation that is growing
        for index in range(1, len(parts), 2):
            token, right = parts[index], parts[index + 1]
            operator = str(token)
            if operator not in {"AND", "OR"}:
                node = Binary(operator, node, right, token.start_pos)
                continue
            if not run:
                run = list(node.operands) if isinstance(node, Logical) and node.operator == operator else [node]
            run.append(right)
            if index + 2 >= len(parts) or str(parts[index + 2]) != operator:
                node, run = Logical(operator, tuple(run), token.start_pos), []
        return node

    def matches(self, parts: Sequence[Any]) -> Matches:
        """Return a full-text search."""
        field, words = parts
        return Matches(field, words, field.position)

    def parenthesised(self, parts: Sequence[Any]) -> Expression:
        """Return what stands between parentheses."""
        node: Expression = parts[0]
        return replace(node, parenthesised=True) if isinstance(node, Binary) else node

    def in_list(self, parts: Sequence[Any]) -> In:
        """Return a test against a list."""
        operand, token, *items = parts
        return In(operand, str(token) == "NOT IN", tuple(items), token.start_pos)

    def in_query(self, parts: Sequence[Any]) -> InQuery:
        """Return a test against a nested query."""
        operand, token, query = parts
        return InQuery(operand, str(token) == "NOT IN", query, token.start_pos)

    def subquery(self, parts: Sequence[Any]) -> Query | Union:
        """Return a nested query."""
        query: Query | Union = parts[0]
        return query

    def text(self, parts: Sequence[Lexeme]) -> Text:
        """Return a text without its quotes and escapes."""
        return Text(_ESCAPED.sub(r"\1", _decode(parts[0].text[1:-1])), parts[0].start_pos)

    def number(self, parts: Sequence[Lexeme]) -> Number:
        """Return a number of either notation."""
        digits = parts[0].text
        hexadecimal = digits.startswith("0x")
        return Number(_integer(digits, hexadecimal), parts[0].start_pos, hexadecimal)

    def negative(self, parts: Sequence[Lexeme]) -> Number:
        """Return a number with a sign."""
        number = self.number(parts[1:])
        return replace(number, value=-number.value)

    def null(self, parts: Sequence[Lexeme]) -> Null:
        """Return ``NULL``."""
        return Null(parts[0].start_pos)

    def bare_field(self, parts: Sequence[Name]) -> Field:
        """Return an unqualified attribute."""
        return Field(None, parts[0])

    def qualified_field(self, parts: Sequence[Name]) -> Field:
        """Return ``alias.attribute``."""
        return Field(parts[0], parts[1])

    def parameter(self, parts: Sequence[Lexeme]) -> Parameter:
        """Return ``:name`` or ``:name->attribute``."""
        name, arrow, attribute = parts[0].text[1:].partition("->")
        return Parameter(name, attribute if arrow else None, parts[0].start_pos)

    def function(self, parts: Sequence[Any]) -> Function:
        """Return a call; lark stands in ``None`` for an empty argument list."""
        token, *arguments = parts
        return Function(str(token), tuple(a for a in arguments if a is not None), token.start_pos)

    def interval(self, parts: Sequence[Any]) -> Interval:
        """Return ``INTERVAL amount unit``."""
        amount, unit = parts
        return Interval(amount, str(unit), amount.position)

    def name(self, parts: Sequence[Lexeme]) -> Name:
        """Return a name without its backticks."""
        word = parts[0]
        text = _decode(word.text[1:-1]) if word.text.startswith("`") else word.text
        return Name(text, word.start_pos)


def _decode(characters: str) -> str:
    return characters.encode("latin-1").decode("utf-8")


def _integer(digits: str, hexadecimal: bool) -> int:
    # Python refuses to convert thousands of digits, for they cost quadratic time; such a number is clamped anyway.
    significant = digits[2:].lstrip("0") if hexadecimal else digits.lstrip("0")
    if len(significant) > 20:
        return GREATEST
    return min(int(significant or "0", 16 if hexadecimal else 10), GREATEST)
