"""iTop's sample database, on every engine, and empty databases with the bundled schema.

MariaDB: each process loads the dump once; a test gets a database whose touched tables are put back afterwards.
SQLite: ``db copy`` fills a file from the dump on MariaDB once per machine (keyed by dump, schema and the copying
code); each test gets a copy of the file. PostgreSQL: each process copies that file into a database that what tests did
is undone in (``postgresql_pool``).
"""

from __future__ import annotations

import atexit
import fcntl
import gzip
import hashlib
import os
import re
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path

from pymysql.cursors import Cursor

from itopd.database import Database, copying
from itopd.database.copying import CopyRequest, copy_database
from itopd.database.ddl import create_statements
from itopd.database.tables import define_table
from itopd.datamodel import bundled_model
from tests.support.postgresql_pool import Pool
from tests.support.servers import (
    HOST,
    MARIADB_PORT,
    admin_connection,
    empty_mariadb,
    mariadb_url,
    new_name,
    opened,
    require,
)

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT.parent / "shared" / "reference" / "itop-3.2"
DUMP = REFERENCE / "sample.sql.gz"


def require_shared() -> None:
    """Skip (fail in CI) when the reference data is not there."""
    require(DUMP.exists(), f"the reference data {DUMP}")


@contextmanager
def new_sqlite(folder: Path) -> Iterator[Database]:
    """Give an empty SQLite database with the bundled schema, in ``folder``."""
    with opened(f"sqlite:///{_copy(_prepared_sqlite(with_sample=False), folder)}") as database:
        yield database


@contextmanager
def sample_sqlite(folder: Path) -> Iterator[Database]:
    """Give a copy of the sample on SQLite, in ``folder``."""
    require_shared()
    with opened(f"sqlite:///{_copy(_prepared_sqlite(with_sample=True), folder)}") as database:
        yield database


@contextmanager
def new_mariadb() -> Iterator[Database]:
    """Give an empty MariaDB database with the bundled schema; its tables are emptied for the next test."""
    with _pooled(with_sample=False) as database:
        yield database


@contextmanager
def sample_mariadb() -> Iterator[Database]:
    """Give the sample on MariaDB; tables that were touched are put back for the next test."""
    require_shared()
    with _pooled(with_sample=True) as database:
        yield database


@contextmanager
def new_postgresql() -> Iterator[Database]:
    """Give an empty PostgreSQL database with the bundled schema; what is done to it is undone for the next test."""
    with _EMPTY.database() as database:
        yield database


@contextmanager
def sample_postgresql() -> Iterator[Database]:
    """Give the sample on PostgreSQL; what is done to it is undone for the next test."""
    require_shared()
    with _SAMPLE.database() as database:
        yield database


@contextmanager
def fresh_sample_mariadb() -> Iterator[Database]:
    """Give the sample on MariaDB as the dump makes it, in a database of its own that is dropped afterwards."""
    require_shared()
    with empty_mariadb() as name:
        load_dump(name)
        with opened(mariadb_url(name)) as database:
            yield database


def load_dump(name: str) -> None:
    """Load the dump into an empty database of the server, as it is."""
    subprocess.run(
        ["mariadb", f"--host={HOST}", f"--port={MARIADB_PORT}", "--user=root", name],
        input=gzip.decompress(DUMP.read_bytes()),
        check=True,
    )


def _copy(prepared: Path, folder: Path) -> Path:
    target = folder / f"{secrets.token_hex(4)}.db"
    shutil.copyfile(prepared, target)
    return target


@cache
def _prepared_sqlite(*, with_sample: bool) -> Path:
    """Return the prepared file, made when there is none for this dump and this schema."""
    definitions = [define_table(cls) for cls in bundled_model().values() if cls.table]
    statements = [statement for d in definitions for statement in create_statements("sqlite", d, "")]
    key = hashlib.sha256("\n".join(statements).encode())
    key.update(Path(__file__).read_bytes())
    if with_sample:
        for module in sorted(Path(copying.__path__[0]).glob("*.py")):
            key.update(module.read_bytes())
        key.update(str(DUMP.stat().st_mtime_ns).encode())
    folder = Path(tempfile.gettempdir()) / f"itopd-test-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    target = folder / f"{'sample' if with_sample else 'empty'}-{key.hexdigest()[:16]}.db"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            draft = target.with_suffix(".draft")
            draft.unlink(missing_ok=True)
            with opened(f"sqlite:///{draft}") as fresh:
                if with_sample:
                    with fresh_sample_mariadb() as loaded:
                        copy_database(loaded, fresh, CopyRequest(verify=True))
                else:
                    fresh.create_schema()
            draft.rename(target)
    return target


def _copy_prepared(database: Database) -> None:
    with opened(f"sqlite:///{_prepared_sqlite(with_sample=True)}") as prepared:
        copy_database(prepared, database, CopyRequest())


