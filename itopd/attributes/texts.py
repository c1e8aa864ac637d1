"""Texts: strings, patterns (e-mail, phone, URL, IP), long texts, HTML, OQL."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, tzinfo
from typing import Any, ClassVar

from itopd.attributes.base import HistoryKind, TypeOf
from itopd.attributes.columns import Column, ColumnKind, Stored
from itopd.attributes.html import sanitise_html
from itopd.attributes.refusals import Refused, RefusedKind, wrong_format
from itopd.datamodel import Attribute
from itopd.rules import Rules

_TEXT_BYTES = 65535
"""What a TEXT column holds: a limit in bytes, beside iTop's in characters."""


_POSIX_CLASS = re.compile(r"\[:\^?[a-z]+:\]")


def _matcher(pattern: str) -> Callable[[str], object] | None:
    """Return the search for a pattern; ``None`` for one of PHP's that Python does not read, or reads differently."""
    if _POSIX_CLASS.search(pattern):
        return None
    try:
        return re.compile(pattern, re.ASCII).search
    except (re.error, OverflowError, RecursionError):
        return None


class String(TypeOf[str]):
    """A line of text, and everything stored like one: template strings, languages, final classes."""

    null = ""
    size: ClassVar[int] = 255
    """Characters of the column, and of the value where the model gives no other limit."""
    byte_limit: ClassVar[int | None] = None

    def __init__(self, attribute: Attribute) -> None:
        super().__init__(attribute)
        self.limit = min(attribute.max_size or self.size, self.size)
        self._pattern = attribute.pattern
        self._matches = _matcher(attribute.pattern) if attribute.pattern else None

    def _columns(self) -> tuple[Column, ...]:
        return (Column(self.attribute.sql, ColumnKind.VARCHAR, self.size, default=self.default("")),)

    def parse(self, text: str, rules: Rules, zone: tzinfo = UTC) -> str:
        """Return the text itself."""
        return text

    def check(self, value: str) -> Refused | None:
        """Refuse a text that is too long or does not match the attribute's pattern."""
        found = len(value)
        if found > self.limit:
            return Refused(RefusedKind.TOO_LONG, f"text too long (found {found} characters, limited to {self.limit})")
        if self.byte_limit is not None and found * 4 > self.byte_limit:
            size = len(value.encode("utf-8", "surrogatepass"))
            if size > self.byte_limit:
                return Refused(
                    RefusedKind.TOO_LONG, f"text too long (found {size} bytes, limited to {self.byte_limit})"
                )
        if not self._pattern or not value:
            return None
        expected = f"a text matching {self._pattern}"
        if self._matches is None:
            return wrong_format(
                value, f"{expected}, which itopd cannot read: it is written for PHP, correct it in iTop"
            )
        return None if self._matches(value) else wrong_format(value, expected)

    def default(self, now: str) -> str:
        """Return the model's default."""
        default = self.attribute.default
        return "" if default is None else str(default)


class Url(String):
    """A URL."""

    size = 2048
    history = HistoryKind.URL


class Password(String):
    """A password kept readable (``AttributePassword``); its text form and its history are its value, as in iTop."""

    size = 64


class Text(String):
    """A text of up to 65,535 characters; with a declared format it has a second column that repeats the format."""

    size = _TEXT_BYTES
    byte_limit: ClassVar[int | None] = _TEXT_BYTES
    kind: ClassVar[ColumnKind] = ColumnKind.TEXT
    plain_history: ClassVar[HistoryKind] = HistoryKind.TEXT

    def __init__(self, attribute: Attribute) -> None:
        super().__init__(attribute)
        self.is_html = self._is_html()
        self.history = HistoryKind.HTML if self.is_html else self.plain_history  # type: ignore[misc]

    def _is_html(self) -> bool:
        return self.attribute.format == "html"

    def _columns(self) -> tuple[Column, ...]:
        sql = self.attribute.sql
        text = Column(sql, self.kind)
        if not self.attribute.format:
            return (text,)
        return text, Column(f"{sql}_format", ColumnKind.ENUM, values=("text", "html"), default="text")

    def parse(self, text: str, rules: Rules, zone: tzinfo = UTC) -> str:
        """Return the text, made harmless where it is HTML."""
        return sanitise_html(text) if self.is_html else text

    def decode(self, stored: Sequence[Any]) -> str:
        """Return the text."""
        value: str | None = stored[0]
        return "" if value is None else value

    def encode(self, value: str) -> tuple[Stored, ...]:
        """Return the text, and its format where the attribute declares one."""
        return (value, self.attribute.format) if self.attribute.format else (value,)


class LongText(Text):
    """A text of up to 67,107,840 characters."""

    size = 67_107_840
    byte_limit = None
    kind = ColumnKind.LONGTEXT
    plain_history = HistoryKind.LONG_TEXT


class Html(LongText):
    """HTML."""

    def _is_html(self) -> bool:
        return True


class TemplateHtml(Text):
    """HTML with placeholders, in a TEXT column. Kept as given: it is a whole document that administrators write."""

    def _is_html(self) -> bool:
        return True

    def parse(self, text: str, rules: Rules, zone: tzinfo = UTC) -> str:
        """Return the text itself."""
        return text
