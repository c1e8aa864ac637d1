"""The collation key in PostgreSQL: SQL functions that give exactly the bytes of :func:`collation_key`.

``itop_key(text)`` is made in the schema of iTop's tables; indexes are on it. It works on a text whose characters stand
for the bytes of the key (PostgreSQL's LATIN1 has all 256 of them): an ASCII text costs one ``translate``, a text in a
western language another with a longer list, and ``itop_key_any`` looks every character of any other text up.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Final

from itopd.database.collation import DIGIT, IMPLICIT, IMPLICIT_BASE, IMPLICIT_BASES, LOWEST_DIGIT, codes

KEY_FUNCTION: Final = "itop_key"
_ANY_FUNCTION: Final = "itop_key_any"
KEY_FUNCTIONS: Final = (KEY_FUNCTION, _ANY_FUNCTION)
"""All functions made here."""
_LAST_WESTERN: Final = 0x24F
"""The end of Latin Extended-B."""
_FREQUENT: Final = "eaitnsroldcumpghvfbyqxjkwz 0123456789éèàçêùâîôûëïüöäñ"
"""``translate`` searches its list from the start: what is frequent comes first."""
_OPTIONS: Final = "LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 1000"
"""A key takes some microseconds. Told so, PostgreSQL uses an index even of a table that it has no statistics of yet."""


def key_functions(schema: str) -> Iterator[str]:
    """Yield the statements that make the functions in a schema (given as quoted).

    They name each other with the schema: indexes are also made where no other schema is searched (``pg_restore``).
    """
    for name, returns, body in (
        (_ANY_FUNCTION, "text", _any_body()),
        (KEY_FUNCTION, "bytea", key_body(schema)),
    ):
        signature = f"{schema}.{name}(value text) RETURNS {returns}"
        yield f"CREATE OR REPLACE FUNCTION {signature} {_OPTIONS} AS $itopd${body}$itopd$"


def key_body(schema: str) -> str:
    """Return what PostgreSQL keeps as the source of ``itop_key``, to tell whether it is this release's."""
    known = codes()
    blank, low_blank, end = (byte.decode("latin-1") for byte in (known.blank, known.low_blank, known.end))
    lower = f"\\\\x01-\\\\x{known.low_blank[0] - 1:02x}"
    blanks = f"\\\\x{known.blank[0]:02x}"
    single = _single_codes(known.characters)
    ascii_only = {c: code for c, code in single.items() if c.isascii() and c == c.lower()}
    western = {c: code for c, code in single.items() if c.isascii() or ord(c) <= _LAST_WESTERN}
    others = "".join(f"\\u{ord(c):04x}" for c in western if not c.isascii())
    return f"""
DECLARE
  key text;
BEGIN
  IF octet_length(value) = char_length(value) THEN
    key := {_translated('lower(value COLLATE "C")', ascii_only)};
  ELSIF value COLLATE "C" !~ E'[^\\\\x01-\\\\x7f{others}]' THEN
    key := {_translated("value", western)};
  ELSE
    key := {schema}.{_ANY_FUNCTION}(value);
  END IF;
  key := rtrim(key, {_literal(blank)});
  IF key COLLATE "C" ~ E'{blanks}[{lower}]' THEN
    key := regexp_replace(key COLLATE "C", E'{blanks}(?={blanks}*[{lower}])', {_literal(low_blank)}, 'g');
  END IF;
  RETURN convert_to(key || {_literal(end)}, 'LATIN1');
END"""


@cache
def _any_body() -> str:
    known = codes()
    table = {c: code.decode("latin-1") for c, code in known.characters.items() if c != "\0"}
    lead = _literal(chr(known.implicit_lead))
    base = " ".join(f"WHEN n BETWEEN {first} AND {last} THEN {base}" for first, last, base in IMPLICIT_BASES)

    def digits(rest: str) -> str:
        return f"{lead} || chr({LOWEST_DIGIT} + {rest} / {DIGIT}) || chr({LOWEST_DIGIT} + {rest} % {DIGIT})"

    return f"""
BEGIN
  RETURN (
    SELECT coalesce(string_agg(coalesce(
      $weights${json.dumps(table, separators=(",", ":"))}$weights$::jsonb ->> c,
      CASE WHEN n > 65535 THEN {_literal(known.beyond_bmp.decode("latin-1"))} ELSE
        {digits(f"((CASE {base} ELSE {IMPLICIT_BASE} END) - {IMPLICIT} + (n >> 15))")} || {digits("(n & 32767)")}
      END), '' ORDER BY place), '')
    FROM (
      SELECT c, ascii(c) AS n, place FROM unnest(string_to_array(value, NULL)) WITH ORDINALITY AS u(c, place)
    ) AS characters
  );
END"""  # noqa: S608 - weights and numbers of this package


def _single_codes(characters: Mapping[str, bytes]) -> dict[str, str]:
    """Return the characters that have a code of one byte or none, the frequent ones first."""
    single = {c: code.decode("latin-1") for c, code in characters.items() if len(code) <= 1 and c != "\0"}
    return {c: single[c] for c in (*_FREQUENT, *single)}


def _translated(expression: str, single: Mapping[str, str]) -> str:
    """Return a ``translate`` of an expression; what has no code is dropped."""
    kept = [c for c, code in single.items() if code]
    dropped = [c for c, code in single.items() if not code]
    return f"translate({expression}, {_literal(kept + dropped)}, {_literal(single[c] for c in kept)})"


def _literal(characters: Iterable[str]) -> str:
    """Return a literal in which nothing but printable ASCII stands for itself."""
    return "E'" + "".join(c if c.isalnum() and c.isascii() else f"\\u{ord(c):04x}" for c in characters) + "'"
