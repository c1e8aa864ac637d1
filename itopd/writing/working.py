"""The objects of a chunk while it is written: what is loaded, what has been decided so far."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from itopd.database import Database
from itopd.datamodel import Attribute, Class, Model
from itopd.objects import TAG_CLASS, equality, fetch, final_classes, find, is_filtered, seen, tag_labels
from itopd.oql import Reader
from itopd.writing.intents import Change
from itopd.writing.layout import Layout
from itopd.writing.tree import Node, Tree

TreeName = tuple[str, str]
"""Class and attribute that declare a hierarchical key."""


@dataclass(slots=True)
class Item:
    """One object of the chunk, as the intents decided so far leave it."""

    layout: Layout
    id: int
    values: dict[str, Any]
    new: bool
    dirty: set[str] = field(default_factory=set)
    """Attributes that differ from what is stored, or from the defaults of a new object."""


class _Index:
    """Objects of a class by the values of some attributes."""

    def __init__(self, cls: str, codes: tuple[str, ...], keys: tuple[Callable[[Any], Hashable], ...]) -> None:
        self.cls = cls
        self._codes = codes
        self._keys = keys
        self._of: dict[int, tuple[Hashable, ...]] = {}
        self._ids: dict[tuple[Hashable, ...], set[int]] = defaultdict(set)

    def put(self, item: Item) -> None:
        """Enter an object, or enter it anew."""
        if self.cls not in item.layout.cls.lineage:
            return
        key = self.key(item.values)
        if item.id in self._of:
            self._ids[self._of[item.id]].discard(item.id)
        self._of[item.id] = key
        self._ids[key].add(item.id)

    def remove(self, item: Item) -> None:
        """Take an object out."""
        if self.cls in item.layout.cls.lineage and item.id in self._of:
            self._ids[self._of.pop(item.id)].discard(item.id)

    def key(self, values: Mapping[str, Any]) -> tuple[Hashable, ...]:
        """Return what these values are entered under."""
        return tuple(key(values[code]) for key, code in zip(self._keys, self._codes, strict=True))

    def find(self, key: tuple[Hashable, ...]) -> tuple[int, ...]:
        """Return the ids entered under a key."""
        return tuple(sorted(self._ids.get(key, ())))


class Working:
    """All objects that the chunk has loaded or made; see :class:`itopd.writing.protocols.Present`."""

    def __init__(
        self,
        database: Database,
        connection: sa.Connection,
        layouts: Callable[[str], Layout],
        has_behaviour: Callable[[Class], bool],
        change: Change,
    ) -> None:
        self.database = database
        self.connection = connection
        self.change = change
        self._has_behaviour = has_behaviour
        self._layouts = layouts
        self._items: dict[str, dict[int, Item]] = defaultdict(dict)
        self._finals: dict[str, dict[int, str | None]] = defaultdict(dict)
        self._indexes: dict[tuple[str, tuple[str, ...]], _Index] = {}
        self.trees: dict[TreeName, Tree] = {}
        self.gone: dict[str, list[int]] = defaultdict(list)
        """Ids of deleted objects by final class."""
        self.is_written = False
        """Whether the chunk has created or changed an object: what the database says is out of date."""
        self._written: list[Item] = []
        """What was put since :attr:`_pointed_at` was brought up to date."""
        self._pointed_at: set[tuple[str, int]] = set()
        self._tags: dict[tuple[str, str], frozenset[str]] = {}

    @property
    def model(self) -> Model:
        """The data model."""
        return self.database.model

    @contextmanager
    def expecting(self, root: str, id_: int, name: str) -> Iterator[None]:
        """Have an object there while links to it are judged that is made right before them."""
        before = self._finals[root].get(id_)
        self._finals[root][id_] = name
        try:
            yield
        finally:
            self._finals[root][id_] = before

    @property
    def items(self) -> Iterable[Item]:
        """All objects."""
        return (item for of_root in self._items.values() for item in of_root.values())

    def item(self, root: str, id_: int) -> Item | None:
        """Return a loaded or new object."""
        return self._items[root].get(id_)

    def put(self, item: Item) -> None:
        """Take in a new object, or note that one has changed."""
        root = item.layout.cls.root
        self._items[root][item.id] = item
        self._finals[root][item.id] = item.layout.cls.name
        self._written.append(item)
        self.is_written = True
        for index in self._indexes.values():
            index.put(item)

    def remove(self, item: Item) -> None:
        """Take out an object that is deleted: from now on there is none with its id."""
        root = item.layout.cls.root
        del self._items[root][item.id]
        self._finals[root][item.id] = None
        self.gone[item.layout.cls.name].append(item.id)
        for index in self._indexes.values():
            index.remove(item)

    def is_newly_pointed_at(self, root: str, id_: int) -> bool:
        """Return whether an object that the chunk has written may point to this one, unlike what is stored."""
        for item in self._written:
            keys = item.layout.keys
            self._pointed_at.update((keys[code], item.values[code]) for code in item.dirty if code in keys)
        self._written.clear()
        return (root, id_) in self._pointed_at

    def load(self, cls: str, ids: Iterable[int], codes: Iterable[str] = ()) -> None:
        """Load objects of a class or its subclasses: what judging an update takes, and ``codes`` as far as they exist.

        Where behaviours have a say all small values are loaded.

        What is here already stays as it is. One statement per final class and 1,000 objects, one more where the final
        classes have to be found out.
        """
        root = self.database.model.get_class(cls).root
        here = self._items[root]
        more = tuple(codes)
        wanted: dict[tuple[str, tuple[str, ...]], list[int]] = defaultdict(list)
        unknown: list[int] = []
        for id_ in dict.fromkeys(ids):
            item = here.get(id_)
            if item is None:
                if id_ not in self._finals[root] or self._finals[root][id_] is not None:
                    unknown.append(id_)
            elif absent := tuple(code for code in more if code in item.layout.types and code not in item.values):
                wanted[item.layout.cls.name, absent].append(id_)
        always: dict[str, tuple[str, ...]] = {}
        for id_, name in self._classes_of(cls, unknown).items():
            if name not in always:
                always[name] = self._always(self._layouts(name), more)
            wanted[name, always[name]].append(id_)
        for (name, absent), of_class in wanted.items():
            records = fetch(self.database, self.connection, name, of_class, absent, for_update=True)
            for id_, record in records.items():
                item = here.get(id_)
                if item is None:
                    item = here[id_] = Item(self._layouts(name), id_, record.values, new=False)
                    self._finals[root][id_] = name
                    for index in self._indexes.values():
                        index.put(item)
                else:
                    item.values.update(record.values)

    def _always(self, layout: Layout, codes: Iterable[str]) -> tuple[str, ...]:
        always = layout.light if self._has_behaviour(layout.cls) else layout.needed
        return tuple(dict.fromkeys([*always, *(code for code in codes if code in layout.types)]))

    def _classes_of(self, cls: str, ids: list[int]) -> dict[int, str]:
        """Return the final classes of objects to load, those that do not exist possibly among them."""
        if not ids or len(self.database.model[cls].subclasses) == 1:
            return dict.fromkeys(ids, cls)
        return final_classes(self.database, self.connection, cls, ids)

    def find(self, cls: str, codes: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[tuple[int, ...]]:
        """Return the ids of the stored objects that have these values; one statement per 1,000 rows."""
        return find(self.database, self.connection, cls, codes, rows) if rows else []

    def seen(self, cls: str, ids: Iterable[int], reader: Reader) -> frozenset[int]:
        """Return which of the ids of stored objects of a class a reader sees; one statement per 1,000."""
        if not is_filtered(self.database, cls, reader):
            return frozenset(ids)
        return seen(self.database, self.connection, cls, ids, reader)

    def look_up_targets(self, root: str, ids: Iterable[int]) -> None:
        """Learn the final classes of the objects of a root class that keys point to; one statement per 1,000."""
        finals = self._finals[root]
        missing = [id_ for id_ in dict.fromkeys(ids) if id_ not in finals]
        if not missing:
            return
        finals.update(dict.fromkeys(missing))
        finals.update(final_classes(self.database, self.connection, root, missing, keep=True))

    def target(self, root: str, id_: int) -> str | None:
        """Return the final class of an object of a root class, ``None`` when it does not exist."""
        finals = self._finals[root]
        if id_ not in finals:
            self.look_up_targets(root, (id_,))
        return finals[id_]

    def final_class(self, cls: str, id: int) -> str | None:  # noqa: A002
        """Return the final class of an object of a class or a parent of it; ``None`` when it does not exist."""
        return self.target(self.database.model[cls].root, id)

    def value(self, cls: str, id: int, code: str) -> Any:  # noqa: A002, ANN401
        """Return a value of a loaded object; ``KeyError`` when it is not loaded."""
        return self._items[self.database.model[cls].root][id].values[code]

    def matching(self, cls: str, values: Mapping[str, Any]) -> tuple[int, ...]:
        """Return the ids of the objects here of a class whose attributes have these values, ascending."""
        codes = tuple(sorted(values))
        index = self._indexes.get((cls, codes))
        if index is None:
            declared = self.database.model.get_class(cls)
            index = _Index(cls, codes, tuple(equality(declared, code) for code in codes))
            self._indexes[cls, codes] = index
            for item in self._items[declared.root].values():
                index.put(item)
        return index.find(index.key(values))

    def tag_codes(self, tag_set: Attribute) -> frozenset[str]:
        """Return the codes of the tags that a tag set may hold, those of the chunk included; one statement per set."""
        place = (tag_set.origin, tag_set.code)
        if place not in self._tags:
            self._tags[place] = frozenset(tag_labels(self.database, self.connection, tag_set))
        new = (item.values for item in self._items[TAG_CLASS].values() if item.new)
        return self._tags[place].union(v["code"] for v in new if (v["obj_class"], v["obj_attcode"]) == place)

    def load_tree(self, name: TreeName) -> None:
        """Read a tree under a lock that lasts until the transaction ends; once per chunk."""
        if name in self.trees:
            return
        cls, code = name
        declared = self.database.model[cls]
        table = self.database.table(cls)
        self.database.lock_rows_to_come(self.connection, cls)
        base = declared.attributes[code].sql
        columns = (declared.key_column, base, f"{base}_left", f"{base}_right")
        rows = self.connection.execute(sa.select(*(table.c[column] for column in columns)).with_for_update())
        self.trees[name] = Tree(cls, (Node(*row) for row in rows))
