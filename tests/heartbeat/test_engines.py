"""A heartbeat on real tables: ``priv_backgroundtask`` and the state store, on every engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from itopd.clock import FixedClock
from itopd.database import Database
from itopd.heartbeat import Periodic, Task, status, status_text, tick
from itopd.state import StateStore, TaskStatus, open_state
from itopd.tasks.background_rows import BackgroundTaskRows
from tests.heartbeat.support import NOW, heartbeat_of, not_called
from tests.support.engines import empty_url


@pytest.fixture
def store(database: Database, tmp_path: Path) -> Iterator[StateStore]:
    """Give a state store on the engine of the database, apart from it."""
    engine = "mariadb" if database.dialect == "mysql" else database.dialect
    with empty_url(engine, tmp_path) as url:
        opened = open_state(url)
        yield opened
        opened.close()


def test_ticks_write_what_itop_writes(database: Database, store: StateStore) -> None:
    tasks = [Task("Succeed", Periodic(10), not_called), Task("Bug", Periodic(60), not_called)]
    clock = FixedClock(NOW)
    heartbeat = heartbeat_of(store, *tasks, clock=clock, rows=BackgroundTaskRows(database))
    assert tick(heartbeat).exit_code == 1
    clock.advance(47)
    assert tick(heartbeat).exit_code == 0
    with database.read() as connection:
        found = connection.execute(
            sa.text(
                "SELECT class_name, first_run_date, latest_run_date, next_run_date, total_exec_count, running, status, "
                "system_user FROM priv_backgroundtask ORDER BY id"
            )
        ).all()
    assert [tuple(row) for row in found] == [
        ("Succeed", "2027-02-10 10:00:00", "2027-02-10 10:00:47", "2027-02-10 10:00:50", 2, 0, "active", "itopd"),
        ("Bug", "2027-02-10 10:00:00", "2027-02-10 10:00:00", "2027-02-10 10:01:00", 1, 1, "active", "itopd"),
    ]
    assert "| Succeed                   | active  | 2027-02-10 10:00:47" in status_text(
        status(heartbeat), heartbeat.zone
    )


def test_a_tick_with_nothing_due_costs_few_statements(database: Database, store: StateStore) -> None:
    tasks = [Task(f"Succeed-{number}", Periodic(86400), not_called) for number in range(20)]
    heartbeat = heartbeat_of(store, *tasks, clock=FixedClock(NOW), rows=BackgroundTaskRows(database))
    tick(heartbeat)
    counted: list[str] = []

    def count(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        counted.append(statement)

    for engine in (database.engine, store.engine):
        sa.event.listen(engine, "before_cursor_execute", count)
    try:
        assert tick(heartbeat).runs == ()
    finally:
        for engine in (database.engine, store.engine):
            sa.event.remove(engine, "before_cursor_execute", count)
    work = [statement for statement in counted if not statement.startswith(("BEGIN", "START", "SAVEPOINT", "RELEASE"))]
    assert len(work) <= 10


def test_a_row_that_is_not_as_it_should_be_stops_nobody(database: Database, store: StateStore) -> None:
    heartbeat = heartbeat_of(
        store, Task("Succeed", Periodic(10), not_called), clock=FixedClock(NOW), rows=BackgroundTaskRows(database)
    )
    empty = ", ".join(
        f"{column} = NULL"
        for column in ("total_exec_count", "running", "min_run_duration", "max_run_duration", "average_run_duration")
    )
    assert len(tick(heartbeat).runs) == 1
    with database.write() as connection:
        connection.execute(sa.text(f"UPDATE priv_backgroundtask SET next_run_date = '2020-01-01 00:00:00', {empty}"))
        connection.execute(sa.text("INSERT INTO priv_backgroundtask (class_name, status) VALUES ('Other', NULL)"))
    assert [run.succeeded for run in tick(heartbeat).runs] == [True]
    found = {row.class_name: row for row in BackgroundTaskRows(database).read()}
    assert (found["Succeed"].total_exec_count, found["Other"].status) == (1, TaskStatus.REMOVED)
