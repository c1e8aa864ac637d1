"""iTop's named locks."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from itopd.database import Database, mutex_name, open_database
from itopd.database.locks import advisory_numbers
from itopd.datamodel import Model
from itopd.errors import ConflictError, DatabaseError
from tests.support.sample import new_mariadb, new_postgresql, new_sqlite


def test_the_suffix_is_appended_once() -> None:
    assert mutex_name("cron", "itop_cron") == mutex_name("cronitop_cron", "itop_cron")
    assert mutex_name("cron", "itop_cron") == "itop.41a496390b21ea196c547167f5a8e956"


def test_a_lock_excludes_others_until_it_is_given_back(database: Database) -> None:
    for _ in range(2):
        with database.named_lock("cron") as lock:
            lock.check()
            with pytest.raises(ConflictError, match="'cron' is already running"), database.named_lock("cron"):
                pass
            with database.named_lock("backup.production"):
                pass


def test_a_lock_is_given_back_when_its_work_fails(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.named_lock("cron"):
        raise ZeroDivisionError
    with database.named_lock("cron"):
        pass


def test_waiting_for_a_lock_ends(database: Database) -> None:
    with database.named_lock("cron"):
        start = time.monotonic()
        with pytest.raises(ConflictError), database.named_lock("cron", wait=1):
            pass
        assert time.monotonic() - start >= 0.9


@pytest.mark.mariadb
def test_it_is_the_lock_that_itop_takes() -> None:
    with new_mariadb() as database, database.connect() as itop:
        name = mutex_name("cron", database.name)
        assert itop.scalar(sa.text("SELECT GET_LOCK(:name, 0)"), {"name": name}) == 1
        with pytest.raises(ConflictError, match="held by connection"), database.named_lock("cron"):
            pass


@pytest.mark.postgresql
def test_on_postgresql_it_is_an_advisory_lock_that_names_its_holder() -> None:
    with new_postgresql() as database, database.connect() as other:
        numbers = advisory_numbers(mutex_name("cron", database.name))
        holder = other.scalar(sa.text("SELECT pg_backend_pid() FROM pg_advisory_lock(:high, :low)"), numbers)
        for wait in (0, 0.05):
            with (
                pytest.raises(ConflictError, match=f"held by process {holder} of the server"),
                database.named_lock("cron", wait),
            ):
                pass


@pytest.mark.postgresql
def test_who_waited_for_a_lock_in_vain_leaves_no_connection_that_waits_less() -> None:
    with new_postgresql() as database:
        with database.named_lock("cron"), pytest.raises(ConflictError), database.named_lock("cron", wait=0.01):
            pass
        with database.connect() as connection:
            assert connection.scalar(sa.text("SHOW lock_timeout")) == "50s"


@pytest.mark.postgresql
def test_a_lock_lost_with_its_connection_is_noticed_on_postgresql() -> None:
    with new_postgresql() as database, database.named_lock("cron") as lock:
        lock.check()
        kill_holder(database, lock.name)
        for _ in range(3):
            with pytest.raises(ConflictError, match="was lost"):
                lock.check()
        with database.named_lock("cron") as again:
            again.check()
            with pytest.raises(ConflictError, match="was lost"):  # whoever took it meanwhile is not us
                lock.check()


@pytest.mark.mariadb
def test_a_lock_lost_with_its_connection_is_noticed() -> None:
    with new_mariadb() as database, database.named_lock("cron") as lock:
        kill_holder(database, lock.name)
        with pytest.raises(ConflictError, match="was lost"):
            lock.check()


def test_a_lock_on_sqlite_dies_with_its_process(tmp_path: Path) -> None:
    with new_sqlite(tmp_path) as database:
        program = (
            "import sys; from zoneinfo import ZoneInfo; from itopd.database import open_database; "
            "from itopd.datamodel import Model; "
            f"lock = open_database('sqlite:///{database.name}', Model({{}}), ZoneInfo('UTC')).named_lock('cron'); "
            "lock.__enter__(); print('held', flush=True); sys.stdin.read()"
        )
        with subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "held\n"
            with pytest.raises(ConflictError, match=f"held by process {child.pid}"), database.named_lock("cron"):
                pass
            child.kill()
            child.wait()
            with database.named_lock("cron"):
                pass


@pytest.mark.mariadb
def test_a_lost_lock_stays_lost_however_often_one_looks() -> None:
    with new_mariadb() as database, database.named_lock("cron") as lock:
        kill_holder(database, lock.name)
        for _ in range(3):
            with pytest.raises(ConflictError, match="was lost"):
                lock.check()


@pytest.mark.parametrize("scheme", ["mysql", "postgresql"])
def test_a_server_that_is_away_is_a_database_error(scheme: str) -> None:
    database = open_database(f"{scheme}://nobody@127.0.0.1:1/itop", Model({}), ZoneInfo("UTC"))
    with pytest.raises(DatabaseError, match="cannot reach the server for the lock 'cron'"), database.named_lock("cron"):
        pass


def kill_holder(database: Database, name: str) -> None:
    with database.connect() as admin:
        if database.dialect == "postgresql":
            killed = sa.text(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks JOIN pg_database d ON d.oid = database "
                "WHERE locktype = 'advisory' AND d.datname = current_database()"
            )
            assert admin.execute(killed).scalars().all() == [1]
            return
        holder = admin.scalar(sa.text("SELECT IS_USED_LOCK(:name)"), {"name": name})
        admin.exec_driver_sql(f"KILL {holder}")
