"""Text -> tree: the grammar of ``spec/oql.md`` §1-§2, and its errors (§4).

Limits, all reported as ``too_complex``: :data:`MAX_BYTES` of text, :data:`MAX_DEPTH` levels of nesting (parentheses,
operators, functions and nested queries), :data:`MAX_MEMBERS` members of a union. Chains of one logical operator and
lists have no limit of their own.
"""

from __future__ import annotations

import re
import sys
from functools import cache, lru_cache
from importlib import resources
from typing import TYPE_CHECKING

from itopd.errors import OqlError
from itopd.oql.builder import Builder
from itopd.oql.tree import Expression, InQuery, Query, Union, members, walk

if TYPE_CHECKING:
    from lark import Lark

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 500
MAX_MEMBERS = 500

_BROKEN_OPERATOR = re.compile(
    r"\bNOT\s+(?:BELOW|ABOVE)\s+STRICT\b|\bNOT\s+(?:IN|LIKE|BELOW|ABOVE)\b|\b(?:BELOW|ABOVE)\s+STRICT\b"
)


def parse(text: str) -> Query | Union:
    """Return the tree of a query.

    Raises :class:`OqlError`: ``lexical``, ``syntax``, ``too_complex``, or ``not_a_query`` for a mere condition.
    """
    tree = _parse(text)
    if not isinstance(tree, Query | Union):
        found = f"{_ITOP_EXPRESSION_NAMES[type(tree).__name__]}OqlExpression"
        raise OqlError(
            "not_a_query",
            "this is a condition, not a query: write SELECT <class> WHERE <condition>",
            word=found,
            position=0,
        )
    return tree


@lru_cache(maxsize=1024)
def parse_condition(text: str) -> Expression:
    """Return the tree of a mere condition, such as the obsolescence rule of a class; raise as :func:`parse` does."""
    tree = _parse(text)
    if isinstance(tree, Query | Union):
        raise OqlError("syntax", f"this is a query, where a condition is expected: {text}", word="SELECT", position=0)
    return tree


def _parse(text: str) -> Query | Union | Expression:
    from lark.exceptions import UnexpectedCharacters, UnexpectedToken  # noqa: PLC0415 - lark loads with the first query

    source = _bytes_as_characters(text)
    if source.count("(") > MAX_DEPTH:
        _check_parentheses(source)
    try:
        tree: Query | Union | Expression = _grammar().parse(source)  # type: ignore[assignment]  # the builder made it
    except UnexpectedCharacters as error:
        raise _lexical_error(source, error.pos_in_stream) from None
    except UnexpectedToken as error:
        raise _syntax_error(source, error.token.type, str(error.token), error.token.start_pos) from None
    _check_size(tree)
    return tree


@cache
def _grammar() -> Lark:
    from lark import Lark  # noqa: PLC0415 - lark loads with the first query

    rules = resources.files("itopd.oql").joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(rules, parser="lalr", lexer="basic", transformer=Builder(), maybe_placeholders=True)


def _bytes_as_characters(text: str) -> str:
    """Return the UTF-8 bytes of ``text``, one character each: every offset is then a byte offset."""
    if len(text) > MAX_BYTES:
        raise OqlError("too_complex", f"the query is longer than {MAX_BYTES} bytes", position=MAX_BYTES)
    try:
        return text.encode("utf-8").decode("latin-1")
    except UnicodeEncodeError as error:
        position = len(text[: error.start].encode("utf-8"))
        raise OqlError(
            "lexical",
            f"half of a surrogate pair (U+{ord(text[error.start]):04X}) at {position} is no character",
            word=ascii(text[error.start]),
            position=position,
        ) from None


def _readable(source: str) -> str:
    """Return bytes-as-characters as text again."""
    return source.encode("latin-1").decode("utf-8", errors="replace")


def _lexical_error(source: str, position: int | None) -> OqlError:
    position = position or 0
    character = source[position]
    if character in "'\"":
        hint = "a text starts here which is not ended, or holds a backslash before something else than its quote or \\"
    elif character == "`":
        hint = "a quoted name starts here which is empty or not ended"
    else:
        character = _readable(source[position : position + 4])[0]
        hint = "no word of the language starts so"
    return OqlError(
        "lexical", f"unexpected {character!r} at {_place(source, position)}: {hint}", word=character, position=position
    )


def _syntax_error(source: str, token: str, word: str, position: int | None) -> OqlError:
    if token == "$END" or position is None:  # noqa: S105 - lark's name of the end of the text
        message = "the query is empty" if not source.strip(" \t\r\n") else "the query ends too early"
        return OqlError("syntax", message, position=len(source), at_end=True)
    message = f"unexpected '{_readable(word)}' at {_place(source, position)}"
    for found in _BROKEN_OPERATOR.finditer(source, max(0, position - 100), position + 100):
        operator = " ".join(found.group().split())
        if found.group() != operator and found.start() <= position <= found.end() + 2:
            message += f"; write {operator} with exactly one space between its words"
            break
    return OqlError("syntax", message, word=_readable(word), position=position)


def _place(source: str, position: int) -> str:
    line = source.count("\n", 0, position) + 1
    column = len(_readable(source[source.rfind("\n", 0, position) + 1 : position])) + 1
    return f"position {position} (line {line}, column {column})"


def _check_parentheses(source: str) -> None:
    """Refuse parentheses that are nested too deeply, before the tree is built."""
    from lark.exceptions import UnexpectedCharacters  # noqa: PLC0415 - lark loads with the first query

    depth = 0
    try:
        for token in _grammar().lex(source):
            if token.type == "LPAR":
                depth += 1
                if depth > MAX_DEPTH:
                    raise _too_deep(token.start_pos)
            elif token.type == "RPAR":
                depth -= 1
    except UnexpectedCharacters as error:
        raise _lexical_error(source, error.pos_in_stream) from None


def _check_size(tree: Query | Union | Expression) -> None:
    _check_members(tree)
    deepest = 0
    for node, depth in walk(tree):
        if depth > MAX_DEPTH:
            raise _too_deep(node.position)
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
        raise OqlError(
            "too_complex",
            f"the union has {len(tree.members)} members; at most {MAX_MEMBERS} are accepted",
            word=members(tree)[MAX_MEMBERS].cls.text,
            position=members(tree)[MAX_MEMBERS].cls.position,
        )


def _too_deep(position: int | None) -> OqlError:
    return OqlError(
        "too_complex",
        f"the query is nested more than {MAX_DEPTH} levels deep; give long lists as IN (...) or as a parameter",
        position=position,
    )


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
