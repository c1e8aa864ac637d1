"""The rows of a table as a few bytes, so that two engines can be compared without both being read at once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Final

from itopd.database.copying.reading import Row

_SECTION: Final = 10_000


@dataclass(slots=True)
class Fingerprint:
    """Made row by row, in the order of ids: the number of rows, and one digest per section of them."""

    rows: int = 0
    sections: list[tuple[int, str]] = field(default_factory=list)
    """Last id and digest of each section of equally many rows."""
    _open: hashlib.blake2b = field(default_factory=hashlib.blake2b)
    _last: int = 0

    def add(self, rows: Sequence[Row], *, with_digest: bool) -> None:
        """Take the next rows in: their values, or only their number."""
        if not with_digest:
            self.rows += len(rows)
            return
        for row in rows:
            self._open.update(repr(row).encode())
            self.rows += 1
            if self.rows % _SECTION == 0:
                self.sections.append((row[0], self._open.hexdigest()))
                self._open = hashlib.blake2b()
        if rows:
            self._last = rows[-1][0]

    def difference(self, other: Fingerprint) -> str:
        """Return where the other one differs first, in words; empty when they are equal."""
        after = ""
        for mine, theirs in zip_longest(self._all(), other._all()):
            if mine != theirs:
                end = mine or theirs
                return f"rows{after} up to id {end[0] if end else ''}"
            after = f" after id {mine[0]}" if mine else ""
        return ""

    def _all(self) -> list[tuple[int, str]]:
        return [*self.sections, (self._last, self._open.hexdigest())]
