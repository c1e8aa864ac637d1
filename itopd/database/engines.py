"""Opening a database: one engine per URL, each connection prepared so that all engines answer alike.

Dates come back as text and decimals as :class:`~decimal.Decimal`; text compares as ``utf8mb4_unicode_ci`` does.
Every transaction says what it is for: a reader sees one snapshot, a writer on SQLite takes the write lock at once.
PostgreSQL is :mod:`itopd.database.postgresql`'s.
"""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import quote

import pymysql.converters
import sqlalchemy as sa
from pymysql.constants import FIELD_TYPE
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError

from itopd.database.collation import collation_key
from itopd.database.pools import pooled_engine
from itopd.database.postgresql import open_postgresql
from itopd.database.unchecked_tls import connect_quickly
from itopd.errors import DatabaseError, SettingsError

Purpose = Literal["read", "look", "write"]
PURPOSE: Final = "itopd_purpose"
"""Execution option of a connection: what its transactions are for."""

_BUSY_MILLISECONDS: Final = 30_000
_CONNECT_SECONDS: Final = 10
_CACHE_KIBIBYTES: Final = 16_384
_DRIVERS: Final = {
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "mariadb+pymysql": "mysql+pymysql",
    "mariadb+mysqldb": "mysql+mysqldb",
    "sqlite+pysqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
}
_PORTS: Final = {"mysql": 3306, "postgresql": 5432}
_PLAIN_TEXT: Final = frozenset({FIELD_TYPE.DATE, FIELD_TYPE.DATETIME, FIELD_TYPE.TIMESTAMP, FIELD_TYPE.TIME})
_SESSION: Final = (
    "SET NAMES utf8mb4 COLLATE utf8mb4_unicode_ci, "
    "SESSION sql_mode = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'"
    "/*M!100318 , SESSION in_predicate_conversion_threshold = 0 */"
)
"""The last part is MariaDB's alone: it makes a joined table of a list of 1,000 values, five times slower to look up."""

sqlite3.register_adapter(Decimal, str)


def open_engine(url: str, *, read_only: bool = False) -> Engine:
    """Return an engine for a URL; nothing is connected yet. ``read_only``: a file must be there, and is not written to.

    Known are ``sqlite:///path``, ``postgresql://`` (psycopg 3), ``mysql://`` and ``mariadb://`` (PyMySQL, or
    ``mysql+mysqldb://`` for mysqlclient).
    Raises :class:`SettingsError` for a URL that cannot be read, :class:`DatabaseError` for an engine that itopd does
    not run on.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # the latter for a port that is no number; its text may hold the password
        raise SettingsError(
            "the database URL cannot be read; write sqlite:///path/to/file, "
            "postgresql://user:password@host:5432/database or mysql://user:password@host:3306/database "
            "(in a password, write @ as %40, : as %3A and / as %2F)"
        ) from None
    parsed = parsed.set(drivername=_DRIVERS.get(parsed.drivername, parsed.drivername))
    match parsed.get_backend_name():
        case "sqlite":
            return _sqlite(parsed, read_only=read_only)
        case "mysql":
            return _mysql(parsed)
        case "postgresql":
            if parsed.get_driver_name() != "psycopg":
                raise DatabaseError("itopd reaches PostgreSQL with psycopg 3 alone; write postgresql://")
            return open_postgresql(parsed, PURPOSE)
        case other:
            raise DatabaseError(f"itopd does not run on '{other}'; use a sqlite:///, postgresql:// or mysql:// URL")


def where(url: URL) -> str:
    """Return a URL in words, without its password."""
    if url.get_backend_name() == "sqlite":
        return f"file {url.database}"
    port = url.port or _PORTS.get(url.get_backend_name(), 0)
    return f"database '{url.database}' at {url.host or 'localhost'}:{port} (user '{url.username or ''}')"


def reason(error: DBAPIError) -> str:
    """Return what the database says is wrong, without the values of the row that PostgreSQL adds to it."""
    diagnosis = getattr(error.orig, "diag", None)
    return str(getattr(diagnosis, "message_primary", None) or error.orig)


def _sqlite(url: URL, *, read_only: bool) -> Engine:
    path = url.database
    if not path or path == ":memory:" or path.startswith("file:"):
        raise SettingsError("itopd needs SQLite in a file, as in sqlite:///var/lib/itopd/itop.db")
    folder = Path(path).absolute().parent
    if not folder.is_dir():
        raise DatabaseError(f"the folder {folder} of the database file does not exist; create it")
    if read_only and not Path(path).is_file():
        raise DatabaseError(f"the database file {path} does not exist; correct its URL")
    engine = sa.create_engine(
        url,
        connect_args={"timeout": _BUSY_MILLISECONDS / 1000},
        hide_parameters=True,
        **({"creator": lambda: _open_for_reading(path)} if read_only else {}),
    )

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        connection.create_function("itop_key", 1, _nullable_key, deterministic=True)
        cursor = connection.cursor()
        if not read_only:
            cursor.execute("PRAGMA journal_mode = WAL")
        # NORMAL would lose the last commits in a power cut: mails sent again, rows "running" for ever.
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute(f"PRAGMA cache_size = -{_CACHE_KIBIBYTES}")
        cursor.execute("PRAGMA temp_store = FILE")  # so that sorting a million rows takes no more memory than a few
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        purpose = connection.get_execution_options().get(PURPOSE)
        if purpose != "look":
            connection.exec_driver_sql("BEGIN IMMEDIATE" if purpose == "write" else "BEGIN")

    return engine


def _open_for_reading(path: str) -> sqlite3.Connection:
    uri = f"file:{quote(str(Path(path).absolute()))}?mode=ro"
    return sqlite3.connect(uri, uri=True, timeout=_BUSY_MILLISECONDS / 1000, check_same_thread=False)


def _nullable_key(text: object) -> bytes | None:
    return None if text is None else collation_key(text if isinstance(text, str) else str(text))


def _mysql(url: URL) -> Engine:
    authority = url.query.get("ssl_ca")
    if isinstance(authority, str) and not Path(authority).is_file():
        raise SettingsError(
            f"the authority of the encrypted database connection (db_tls.ca or ssl_ca), {authority}, is no file that "
            "this account may read: correct it"
        )
    arguments: dict[str, Any] = {"charset": "utf8mb4", "connect_timeout": _CONNECT_SECONDS}
    if url.get_driver_name() == "pymysql":
        converters: dict[Any, Any] = pymysql.converters.conversions
        arguments["conv"] = {kind: convert for kind, convert in converters.items() if kind not in _PLAIN_TEXT}
    engine = pooled_engine(
        url, arguments, without_driver="install it or use mysql://", isolation_level="REPEATABLE READ"
    )
    connect_quickly(engine)

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: DBAPIConnection, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(_SESSION)
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get(PURPOSE) == "read":
            connection.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")

    return engine
