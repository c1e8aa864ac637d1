"""Databases on PostgreSQL that tests use one after the other: what a test touched is put back.

Making and dropping a database costs the server hundreds of files and a checkpoint each time, so a process keeps its
databases. A table that holds no rows is known by its size, one that does by the hash of its rows.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg

from itopd.database import Database
from itopd.database.ddl import create_statements
from itopd.database.schema import create_functions
from tests.support.servers import (
    create_postgresql,
    disconnect_others,
    drop_postgresql,
    new_name,
    opened,
    postgresql_admin,
    postgresql_connection,
    postgresql_url,
)

_TABLES = """
    SELECT c.relname, concat_ws(';',
      (SELECT string_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
                                   (SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d
                                    WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum)), ',' ORDER BY a.attnum)
       FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
      (SELECT string_agg(pg_get_indexdef(i.indexrelid), ',' ORDER BY i.indexrelid::regclass::text)
       FROM pg_index i WHERE i.indrelid = c.oid),
      (SELECT count(*) FROM pg_constraint k WHERE k.conrelid = c.oid),
      (SELECT count(*) FROM pg_trigger t WHERE t.tgrelid = c.oid))
    FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
"""
_FILLED = """
    SELECT relname FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND pg_relation_size(oid) > 0
"""
_COUNTERS = "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public'"
_FUNCTIONS = "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
_FOREIGN_SCHEMAS = """
    SELECT nspname FROM pg_namespace WHERE nspname NOT IN ('public', 'pristine', 'information_schema')
    AND nspname NOT LIKE 'pg\\_%'
"""

Admin = psycopg.Connection[tuple[Any, ...]]


class Pool:
    """Databases that all look alike: ``fill`` makes the tables and rows of an empty one."""

    def __init__(self, fill: Callable[[Database], None]) -> None:
        self._fill = fill
        self._idle: list[_Kept] = []

    @contextmanager
    def database(self) -> Iterator[Database]:
        """Give a database that nobody else uses; what is done to it is undone."""
        kept = self._idle.pop() if self._idle else _Kept(self._fill)
        try:
            with opened(postgresql_url(kept.name)) as database:
                yield database
        finally:
            kept.restore()
            self._idle.append(kept)


class _Kept:
    """One database, and how it was at the start."""

    def __init__(self, fill: Callable[[Database], None]) -> None:
        self.name = new_name("work")
        with closing(postgresql_admin()) as admin:
            create_postgresql(admin, self.name)
        atexit.register(self._drop)
        with opened(postgresql_url(self.name)) as database:
            fill(database)
        with closing(postgresql_connection(self.name)) as connection:
            self._tables = _pairs(connection, _TABLES)
            self._counters = _pairs(connection, _COUNTERS)
            self._functions = _pairs(connection, _FUNCTIONS)
            self._filled = _names(connection, _FILLED)
            connection.execute("CREATE SCHEMA pristine")
            for table in self._filled:
                _run(connection, f'CREATE TABLE pristine."{table}" AS TABLE public."{table}"')
            self._hashes = _hashes(connection, self._filled)

    def restore(self) -> None:
        """Put back what is not as it was."""
        with closing(postgresql_connection(self.name)) as connection:
            disconnect_others(connection)
            for schema in _names(connection, _FOREIGN_SCHEMAS):
                _run(connection, f'DROP SCHEMA "{schema}" CASCADE')
            remade = self._restore_tables(connection)
            filled = _names(connection, _FILLED)
            hashes = _hashes(connection, self._filled & filled)
            touched = {
                table
                for table in filled | self._filled | remade
                if table not in self._filled or hashes.get(table) != self._hashes[table]
            }
            with connection.transaction():
                if touched:
                    _run(connection, "TRUNCATE " + ", ".join(f'public."{table}"' for table in sorted(touched)))
                for table in touched & self._filled:
                    _run(connection, f'INSERT INTO public."{table}" SELECT * FROM pristine."{table}"')
                for name, last in _pairs(connection, _COUNTERS).items():
                    if last != self._counters[name]:
                        following = 1 if self._counters[name] is None else self._counters[name] + 1
                        _run(connection, f'ALTER SEQUENCE public."{name}" RESTART WITH {following}')

    def _restore_tables(self, connection: Admin) -> set[str]:
        """Make the tables and functions anew that tests dropped or changed, and drop theirs."""
        now = _pairs(connection, _TABLES)
        for table in now.keys() - self._tables.keys():
            _run(connection, f'DROP TABLE public."{table}" CASCADE')
        changed = {table for table, made in self._tables.items() if now.get(table) != made}
        if not changed and _pairs(connection, _FUNCTIONS) == self._functions:
            return set()
        with opened(postgresql_url(self.name)) as database, database.write() as writer:
            create_functions(writer)
            for definition in database.definitions():
                if definition.name in changed:
                    writer.exec_driver_sql(f'DROP TABLE IF EXISTS public."{definition.name}" CASCADE')
                    for statement in create_statements("postgresql", definition, ""):
                        writer.exec_driver_sql(statement)
        return changed

    def _drop(self) -> None:
        with closing(postgresql_admin()) as admin:
            drop_postgresql(admin, self.name)


def _run(connection: Admin, statement: str) -> None:
    connection.execute(statement.encode())


def _pairs(connection: Admin, query: str) -> dict[str, Any]:
    return dict(connection.execute(query.encode()).fetchall())


def _names(connection: Admin, query: str) -> set[str]:
    return {name for (name,) in connection.execute(query.encode())}


def _hashes(connection: Admin, tables: set[str]) -> dict[str, tuple[Any, ...]]:
    """Return the number of rows of tables and the sum of the rows' hashes."""
    if not tables:
        return {}
    parts = (
        f"SELECT '{table}', count(*), sum(hashtextextended(t::text, 0)) FROM public.\"{table}\" t"
        for table in sorted(tables)
    )
    rows = connection.execute(" UNION ALL ".join(parts).encode()).fetchall()
    return {name: tuple(rest) for name, *rest in rows}
