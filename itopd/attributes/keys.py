"""Keys: the id of another object, 0 when unset."""

from __future__ import annotations

from datetime import UTC, tzinfo

from itopd.attributes.base import TypeOf
from itopd.attributes.columns import Column, ColumnKind
from itopd.attributes.refusals import Refused, RefusedKind, wrong_format
from itopd.rules import Rules

_HIGHEST_ID = 2**31 - 1
_LONGEST_ID = 20


class ExternalKey(TypeOf[int]):
    """A key to an object of a fixed class (``target``); object keys are stored alike.

    That the target exists is checked where objects are read in bulk, not here.
    """

    null = 0

    def _columns(self) -> tuple[Column, ...]:
        return (Column(self.attribute.sql, ColumnKind.INT, default=0),)

    def parse(self, text: str, rules: Rules, zone: tzinfo = UTC) -> int:
        """Return the id; anything but digits is refused."""
        if not text:
            return 0
        if text.isascii() and text.isdigit() and len(text) <= _LONGEST_ID:
            return int(text)
        raise wrong_format(text, "the id of an object")

    def check(self, value: int) -> Refused | None:
        """Refuse what cannot be an id."""
        if 0 <= value <= _HIGHEST_ID:
            return None
        return Refused(RefusedKind.OUT_OF_RANGE, f"id out of range [{value}], from 0 to {_HIGHEST_ID}")

    def default(self, now: str) -> int:
        """Return 0: keys start unset."""
        return 0


class HierarchicalKey(ExternalKey):
    """A key to the parent in a tree of objects of one class, with the nested set that ``writing`` keeps."""

    @property
    def kept_columns(self) -> tuple[Column, ...]:
        """Left and right number of the nested set (``spec/objects.md`` §4)."""
        sql = self.attribute.sql
        return tuple(Column(f"{sql}_{side}", ColumnKind.INT, default=0) for side in ("left", "right"))
