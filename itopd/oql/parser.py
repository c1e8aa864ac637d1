"""Text -> tree: the grammar of ``spec/oql.md`` §1-§2, and its errors (§4).

The last trees are kept: a text that was parsed before costs nothing.
"""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from functools import cache, lru_cache
from importlib import resources
from typing import TYPE_CHECKING

from itopd.errors import OqlError
from itopd.oql.builder import Builder
from itopd.oql.limits import MAX_BYTES, MAX_DEPTH, MAX_MEMBERS, too_deep, too_long, too_many_members
from itopd.oql.places import locating, readable
from itopd.oql.tree import Expression, InQuery, Query, Union, walk

if TYPE_CHECKING:
    from lark import Lark

KEPT_LENGTH = 10_000
"""Characters of a text whose tree is kept; longer ones are lists that hardly come twice."""

_BROKEN_OPERATOR = re.compile(
    r"\bNOT\s+(?:BELOW|ABOVE)\s+STRICT\b|\bNOT\s+(?:IN|LIKE|BELOW|ABOVE)\b|\b(?:BELOW|ABOVE)\s+STRICT\b"
)


def parse(text: str) -> Query | Union:
    """Return the tree of a query.

    Raises :class:`OqlError`: ``lexical``, ``syntax``, ``too_complex``, or ``not_a_query`` for a mere condition.
    """
    return _recent(text) if len(text) <= KEPT_LENGTH else _query(text)


def _query(text: str) -> Query | Union:
    with locating(text):
        tree = _parse(text)
        if isinstance(tree, Query | Union):
            return replace(tree, source=text)
        raise OqlError(
            "not_a_query",
            "this is a condition, not a query: write SELECT <class> WHERE <condition>",
            word=f"{_ITOP_EXPRESSION_NAMES[type(tree).__name__]}OqlExpression",
            position=0,
        )


_recent = lru_cache(maxsize=512)(_query)


@lru_cache(maxsize=1024)
def parse_condition(text: str) -> Expression:
    """Return the tree of a mere condition, such as the obsolescence rule of a class; raise as :func:`parse` does."""
    with locating(text):
        tree = _parse(text)
        if isinstance(tree, Query | Union):
            raise OqlError("syntax", "this is a query, where a condition is expected", word="SELECT", position=0)
        return tree


def _parse(text: str) -> Query | Union | Expression:
    from lark.exceptions import UnexpectedToken  # noqa: PLC0415 - lark loads with the first query

    source = _bytes_as_characters(text)
    try:
        tree: Query | Union | Expression = _grammar().parse(source)  # type: ignore[assignment]  # the builder made it
    except UnexpectedToken as error:
        raise _syntax_error(source, error.token.type, str(error.token), error.token.start_pos) from None
    _check_size(tree)
    return tree


@cache
def _grammar() -> Lark:
    from lark import Lark  # noqa: PLC0415 - lark loads with the first query

    from itopd.oql.lexer import OqlLexer  # noqa: PLC0415 - and so does what is made for it

    rules = resources.files("itopd.oql").joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(rules, parser="lalr", lexer=OqlLexer, transformer=Builder(), maybe_placeholders=True)


def _bytes_as_characters(text: str) -> str:
    """Return the UTF-8 bytes of ``text``, one character each: every offset is then a byte offset."""
    try:
        source = text.encode("utf-8").decode("latin-1")
    except UnicodeEncodeError as error:
        position = len(text[: error.start].encode("utf-8"))
        raise OqlError(
            "lexical",
            f"half of a surrogate pair (U+{ord(text[error.start]):04X}) is no character",
            word=ascii(text[error.start]),
            position=position,
        ) from None
    if len(source) > MAX_BYTES:
        raise too_long(len(source))
    return source


def _syntax_error(source: str, token: str, word: str, position: int | None) -> OqlError:
    if token == "$END" or position is None:  # noqa: S105 - lark's name of the end of the text
        message = "the query is empty" if not source.strip(" \t\r\n") else "the query ends too early"
        return OqlError("syntax", message, position=len(source), at_end=True)
    message = f"unexpected '{readable(word)}'"
    for found in _BROKEN_OPERATOR.finditer(source, max(0, position - 100), position + 100):
        operator = " ".join(found.group().split())
        if found.group() != operator and found.start() <= position <= found.end() + 2:
            message += f"; write {operator} with exactly one space between its words"
            break
    return OqlError("syntax", message, word=readable(word), position=position)


def _check_size(tree: Query | Union | Expression) -> None:
    _check_members(tree)
    deepest = 0
    for node, depth in walk(tree):
        if depth > MAX_DEPTH:
            raise too_deep(node.position)
        deepest = max(deepest, depth)
        if isinstance(node, InQuery):
            _check_members(node.query)
    _make_room(deepest)


def _make_room(depth: int) -> None:
    """Let Python recurse as deep as this tree needs; SQLAlchemy renders an expression with ten calls a level.

    The limit is only ever raised, and by a bounded amount. Ordinary queries leave it alone.
    """
    needed = 500 + 15 * depth
    if needed > sys.getrecursionlimit():
        sys.setrecursionlimit(needed)


def _check_members(tree: Query | Union | Expression) -> None:
    if isinstance(tree, Union) and len(tree.members) > MAX_MEMBERS:
        excess = tree.members[MAX_MEMBERS].cls
        raise too_many_members(len(tree.members), excess.text, excess.position)


# What iTop reports as the offending word when a mere condition is given.
_ITOP_EXPRESSION_NAMES = {
    "Text": "Scalar",
    "Number": "Scalar",
    "Null": "Scalar",
    "Field": "Field",
    "Parameter": "Variable",
    "Binary": "Binary",
    "Logical": "Binary",
    "In": "Binary",
    "InQuery": "Binary",
    "Matches": "Match",
    "Function": "Function",
}
