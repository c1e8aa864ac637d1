"""How large a query may be; beyond, it is ``too_complex`` (``spec/oql.md`` §2.2)."""

from __future__ import annotations

from itopd.errors import OqlError

MAX_BYTES = 4 * 1024 * 1024
"""Of text, in UTF-8. Lists have no limit of their own; long ones are better given as parameters."""
MAX_DEPTH = 500
"""Levels of nesting: operators, functions, lists and nested queries. A chain of one logical operator is one."""
MAX_PARENTHESES = 2 * MAX_DEPTH
"""Inside one another: the canonical form of a query has up to two for each level."""
MAX_MEMBERS = 500
"""Of one union."""


def too_deep(position: int) -> OqlError:
    """Return the error of a query with too many levels."""
    return OqlError(
        "too_complex",
        f"the query is nested more than {MAX_DEPTH} levels deep; give long lists as IN (...) or as a parameter",
        position=position,
    )


def too_long(size: int) -> OqlError:
    """Return the error of a query whose text has too many bytes."""
    return OqlError(
        "too_complex",
        f"the query has {size} bytes, and at most {MAX_BYTES} are accepted; give long lists as parameters",
        position=MAX_BYTES,
    )


def too_many_members(count: int, word: str, position: int) -> OqlError:
    """Return the error of a union with too many members, at the first one too many."""
    return OqlError(
        "too_complex",
        f"the union has {count} members, and at most {MAX_MEMBERS} are accepted",
        word=word,
        position=position,
    )
