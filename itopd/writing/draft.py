"""One intent against the object it is about: what it changes, before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

from itopd.attributes import StoredCaseLog
from itopd.datamodel import Class
from itopd.errors import ModelError
from itopd.writing.intents import Issue, NewEntry
from itopd.writing.layout import Layout
from itopd.writing.working import Item

Append = Callable[[StoredCaseLog, NewEntry], StoredCaseLog]
"""Puts an entry on top of a case log."""


class Draft:
    """See :class:`itopd.writing.protocols.Draft`. Between :meth:`begin` and the verdict it changes, never after."""

    __slots__ = (
        *("_append", "asked", "base", "changes", "entries", "given", "hooked", "id", "item", "layout", "now"),
        *("problems", "unique", "wanted"),
    )

    def __init__(
        self,
        layout: Layout,
        item: Item | None,
        wanted: Mapping[str, Any],
        given: dict[str, Any],
        problems: dict[str, Issue],
        base: Mapping[str, Any],
        now: str,
        append: Append,
    ) -> None:
        self.asked = True
        self.layout = layout
        self.item = item
        """``None`` for a creation."""
        self.id = 0 if item is None else item.id
        self.wanted = wanted
        """What the intent says, word for word."""
        self.given = given
        self.entries = {
            code: value for code, value in given.items() if type(value) is NewEntry and code not in problems
        }
        """What is to be put on top of case logs."""
        self.problems = problems
        """What is wrong with given values, whatever the object is."""
        self.base = base
        """Current values, or the defaults of a new object."""
        self.now = now
        self._append = append
        self.changes: dict[str, Any] = {}
        self.hooked: set[str] = set()
        self.unique: dict[tuple[str, str], tuple[Hashable, ...] | None] = {}
        """What the object must be alone with under each rule, as far as worked out."""
        self.begin()

    def begin(self) -> None:
        """Apply the given values to the object as it is now."""
        self.hooked.clear()
        self.unique.clear()
        if self.item is not None:
            self.base = self.item.values
        base, types = self.base, self.layout.types
        given = self.given
        if self.entries:
            given = {**given, **{code: self._append(base[code], entry) for code, entry in self.entries.items()}}
        if self.item is None:
            self.changes = dict(given)
            return
        self.changes = {
            code: value for code, value in given.items() if code in types and not types[code].equal(base[code], value)
        }

    @property
    def cls(self) -> Class:
        """Its final class."""
        return self.layout.cls

    @property
    def new(self) -> bool:
        """Whether it is being created."""
        return self.item is None

    def value(self, code: str) -> Any:  # noqa: ANN401
        """Return the value an attribute would have."""
        changes = self.changes
        return changes[code] if code in changes else self.base[code]

    def before(self, code: str) -> Any:  # noqa: ANN401
        """Return the value it had; the default for a creation."""
        return self.base[code]

    def changed(self, code: str) -> bool:
        """Return whether the write would change it; at creation whether it differs from the default."""
        return code in self.changes and not self.layout.types[code].equal(self.base[code], self.changes[code])

    @property
    def changes_anything(self) -> bool:
        """Return whether the write would do anything; a creation always does."""
        return self.item is None or bool(self.changes)

    def set(self, code: str, value: object) -> None:
        """Set an attribute, as the class's own rule."""
        if code not in self.layout.types:
            raise ModelError(f"class {self.cls.name} stores no attribute {code}, so no behaviour can set it")
        self.hooked.add(code)
        self._put(code, value)

    def derive(self) -> None:
        """Recompute meta enums whose attribute the write sets (``spec/objects.md`` §2)."""
        for meta in self.layout.metas:
            if self.item is None or meta.mapped in self.changes:
                self._put(meta.code, meta.values.get(self.value(meta.mapped) or "", meta.default))

    def _put(self, code: str, value: object) -> None:
        self.unique.clear()
        if self.item is not None and self.layout.types[code].equal(self.base[code], value):
            self.changes.pop(code, None)
        else:
            self.changes[code] = value
