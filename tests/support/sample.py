"""iTop's sample database, on every engine, and empty databases with the bundled schema.

MariaDB: each process loads the dump once into a template; a test gets a database whose touched tables are put back
afterwards. SQLite: ``db copy`` fills a file from the dump on MariaDB once per machine (keyed by dump, schema and the
copying code); each test gets a copy of the file. PostgreSQL: each process copies that file into a database that what
tests did is undone in (``postgresql_pool``).
"""

from __future__ import annotations

import atexit
import fcntl
import gzip
import hashlib
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

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
    """A template and a working copy on the server; the copy's touched tables are put back after each use."""

    def __init__(self, *, with_sample: bool) -> None:
        token = secrets.token_hex(6)
        self.template, self.work = f"itopd_test_{token}_template", f"itopd_test_{token}_work"
        atexit.register(self.drop)
        with admin_connection() as connection, connection.cursor() as cursor:
            for name in (self.template, self.work):
                cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
        for name in (self.template, self.work):
            if with_sample:
                load_dump(name)
            else:
                with opened(mariadb_url(name)) as database:
                    database.create_schema()
        self.state = self._state()

    def _state(self) -> dict[str, tuple[int, int]]:
        """Return checksum and counter of every table of the working copy."""
        with admin_connection() as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT table_name, auto_increment FROM information_schema.tables WHERE table_schema = %s", (self.work,)
            )
            counters = dict(cursor.fetchall())
            if not counters:
                return {}
            cursor.execute("CHECKSUM TABLE " + ", ".join(f"`{self.work}`.`{name}`" for name in counters))
            checksums = {name.split(".", 1)[1]: checksum for name, checksum in cursor.fetchall()}
        return {name: (checksums[name], counters[name]) for name in counters}

    def restore(self) -> None:
        """Put back every table that is not as it was, and drop those that were not there."""
        now = self._state()
        with admin_connection() as connection, connection.cursor() as cursor:
            cursor.execute(f"USE {self.work}")
            cursor.execute("SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO', lock_wait_timeout = 20")
            for name in now.keys() - self.state.keys():
                cursor.execute(f"DROP TABLE `{name}`")
            for name, state in self.state.items():
                if now.get(name) != state:
                    cursor.execute(f"CREATE OR REPLACE TABLE `{name}` LIKE `{self.template}`.`{name}`")
                    cursor.execute(f"INSERT INTO `{name}` SELECT * FROM `{self.template}`.`{name}`")
                    if state[1] is not None:
                        cursor.execute(f"ALTER TABLE `{name}` AUTO_INCREMENT = {state[1]}")

    def drop(self) -> None:
        with admin_connection() as connection, connection.cursor() as cursor:
            for name in (self.template, self.work):
                cursor.execute(f"DROP DATABASE IF EXISTS {name}")


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
