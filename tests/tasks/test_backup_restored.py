"""What was backed up comes back as it was, on every engine; what cannot be restored leaves what was there."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from itopd.backups import Pace, Programs, RestorePlan, create_backup, restore_backup
from itopd.clock import FixedClock
from itopd.database import Database
from itopd.database.copying import require_finished
from itopd.database.copying.fingerprint import Fingerprint
from itopd.errors import ConflictError, DatabaseError, RefusedError
from tests.cli.calls import wait_until
from tests.support.engines import empty_database, new_database
from tests.tasks.test_backup import plan, program
from tests.tasks.work import NOW

ENGINE = {"sqlite": "sqlite", "mysql": "mariadb", "postgresql": "postgresql"}


def backed_up(database: Database, tmp_path: Path) -> Path:
    return create_backup(database, plan(tmp_path / "b"), FixedClock(NOW), Pace())


def restored(database: Database, file: Path, tmp_path: Path, **options: object) -> None:
    wanted = RestorePlan(file, tmp_path, "production", **options)  # type: ignore[arg-type]
    restore_backup(database, wanted, Pace())


def content(database: Database) -> dict[str, Fingerprint]:
    found = {}
    with database.read() as connection:
        for definition in database.definitions():
            table = sa.table(database.prefix + definition.name, sa.column(definition.key_column))
            query = sa.select(sa.text("*")).select_from(table).order_by(table.c[definition.key_column])
            found[definition.name] = Fingerprint()
            found[definition.name].add(list(map(tuple, connection.execute(query))), with_digest=True)
    return found


def properties(database: Database) -> list[str]:
    table = database.table("DBProperty")
    with database.read() as connection:
        return list(connection.scalars(sa.select(table.c.name).order_by(table.c.name)))


def note(database: Database, *names: str) -> None:
    with database.write() as connection:
        for name, id_ in zip(names, database.allocate_ids(connection, "DBProperty", len(names)), strict=True):
            connection.execute(sa.insert(database.table("DBProperty")).values(id=id_, name=name, value="x"))


def test_every_row_comes_back(sample: Database, tmp_path: Path) -> None:
    before = content(sample)
    assert sum(one.rows for one in before.values()) > 1000
    file = backed_up(sample, tmp_path)
    with empty_database(ENGINE[sample.dialect], tmp_path, sample.model) as other:
        restored(other, file, tmp_path)
        after = content(other)
        assert [name for name in before if before[name].difference(after[name])] == []
        assert other.missing() == []
        note(other, "new")  # numbering goes on
        with pytest.raises(RefusedError, match="not empty"):
            restored(other, file, tmp_path)
    assert [path.name for path in tmp_path.glob(".tmp-backup-*")] == []


def test_a_backup_is_one_state_while_others_write(database: Database, tmp_path: Path) -> None:
    table, other = database.table("DBProperty"), database.table("KeyValueStore")
    written: list[str] = []
    enough = threading.Event()

    def write() -> None:
        while not enough.is_set():
            name = f"{len(written):06}"
            with database.write() as connection:
                (first,) = database.allocate_ids(connection, "DBProperty", 1)
                connection.execute(sa.insert(table).values(id=first, name=name, value="x"))
                (second,) = database.allocate_ids(connection, "KeyValueStore", 1)
                connection.execute(sa.insert(other).values(id=second, namespace="n", key_name=name, value="x"))
            written.append(name)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        wait_until(lambda: len(written) > 5, "the first rows")
        file = backed_up(database, tmp_path)
        then = len(written)
        wait_until(lambda: len(written) > then, "rows after the backup")
    finally:
        enough.set()
        writer.join()
    with empty_database(ENGINE[database.dialect], tmp_path) as copy:
        restored(copy, file, tmp_path)
        found = properties(copy)
        with copy.read() as connection:
            keys = copy.table("KeyValueStore").c.key_name
            assert list(connection.scalars(sa.select(keys).order_by(keys))) == found
        assert found == written[: len(found)]
        assert 5 < len(found) < len(written)


@pytest.mark.mariadb
def test_half_a_restore_on_mariadb_is_worked_on_by_nobody(tmp_path: Path) -> None:
    real = shutil.which("mariadb")
    half = program(tmp_path / "bin", "mariadb", f'head -n 200 | {real} "$@"; echo cut >&2; exit 9')
    with new_database("mariadb", tmp_path) as database:
        note(database, "kept")
        file = backed_up(database, tmp_path)
        with pytest.raises(DatabaseError, match=r"holds half of the backup.*--replace.*cut"):
            restored(database, file, tmp_path, replace=True, programs=Programs(mysql=str(half)))
        with pytest.raises(RefusedError, match="restore again with --replace"):
            require_finished(database)
        restored(database, file, tmp_path, replace=True)
        require_finished(database)
        assert (properties(database), database.missing()) == (["kept"], [])


@pytest.mark.postgresql
def test_a_restore_on_postgresql_that_fails_changes_nothing(tmp_path: Path) -> None:
    real = shutil.which("psql")
    failing = program(tmp_path / "bin", "psql", f'(cat; echo "SELECT nonsense;") | {real} "$@"')
    with new_database("postgresql", tmp_path) as database:
        note(database, "old")
        file = backed_up(database, tmp_path)
        note(database, "later")
        with pytest.raises(DatabaseError, match=r"is as it was: psql failed.*nonsense"):
            restored(database, file, tmp_path, replace=True, programs=Programs(postgresql=str(failing)))
        assert (properties(database), database.missing()) == (["later", "old"], [])
        restored(database, file, tmp_path, replace=True)
        assert (properties(database), database.missing()) == (["old"], [])


def test_a_sqlite_file_that_somebody_reads_stays_what_it_is(tmp_path: Path) -> None:
    with new_database("sqlite", tmp_path) as database:
        note(database, "old")
        file = backed_up(database, tmp_path)
        note(database, "later")
        with closing(sqlite3.connect(database.name)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
            with pytest.raises(ConflictError, match=r"has .* open"):
                restored(database, file, tmp_path, replace=True)
        assert properties(database) == ["later", "old"]
        restored(database, file, tmp_path, replace=True)
        assert properties(database) == ["old"]
        assert list(tmp_path.glob("*.restore-*")) == []


def test_only_what_fits_is_restored(tmp_path: Path) -> None:
    with new_database("sqlite", tmp_path) as database:
        file = backed_up(database, tmp_path)
        with empty_database("sqlite", tmp_path) as empty:
            prefixed = Database(empty.engine, empty.model, empty.timezone, "itop_")
            with pytest.raises(RefusedError, match="another table prefix"):
                restored(prefixed, file, tmp_path)
            with (
                database.named_lock("backup.production"),
                pytest.raises(ConflictError),
            ):
                restored(database, file, tmp_path, replace=True)
            with (
                database.named_lock("cron"),
                pytest.raises(ConflictError, match=r"cron\.php is at work"),
            ):
                restored(database, file, tmp_path, replace=True)


@pytest.mark.parametrize("engine", [pytest.param("mariadb", marks=pytest.mark.mariadb)])
def test_with_a_prefix_the_other_tables_stay(engine: str, tmp_path: Path) -> None:
    with empty_database(engine, tmp_path) as whole:
        prefixed = Database(whole.engine, whole.model, whole.timezone, "p_")
        with whole.write() as connection:
            connection.exec_driver_sql("CREATE TABLE others (id INT)")
        prefixed.create_schema()
        note(prefixed, "old")
        file = backed_up(prefixed, tmp_path)
        note(prefixed, "later")
        with whole.write() as connection:
            connection.exec_driver_sql("INSERT INTO others VALUES (7)")
        restored(prefixed, file, tmp_path, replace=True)
        assert (properties(prefixed), prefixed.missing()) == (["old"], [])
        with whole.read() as connection:
            assert connection.exec_driver_sql("SELECT id FROM others").scalar() == 7
