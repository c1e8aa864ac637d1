"""MySQL's text and number functions in Python, for SQLite (``spec/oql.md`` §7.4-§7.6)."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, TypeAlias

import sqlalchemy as sa

from itopd.database import like_characters
from itopd.oql import mysql_dates

_NUMERIC = re.compile(r"\s*[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?\s*\Z")
_UNSIGNED = 2**64 - 1


class _Folding(dict[int, int]):
    """Characters -> the first of those that are like them, filled as characters are met."""

    def __missing__(self, number: int) -> int:
        folded = self[number] = ord(like_characters(chr(number))[0])
        return folded


_folding = _Folding()


def fold(text: str) -> str:
    """Return a text with each character replaced by one that stands for all that are like it."""
    return text.translate(_folding)


def like(pattern: object, text: object) -> int | None:
    """``LIKE`` character by character under iTop's collation, with the escape character ``\\``."""
    if pattern is None or text is None:
        return None
    return int(_is_like(_pieces(as_text(pattern)), fold(as_text(text))))


_Piece: TypeAlias = tuple[re.Pattern[str], int]
"""What stands between two ``%``, and how many characters it has."""


@lru_cache(maxsize=256)
def _pieces(pattern: str) -> list[_Piece]:
    pieces: list[list[str]] = [[]]
    characters = iter(pattern)
    for character in characters:
        if character == "%":
            pieces.append([])
        elif character == "_":
            pieces[-1].append(".")
        else:
            same = next(characters, character) if character == "\\" else character
            pieces[-1].append(re.escape(fold(same)))
    return [(re.compile("".join(piece), re.DOTALL), len(piece)) for piece in pieces]


def _is_like(pieces: list[_Piece], text: str) -> bool:
    """Return whether the pieces follow one another in a text; each is taken where it is first found."""
    (first, at), *middle = pieces
    if not middle:
        return first.fullmatch(text) is not None
    last, length = middle.pop()
    end = len(text) - length
    if end < at or not first.match(text) or not last.match(text, end):
        return False
    for piece, _length in middle:
        found = piece.search(text, at, end)
        if not found:
            return False
        at = found.end()
    return True


def regexp(pattern: object, text: object) -> int | None:
    """``REGEXP``: search, ignoring case but not accents; ``None`` for a pattern of the data that is none."""
    if pattern is None or text is None:
        return None
    try:
        return int(regular_expression(as_text(pattern)).search(as_text(text)) is not None)
    except (re.error, OverflowError):
        return None


_POSIX_CLASSES = {
    "[:alpha:]": "a-zA-Z\u00c0-\u024f", "[:digit:]": "0-9", "[:alnum:]": "a-zA-Z0-9\u00c0-\u024f", "[:space:]": r"\s",
    "[:upper:]": "A-Z", "[:lower:]": "a-z", "[:punct:]": r"!-/:-@\[-`{-~", "[:xdigit:]": "0-9A-Fa-f",
    "[:blank:]": r" \t", "[:word:]": r"\w",
}  # fmt: skip


_CLASS = re.compile(r"\[([.:=])[^\]\\]*\1\]")


def _foreign_class(pattern: str) -> re.Match[str] | None:
    """Return the first ``[.x.]``, ``[=x=]`` or ``[:x:]`` that PCRE refuses: unknown, or not within a set."""
    at, inside = 0, False
    while at < len(pattern):
        found = _CLASS.match(pattern, at)
        if found:
            if not inside or found.group() not in _POSIX_CLASSES:
                return found
            at = found.end()
            continue
        if pattern[at] == "\\":
            at += 1
        elif not inside and pattern[at] == "[":
            inside = True
            at += 1 if pattern.startswith("^", at + 1) else 0
            at += 1 if pattern.startswith("]", at + 1) else 0  # a bracket at the beginning is a member
        elif pattern[at] == "]":
            inside = False
        at += 1
    return None


@lru_cache(maxsize=256)
def regular_expression(pattern: str) -> re.Pattern[str]:
    """Return a compiled pattern; ``re.error`` when it is none."""
    foreign = _foreign_class(pattern)
    if foreign:
        raise re.error(f"the class {foreign.group()} is unknown, or not within a set", pattern, foreign.start())
    for name, members in _POSIX_CLASSES.items():
        pattern = pattern.replace(name, members)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # "[[" is a plain character in PCRE too
        return re.compile(pattern, re.IGNORECASE)


