"""The FROM tree: for each alias the tables it needs, and the objects its keys lead to (``spec/oql.md`` §6.4, §7.1).

Nothing is joined before somebody asks for a column: a condition on ``location_name`` asks the source of the alias to
:meth:`~Source.follow` ``location_id``, and the source of the location for ``name``. When all expressions are made,
:meth:`~Source.joined` renders what has been asked for.

A class's own table always takes part, so that its presence restricts to the class; only a class without a table of
its own needs a condition on the final class.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa

from itopd.database import Database
from itopd.datamodel import Class
from itopd.errors import ModelError
from itopd.oql.values import Sql, Value, all_of


@dataclass(slots=True)
class _Asked:
    """What has been asked for; shared by all views of one object."""

    base_class: str | None
    base: sa.FromClause
    others: dict[str, sa.FromClause] = field(default_factory=dict)
    """By the class whose table it is."""
    targets: dict[tuple[str, str, bool], tuple[Sql, Source]] = field(default_factory=dict)
    """What keys lead to, with the condition that ties it, by class that declares the key, its code, and whether the
    reader's rights hold there."""
    read: dict[tuple[str, str, bool], Value] = field(default_factory=dict)
    """Values that were made of it, by class and code, and whether the reader's rights hold behind its keys."""


class Tables:
    """Hands out the tables of one statement, each time under another alias.

    Aliases are costly to make and never change, so statements share them: the first ``person`` of every statement is
    the same object.
    """

    def __init__(self, database: Database) -> None:
        self.model = database.model
        self._database = database
        self._made = _aliases.setdefault(database, {})
        self._used: dict[str, int] = {}

    @property
    def count(self) -> int:
        """Return how many the statement has."""
        return sum(self._used.values())

    def next(self, cls: str) -> sa.FromClause:
        """Return the own table of a class under an alias that the statement has not used yet."""
        used = self._used.get(cls, 0)
        self._used[cls] = used + 1
        made = self._made.setdefault(cls, [])
        while len(made) <= used:
            made.append(self._database.table(cls).alias())
        return made[used]


Sight = Callable[[Class, Sql], Sql | None]
"""Gives the condition under which the reader may see the object of a class that has an id; ``None``: always."""

_aliases: WeakKeyDictionary[Database, dict[str, list[sa.FromClause]]] = WeakKeyDictionary()


class Source:
    """The tables behind one alias, or behind the objects that a key leads to."""

    def __init__(self, tables: Tables, cls: Class, *, optional: bool, sight: Sight | None = None) -> None:
        self.tables = tables
        self.cls = cls
        self.optional = optional
        """Whether the object may be missing."""
        self._sight = sight
        """What of the objects that its keys lead to may be seen; without it, all."""
        lineage = tables.model.table_classes(cls.name)
        base_class = lineage[-1].name if lineage else None
        self._asked = _Asked(base_class, self._open(base_class))

    def narrowed(self, cls: Class) -> Source:
        """Return the same object seen as one of a subclass; its columns are null for other objects."""
        view = copy(self)
        view.cls = cls
        return view

    def unfiltered(self) -> Source:
        """Return the same object, from which keys lead to objects that the reader may not see as well."""
        view = copy(self)
        view._sight = None  # noqa: SLF001 - its own class
        return view

    def once(self, code: str, make: Callable[[Source, str], Value]) -> Value:
        """Return what ``make`` gives for an attribute; asked again, the same."""
        name = (self.cls.name, code, self._sight is not None)
        value = self._asked.read.get(name)
        if value is None:
            value = self._asked.read[name] = make(self, code)
        return value

    @property
    def id(self) -> Sql:
        """Return the id of the object."""
        return self._key(self._asked.base_class, self._asked.base)

    def id_at(self, origin: str) -> Sql:
        """Return the id as the table of ``origin`` holds it: the class, or an ancestor that was asked for a column."""
        return self._key(origin, self._asked.others.get(origin, self._asked.base))

    def column(self, origin: str, name: str) -> Sql:
        """Return a column of the table of ``origin``: the class, an ancestor or a subclass."""
        tables = self._asked
        if origin == tables.base_class:
            return tables.base.c[name]
        if origin not in tables.others:
            tables.others[origin] = self._open(origin)
        return tables.others[origin].c[name]

    def follow(self, code: str) -> Source:
        """Return the object that an external key leads to; it may be missing, or not to be seen."""
        key, sight = self.cls.attributes[code], self._sight
        name = (key.origin, code, sight is not None)
        if name not in self._asked.targets:
            target = Source(self.tables, self.tables.model[key.target or ""], optional=True, sight=sight)
            tie = target.id == self.column(key.origin, key.sql)
            seen = sight(target.cls, target.id) if sight else None
            self._asked.targets[name] = (tie if seen is None else all_of([tie, seen]), target)
        return self._asked.targets[name][1]

    def restriction(self) -> Sql | None:
        """Return the condition that keeps other classes out, where the tables alone do not."""
        base_class = self._asked.base_class
        if base_class == self.cls.name or base_class is None:
            return None
        for name in reversed(self.cls.lineage):
            column = self.tables.model[name].final_class_column
            if column is not None:
                return self.column(name, column).in_(self.cls.subclasses)
        raise ModelError(f"class {self.cls.name} has neither a table of its own nor a column with the final class")

    def joined(
        self,
        left: sa.FromClause | None = None,
        condition: Sql | None = None,
        *,
        outer: bool = False,
        anchor: str | None = None,
    ) -> sa.FromClause:
        """Return ``left`` joined under ``condition`` to all tables that were asked for, or those tables alone.

        ``anchor`` is the class in whose table the columns of ``condition`` lie; without it they lie in the class's own.
        In an outer join the tables follow one another, the class's own first: as flat a chain as SQL can be, which
        SQLite runs by its keys, while it would fill a temporary table with a join between parentheses.
        """
        tables = self._asked
        restrictions = {tables.base_class: self.restriction()}
        rest: dict[str | None, sa.FromClause] = {tables.base_class: tables.base}
        rest.update(tables.others)
        first = anchor if anchor in rest else tables.base_class
        result: sa.FromClause = rest.pop(first)
        first_id = self._key(first, result)
        if left is not None and condition is not None:
            result = left.join(result, _both(condition, restrictions.get(first)), isouter=outer)
        for origin, table in rest.items():
            on = _both(self._key(origin, table) == first_id, restrictions.get(origin))
            is_ancestor = origin in self.cls.lineage
            result = result.join(table, on, isouter=outer or not is_ancestor)
        for tie, target in tables.targets.values():
            result = target.joined(result, tie, outer=True)
        return result

    def all_tables(self) -> list[sa.FromClause]:
        """Return every table of this source and of what its keys lead to."""
        tables = [self._asked.base, *self._asked.others.values()]
        for _tie, target in self._asked.targets.values():
            tables.extend(target.all_tables())
        return tables

    def _open(self, origin: str | None) -> sa.FromClause:
        if origin is None:
            # No class of the lineage has a table: there are no objects.
            return sa.select(sa.literal_column("0").label("id")).where(sa.text("1 = 0")).subquery()
        return self.tables.next(origin)

    def _key(self, origin: str | None, table: sa.FromClause) -> sa.ColumnElement[Any]:
        return table.c["id" if origin is None else self.tables.model[origin].key_column]


def _both(condition: Sql, restriction: Sql | None) -> Sql:
    return condition if restriction is None else all_of([condition, restriction])
