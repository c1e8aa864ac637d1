"""Model -> tables: which columns and indexes the table of a class has in iTop (``spec/model.md``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import sqlalchemy as sa

from itopd.attributes import Column, ColumnKind, bind
from itopd.database.sql_types import INTEGER, sql_type
from itopd.datamodel import Class

INDEXED_PREFIX: Final = 95
"""Characters of a VARCHAR that iTop indexes."""

_INDEXED_TYPES: Final = frozenset({"AttributeFinalClass", "AttributeClass", "AttributeApplicationLanguage"})
_SET_TYPES: Final = frozenset(
    {"AttributeTagSet", "AttributeEnumSet", "AttributeClassAttCodeSet", "AttributeQueryAttCodeSet"}
)


class IndexKind(StrEnum):
    """What an index is for."""

    PLAIN = "plain"
    FULL_TEXT = "full text"
    LOOK_UP = "look-up"
    """On the collation key of a column that imports look up by; only where the collation is itopd's own."""


@dataclass(frozen=True, slots=True)
class Index:
    """An index of a table, named after its columns."""

    columns: tuple[str, ...]
    kind: IndexKind = IndexKind.PLAIN

    @property
    def name(self) -> str:
        """Return the name iTop gives it."""
        return "_".join(self.columns)


@dataclass(frozen=True, slots=True)
class TableDefinition:
    """The table of one class, without the prefix of the database."""

    name: str
    key_column: str
    autoincrement: bool
    """iTop numbers the rows itself: true for the tables below the root as well."""
    is_root: bool
    columns: tuple[Column, ...]
    """All but the key."""
    indexes: tuple[Index, ...]

    def column(self, name: str) -> Column:
        """Return a column by name."""
        return next(column for column in self.columns if column.name == name)


def define_table(cls: Class) -> TableDefinition:
    """Return the table of a class that has one."""
    if cls.table is None:
        raise ValueError(f"class {cls.name} has no table")
    columns = {column.name: column for column in _columns(cls)}
    indexes = dict.fromkeys(_indexes(cls))
    return TableDefinition(
        name=cls.table,
        key_column=cls.key_column,
        autoincrement=cls.key_type == "autoincrement",
        is_root=cls.parent is None or cls.root == cls.name,
        columns=tuple(columns.values()),
        indexes=tuple(indexes) + tuple(_look_ups(cls, columns, {index.columns for index in indexes})),
    )


def build_table(definition: TableDefinition, metadata: sa.MetaData, prefix: str) -> sa.Table:
    """Return the SQLAlchemy table to build queries with; DDL is ``ddl``'s."""
    return sa.Table(
        prefix + definition.name,
        metadata,
        sa.Column(definition.key_column, INTEGER, primary_key=True, autoincrement=definition.autoincrement),
        *(sa.Column(column.name, sql_type(column)) for column in definition.columns),
    )


def _columns(cls: Class) -> Iterator[Column]:
    for attribute in cls.attributes.values():
        if attribute.origin == cls.name and attribute.is_stored:
            bound = bind(attribute)
            yield from bound.columns
            yield from bound.kept_columns
    if cls.final_class_column:
        yield Column(cls.final_class_column, ColumnKind.VARCHAR, 255, default=cls.name)


def _indexes(cls: Class) -> Iterator[Index]:
    for attribute in cls.attributes.values():
        if attribute.origin != cls.name or not attribute.is_stored:
            continue
        is_name = attribute.code in cls.name_attributes and attribute.sql == attribute.code
        if attribute.type in _SET_TYPES:
            yield Index((attribute.sql,), IndexKind.FULL_TEXT)
        elif attribute.is_external_key or attribute.type in _INDEXED_TYPES or is_name:
            yield Index((attribute.sql,))
            for kept in bind(attribute).kept_columns:
                yield Index((kept.name,))
    if cls.final_class_column:
        yield Index((cls.final_class_column,))
    for codes in cls.indexes:
        yield Index(tuple(cls.attributes[code].sql for code in codes))


def _look_ups(cls: Class, columns: Mapping[str, Column], indexed: set[tuple[str, ...]]) -> Iterator[Index]:
    """Yield the columns of short text that imports find objects by and that iTop leaves without index."""
    for code in dict.fromkeys((*cls.reconciliation, *cls.name_attributes)):
        attribute = cls.attributes.get(code)
        if attribute is None or attribute.origin != cls.name or not attribute.is_stored:
            continue
        column = columns.get(attribute.sql)
        if column and column.kind is ColumnKind.VARCHAR and (column.name,) not in indexed:
            yield Index((column.name,), IndexKind.LOOK_UP)
