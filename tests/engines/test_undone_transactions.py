"""A transaction that the server undoes for the sake of others is done again as a whole, so often and no more."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from itopd.database import Database, Repeats, TransactionUndone, insert_rows, open_database
from itopd.errors import DatabaseError
from tests.support.engines import marked, new_database
from tests.support.servers import PARIS

SERVERS = [marked("mariadb"), marked("postgresql")]
AT_ONCE = Repeats(count=2, pause_ms=0)


@contextmanager
def repeating(engine: str, folder: Path) -> Iterator[Database]:
    """Give a database with two organizations whose undone transactions are repeated twice, at once."""
    with new_database(engine, folder) as made:
        url = made.engine.url.render_as_string(hide_password=False)
        database = open_database(url, made.model, PARIS, repeats=AT_ONCE)
        try:
            with database.write() as connection:
                rows = [(1, "one", 0), (2, "two", 0)]
                insert_rows(connection, database.table("Organization"), ("id", "name", "parent_id"), rows)
            yield database
        finally:
            database.close()


def count_up(connection: sa.Connection, database: Database, row_id: int) -> None:
    table = database.table("Organization")
    connection.execute(sa.update(table).where(table.c.id == row_id).values(parent_id=table.c.parent_id + 1))


def counters(database: Database) -> list[int]:
    table = database.table("Organization")
    with database.read() as connection:
        return list(connection.scalars(sa.select(table.c.parent_id).order_by(table.c.id)))


@pytest.mark.parametrize("engine", SERVERS)
def test_whoever_loses_a_dead_lock_does_all_of_it_again(engine: str, tmp_path: Path) -> None:
    """Two transactions take two rows crosswise: the server undoes one, and in the end both are done, once each."""
    attempts: list[str] = []
    both_hold_one = threading.Barrier(2)

    def crosswise(name: str, first: int, second: int) -> Callable[[sa.Connection], str]:
        def work(connection: sa.Connection) -> str:
            attempts.append(name)
            count_up(connection, database, first)
            if attempts.count(name) == 1:
                both_hold_one.wait(30)
            count_up(connection, database, second)
            return name

        return work

    with repeating(engine, tmp_path) as database, ThreadPoolExecutor(2) as pool:
        works = [pool.submit(database.transact, crosswise(*how)) for how in (("a", 1, 2), ("b", 2, 1))]
        assert [work.result(60) for work in works] == ["a", "b"]
        assert sorted(attempts) in (["a", "a", "b"], ["a", "b", "b"])
        assert counters(database) == [2, 2]


def locks_waited_for_briefly(database: Database) -> None:
    """Let the connections made from now on give up a lock that others keep."""
    wait = {
        "sqlite": "PRAGMA busy_timeout = 10",
        "mysql": "SET SESSION innodb_lock_wait_timeout = 1",
        "postgresql": "SET lock_timeout = '10ms'",
    }[database.dialect]

    @sa.event.listens_for(database.engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.cursor().execute(wait)
        connection.commit()

    database.engine.dispose()


@pytest.mark.parametrize("engine", ["sqlite", *SERVERS])
def test_a_lock_that_others_keep_is_tried_for_again_so_often_and_no_more(engine: str, tmp_path: Path) -> None:
    attempts: list[int] = []

    def work(connection: sa.Connection) -> None:
        attempts.append(1)
        count_up(connection, database, 2)
        count_up(connection, database, 1)

    with repeating(engine, tmp_path) as database:
        locks_waited_for_briefly(database)
        with database.write() as other:
            count_up(other, database, 1)
            with pytest.raises(TransactionUndone) as refused:
                database.transact(work)
        assert refused.value.exit_code == 69
        assert len(attempts) == (0 if engine == "sqlite" else 1 + AT_ONCE.count)  # SQLite does not let it begin
        assert counters(database) == [1, 0]
        database.transact(work)
        assert counters(database) == [2, 1]


def test_what_would_fail_again_is_not_repeated(database: Database) -> None:
    attempts: list[int] = []

    def work(connection: sa.Connection) -> None:
        attempts.append(1)
        insert_rows(connection, database.table("Organization"), ("id",), [(1,), (1,)])

    with pytest.raises(DatabaseError) as refused:
        database.transact(work)
    assert not isinstance(refused.value, TransactionUndone)
    assert attempts == [1]


@pytest.mark.mariadb
def test_a_row_that_changed_since_the_snapshot_is_a_reason_to_begin_anew(tmp_path: Path) -> None:
    """As MariaDB 11 has it by default (``innodb_snapshot_isolation``); of 10 the later releases know it."""
    with repeating("mariadb", tmp_path) as database:
        attempts: list[int] = []

        def work(connection: sa.Connection) -> None:
            attempts.append(1)
            connection.exec_driver_sql("SELECT COUNT(*) FROM organization")  # takes the snapshot
            if len(attempts) == 1:
                with database.write() as other:
                    count_up(other, database, 1)
            count_up(connection, database, 1)

        with database.connect() as connection:
            known = connection.exec_driver_sql("SHOW VARIABLES LIKE 'innodb_snapshot_isolation'").first()
        if known is None:
            pytest.skip("needs a MariaDB that knows innodb_snapshot_isolation")

        @sa.event.listens_for(database.engine, "begin")
        def begin(connection: sa.Connection) -> None:
            connection.exec_driver_sql("SET SESSION innodb_snapshot_isolation = ON")

        database.transact(work)
        assert attempts == [1, 1]
        assert counters(database) == [2, 0]


def test_pauses_grow_with_the_attempts_and_vary_by_chance() -> None:
    """Base times the attempts made times a whole number from 1 to 5, as iTop does."""
    repeats = Repeats(pause_ms=500)
    for attempt in (1, 2, 3):
        pauses = {repeats.pause(attempt) for _ in range(300)}
        assert pauses == {0.5 * attempt * factor for factor in range(1, 6)}


@pytest.mark.parametrize("engine", ["sqlite", marked("postgresql")])
def test_a_commit_that_is_refused_leaves_nothing_open(engine: str, tmp_path: Path) -> None:
    with repeating(engine, tmp_path) as database:

        def end_in_vain() -> None:
            with database.write() as connection:
                count_up(connection, database, 1)
                connection.exec_driver_sql("INSERT INTO child (parent) VALUES (77)")

        with database.write() as connection:
            connection.exec_driver_sql("CREATE TABLE parent (id integer PRIMARY KEY)")
            connection.exec_driver_sql(
                "CREATE TABLE child (parent integer REFERENCES parent DEFERRABLE INITIALLY DEFERRED)"
            )
        if engine == "sqlite":
            sa.event.listen(database.engine, "connect", lambda raw, _: raw.execute("PRAGMA foreign_keys = ON"))
            database.engine.dispose()
        for _ in range(2):
            with pytest.raises(DatabaseError, match=r"(?i)foreign key"):
                end_in_vain()
        assert counters(database) == [0, 0]
        database.transact(lambda connection: count_up(connection, database, 1))
        assert counters(database) == [1, 0]
