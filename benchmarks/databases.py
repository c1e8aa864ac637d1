"""Databases of their own for the jobs, filled as a new installation is, and gone afterwards."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import sqlalchemy as sa

from benchmarks.persons import ORGANIZATIONS
from itopd.clock import SystemClock
from itopd.database import Database
from itopd.errors import ItopdError
from itopd.installation import Administrator, install, new_password
from itopd.settings import Settings, load_settings
from itopd.tasks.background_rows import BackgroundTaskRows
from itopd.wiring import open_configured_database, writer_of
from itopd.writing import Change, Create

HOST = "127.0.0.1"

SQLITE = "SQLite"
POSTGRESQL = "PostgreSQL"
MARIADB = "MariaDB"
ENGINES = (SQLITE, POSTGRESQL, MARIADB)
PORTS = {POSTGRESQL: 5432, MARIADB: 3306}
USERS = {POSTGRESQL: "postgres", MARIADB: "root"}


class ServerMissing(ItopdError):
    """A server that a benchmark needs does not answer."""

    exit_code = 66
    kind = "missing_server"


@dataclass(frozen=True, slots=True)
class Place:
    """One database with everything around it."""

    engine: str
    url: str
    folder: Path
    """For the state store and the files that jobs write."""

    @property
    def settings(self) -> Settings:
        """Return the settings of an itopd that works on this database, and on nothing else."""
        overrides = {
            "database_url": self.url,
            "state_url": f"sqlite:///{self.folder}/state.db",
            "data_folder": str(self.folder),
            "jobs_folder": str(self.folder),
        }
        return load_settings([], overrides, {}).settings


def require_server(engine: str) -> None:
    """Raise :class:`ServerMissing` when an engine's server cannot be used; SQLite has none."""
    if engine == SQLITE:
        return
    try:
        _admin(engine).close()
    except (pymysql.err.OperationalError, psycopg.OperationalError) as error:
        raise ServerMissing(
            f"{engine} at {HOST}:{PORTS[engine]} (user {USERS[engine]}, no password) cannot be used: {error}"
        ) from None


@contextmanager
def new_place(engine: str, folder: Path) -> Iterator[Place]:
    """Give a new installation with its organizations; a database on the server is dropped at the end."""
    folder.mkdir(parents=True)
    if engine == SQLITE:
        place = Place(engine, f"sqlite:///{folder}/itop.db", folder)
        _fill(place)
        yield place
        return
    name = f"itopd_bench_{os.getpid()}_{secrets.token_hex(4)}"
    options = "CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci" if engine == MARIADB else "ENCODING UTF8"
    with closing(_admin(engine)) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} {options}")
    try:
        place = Place(engine, f"{engine.lower()}://{USERS[engine]}@{HOST}:{PORTS[engine]}/{name}", folder)
        _fill(place)
        yield place
    finally:
        with closing(_admin(engine)) as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name}")


def _admin(engine: str) -> Any:
    host: dict[str, Any] = {"host": HOST, "port": PORTS[engine], "user": USERS[engine], "connect_timeout": 5}
    if engine == POSTGRESQL:
        return psycopg.connect(**host, dbname="postgres", autocommit=True)
    return pymysql.connect(**host)


def _fill(place: Place) -> None:
    settings, clock = place.settings, SystemClock()
    with opened(place) as database:
        writer = writer_of(database, settings.rules, clock)
        install(database, writer, clock, Administrator("admin", new_password()))
        with database.write() as connection:
            intents = [Create("Organization", {"name": name}) for name in ORGANIZATIONS]
            writer.write(connection, intents, Change("benchmarks"))


@contextmanager
def opened(place: Place) -> Iterator[Database]:
    """Open the database as itopd does; closed at the end."""
    database = open_configured_database(place.settings)
    try:
        yield database
    finally:
        database.close()


def plan_tasks(place: Place, ahead: timedelta) -> None:
    """Make all background tasks due in a while, or now."""
    due = datetime.now(UTC).replace(microsecond=0) + ahead
    with opened(place) as database:
        rows = BackgroundTaskRows(database)
        for row in rows.read():
            rows.update(row.class_name, {"next_run_date": due})


def counted_rows(place: Place) -> dict[str, int]:
    """Return the number of rows of every table that has any."""
    with opened(place) as database, database.read() as connection:
        tables = {d.name: database.table(cls.name) for cls in database.model.values() if cls.table
                  for d in [database.definition(cls.name)]}  # fmt: skip
        counts = {name: connection.scalar(sa.select(sa.func.count()).select_from(tables[name])) for name in tables}
    return {name: count for name, count in counts.items() if count}


def persons_of(place: Place) -> list[tuple[Any, ...]]:
    """Return what is stored of every person but its id, in the order of their addresses."""
    with opened(place) as database, database.read() as connection:
        contact, person = database.table("Contact"), database.table("Person")
        columns = [column for column in (*contact.c, *person.c) if column.name != "id"]
        query = sa.select(*columns).join_from(contact, person, contact.c.id == person.c.id)
        return sorted(map(tuple, connection.execute(query)), key=repr)
