"""A consistent dump of a database into one file, by its engine's own means.

MariaDB and MySQL are dumped in one transaction, PostgreSQL in one snapshot; SQLite's pages are copied while a read
transaction is open, so writers neither wait nor are seen.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import sqlalchemy as sa

from itopd.backups.connecting import SERVICE_ARGUMENT, option_file, service_environ
from itopd.backups.manifest import SQL_DUMP, SQLITE_DUMP
from itopd.backups.stopping import Pace
from itopd.backups.tools import Tool, find_program, read_from
from itopd.database import Database
from itopd.errors import DatabaseError

MYSQL_SETTING: Final = "itop-backup.mysql_bindir"
POSTGRESQL_SETTING: Final = "backup_postgresql_bindir"
_PAGES: Final = 2_000
"""Pages copied between two looks whether to stop."""
_HEAD: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Programs:
    """Folders of the servers' programs; empty: the search path."""

    mysql: str = ""
    postgresql: str = ""


def dump(database: Database, folder: Path, programs: Programs, pace: Pace) -> Path:
    """Write the dump into a folder that nobody else may read; return its path.

    Raises :class:`SettingsError` where the program is missing, :class:`DatabaseError` where it fails,
    :class:`RefusedError` when asked to stop; :class:`OSError` of the folder.
    """
    match database.dialect:
        case "sqlite":
            return _copy_file(database, folder / SQLITE_DUMP, pace)
        case "postgresql":
            return _written(_pg_dump(database, folder, programs), folder, pace, _without_schema(database))
        case _:
            return _written(_mysqldump(database, folder, programs), folder, pace, lambda head: head)


def _mysqldump(database: Database, folder: Path, programs: Programs) -> Tool:
    program = find_program(("mariadb-dump", "mysqldump"), programs.mysql, MYSQL_SETTING, "mariadb-client")
    options = ["--single-transaction", "--quick", "--hex-blob", "--no-tablespaces", "--skip-add-locks", "--triggers"]
    tables = relations(database) if database.prefix else []
    file = option_file(database.engine.url, folder)
    return Tool([program, f"--defaults-file={file}", *options, "--", database.name, *tables])


def _pg_dump(database: Database, folder: Path, programs: Programs) -> Tool:
    program = find_program(("pg_dump",), programs.postgresql, POSTGRESQL_SETTING, "postgresql-client")
    schema = current_schema(database)
    what = (
        [f"--table={_pattern(schema)}.{_pattern(name)}" for name in relations(database)]
        if database.prefix
        else [f"--schema={_pattern(schema)}"]
    )
    options = ["--format=plain", "--no-owner", "--no-privileges", "--no-comments", "--no-password"]
    return Tool([program, *options, *what, SERVICE_ARGUMENT], service_environ(database.engine.url, folder))


def _pattern(name: str) -> str:
    """Return a name as one of PostgreSQL's patterns that means only it."""
    return '"' + name.replace('"', '""') + '"'


def relations(database: Database) -> list[str]:
    """Return the tables and views that are the database's: with a prefix those alone whose names begin with it.

    Raises :class:`DatabaseError` when there is none.
    """
    with database.read() as connection:
        inspector = sa.inspect(connection)
        names = [*inspector.get_table_names(), *inspector.get_view_names()]
    found = sorted(name for name in names if name.startswith(database.prefix))
    if not found:
        raise DatabaseError(f"{database.where} holds no table: there is nothing to back up; correct database_url")
    return found


def current_schema(database: Database) -> str:
    """Return the schema of PostgreSQL in which the tables are."""
    with database.look() as connection:
        return str(connection.exec_driver_sql("SELECT current_schema()").scalar())


def _without_schema(database: Database) -> Callable[[bytes], bytes]:
    """Return what leaves the making of the schema out of the dump's head: where it is loaded there is one."""
    with database.look() as connection:
        schema = connection.dialect.identifier_preparer.quote(current_schema(database))
    line = f"\nCREATE SCHEMA {schema};\n".encode()
    return lambda head: head.replace(line, b"\n", 1)


def _written(tool: Tool, folder: Path, pace: Pace, change_head: Callable[[bytes], bytes]) -> Path:
    path = folder / SQL_DUMP
    with path.open("xb") as file:
        writer = _Writer(file, pace, change_head)
        read_from(tool, folder, pace, writer.take)
        writer.finish()
    return path


class _Writer:
    """Writes a dump as it comes; its first part is changed once it is there."""

    def __init__(self, file: BinaryIO, pace: Pace, change_head: Callable[[bytes], bytes]) -> None:
        self._file = file
        self._pace = pace
        self._change_head = change_head
        self._head: bytearray | None = bytearray()

    def take(self, chunk: bytes) -> None:
        if self._head is None:
            self._file.write(chunk)
            self._pace.report(self._file.tell(), None, "bytes dumped")
            return
        self._head += chunk
        if len(self._head) >= _HEAD:
            self.finish()

    def finish(self) -> None:
        if self._head is not None:
            self._file.write(self._change_head(bytes(self._head)))
            self._head = None


def _copy_file(database: Database, target: Path, pace: Pace) -> Path:
    def step(_status: int, remaining: int, total: int) -> None:
        pace.check()
        pace.report(total - remaining, total, "pages copied")

    connection = database.connect()
    copy = sqlite3.connect(target, isolation_level=None)
    try:
        source = connection.connection.driver_connection
        assert isinstance(source, sqlite3.Connection)  # noqa: S101 - the only driver of SQLite here
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()  # from here on it sees one state
        try:
            source.backup(copy, pages=_PAGES, progress=step, sleep=0)
        finally:
            source.execute("ROLLBACK")
        copy.execute("PRAGMA journal_mode = DELETE")  # so that the file is complete without others beside it
    except sqlite3.Error as error:
        raise DatabaseError(f"{database.where} could not be copied to {target.parent}: {error}") from error
    finally:
        copy.close()
        connection.close()
    return target
