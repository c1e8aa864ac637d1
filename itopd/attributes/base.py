"""What every attribute type can do: the contract of this package."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import UTC, tzinfo
from enum import StrEnum
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

from itopd.attributes.columns import Column, Stored
from itopd.attributes.refusals import Refused, RefusedKind
from itopd.datamodel import Attribute
from itopd.rules import Rules

V = TypeVar("V")


class HistoryKind(StrEnum):
    """Which operation records a change of the attribute (``spec/objects.md`` §8.2); values end its class name."""

    NONE = ""
    SCALAR = "Scalar"
    URL = "URL"
    TAG_SET = "TagSet"
    TEXT = "Text"
    LONG_TEXT = "LongText"
    HTML = "HTML"
    CASE_LOG = "CaseLog"
    BLOB = "Blob"
    ONE_WAY_PASSWORD = "OneWayPassword"  # noqa: S105 - the name of a class, not a secret
    ENCRYPTED = "Encrypted"


class TypeOf(ABC, Generic[V]):
    """The behaviour of one attribute whose values are ``V`` in Python. Use :func:`itopd.attributes.bind`."""

    history: ClassVar[HistoryKind] = HistoryKind.SCALAR
    null: V
    """The unset value."""

    def __init__(self, attribute: Attribute) -> None:
        self.attribute = attribute
        self.columns: tuple[Column, ...] = self._columns()
        """The columns that :meth:`decode` reads and :meth:`encode` writes, in that order."""

    @property
    def kept_columns(self) -> tuple[Column, ...]:
        """Columns of the attribute that others keep up to date: the nested set of a hierarchical key."""
        return ()

    @abstractmethod
    def _columns(self) -> tuple[Column, ...]: ...

    def decode(self, stored: Sequence[Any]) -> V:
        """Return the value of one row; ``stored`` holds :attr:`columns` in their order."""
        value = stored[0]
        return self.null if value is None else value

    def encode(self, value: V) -> tuple[Stored, ...]:
        """Return what to store for a checked value, in the order of :attr:`columns`."""
        return (value,)  # type: ignore[return-value]

    def parse(self, text: str, rules: Rules, zone: tzinfo = UTC) -> V:
        """Return the value that a text of an import means in code mode (``spec/import.md`` §6.4).

        An empty text is the unset value. ``zone`` is iTop's timezone, which a Unix time is read in. Raises
        :class:`Refused` when the text means no value; limits of a value are the business of :meth:`check`.
        """
        raise Refused(
            RefusedKind.READ_ONLY, f"attribute {self.attribute.code} is computed and cannot be given a value ({text!r})"
        )

    def check(self, value: V) -> Refused | None:
        """Return why a value may not be written (size, pattern, allowed values), or ``None``.

        Whether an unset value is allowed is not asked here.
        """
        return None

    def is_null(self, value: V) -> bool:
        """Return whether a value is unset."""
        return value is None or value == self.null

    def equal(self, left: V, right: V) -> bool:
        """Return whether two values are the same: writing one over the other is no change (§6.2)."""
        return left == right

    def to_text(self, value: V) -> str:
        """Return the text form of a CSV cell, with codes, not labels."""
        return "" if value is None else str(value)

    def history_text(self, value: V) -> str:
        """Return the text that the history keeps of a value, not yet cut to the size of its column."""
        return self.to_text(value)

    def default(self, now: str) -> V:
        """Return the value of a new object; ``now`` is the instant of its creation as iTop stores it."""
        return self.null


AttributeType: TypeAlias = TypeOf[Any]
"""A bound attribute of any type."""
