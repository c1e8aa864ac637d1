"""Resolved tree -> SQLAlchemy select on iTop's tables (``spec/oql.md`` §6, §7).

A query whose rows are distinct by themselves becomes one plain statement. Others (unions, joins that multiply rows)
select the distinct ids first, and read the columns of those.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from itopd.attributes import bind
from itopd.database import Database
from itopd.datamodel import Attribute
from itopd.errors import DatabaseError, ModelError
from itopd.oql.arguments import Argument
from itopd.oql.attributes import FINAL_CLASS, FRIENDLY_NAME, OBSOLESCENCE_FLAG, AttributeReader
from itopd.oql.dialect import Dialect
from itopd.oql.mariadb import MariaDb
from itopd.oql.members import Member, MemberCompiler
from itopd.oql.names import ID
from itopd.oql.places import locating
from itopd.oql.postgresql import PostgreSql
from itopd.oql.reader import Reader
from itopd.oql.resolve import ResolvedQuery
from itopd.oql.sources import Source
from itopd.oql.sqlite import Sqlite
from itopd.oql.tree import members
from itopd.oql.values import Sql, Statement, any_of

_ANY_DEPTH = 8
"""Levels of nesting that every engine takes."""
_ANY_SIZE = 10_000
"""Nodes of a condition that every engine takes."""
_ANY_TABLES = 60
"""Tables that every engine joins."""

EVERYTHING = Reader()
"""Sees all objects."""


@dataclass(frozen=True, slots=True)
class ColumnPath:
    """What to read of a selected alias: ``id``, an attribute, or one through keys (``org_id->parent_id->code``)."""

    alias: str
    path: str


@dataclass(frozen=True, slots=True)
class CompiledColumn:
    """Where a value lies in each row."""

    path: ColumnPath
    attribute: Attribute
    """What the path leads to, behind external fields; for an id an integer attribute ``id``."""
    positions: tuple[int, ...]
    """Of its stored columns in the row, in the order that ``bind(attribute).decode`` takes."""

    def decode(self, row: Sequence[Any]) -> Any:  # noqa: ANN401 - of the type of the attribute
        """Return the value in a row; for an id ``None`` when there is no object."""
        stored = [row[position] for position in self.positions]
        return stored[0] if self.attribute is ID_ATTRIBUTE else bind(self.attribute).decode(stored)


@dataclass(frozen=True, slots=True)
class CompiledQuery:
    """A statement and how to read its rows."""

    select: Statement
    columns: tuple[CompiledColumn, ...]


ID_ATTRIBUTE = Attribute(code=ID, type="AttributeInteger", origin="", sql=ID, nullable=True)


def compile_query(
    resolved: ResolvedQuery,
    database: Database,
    *,
    columns: Sequence[ColumnPath],
    arguments: Mapping[str, Argument],
    now: str,
    reader: Reader = EVERYTHING,
    order: bool = True,
    limit: int | None = None,
) -> CompiledQuery:
    """Return the statement that reads ``columns`` of every selected tuple of objects.

    ``now`` is the present instant as iTop stores it. With ``order`` rows come in iTop's order: the default order of
    the first selected class, then by ids. Aliases of ``columns`` are selected ones. Raises :class:`OqlError`
    (``missing_argument``, ``bad_argument``) and :class:`ModelError` for a path that leads nowhere.
    """
    compiler, compiled = _members(resolved, database, arguments, reader, now)
    if len(compiled) == 1 and compiled[0].is_distinct:
        sources = compiled[0].selected()
        render: Callable[..., Statement] = compiled[0].select
    else:
        sources, render = _by_ids(resolved, compiler, compiled)
    by_alias = {selected.alias: source for selected, source in zip(resolved.selected, sources, strict=True)}
    expressions: list[Sql] = []
    described = [_column(path, by_alias, compiler.attributes, expressions) for path in columns]
    keys = _order(sources, compiler) if order else []
    labelled = [expression.label(f"c{index}") for index, expression in enumerate(expressions)]
    statement = render(*labelled).order_by(*keys).limit(limit)
    _check_size(resolved, compiler, statement)
    return CompiledQuery(statement, tuple(described))


def compile_count(
    resolved: ResolvedQuery,
    database: Database,
    *,
    arguments: Mapping[str, Argument],
    now: str,
    reader: Reader = EVERYTHING,
) -> Statement:
    """Return the statement that counts the selected tuples with at least one object."""
    compiler, compiled = _members(resolved, database, arguments, reader, now)
    if len(compiled) == 1 and compiled[0].is_distinct:
        statement = compiled[0].select(sa.func.count())
        sources = compiled[0].selected()
        if all(source.optional for source in sources):
            statement = statement.where(_any_object([source.id for source in sources]))
    else:
        ids = _distinct_ids(compiled).subquery()
        statement = sa.select(sa.func.count()).select_from(ids).where(_any_object(list(ids.c)))
    _check_size(resolved, compiler, statement)
    return statement


def _members(
    resolved: ResolvedQuery, database: Database, arguments: Mapping[str, Argument], reader: Reader, now: str
) -> tuple[MemberCompiler, list[Member]]:
    compiler = MemberCompiler(database, _dialect(database), arguments, reader, now)
    with locating(resolved.tree.source or None):
        return compiler, [compiler.compile(query, {}) for query in members(resolved.tree)]


def _check_size(resolved: ResolvedQuery, compiler: MemberCompiler, statement: Statement) -> None:
    """Ask the engine whether it takes a statement, where not every engine takes it."""
    if resolved.depth > _ANY_DEPTH or resolved.size > _ANY_SIZE or compiler.tables.count > _ANY_TABLES:
        compiler.dialect.check_size(statement)


def _any_object(ids: Sequence[Sql]) -> Sql:
    return any_of([column.is_not(None) for column in ids])


def _dialect(database: Database) -> Dialect:
    match database.dialect:
        case "sqlite":
            return Sqlite(database)
        case "mysql" | "mariadb":
            return MariaDb()
        case "postgresql":
            return PostgreSql(database)
        case other:
            raise DatabaseError(f"queries do not run on {other}; use SQLite, PostgreSQL or MariaDB")


def _distinct_ids(compiled: Sequence[Member]) -> sa.SelectBase:
    selects = [
        member.select(*(source.id.label(f"id{index}") for index, source in enumerate(member.selected())))
        for member in compiled
    ]
    return selects[0].distinct() if len(selects) == 1 else sa.union(*selects)


def _by_ids(
    resolved: ResolvedQuery, compiler: MemberCompiler, compiled: Sequence[Member]
) -> tuple[list[Source], Callable[..., Statement]]:
    """Return sources of the objects whose ids the members select, and what renders their columns."""
    ids = _distinct_ids(compiled).subquery()
    sources = [compiler.source(selected.cls, optional=True) for selected in resolved.selected]

    def render(*columns: Sql) -> Statement:
        tables: sa.FromClause = ids
        for source, column in zip(sources, ids.c, strict=True):
            tables = source.joined(tables, source.id == column, outer=True)
        return sa.select(*columns).select_from(tables)

    return sources, render


def _column(
    path: ColumnPath, by_alias: Mapping[str, Source], reader: AttributeReader, expressions: list[Sql]
) -> CompiledColumn:
    """Append the expressions of a path to ``expressions`` and return where they are."""
    source = by_alias.get(path.alias)
    if source is None:
        raise ModelError(f"the query selects no '{path.alias}'; it selects {', '.join(by_alias)}")
    *keys, code = path.path.split("->")
    for key in keys:
        source = _followed(source, key)
    while code in source.cls.attributes and source.cls.attributes[code].is_external_field:
        field = source.cls.attributes[code]
        source, code = source.follow(field.key or ""), field.target_attcode or ""
    attribute = ID_ATTRIBUTE if code == ID else _attribute(source, code)
    stored = bind(attribute).columns if attribute.is_stored and code not in {ID, FINAL_CLASS} else ()
    first = len(expressions)
    if stored:
        expressions.extend(source.column(attribute.origin, column.name) for column in stored)
    else:
        expressions.append(reader.read(source, code).sql)
    return CompiledColumn(path, attribute, tuple(range(first, len(expressions))))


def _followed(source: Source, key: str) -> Source:
    attribute = source.cls.attribute(key)
    if not attribute.is_external_key:
        raise ModelError(f"'{key}' is no external key of class {source.cls.name}: '{key}->...' leads nowhere")
    return source.follow(key)


_FINAL_CLASS_ATTRIBUTE = Attribute(code=FINAL_CLASS, type="AttributeFinalClass", origin="", writable=False)
"""Of a class that neither has nor is a subclass."""


def _attribute(source: Source, code: str) -> Attribute:
    if code == FINAL_CLASS and code not in source.cls.attributes:
        return _FINAL_CLASS_ATTRIBUTE
    attribute = source.cls.attribute(code)
    readable = attribute.is_stored or code in {FRIENDLY_NAME, OBSOLESCENCE_FLAG} or attribute.type == "AttributeSubItem"
    if not readable:
        raise ModelError(f"attribute {source.cls.name}.{code} ({attribute.type}) is no column that a query can read")
    return attribute


def _order(sources: Sequence[Source], compiler: MemberCompiler) -> list[sa.ColumnElement[Any]]:
    """Return the default order of the first selected class, then the ids (§6.1)."""
    first = sources[0]
    keys: list[sa.ColumnElement[Any]] = []
    for code, ascending in first.cls.order_by:
        value = compiler.attributes.read(first, code)
        attribute = first.cls.attributes.get(code)
        if attribute is not None and attribute.type == "AttributeIPAddress":
            key = compiler.dialect.address_key(value)
        else:
            key = compiler.dialect.order_key(value)
        keys.append(compiler.dialect.in_order(key, ascending=ascending))
    ids = (compiler.dialect.in_order(source.id, ascending=True) if source.optional else source.id for source in sources)
    return [*keys, *ids]
