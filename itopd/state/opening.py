"""Opening the state store: engine, database, schema."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection

from itopd.database.postgresql import postgresql_engine
from itopd.database.unchecked_tls import connect_quickly
from itopd.errors import DatabaseError, SettingsError
from itopd.settings.urls import masked
from itopd.state import served
from itopd.state.store import StateStore, reason_of
from itopd.state.tables import VERSION_TABLE

SCHEMA = "0008"
"""The newest migration; a test compares it with the migrations themselves."""

_DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "mariadb+pymysql": "mysql+pymysql",
    "mariadb+mysqldb": "mysql+mysqldb",
}
_BUSY_SECONDS = 30
_MIGRATION_LOCK = "itopd.state.migration"
_NOT_THERE = frozenset({1044, 1049})
"""Unknown database; to an account without rights a server says "access denied to database" instead."""
_NOT_ALLOWED = frozenset({1044, 1142, 1227})

POSTGRESQL_SCHEMA = "itopd_state"
"""Where the store lies in a PostgreSQL database, iTop's own for example.

A schema called ``itopd`` would be the first that an account of that name searches: iTop's tables would be made there.
"""
_POSTGRESQL_SESSION = f"SET search_path = {POSTGRESQL_SCHEMA}; SET lock_timeout = '{_BUSY_SECONDS}s'; SET jit = off"
_INSUFFICIENT_PRIVILEGE = "42501"


def open_state(url: str, serves: str = "") -> StateStore:
    """Open the state store at ``url`` and bring its schema up to date.

    ``sqlite:///path/to/state.sqlite`` (the file is made), ``mysql://user:password@host/itopd`` (the database is made
    if the account may) or ``postgresql://user:password@host/database`` (in which the schema ``itopd_state`` is made;
    it may be iTop's database). ``serves`` is the identity of the iTop database that it is for; a store that serves
    another one is refused. Raises :class:`RefusedError` for that, :class:`SettingsError` for another kind of URL,
    :class:`DatabaseError` when the store cannot be reached, made, or was written by a newer itopd.
    """
    parsed = _parse(url)
    shown = masked(parsed.render_as_string(hide_password=True))
    try:
        engine = _ENGINES[parsed.get_backend_name()](parsed)
    except (sa.exc.NoSuchModuleError, ModuleNotFoundError) as error:
        raise SettingsError(f"state_url: its driver is missing ({error}); install it or use mysql://") from None
    store = StateStore(engine, shown)
    try:
        if parsed.get_backend_name() == "mysql":
            _make_database(store, parsed)
        elif parsed.get_backend_name() == "postgresql":
            _make_schema(store, parsed)
        if _version(store) != SCHEMA:
            _migrate(store)
        if serves:
            served.require(store, serves)
    except sa.exc.DBAPIError as error:
        store.close()
        raise DatabaseError(f"the state store {shown} (state_url) cannot be opened: {reason_of(error)}") from error
    except BaseException:
        store.close()
        raise
    return store


def _parse(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
        backend = parsed.get_backend_name()
    except (sa.exc.ArgumentError, ValueError):  # the latter for a port that is no number: it may be a password's end
        raise SettingsError(
            "state_url is no database URL; write sqlite:///path, postgresql://user@host/database or "
            "mysql://user@host/itopd"
        ) from None
    if backend not in ("sqlite", "postgresql", "mysql", "mariadb"):
        raise SettingsError(
            f"state_url: {backend} is not supported; use a SQLite file, or a database of PostgreSQL, MariaDB or MySQL"
        )
    if backend == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise SettingsError("state_url: a SQLite state store needs a file, since several processes share it")
    if backend != "sqlite" and not parsed.database:
        parsed = parsed.set(database="itopd")
    return parsed.set(drivername=_DRIVERS.get(parsed.drivername, parsed.drivername))


def _sqlite_engine(url: sa.URL) -> sa.Engine:
    folder = Path(str(url.database)).absolute().parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseError(f"the folder of the state store, {folder}, cannot be made: {error.strerror}") from error
    engine = sa.create_engine(url, connect_args={"timeout": _BUSY_SECONDS}, hide_parameters=True)

    @sa.event.listens_for(engine, "connect")
    def _connect(connection: DBAPIConnection, _record: object) -> None:
        connection.isolation_level = None  # transactions are begun below, not by the driver
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")  # a run that is recorded as done survives a power cut
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(str(connection.get_execution_options().get("itopd_begin", "BEGIN")))

    return engine


def _mysql_engine(url: sa.URL) -> sa.Engine:
    query = {"charset": "utf8mb4"} | dict(url.query)
    arguments: dict[str, Any] = {"connect_timeout": 10, "read_timeout": _BUSY_SECONDS * 2}
    engine = sa.create_engine(
        url.set(query=query),
        isolation_level="READ COMMITTED",  # no gap locks: claims of different runs do not wait for each other
        pool_pre_ping=True,
        pool_recycle=3600,
        hide_parameters=True,
        connect_args=arguments,
    )
    connect_quickly(engine)
    return engine


def _make_database(store: StateStore, url: sa.URL) -> None:
    """Create the database when it is missing."""
    try:
        with store.engine.connect():
            return
    except sa.exc.OperationalError as error:
        if _code(error) not in _NOT_THERE:
            raise
    create = f"CREATE DATABASE IF NOT EXISTS `{url.database}` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    server = _mysql_engine(url._replace(database=None))
    try:
        with server.connect() as connection:
            connection.exec_driver_sql(create)
    except sa.exc.DBAPIError as error:
        if _code(error) not in _NOT_ALLOWED:
            raise
        raise DatabaseError(
            f"the state store's database {url.database} does not exist, or is not open to this account, which may not "
            f"create it ({reason_of(error)}); let an administrator run: {create}; GRANT ALL ON `{url.database}`.* "
            f"TO '{url.username}'; or name another database in state_url"
        ) from error
    finally:
        server.dispose()


def _postgresql_engine(url: sa.URL) -> sa.Engine:
    if url.get_driver_name() != "psycopg":
        raise SettingsError("state_url: itopd reaches PostgreSQL with psycopg 3 alone; write postgresql://")
    return postgresql_engine(url, _POSTGRESQL_SESSION)


_ENGINES: dict[str, Callable[[sa.URL], sa.Engine]] = {
    "sqlite": _sqlite_engine,
    "postgresql": _postgresql_engine,
    "mysql": _mysql_engine,
}


def _make_schema(store: StateStore, url: sa.URL) -> None:
    """Create the schema when it is missing."""
    create = f"CREATE SCHEMA {POSTGRESQL_SCHEMA}"
    try:
        with store.engine.begin() as connection:
            _wait_for_turn(connection)
            if connection.scalar(sa.select(sa.func.to_regnamespace(POSTGRESQL_SCHEMA))) is None:
                connection.exec_driver_sql(create)
    except sa.exc.DBAPIError as error:
        if getattr(error.orig, "sqlstate", "") != _INSUFFICIENT_PRIVILEGE:
            raise
        raise DatabaseError(
            f"the state store's schema {POSTGRESQL_SCHEMA} is not there, and this account may not create it "
            f"({reason_of(error)}); let an administrator run in the database {url.database}: {create} "
            f'AUTHORIZATION "{url.username}"; or name another database in state_url'
        ) from error


def _wait_for_turn(connection: sa.Connection) -> None:
    """Let one transaction at a time make or migrate a store in this PostgreSQL database."""
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(_MIGRATION_LOCK))))


def _version(store: StateStore) -> str | None:
    with store.read() as connection:
        if not sa.inspect(connection).has_table(VERSION_TABLE):
            return None
        return connection.execute(sa.text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608


def _migrate(store: StateStore) -> None:
    """Bring the schema up to date; of several processes one does it, the others wait for it."""
    from itopd.state.migrating import upgrade  # noqa: PLC0415 - alembic costs 0.2 s that an up-to-date store saves

    with store.write() as connection:
        if connection.dialect.name == "postgresql":
            _wait_for_turn(connection)
        on_mysql = connection.dialect.name == "mysql"  # SQLite: the write transaction is the lock
        if on_mysql:
            taken = connection.execute(sa.select(sa.func.get_lock(_MIGRATION_LOCK, _BUSY_SECONDS))).scalar()
            if taken != 1:
                raise DatabaseError(f"another process migrates the state store {store.url} since long; try again")
        try:
            upgrade(connection, store.url)
        finally:
            if on_mysql:
                connection.execute(sa.select(sa.func.release_lock(_MIGRATION_LOCK)))


def _code(error: sa.exc.DBAPIError) -> object:
    return error.orig.args[0] if error.orig is not None and error.orig.args else None
