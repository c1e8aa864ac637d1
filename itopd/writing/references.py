"""Who points to whom, as stored: what a deletion would leave pointing nowhere (``spec/objects.md`` §7.1)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import sqlalchemy as sa

from itopd.datamodel import Attribute, Class, Model, OnTargetDelete
from itopd.objects import chunks
from itopd.writing.working import Working

_AT_ONCE: Final = 1000

Reference = tuple[Attribute, int]
"""The key that points, and the id of the object that has it."""


class Pointing:
    """The external keys of a model by the class that they point to."""

    def __init__(self, model: Model) -> None:
        self._by_target: dict[str, list[Attribute]] = defaultdict(list)
        for cls in model.values():
            for key in cls.attributes.values():
                own = key.is_external_key and key.is_stored and key.origin == cls.name
                if own and key.target and key.on_target_delete is not OnTargetDelete.NONE:
                    self._by_target[key.target].append(key)
        self._to: dict[str, tuple[Attribute, ...]] = {}

    def to(self, cls: Class) -> tuple[Attribute, ...]:
        """Return the keys that may point to the objects of a final class, each as the class declares it that has it."""
        keys = self._to.get(cls.name)
        if keys is None:
            keys = self._to[cls.name] = tuple(key for name in cls.lineage for key in self._by_target.get(name, ()))
        return keys


class References:
    """What points to the objects that a chunk may delete, read in bulk: one statement per key and 1,000 objects."""

    def __init__(self, pointing: Pointing, working: Working) -> None:
        self._pointing = pointing
        self._working = working
        self._of: dict[tuple[str, int], list[Reference]] = {}

    def read(self, objects: Mapping[str, Iterable[int]]) -> None:
        """Learn what points to objects, given by their final class; what is known already is not read again."""
        model = self._working.model
        for name, ids in objects.items():
            cls = model[name]
            unknown = [id_ for id_ in dict.fromkeys(ids) if (cls.root, id_) not in self._of]
            for id_ in unknown:
                self._of[cls.root, id_] = []
            for key in self._pointing.to(cls):
                for part in chunks(sorted(unknown), _AT_ONCE):
                    self._read(cls, key, part)

    def of(self, cls: Class, id_: int) -> Sequence[Reference]:
        """Return what points to an object that was read, key by key in the order of the model."""
        return self._of[cls.root, id_]

    def _read(self, cls: Class, key: Attribute, ids: Sequence[int]) -> None:
        declared = self._working.model[key.origin]
        table = self._working.database.table(key.origin)
        column = table.c[key.sql]
        query = sa.select(table.c[declared.key_column], column).where(column.in_(ids))
        if self._working.database.dialect == "mysql":
            query = query.with_for_update(read=True)  # else it would show what was there when the transaction began
        for id_, target in self._working.connection.execute(query):
            self._of[cls.root, target].append((key, id_))