_EMPTY = Pool(Database.create_schema)
_SAMPLE = Pool(_copy_prepared)


class _MariadbPool:
    """A database on the server whose touched tables are put back after each use.

    Making a table costs the server files and waits for the disk, so rows are replaced, and a table is made anew only
    when its definition changed. The rows of the tables that hold some at the start lie in a second database.
    """

    def __init__(self, *, with_sample: bool) -> None:
        self.work = new_name("work")
        self._rows = new_name("rows")
        atexit.register(self.drop)
        with admin_connection() as connection, connection.cursor() as cursor:
            for name in (self.work, self._rows):
                cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
            if with_sample:
                load_dump(self.work)
            else:
                with opened(mariadb_url(self.work)) as database:
                    database.create_schema()
            self._start = self._state(cursor)
            self._definitions = {name: self._definition(cursor, name) for name in self._start}
            self._filled = {name for name, state in self._start.items() if state.checksum}
            for name in self._filled:
                cursor.execute(f"CREATE TABLE `{self._rows}`.`{name}` AS SELECT * FROM `{self.work}`.`{name}`")
            self._since = self._moment(cursor)

    def restore(self) -> None:
        """Put back every table that is not as it was, and drop those that were not there."""
        with admin_connection() as connection, connection.cursor() as cursor:
            cursor.execute(f"USE {self.work}")
            cursor.execute("SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO', lock_wait_timeout = 20")
            now = self._state(cursor)
            for name in now.keys() - self._start.keys():
                cursor.execute(f"DROP TABLE `{name}`")
            changed = {name for name in self._start if name not in now or self._is_changed(cursor, name, now[name])}
            for name in changed:
                cursor.execute(f"DROP TABLE IF EXISTS `{name}`")
                cursor.execute(self._definitions[name])
            touched = [name for name, state in self._start.items() if name in changed or now[name] != state]
            connection.begin()
            for name in touched:
                cursor.execute(f"DELETE FROM `{name}`")
                if name in self._filled:
                    cursor.execute(f"INSERT INTO `{name}` SELECT * FROM `{self._rows}`.`{name}`")
            connection.commit()
            for name in touched:
                counter = self._start[name].counter
                if counter is not None and (name in changed or now[name].counter != counter):
                    cursor.execute(f"ALTER TABLE `{name}` AUTO_INCREMENT = {counter}")
            self._since = self._moment(cursor)

    def drop(self) -> None:
        with admin_connection() as connection, connection.cursor() as cursor:
            for name in (self.work, self._rows):
                cursor.execute(f"DROP DATABASE IF EXISTS {name}")

    def _state(self, cursor: Cursor) -> dict[str, _State]:
        cursor.execute(
            "SELECT table_name, auto_increment, create_time FROM information_schema.tables WHERE table_schema = %s",
            (self.work,),
        )
        rest = {name: others for name, *others in cursor.fetchall()}
        if not rest:
            return {}
        cursor.execute("CHECKSUM TABLE " + ", ".join(f"`{self.work}`.`{name}`" for name in rest))
        checksums = {name.split(".", 1)[1]: checksum for name, checksum in cursor.fetchall()}
        return {name: _State(checksums[name], *others) for name, others in rest.items()}

    def _moment(self, cursor: Cursor) -> datetime:
        """Return the server's time, a second early: from when on a definition may have changed."""
        cursor.execute("SELECT NOW() - INTERVAL 1 SECOND")
        ((moment,),) = cursor.fetchall()
        return moment  # type: ignore[no-any-return]

    def _is_changed(self, cursor: Cursor, name: str, now: _State) -> bool:
        return now.made >= self._since and self._definition(cursor, name) != self._definitions[name]

    def _definition(self, cursor: Cursor, name: str) -> str:
        """Return the statement that makes a table, without where its counter stands."""
        cursor.execute(f"SHOW CREATE TABLE `{self.work}`.`{name}`")
        ((_, statement),) = cursor.fetchall()
        return re.sub(r" AUTO_INCREMENT=\d+", "", statement)


@dataclass(frozen=True, slots=True)
class _State:
    """What tells whether a table was touched."""

    checksum: int
    counter: int | None
    """The next id that the server would give."""
    made: datetime = field(compare=False)
    """When it got its present definition, to the second."""


_idle: dict[bool, list[_MariadbPool]] = {True: [], False: []}


@contextmanager
def _pooled(*, with_sample: bool) -> Iterator[Database]:
    idle = _idle[with_sample]
    pool = idle.pop() if idle else _MariadbPool(with_sample=with_sample)
    try:
        with opened(mariadb_url(pool.work)) as database:
            yield database
    finally:
        pool.restore()
        idle.append(pool)
