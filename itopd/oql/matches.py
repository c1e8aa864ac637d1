"""``MATCHES``: full-text boolean search by words, without a full-text index (``spec/oql.md`` §7.4).

Several words: any of them. ``+word`` must be there, ``-word`` must not, ``word*`` is the beginning of one. Searching
with regular expressions sees rows that InnoDB's full-text index shows only after their commit, and works on every
engine.
"""

from __future__ import annotations

import re

from itopd.oql.dialect import Dialect
from itopd.oql.values import Sql, Value, all_of, any_of, certain, negation, text

_WORD = re.compile(r"([-+]?)(\w+)(\*?)")


def word_search(dialect: Dialect, searched: Value, words: str) -> Sql:
    """Return the condition that the words are found in a set or text."""
    found: dict[str, list[Sql]] = {"": [], "+": [], "-": []}
    for sign, word, star in _WORD.findall(words):
        pattern = rf"\b{re.escape(word)}" + ("" if star else r"\b")
        found[sign].append(dialect.regexp(searched, text(pattern)))
    conditions = found["+"]
    if not conditions:
        if not found[""]:
            return certain(False)
        conditions = [any_of(found[""])]
    return all_of([*conditions, *map(negation, found["-"])])
