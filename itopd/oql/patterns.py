"""``LIKE`` and ``REGEXP`` as regular expressions of PostgreSQL, which compare as SQLite's functions do (§7.4, §7.6).

PostgreSQL's own case-insensitive search depends on the locale of the database, and its ``LIKE`` knows no accents. So
each character is written as the set of all that count as equal, and the result is searched for as it stands. Patterns
are read by Python's own parser, as :func:`~itopd.oql.mysql_functions.regular_expression` reads them for SQLite.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from typing import Any

from itopd.database import like_characters
from itopd.oql.mysql_functions import regular_expression

_sre: Any = re._constants  # noqa: SLF001 - the only parser of the same language
_parse: Any = re._parser.parse  # noqa: SLF001

_LOOKS_AROUND = {_sre.ASSERT, _sre.ASSERT_NOT}
_BOUNDARIES = (_sre.AT_BOUNDARY, _sre.AT_NON_BOUNDARY)
_ELSEWHERE_ONLY = {
    _sre.GROUPREF: "reference to a group",
    _sre.GROUPREF_EXISTS: "conditional group",
    _sre.ATOMIC_GROUP: "atomic group",
    _sre.POSSESSIVE_REPEAT: "possessive repetition",
}
_NOTHING = "(?!)"
_LAST = 0x10FFFF
_MOST = 255
"""Repetitions that PostgreSQL counts."""
_LARGEST = 3_000
"""Characters and sets of an expression, repetitions multiplied: well below what PostgreSQL takes."""
_EMPTY_FACTOR = 10
"""How much more it costs PostgreSQL to repeat what may be empty."""
_LOOK_AROUND = 20
"""What a boundary of words, or another look around, costs in the same measure."""

LONGEST_LIKE = 2_000
"""Characters of a pattern of ``LIKE`` that make an expression of reasonable size."""

Ranges = Sequence[tuple[int, int]]


class UnsupportedError(Exception):
    """PostgreSQL has no such expression; the text says what."""


def like_expression(pattern: str) -> str:
    """Return the expression that finds what is ``LIKE`` a pattern, whose escape character is ``\\``."""
    parts = ["^"]
    characters = iter(pattern)
    for character in characters:
        if character == "%":
            parts.append(".*")
        elif character == "_":
            parts.append(".")
        else:
            same = next(characters, character) if character == "\\" else character
            parts.append(_like(same))
    return "".join([*parts, "$"])


@lru_cache(maxsize=1024)
def _like(character: str) -> str:
    """Return the set of all characters that are like one."""
    ranges: list[tuple[int, int]] = []
    for number in map(ord, like_characters(character)):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    return _one_of(ranges)


@lru_cache(maxsize=256)
def search_expression(pattern: str) -> str:
    """Return the expression that finds what ``REGEXP`` finds; :class:`UnsupportedError` when PostgreSQL has none.

    ``re.error`` when the pattern is none at all.
    """
    known = regular_expression(pattern)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # said of what regular_expression takes on purpose
        nodes = _parse(known.pattern, known.flags)
    return _Writer().sequence(nodes, known.flags)


class _Writer:
    """Writes the nodes that Python's parser makes."""

    def __init__(self) -> None:
        self._size = 0
        self._factor = 1

    def sequence(self, nodes: Iterable[tuple[Any, Any]], flags: int) -> str:
        """Return nodes that follow one another."""
        return "".join(self._node(operation, argument, flags) for operation, argument in nodes)

    def _node(self, operation: Any, argument: Any, flags: int) -> str:  # noqa: ANN401 - nodes of the parser
        looks_around = operation in _LOOKS_AROUND or (operation is _sre.AT and argument in _BOUNDARIES)
        self._size += self._factor * (_LOOK_AROUND if looks_around else 1)
        if self._size > _LARGEST:
            raise UnsupportedError("it is too large for PostgreSQL")
        if operation is _sre.LITERAL:
            return _one_of(_same(argument, flags))
        if operation is _sre.NOT_LITERAL:
            return _one_of(_same(argument, flags), negated=True)
        if operation is _sre.ANY:
            return "." if flags & re.DOTALL else r"[^\u000A]"
        if operation is _sre.IN:
            return _set(argument, flags)
        if operation is _sre.AT:
            return _place(argument, flags)
        if operation is _sre.BRANCH:
            return f"(?:{'|'.join(self.sequence(branch, flags) for branch in argument[1])})"
        if operation is _sre.SUBPATTERN:
            _group, added, removed, nodes = argument
            return f"(?:{self.sequence(nodes, (flags | added) & ~removed)})"
        if operation in {_sre.MAX_REPEAT, _sre.MIN_REPEAT}:
            least, most, nodes = argument
            return self._repeated(least, most, nodes, flags)
        if operation in {_sre.ASSERT, _sre.ASSERT_NOT}:
            direction, nodes = argument
            sign = "=" if operation is _sre.ASSERT else "!"
            return f"(?{'<' if direction < 0 else ''}{sign}{self.sequence(nodes, flags)})"
        if operation is _sre.FAILURE:
            return _NOTHING
        raise UnsupportedError(f"PostgreSQL has no {_ELSEWHERE_ONLY.get(operation, operation)} that finds the same")

    def _repeated(self, least: int, most: Any, nodes: Any, flags: int) -> str:  # noqa: ANN401 - most may be a constant
        endless = most is _sre.MAXREPEAT
        outside = self._factor
        repetitions = max(1, least if endless else int(most))
        may_be_empty = repetitions > 1 and nodes.getwidth()[0] == 0
        self._factor *= repetitions * (_EMPTY_FACTOR if may_be_empty else 1)
        item = f"(?:{self.sequence(nodes, flags)})"
        self._factor = outside
        if endless:
            *full, rest = _portions(least)
            return "".join(f"{item}{{{count}}}" for count in full) + f"{item}{{{rest},}}"
        must = "".join(f"{item}{{{count}}}" for count in _portions(least) if count)
        may = "".join(f"{item}{{0,{count}}}" for count in _portions(int(most) - least) if count)
        return must + may


