"""Where an object's values lie: the tables of its lineage joined, and which columns hold which attribute."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import sqlalchemy as sa

from itopd.attributes import AttributeType, bind
from itopd.database import Database
from itopd.datamodel import Class
from itopd.errors import ModelError

T = TypeVar("T")

ID = "id"
FINAL_CLASS = "finalclass"


@dataclass(frozen=True, slots=True)
class Slice:
    """The columns of one attribute within a selected row."""

    code: str
    type: AttributeType
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Reading:
    """A select of the id, the final class (where a column tells it) and some attributes of a class."""

    cls: Class
    select: sa.Select[Any]
    key: sa.Column[Any]
    final_class: bool
    """Whether the second column is the final class; otherwise every object is of :attr:`cls` itself."""
    slices: tuple[Slice, ...]
    decode: Callable[[Sequence[Any]], dict[str, Any]]
    """Return the values of a selected row by attribute code."""


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the items in lists of ``size``."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def is_stored(cls: Class, code: str) -> bool:
    """Return whether an attribute has columns that hold its value; the final class counts as computed."""
    attribute = cls.attribute(code)
    return attribute.is_stored and code != FINAL_CLASS


def stored_codes(cls: Class) -> tuple[str, ...]:
    """Return the codes of the stored attributes of a class, in its order."""
    return tuple(code for code in cls.attributes if is_stored(cls, code))


def reading(database: Database, cls: Class, codes: Iterable[str]) -> Reading:
    """Return how to read stored attributes of the objects of a class, subclasses included."""
    model = database.model
    tables = {c.name: (c, database.table(c.name)) for c in model.table_classes(cls.name)}
    if not tables:
        raise ModelError(f"class {cls.name} is stored nowhere: it has no table")
    root, root_table = next(iter(tables.values()))
    key = root_table.c[root.key_column]
    columns: list[sa.ColumnElement[Any]] = [key]
    if root.final_class_column:
        columns.append(root_table.c[root.final_class_column])
    slices: list[Slice] = []
    used: set[str] = {root.name}
    for code in codes:
        attribute = cls.attribute(code)
        kind = bind(attribute)
        _, table = tables[attribute.origin]
        start = len(columns)
        columns += [table.c[column.name] for column in kind.columns]
        slices.append(Slice(code, kind, start, len(columns)))
        used.add(attribute.origin)
    if cls.name in tables:
        used.add(cls.name)
    source: sa.FromClause = root_table
    for name in (name for name in tables if name in used and name != root.name):
        part, table = tables[name]
        source = source.join(table, table.c[part.key_column] == key)
    return Reading(
        cls,
        sa.select(*columns).select_from(source),
        key,
        root.final_class_column is not None,
        tuple(slices),
        _decoder(slices),
    )


def _decoder(slices: Sequence[Slice]) -> Callable[[Sequence[Any]], dict[str, Any]]:
    parts = [(s.code, s.type.decode, s.start, s.end) for s in slices]

    def decode(row: Sequence[Any]) -> dict[str, Any]:
        return {code: one(row[start:end]) for code, one, start, end in parts}

    return decode
