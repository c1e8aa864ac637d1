"""The database servers tests run against, and databases of their own on them."""

from __future__ import annotations

import atexit
import os
import secrets
import socket
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pymysql
import pytest
import sqlalchemy as sa

from itopd.database import Database, open_database
from itopd.datamodel import Model, bundled_model

HOST = "127.0.0.1"
MARIADB_PORT = 3306
POSTGRESQL_PORT = 5432
PARIS = ZoneInfo("Europe/Paris")
OURS = f"itopd_test_{Path('/proc/self/ns/pid').stat().st_ino}_p"
"""How the names of databases begin whose process this machine, or this container, knows by its number."""


def require(available: bool, what: str) -> None:
    """Skip the test, clearly, when something it needs is missing; with ``CI=true`` that is a failure."""
    if available:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"needs {what}, which must be there when CI=true")
    pytest.skip(f"needs {what}")


@cache
def is_up(port: int) -> bool:
    """Return whether something listens where a server should."""
    try:
        socket.create_connection((HOST, port), timeout=2).close()
    except OSError:
        return False
    return True


def admin_connection() -> pymysql.Connection[pymysql.cursors.Cursor]:
    """Return a connection of the server's root to no database; the caller closes it."""
    require(is_up(MARIADB_PORT), f"MariaDB on {HOST}:{MARIADB_PORT} (root, no password)")
    return pymysql.connect(
        host=HOST, port=MARIADB_PORT, user="root", charset="utf8mb4", autocommit=True, ssl_disabled=True
    )


def mariadb_url(name: str) -> str:
    """Return the URL of a database of the test server."""
    return f"mysql://root@{HOST}:{MARIADB_PORT}/{name}"


def new_name(what: str = "", pid: int | None = None) -> str:
    """Return a name that no other database has; it tells whose it is, so that ``leftovers`` finds it one day."""
    return f"{OURS}{pid or os.getpid()}_{secrets.token_hex(5)}" + (f"_{what}" if what else "")


@contextmanager
def empty_mariadb() -> Iterator[str]:
    """Give the name of a fresh, empty database, dropped at the end."""
    name = new_name()
    with admin_connection() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
        try:
            yield name
        finally:
            cursor.execute(f"DROP DATABASE {name}")


def postgresql_admin() -> psycopg.Connection[tuple[Any, ...]]:
    """Return a connection of PostgreSQL's superuser outside any transaction; the caller closes it."""
    require(is_up(POSTGRESQL_PORT), f"PostgreSQL on {HOST}:{POSTGRESQL_PORT} (user postgres, trust)")
    return postgresql_connection("postgres")


def postgresql_connection(name: str) -> psycopg.Connection[tuple[Any, ...]]:
    """Return a connection of the superuser to a database, outside any transaction; the caller closes it."""
    return psycopg.connect(host=HOST, port=POSTGRESQL_PORT, user="postgres", dbname=name, autocommit=True)


def postgresql_url(name: str) -> str:
    """Return the URL of a database of the test server."""
    return f"postgresql://postgres@{HOST}:{POSTGRESQL_PORT}/{name}"


@contextmanager
def empty_postgresql() -> Iterator[str]:
    """Give the name of an empty database; it is emptied for the next test, since making one costs much more."""
    name = _empty.pop() if _empty else _new_postgresql()
    try:
        yield name
    finally:
        with closing(postgresql_connection(name)) as connection:
            disconnect_others(connection)
            schemas = connection.execute(
                "SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%' AND nspname != 'information_schema'"
            ).fetchall()
            for (schema,) in schemas:
                connection.execute(f'DROP SCHEMA "{schema}" CASCADE'.encode())
            connection.execute("CREATE SCHEMA public")
        _empty.append(name)


_empty: list[str] = []


def _new_postgresql() -> str:
    """Return the name of a new database, which is dropped when the process ends."""
    name = new_name()
    with closing(postgresql_admin()) as connection:
        create_postgresql(connection, name)
    atexit.register(_drop_postgresql_at_exit, name)
    return name


def _drop_postgresql_at_exit(name: str) -> None:
    with closing(postgresql_admin()) as connection:
        drop_postgresql(connection, name)


def disconnect_others(connection: psycopg.Connection[tuple[Any, ...]]) -> None:
    """End all other connections to the same database: those of processes that a test left or killed."""
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid != pg_backend_pid()"
    )


def drop_connections(urls: Sequence[str]) -> int:
    """Let the servers hang up on everybody who uses these databases, as after a long silence; return on how many."""
    count = 0
    for url in map(sa.make_url, urls):
        if url.get_backend_name() == "postgresql":
            with closing(postgresql_admin()) as admin:
                ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
                count += len(admin.execute(ended, [url.database]).fetchall())
        else:
            with closing(admin_connection()) as server, server.cursor() as cursor:
                cursor.execute("SELECT id FROM information_schema.processlist WHERE db = %s", [url.database])
                for (number,) in cursor.fetchall():
                    with suppress(pymysql.err.OperationalError):  # it has left by itself meanwhile
                        cursor.execute(f"KILL {number}")
                        count += 1
    return count


def create_postgresql(connection: psycopg.Connection[tuple[Any, ...]], name: str) -> None:
    """Create a database in which a commit need not wait for the disk."""
    connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0 ENCODING UTF8'.encode())
    connection.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off'.encode())


def drop_postgresql(connection: psycopg.Connection[tuple[Any, ...]], name: str) -> None:
    """Drop a database, whoever is still connected to it."""
    connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())


@contextmanager
def opened(url: str, model: Model | None = None) -> Iterator[Database]:
    """Open a database in iTop's default timezone, with the bundled model; closed at the end."""
    database = open_database(url, model or bundled_model(), PARIS)
    try:
        yield database
    finally:
        database.close()
