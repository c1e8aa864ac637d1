"""The filters through which iTop reads parameters (``params.md`` §2).

A filter returns the value as the service gets it, or raises :class:`Refused`. "Letters" are ASCII letters.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

Value = str | list[str]
"""What a caller gives: a text, or over HTTP a list (``name[]=``)."""

FilterName = Literal[
    "parameter",
    "raw_data",
    "integer",
    "string",
    "class",
    "context_param",
    "field_name",
    "transaction_id",
    "route",
    "operation",
    "element_identifier",
    "variable_name",
    "url",
]

_HOST = (
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*\.?|\[[0-9A-Fa-f:.]+\])"
)
_URL = re.compile(
    rf"[A-Za-z][A-Za-z0-9+.-]*://(?:[!-.0-;=?A-~]*@)?{_HOST}(?::[0-9]{{1,5}})?(?:[/?#][!-~]*)?"
    r"|(?:mailto|news|file):[!-~]+"
)
_ENTITIES = {**{code: f"&#{code};" for code in range(32)}, **{ord(c): f"&#{ord(c)};" for c in "<>&\"'"}}


class Refused(Exception):
    """A filter refuses a value; the text says what it accepts."""


def apply_filter(name: FilterName, value: Value, is_class: Callable[[str], bool]) -> Value:
    """Return ``value`` as filter ``name`` lets it through; raise :class:`Refused`.

    A list passes ``raw_data`` as it is, and ``parameter`` when each of its items does; no other filter takes one.
    ``is_class`` tells whether a class exists.
    """
    if name == "raw_data":
        return value
    if isinstance(value, list):
        if name != "parameter":
            raise Refused("give one value, not a list")
        return [_apply(name, item, is_class) for item in value]
    return _apply(name, value, is_class)


def loses_characters(name: FilterName) -> bool:
    """Return whether a filter drops characters silently instead of refusing the value."""
    return name in _DROPPED


def _apply(name: FilterName, value: str, is_class: Callable[[str], bool]) -> str:
    if name == "string":
        return value.translate(_ENTITIES)
    if name in _DROPPED:
        return _DROPPED[name].sub("", value)
    if name == "class":
        if value and not is_class(value):
            raise Refused(f"Unknown class '{value}'")
        return value
    pattern, accepted = _ACCEPTED[name]
    if pattern.fullmatch(value) is None:
        raise Refused(f"use {accepted}")
    return value


_DROPPED: dict[str, re.Pattern[str]] = {
    "integer": re.compile(r"[^0-9+-]+"),
    "element_identifier": re.compile(r"[^A-Za-z0-9_-]+"),
    "variable_name": re.compile(r"[^A-Za-z0-9_]+"),
}
_ROUTE = (re.compile(r"[A-Za-z0-9._-]*"), "letters, digits and . _ -")
_ACCEPTED: dict[str, tuple[re.Pattern[str], str]] = {
    "parameter": (re.compile(r"[A-Za-z0-9 _=-]*"), "letters, digits, blanks and _ - ="),
    "context_param": (re.compile(r"[A-Za-z0-9 _=%:+-]*"), "letters, digits, blanks and _ - = % : +"),
    "transaction_id": (re.compile(r"[A-Za-z0-9 _=.-]*"), "letters, digits, blanks and _ - = ."),
    "field_name": (re.compile(r"[A-Za-z0-9_]+(?:->[A-Za-z0-9_]+)*"), "words joined by ->"),
    "route": _ROUTE,
    "operation": _ROUTE,
    "url": (_URL, "a complete URL, like https://host/path"),
}
