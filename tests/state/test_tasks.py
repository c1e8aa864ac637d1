"""Rows of itopd's own tasks and of jobs."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from itopd.state import StateStore, SubjectKind, TaskRow, TaskStatus
from itopd.state.tasks import OwnTaskRows

NEXT = datetime(2027, 2, 10, 9, tzinfo=UTC)


def test_a_row_comes_back_as_it_was_stored(store: StateStore) -> None:
    rows = OwnTaskRows(store, SubjectKind.JOB)
    stored = [
        TaskRow("b", next_run_date=NEXT, schedule="every 5m", average_run_duration=Decimal("12345.678")),
        TaskRow("a", status=TaskStatus.PAUSED, running=True, system_user="é"),
    ]
    rows.insert(stored)
    rows.insert([])
    assert rows.read() == stored
    assert OwnTaskRows(store, SubjectKind.TASK).read() == []


def test_an_update_touches_only_its_columns_and_its_row(store: StateStore) -> None:
    rows = OwnTaskRows(store, SubjectKind.TASK)
    rows.insert([TaskRow("a", schedule="x"), TaskRow("b")])
    rows.update("a", {"running": True, "next_run_date": NEXT, "latest_run_duration": Decimal("0.013")})
    a, b = rows.read()
    assert a == TaskRow("a", schedule="x", running=True, next_run_date=NEXT, latest_run_duration=Decimal("0.013"))
    assert b == TaskRow("b")
