"""The rows of iTop's processes: what is read comes back as it is written, and only what is named changes."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import sqlalchemy as sa

from itopd.database import Database
from itopd.state import TaskRow, TaskStatus
from itopd.tasks.background_rows import BackgroundTaskRows

SUMMER = datetime(2027, 7, 1, 10, 0, 0, tzinfo=UTC)
WINTER = datetime(2027, 1, 1, 10, 0, 0, tzinfo=UTC)
ROW = TaskRow(
    "ExecAsyncTask", first_run_date=WINTER, latest_run_date=SUMMER, next_run_date=SUMMER, total_exec_count=7,
    latest_run_duration=Decimal("1.250"), min_run_duration=Decimal("0.001"), max_run_duration=Decimal("99999.999"),
    average_run_duration=Decimal("0.500"), running=True, status=TaskStatus.PAUSED, system_user="www",
)  # fmt: skip


def test_rows_come_back_as_they_were_written_in_their_order(database: Database) -> None:
    rows = BackgroundTaskRows(database)
    rows.insert([ROW, TaskRow("itop\\extension\\OfSomebody")])
    rows.insert([])
    rows.insert([TaskRow("Another")])
    assert rows.read() == [ROW, TaskRow("itop\\extension\\OfSomebody"), TaskRow("Another")]


def test_dates_are_stored_in_the_local_time_of_itop(database: Database) -> None:
    BackgroundTaskRows(database).insert([ROW])
    with database.read() as connection:
        table = database.table("BackgroundTask")
        stored = connection.execute(sa.select(table.c.first_run_date, table.c.latest_run_date)).one()
    assert tuple(stored) == ("2027-01-01 11:00:00", "2027-07-01 12:00:00")


def test_an_update_changes_the_named_columns_of_one_row(database: Database) -> None:
    rows = BackgroundTaskRows(database)
    rows.insert([ROW, TaskRow("Another")])
    rows.update("Another", {"running": True, "status": TaskStatus.REMOVED, "schedule": "every 2s"})
    rows.update("Nobody", {"running": True})
    rows.update("Another", {})
    assert rows.read() == [ROW, TaskRow("Another", running=True, status=TaskStatus.REMOVED)]


def test_the_end_of_an_older_run_changes_nothing(database: Database) -> None:
    rows = BackgroundTaskRows(database)
    rows.insert([ROW])
    rows.update("ExecAsyncTask", {"running": False}, started=WINTER)
    assert rows.read() == [ROW]
    rows.update("ExecAsyncTask", {"running": False}, started=SUMMER)
    assert [row.running for row in rows.read()] == [False]
