"""Small structures kept in a text column: redundancy settings, tables, property sets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, tzinfo
from typing import Any

from itopd.attributes.base import TypeOf
from itopd.attributes.columns import Column, ColumnKind, Stored
from itopd.attributes.refusals import Refused
from itopd.attributes.texts import String
from itopd.datamodel import Attribute
from itopd.rules import Rules

_EMPTY = "a:0:{}"


class RedundancySettings(String):
    """How many of several must work: ``disabled``, ``N`` or ``N%``. iTop stores any text up to 20 characters."""

    size = 20

    def __init__(self, attribute: Attribute) -> None:
        super().__init__(attribute)
        self._pattern = None  # the model has one, and iTop never asks it (observed)

    def check(self, value: str) -> Refused | None:
        """Refuse a text of more than 20 characters."""
        return super().check(value)


class Serialized(TypeOf[str]):
    """A PHP-serialized array as text: tables and property sets. ``itopd.php`` reads and writes it."""

    null = _EMPTY

    def _columns(self) -> tuple[Column, ...]:
        return (Column(self.attribute.sql, ColumnKind.LONGTEXT),)

    def decode(self, stored: Sequence[Any]) -> str:
        """Return the serialized array."""
        return stored[0] or _EMPTY

    def encode(self, value: str) -> tuple[Stored, ...]:
        """Return the serialized array."""
        return (value or _EMPTY,)

    def parse(self, text: str, rules: Rules, zone: tzinfo = UTC) -> str:
        """Return a table of the single cell ``text``."""
        if not text:
            return _EMPTY
        return f'a:1:{{i:0;a:1:{{i:0;s:{len(text.encode("utf-8", "surrogatepass"))}:"{text}";}}}}'

    def default(self, now: str) -> str:
        """Return the model's default where it is a serialized array, else an empty one."""
        default = self.attribute.default
        return default if isinstance(default, str) and default.startswith("a:") else _EMPTY