def _portions(count: int) -> list[int]:
    """Return numbers that PostgreSQL counts to, and whose sum is ``count``."""
    return [_MOST] * (count // _MOST) + [count % _MOST]


def _place(code: Any, flags: int) -> str:  # noqa: ANN401 - a constant of the parser
    word = _one_of(_category(_sre.CATEGORY_WORD, flags & re.ASCII))
    if code is _sre.AT_BOUNDARY:
        return f"(?:(?<={word})(?!{word})|(?<!{word})(?={word}))"
    if code is _sre.AT_NON_BOUNDARY:
        return f"(?:(?<={word})(?={word})|(?<!{word})(?!{word}))"
    if code is _sre.AT_BEGINNING and flags & re.MULTILINE:
        return r"(?:^|(?<=\u000A))"
    if code is _sre.AT_END:
        return r"(?:$|(?=\u000A))" if flags & re.MULTILINE else r"(?:$|(?=\u000A$))"
    return "$" if code is _sre.AT_END_STRING else "^"


def _set(items: Sequence[tuple[Any, Any]], flags: int) -> str:
    members: list[tuple[int, int]] = []
    negated = False
    for operation, argument in items:
        if operation is _sre.NEGATE:
            negated = True
        elif operation is _sre.LITERAL:
            members.extend(_same(argument, flags))
        elif operation is _sre.RANGE:
            members.append(argument)
            members.extend(_same_in_range(*argument, flags))
        else:
            members.extend(_category(argument, flags & re.ASCII))
    return _one_of(members, negated=negated)


def _one_of(ranges: Ranges, *, negated: bool = False) -> str:
    """Return the set of characters in ranges. No text of PostgreSQL holds NUL; half surrogates are no characters."""
    known = [(max(first, 1), last) for first, last in ranges if last > 0 and not _is_surrogate(first, last)]
    if not known:
        return r"[\u0001-\U0010FFFF]" if negated else _NOTHING
    if len(known) == 1 and known[0][0] == known[0][1] and not negated:
        return _character(known[0][0])
    members = "".join(_character(a) if a == b else f"{_character(a)}-{_character(b)}" for a, b in known)
    return f"[{'^' if negated else ''}{members}]"


def _is_surrogate(first: int, last: int) -> bool:
    return first >= 0xD800 and last <= 0xDFFF


def _character(number: int) -> str:
    shown = chr(number)
    if shown.isascii() and shown.isalnum():
        return shown
    return f"\\u{number:04X}" if number <= 0xFFFF else f"\\U{number:08X}"


def _same(number: int, flags: int) -> Ranges:
    """Return the characters that a literal finds."""
    return [(number, number), *_same_in_range(number, number, flags)]


@lru_cache(maxsize=1024)
def _same_in_range(first: int, last: int, flags: int) -> Ranges:
    """Return what else a range finds when case is ignored."""
    if not flags & re.IGNORECASE:
        return []
    found = re.findall(
        f"[{re.escape(chr(first))}-{re.escape(chr(last))}]", _cased(), flags & (re.ASCII | re.IGNORECASE)
    )
    return [(ord(one), ord(one)) for one in found if not first <= ord(one) <= last]


@cache
def _cased() -> str:
    """Return all characters that have another case."""
    return "".join(one for one in map(chr, range(0x1F000)) if one.lower() != one or one.upper() != one)


@cache
def _category(category: Any, ascii_only: int) -> Ranges:  # noqa: ANN401 - a constant of the parser
    characters = "".join(map(chr, (*range(1, 0xD800), *range(0xE000, _LAST + 1))))
    runs = re.finditer(f"{_CATEGORIES[category]}+", characters, ascii_only)
    return [(ord(run.group()[0]), ord(run.group()[-1])) for run in runs]


_CATEGORIES = {
    _sre.CATEGORY_DIGIT: r"\d",
    _sre.CATEGORY_NOT_DIGIT: r"\D",
    _sre.CATEGORY_SPACE: r"\s",
    _sre.CATEGORY_NOT_SPACE: r"\S",
    _sre.CATEGORY_WORD: r"\w",
    _sre.CATEGORY_NOT_WORD: r"\W",
}
