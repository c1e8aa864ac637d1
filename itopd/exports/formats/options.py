"""What a caller may choose about the shape of values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """Words of the reader's language."""

    yes: str
    no: str


@dataclass(frozen=True, slots=True)
class Options:
    """Choices of one export, checked already."""

    localize: bool
    words: Words
    format_date: Callable[[str], str]
    """A stored date in the chosen format."""
    format_datetime: Callable[[str], str]
    application_url: str
    """Root of iTop's URLs, with a slash at its end."""
    separator: str = ","
    qualifier: str = '"'
    charset: str = "UTF-8"
    byte_order_mark: bool = False
    guard_formulas: bool = False
