"""What literals are worth beside values of another kind, known before the query runs (``spec/oql.md`` §7.4).

SQLite and PostgreSQL share it; MariaDB coerces by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import sqlalchemy as sa

from itopd.database import collation_key
from itopd.oql.values import Kind, Sql, Value, infix, text

_LEADING_NUMBER = re.compile(r"\s*[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_EQUALITY = frozenset({"=", "!="})
_GREATEST = 1.7976931348623157e308


def leading_number(literal: str) -> int | float:
    """Return the number that a text begins with, else 0."""
    found = _LEADING_NUMBER.match(literal)
    if found is None:
        return 0
    number = max(-_GREATEST, min(float(found.group()), _GREATEST))
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def code_like(enum: Value, literal: str) -> str:
    """Return the code that a text equals, else the text, which no row then holds: codes compare without keys.

    Texts of PostgreSQL hold no NUL, which iTop's collation ignores.
    """
    wanted = collation_key(literal)
    return next((code for code in enum.codes if collation_key(code) == wanted), literal.replace("\0", ""))


def equality_of_codes(operator: str, left: Value, right: Value) -> Sql | None:
    """Return the comparison of an enum with a literal where it is one of codes, ``None`` where it is none."""
    for enum, other in ((left, right), (right, left)):
        if operator in _EQUALITY and enum.codes and isinstance(other.literal, str):
            return infix(enum.sql, operator, text(code_like(enum, other.literal)).sql)
    return None


def text_beside_number(
    operator: str, left: Value, right: Value, compare: Callable[[str, Value, Value], Sql]
) -> Sql | None:
    """Return the comparison of a text column with a literal number, ``None`` where it is none.

    As numbers where the whole text is one; else what ``compare`` makes of two texts.
    """
    column, known = (left, right) if right.kind is Kind.NUMBER else (right, left)
    if column.kind is not Kind.TEXT or column.literal is not None or not isinstance(known.literal, int):
        return None
    whole = sa.func.itop_numeric(column.sql)
    shown = text(str(known.literal))
    if column is left:
        as_texts, as_numbers = compare(operator, column, shown), infix(whole, operator, known.sql)
    else:
        as_texts, as_numbers = compare(operator, shown, column), infix(known.sql, operator, whole)
    return sa.case((whole.is_(None), as_texts), else_=as_numbers)
