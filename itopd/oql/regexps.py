"""Regular expressions of ``REGEXP``: what is none is found before any engine sees it."""

from __future__ import annotations

import re

from itopd.errors import OqlError
from itopd.oql.mysql_functions import regular_expression


def check_pattern(pattern: str, position: int) -> None:
    """Raise ``bad_regexp`` for a pattern that would be an error on some engine."""
    try:
        regular_expression(pattern)
    except (re.error, OverflowError) as error:
        raise OqlError(
            "bad_regexp",
            f"REGEXP needs a regular expression, and {pattern!r} is none: {error}",
            word=pattern,
            position=position,
        ) from None
