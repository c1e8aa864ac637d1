"""Attributes without columns: external fields, friendly names, flags, sub-items, link sets, dashboards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from itopd.attributes.base import HistoryKind, TypeOf
from itopd.attributes.columns import Column, Stored


class Computed(TypeOf[Any]):
    """A value that others compute or read through a key. It cannot be given, and nothing is stored."""

    null: Any = None
    history = HistoryKind.NONE

    def _columns(self) -> tuple[Column, ...]:
        return ()

    def decode(self, stored: Sequence[Any]) -> Any:  # noqa: ANN401 - of the type of what it shows
        """Return what was computed."""
        return stored[0] if stored else None

    def encode(self, value: Any) -> tuple[Stored, ...]:  # noqa: ANN401
        """Return nothing to store."""
        return ()


class FriendlyName(Computed):
    """The name of an object, made of its name attributes."""

    null = ""


class ObsolescenceFlag(Computed):
    """Whether the object is obsolete."""

    null = False

    def decode(self, stored: Sequence[Any]) -> bool:
        """Return the flag."""
        return bool(stored[0])

    def to_text(self, value: Any) -> str:  # noqa: ANN401
        """Return ``yes`` or ``no``."""
        return "yes" if value else "no"
