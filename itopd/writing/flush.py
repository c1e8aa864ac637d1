"""Writes what a chunk has decided: each object's rows once, in bulk, then its history (``spec/objects.md`` §1)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import sqlalchemy as sa

from itopd.attributes import Stored
from itopd.database import Database, insert_rows, update_rows
from itopd.objects import chunks
from itopd.writing.history import History
from itopd.writing.layout import Layout
from itopd.writing.tree import Node
from itopd.writing.working import Item, TreeName, Working

_AT_ONCE: Final = 1000

Numbers = dict[TreeName, dict[int, Node]]
"""Nodes of the trees of a chunk whose numbers are new."""


def flush(database: Database, connection: sa.Connection, working: Working, history: History, now: str) -> None:
    """Write new objects, changed attributes, moved nested sets and the history."""
    numbers: Numbers = {name: {node.id: node for node in tree.changed()} for name, tree in working.trees.items()}
    created: dict[str, list[Item]] = defaultdict(list)
    updated: list[Item] = []
    for item in working.items:
        if item.new:
            created[item.layout.cls.name].append(item)
        elif item.dirty:
            updated.append(item)
    for items in created.values():
        _insert(database, connection, items, numbers, now)
    _update(database, connection, updated)
    _delete(database, connection, working.gone)
    _renumber(database, connection, numbers)
    history.flush(connection)


def _insert(database: Database, connection: sa.Connection, items: list[Item], numbers: Numbers, now: str) -> None:
    """Insert new objects of one class, table by table; takes the numbers of their nodes out of ``numbers``."""
    layout = items[0].layout
    blank = layout.blank_rows(now)
    rows: list[list[tuple[Stored, ...]]] = [[] for _ in layout.tables]
    for item in items:
        own = [row.copy() for row in blank]
        values = item.values
        for row in own:
            row[0] = item.id
        for code in item.dirty:
            place = layout.places[code]
            own[place.table][place.start : place.end] = layout.types[code].encode(values[code])
        for code in layout.trees:
            place = layout.places[code]
            node = numbers[layout.cls.attributes[code].origin, code].pop(item.id)
            own[place.table][place.end : place.end + 2] = (node.left, node.right)
        for table_rows, row in zip(rows, own, strict=True):
            table_rows.append(tuple(row))
    for part, table_rows in zip(layout.tables, rows, strict=True):
        insert_rows(connection, database.table(part.cls), part.columns, table_rows)


def _update(database: Database, connection: sa.Connection, items: list[Item]) -> None:
    """Write changed attributes, all objects with the same changed columns of a table at once."""
    alike: dict[tuple[str, frozenset[str]], list[Item]] = defaultdict(list)
    for item in items:
        alike[item.layout.cls.name, frozenset(item.dirty)].append(item)
    groups: dict[tuple[str, tuple[str, ...]], dict[int, tuple[Stored, ...]]] = defaultdict(dict)
    for (_, dirty), same in alike.items():
        for table, codes, columns in _changed_tables(same[0].layout, dirty):
            types = [(code, same[0].layout.types[code]) for code in codes]
            group = groups[table, columns]
            for item in same:
                row: list[Stored] = []
                for code, kind in types:
                    row += kind.encode(item.values[code])
                group[item.id] = tuple(row)
    for (table, columns), rows in groups.items():
        update_rows(connection, database.table(table), columns, rows)


def _delete(database: Database, connection: sa.Connection, gone: Mapping[str, Sequence[int]]) -> None:
    """Delete objects, given by their final class, from all their tables."""
    for name, ids in gone.items():
        for part in reversed(database.model.table_classes(name)):
            table = database.table(part.name)
            for some in chunks(sorted(ids), _AT_ONCE):
                connection.execute(table.delete().where(table.c[part.key_column].in_(some)))


def _changed_tables(layout: Layout, dirty: Iterable[str]) -> Iterator[tuple[str, list[str], tuple[str, ...]]]:
    """Yield the class of each table with changed attributes, these attributes and their columns."""
    by_table: dict[int, list[str]] = defaultdict(list)
    for code in sorted(dirty, key=layout.order.__getitem__):
        by_table[layout.places[code].table].append(code)
    for table, codes in by_table.items():
        yield layout.tables[table].cls, codes, tuple(c for code in codes for c in layout.places[code].columns)


def _renumber(database: Database, connection: sa.Connection, numbers: Numbers) -> None:
    """Write the changed numbers of stored nodes."""
    for (cls, code), nodes in numbers.items():
        base = database.model[cls].attributes[code].sql
        rows = {node.id: (node.left, node.right) for node in nodes.values()}
        update_rows(connection, database.table(cls), (f"{base}_left", f"{base}_right"), rows)
