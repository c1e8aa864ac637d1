"""Finding objects by values, as the rows before would have left them (``spec/import.md`` §5.3, §6.3).

The objects of a block of rows are looked up with one query per key. What the rows of the block will write is kept
beside, in memory, under the same equality; so a row sees the rows before it although nothing is written yet. A match
names the rows that it rests on: should the write refuse one of them, the caller takes the row up again afterwards.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from itopd.attributes import bind
from itopd.database import Database
from itopd.datamodel import Class
from itopd.objects import equality, find, friendly_name, is_filtered, seen
from itopd.oql import Reader
from itopd.writing import Pending

Ref = int | Pending
"""An object: its id, or the creation that will make it."""

REMEMBERED: Final = 5_000
"""Look-ups kept from block to block."""

Key = tuple[Hashable, ...]


NOTHING: Final[frozenset[int]] = frozenset()


class Stale(Exception):
    """The answer depends on what is not written yet and cannot be told in memory: write first, then look up again."""


@dataclass(frozen=True, slots=True)
class Match:
    """The objects found."""

    refs: tuple[Ref, ...]
    assumes: frozenset[int] = NOTHING
    """Rows of the block that the answer rests on."""
    hidden: bool = False
    """Objects match that the account does not see; those are not among :attr:`refs`."""


class Lookup:
    """The objects of one class by fixed attributes."""

    def __init__(
        self, database: Database, cls: Class, codes: Sequence[str], *, imported: Class, reader: Reader
    ) -> None:
        self.cls = cls
        self.codes = tuple(codes)
        self._database = database
        self._reader = reader if is_filtered(database, cls.name, reader) else None
        """What the account sees; ``None`` when it sees every object of the class."""
        self._keys: list[Callable[[Any], Hashable]] = [equality(cls, code) for code in codes]
        self.related = imported.name in cls.subclasses or cls.name in imported.subclasses
        """Whether the rows of the file write objects that this look-up may find."""
        self._imported = imported
        self._narrower = imported.name not in cls.subclasses
        """Whether it looks for objects of a subclass of the imported class, of which nothing can be told here."""
        self._name_codes = _plain_name_codes(imported) if "friendlyname" in codes else ()
        self.sensitive = self._sensitive()
        """Attributes of the imported class whose change may change answers."""
        self._opaque = "friendlyname" in self.codes and not self._name_codes
        varied = len(imported.subclasses) > 1 and not {"friendlyname", "finalclass"}.isdisjoint(codes)
        self._opaque_updates = self._opaque or self._narrower or varied or "id" in codes
        self._found: dict[Key, tuple[int, ...]] = {}
        self._hidden: set[Key] = set()
        self._known: dict[tuple[Any, ...], Key] = {}
        self._made: dict[Key, list[tuple[int, Ref]]] = defaultdict(list)
        self._moves: dict[Ref, list[tuple[int, Key]]] = defaultdict(list)
        self._disturbed = False

    def begin_block(self) -> None:
        """Forget what may have changed: everything when the file writes such objects, else what was not found."""
        self._made.clear()
        self._moves.clear()
        self._disturbed = False
        if self.related or len(self._known) > REMEMBERED:
            self._found, self._known, self._hidden = {}, {}, set()
        else:
            self._found = {key: ids for key, ids in self._found.items() if len(ids) == 1}

    def prefetch(self, connection: sa.Connection, rows: Iterable[tuple[Any, ...]]) -> None:
        """Look up values with one query per thousand of them, those known already left out."""
        wanted: dict[Key, tuple[Any, ...]] = {}
        for row in rows:
            key = self._key(row)
            if key not in self._found:
                wanted.setdefault(key, row)
        if wanted:
            answers = find(self._database, connection, self.cls.name, self.codes, list(wanted.values()))
            if self._reader is not None:
                answers = self._without_hidden(connection, self._reader, list(wanted), answers)
            self._found.update(zip(wanted, answers, strict=True))

    def _without_hidden(
        self, connection: sa.Connection, reader: Reader, keys: Sequence[Key], answers: Sequence[tuple[int, ...]]
    ) -> list[tuple[int, ...]]:
        """Return the answers without what the account does not see; remember which keys that leaves without."""
        visible = seen(self._database, connection, self.cls.name, (id_ for ids in answers for id_ in ids), reader)
        left = [tuple(id_ for id_ in ids if id_ in visible) for ids in answers]
        for key, before, after in zip(keys, answers, left, strict=True):
            if len(after) < len(before):
                self._hidden.add(key)
            else:
                self._hidden.discard(key)
        return left

    def ids(self, values: tuple[Any, ...]) -> tuple[int, ...]:
        """Return what the database holds for values that were prefetched."""
        return self._found[self._key(values)]

    def match(self, values: tuple[Any, ...]) -> Match:
        """Return the objects with these values as the rows before leave them.

        Raises :class:`Stale` when that cannot be told in memory.
        """
        if self._disturbed:
            raise Stale
        key = self._key(values)
        found = self._found.get(key)
        if found is None:
            if not any(isinstance(value, Pending) for value in values):
                raise Stale
            found = ()  # nothing in the database can hold a key to what is not there yet
        hidden = key in self._hidden
        if not self._made and not self._moves:
            return Match(found, hidden=hidden)
        if None in key:
            return Match(())
        assumes: set[int] = set()
        refs: dict[Ref, None] = {}
        for id_ in found:
            if self._still(id_, key, assumes):
                refs[id_] = None
        for row, ref in self._made.get(key, ()):
            if self._still(ref, key, assumes):
                refs[ref] = None
                assumes.add(row)
        return Match(tuple(refs), frozenset(assumes), hidden)

    def created(self, row: int, ref: Ref, values: Mapping[str, Any]) -> None:
        """Note that ``row`` will make an object with these values (defaults included)."""
        if self._opaque:
            self._disturbed = True
        elif "id" not in self.codes and not self._narrower:
            key = self._key(tuple([self._value(code, values) for code in self.codes]))
            if None not in key:
                self._made[key].append((row, ref))

    def updated(self, row: int, ref: Ref, given: Collection[str], values: Mapping[str, Any]) -> None:
        """Note that ``row`` sets the attributes ``given`` of an object, whose values are then ``values``."""
        if self.sensitive.isdisjoint(given):
            return
        if self._opaque_updates:
            self._disturbed = True
            return
        key = self._key(tuple([self._value(code, values) for code in self.codes]))
        self._moves[ref].append((row, key))
        if None not in key:
            self._made[key].append((row, ref))

    def _still(self, ref: Ref, key: Key, assumes: set[int]) -> bool:
        """Return whether an object found under ``key`` still has it after the updates of the block."""
        moves = self._moves.get(ref)
        if not moves:
            return True
        row, now = moves[-1]
        assumes.add(row)
        return now == key

    def _key(self, values: tuple[Any, ...]) -> Key:
        known = self._known.get(values)
        if known is None:
            known = self._known[values] = tuple(
                [
                    value if isinstance(value, Pending) else key(value)
                    for key, value in zip(self._keys, values, strict=True)
                ]
            )
        return known

    def _value(self, code: str, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - of the attribute's type
        if code == "friendlyname":
            return friendly_name(self._imported, values)
        if code == "finalclass":
            return self._imported.name
        return values[code]

    def _sensitive(self) -> frozenset[str]:
        if not self.related:
            return frozenset()
        codes = set(self.codes) - {"id", "finalclass", "friendlyname"}
        if "friendlyname" in self.codes:
            codes |= set(self._imported.attributes) if not self._name_codes else set(self._name_codes)
        return frozenset(codes)


def _plain_name_codes(cls: Class) -> tuple[str, ...]:
    """Return the attributes of a friendly name that can be made in memory; none when one is read through a key."""
    attributes = [cls.attributes[code] for code in cls.name_attributes]
    plain = all(a.is_stored and not a.is_external_key for a in attributes)
    return cls.name_attributes if plain else ()


def default_values(cls: Class, codes: Iterable[str], now: str) -> dict[str, Any]:
    """Return the values that a new object has where nothing is given, of stored attributes."""
    return {code: bind(cls.attributes[code]).default(now) for code in codes if cls.attributes[code].is_stored}
