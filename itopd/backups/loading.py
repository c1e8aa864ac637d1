"""A dump becomes a database again, by its engine's own means.

=============  ===============================================================================================
engine         what a failure leaves
=============  ===============================================================================================
SQLite         what was there: the new file takes the old one's place in one step, once it was looked through
PostgreSQL     what was there: everything happens in one transaction
MariaDB, MySQL half of it: these cannot undo ``CREATE TABLE``. It is marked, and nothing works on it until it
               was restored again
=============  ===============================================================================================
"""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from itopd.backups.connecting import SERVICE_ARGUMENT, option_file, service_environ, write_secret
from itopd.backups.dumping import MYSQL_SETTING, POSTGRESQL_SETTING, Programs, current_schema
from itopd.backups.stopping import Pace
from itopd.backups.tools import Tool, feed, find_program
from itopd.database import Database
from itopd.database.copying.target import MARKER, is_unfinished, mark, unmark
from itopd.database.schema import create_functions
from itopd.errors import ConflictError, DatabaseError, InputError, ItopdError

_EVERYTHING: Final = """
    SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
                          WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END || ' IF EXISTS ' || c.oid::regclass
    FROM pg_class c
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
      AND starts_with(c.relname, %(prefix)s)
      AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
"""
_FUNCTIONS: Final = """
    SELECT 'ROUTINE IF EXISTS ' || p.oid::regprocedure
    FROM pg_proc p
    WHERE p.pronamespace = current_schema()::regnamespace
      AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
"""

_LOCK_SECONDS: Final = 60
"""How long tables that go may be in use by others."""


def held(database: Database) -> list[str]:
    """Return the names of tables and views that a database holds under its prefix; a SQLite file need not exist."""
    if database.dialect == "sqlite" and not Path(database.name).exists():
        return []
    with database.read() as connection:
        inspector = sa.inspect(connection)
        names = [*inspector.get_table_names(), *inspector.get_view_names()]
    return sorted(name for name in names if name.startswith(database.prefix))


def load(database: Database, dump: Path, folder: Path, programs: Programs, pace: Pace) -> None:
    """Put the dump in the place of what the database holds, all of it under its prefix.

    Raises :class:`SettingsError` where the program is missing, with nothing changed; :class:`DatabaseError` where
    loading fails, saying what is left; :class:`ConflictError` for a SQLite file that somebody has open.
    """
    match database.dialect:
        case "sqlite":
            _replace_file(database, dump)
        case "postgresql":
            _psql(database, dump, folder, programs, pace)
        case _:
            _mysql(database, dump, folder, programs, pace)


def _replace_file(database: Database, dump: Path) -> None:
    target = Path(database.name).absolute()
    new = target.with_name(f".{target.name}.restore-{secrets.token_hex(6)}")
    database.close()
    try:
        write_secret(new, "")
        shutil.copyfile(dump, new)
        _look_through(new)
        with new.open("rb") as file:
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, new)
            _require_alone(target)
        new.replace(target)
        _sync_folder(target.parent)
    finally:
        new.unlink(missing_ok=True)


def _look_through(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        try:
            found = [row[0] for row in connection.execute("PRAGMA quick_check(3)")]
        except sqlite3.DatabaseError as error:
            found = [str(error)]
    if found != ["ok"]:
        raise InputError(f"the database in the backup is damaged ({'; '.join(found)}): take another backup")


def _require_alone(path: Path) -> None:
    """Make sure that nobody has a file open, and that nothing of it is left beside it."""
    with closing(sqlite3.connect(path, timeout=5, isolation_level=None)) as connection:
        try:
            mode = connection.execute("PRAGMA journal_mode = DELETE").fetchone()[0]
        except sqlite3.OperationalError as error:
            mode = str(error)
        except sqlite3.DatabaseError:  # damaged: that may be why it is replaced
            mode = "delete"
    beside = [path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal")]
    if mode != "delete":
        raise ConflictError(f"somebody has {path} open ({mode}): end every process that works with it, then try again")
    for left in beside:
        left.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _psql(database: Database, dump: Path, folder: Path, programs: Programs, pace: Pace) -> None:
    program = find_program(("psql",), programs.postgresql, POSTGRESQL_SETTING, "postgresql-client")
    environ = service_environ(database.engine.url, folder)
    with database.write() as connection:
        queries = [_EVERYTHING] if database.prefix else [_EVERYTHING, _FUNCTIONS]
        old = [name for query in queries for (name,) in connection.exec_driver_sql(query, {"prefix": database.prefix})]
        schema = current_schema(database)
        if database.prefix:  # then the dump has tables only
            create_functions(connection)
    search = 'SET search_path = "{}";\n'.format(schema.replace('"', '""'))
    drops = "".join(f"DROP {name} CASCADE;\n" for name in old)
    first = write_secret(
        folder / "drop.sql",
        f"SET client_min_messages = warning;\nSET lock_timeout = '{_LOCK_SECONDS}s';\n{search}{drops}",
    )
    options = ["--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1", "--single-transaction"]
    tool = Tool([program, *options, f"--file={first}", "--file=-", SERVICE_ARGUMENT], environ)
    try:
        with dump.open("rb") as source:
            feed(tool, folder, source, pace)
    except DatabaseError as error:
        raise DatabaseError(f"{database.where} is as it was: {error.message}") from error


def _mysql(database: Database, dump: Path, folder: Path, programs: Programs, pace: Pace) -> None:
    program = find_program(("mariadb", "mysql"), programs.mysql, MYSQL_SETTING, "mariadb-client")
    tool = Tool([program, f"--defaults-file={option_file(database.engine.url, folder)}", "--", database.name])
    try:
        if not is_unfinished(database):
            mark(database, [database.prefix + definition.name for definition in database.definitions()])
        _drop_mysql(database)
        with dump.open("rb") as source:
            feed(tool, folder, source, pace)
        with database.write() as connection:
            unmark(connection)
    except ItopdError as error:
        raise DatabaseError(
            f"{database.where} holds half of the backup, and nothing works on it until it was restored again with "
            f"--replace: {error.message}"
        ) from error


def _drop_mysql(database: Database) -> None:
    with database.write() as connection:
        inspector = sa.inspect(connection)
        quote = connection.dialect.identifier_preparer.quote
        kinds = {"VIEW": inspector.get_view_names(), "TABLE": inspector.get_table_names()}
        connection.exec_driver_sql("SET foreign_key_checks = 0")
        try:
            for kind, names in kinds.items():
                for name in sorted(names):
                    if name.startswith(database.prefix) and name != MARKER:
                        connection.exec_driver_sql(f"DROP {kind} IF EXISTS {quote(name)}".replace("%", "%%"))
        finally:
            connection.exec_driver_sql("SET foreign_key_checks = 1")
