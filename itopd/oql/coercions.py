"""What literals are worth beside values of another kind, known before the query runs (``spec/oql.md`` §7.4)."""

from __future__ import annotations

import re

from itopd.database import collation_key
from itopd.oql.values import Value

_LEADING_NUMBER = re.compile(r"\s*[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_GREATEST = 1.7976931348623157e308


def leading_number(literal: str) -> int | float:
    """Return the number that a text begins with, else 0."""
    found = _LEADING_NUMBER.match(literal)
    if found is None:
        return 0
    number = max(-_GREATEST, min(float(found.group()), _GREATEST))
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def code_like(enum: Value, text: str) -> str:
    """Return the code that a text equals, else the text, which no row then holds: codes compare without keys."""
    wanted = collation_key(text)
    return next((code for code in enum.codes if collation_key(code) == wanted), text)