def as_text(value: object) -> str:
    """Return a value as MySQL shows it; quotients have four decimals."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) >= 1e15 else f"{value:.4f}"
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)


def nullable_text(value: object) -> str | None:
    """Return a value as text, or ``None``."""
    return None if value is None else as_text(value)


def numeric(value: object) -> int | float | None:
    """Return the number that a whole text is, or ``None`` when it is none."""
    if value is None or isinstance(value, int | float):
        return value
    text = as_text(value)
    if not _NUMERIC.match(text):
        return None
    digits = text.strip()
    return _storable(int(digits)) if digits.lstrip("+-").isdigit() else float(digits)


def _storable(number: int) -> int | float:
    return number if -(2**63) <= number < 2**63 else float(number)


def substring(text: object, start: object, *length: object) -> str | None:
    """``SUBSTR``: 1-based, negative from the end, '' when it begins nowhere."""
    first = mysql_dates.integer(start)
    count = mysql_dates.integer(length[0]) if length else _UNSIGNED
    if text is None or first is None or count is None:
        return None
    characters = as_text(text)
    begin = first - 1 if first > 0 else len(characters) + first
    if first == 0 or begin < 0 or count <= 0:
        return ""
    return characters[begin : begin + count]


def bits(operator: str, left: object, right: object) -> int | float | None:
    """Bit operations on unsigned 64-bit numbers; others are rounded first."""
    a, b = mysql_dates.integer(left), mysql_dates.integer(right)
    if a is None or b is None:
        return None
    a, b = a & _UNSIGNED, b & _UNSIGNED
    match operator:
        case "&":
            result = a & b
        case "|":
            result = a | b
        case "^":
            result = a ^ b
        case "<<":
            result = a << b & _UNSIGNED if b < 64 else 0
        case _:
            result = a >> b if b < 64 else 0
    return _storable(result)


def rounded(value: object, *digits: object) -> int | float | None:
    """``ROUND``: half away from zero."""
    places = mysql_dates.integer(digits[0]) if digits else 0
    number = _decimal(value)
    if number is None or places is None:
        return None
    places = max(-30, min(places, 30))
    try:
        result = number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    except InvalidOperation:
        return float(number)
    return float(result) if places > 0 else _storable(int(result))


def floor(value: object) -> int | float | None:
    """``FLOOR``."""
    number = _decimal(value)
    return None if number is None else _storable(int(number.to_integral_value(ROUND_FLOOR)))


def _decimal(value: object) -> Decimal | None:
    if value is None:
        return None
    if isinstance(value, int | float):
        return Decimal(repr(value))
    found = re.match(r"\s*[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?", as_text(value))
    return Decimal(found.group()) if found else Decimal(0)


def inet_aton(address: object) -> int | None:
    """``INET_ATON``: the number of an IPv4 address; short forms fill with zeros before the last part."""
    parts = as_text(address).split(".") if address is not None else []
    if not 1 <= len(parts) <= 4 or not all(part.isascii() and part.isdigit() and len(part) <= 3 for part in parts):
        return None
    numbers = [int(part) for part in parts]
    if max(numbers) > 255:
        return None
    *first, last = numbers
    whole = [*first, *([0] * (3 - len(first))), last]
    return int.from_bytes(bytes(whole), "big")


def inet_ntoa(value: object) -> str | None:
    """``INET_NTOA``."""
    number = mysql_dates.integer(value)
    if number is None or not 0 <= number < 2**32:
        return None
    return ".".join(str(part) for part in number.to_bytes(4, "big"))


_FUNCTIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "itop_like": (2, like),
    "itop_regexp": (2, regexp),
    "itop_text": (1, nullable_text),
    "itop_numeric": (1, numeric),
    "itop_substr": (-1, substring),
    "itop_bits": (3, bits),
    "itop_round": (-1, rounded),
    "itop_floor": (1, floor),
    "itop_inet_aton": (1, inet_aton),
    "itop_inet_ntoa": (1, inet_ntoa),
    "itop_comparable": (1, mysql_dates.comparable),
    "itop_date": (1, mysql_dates.date_part),
    "itop_time": (1, mysql_dates.time_part),
    "itop_year": (1, mysql_dates.year),
    "itop_month": (1, mysql_dates.month),
    "itop_day": (1, mysql_dates.day),
    "itop_to_days": (1, mysql_dates.to_days),
    "itop_from_days": (1, mysql_dates.from_days),
    "itop_add_interval": (3, mysql_dates.add_interval),
    "itop_date_format": (2, mysql_dates.date_format),
}


@sa.event.listens_for(sa.Engine, "engine_connect")
def _register(connection: sa.Connection) -> None:
    """Teach each SQLite connection these functions once, whoever opened it."""
    if connection.dialect.name == "sqlite" and "itopd.oql" not in connection.info:
        driver: Any = connection.connection.dbapi_connection
        for name, (arguments, function) in _FUNCTIONS.items():
            driver.create_function(name, arguments, function, deterministic=True)
        connection.info["itopd.oql"] = True
