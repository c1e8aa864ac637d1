"""Rows of background tasks: the columns of iTop's ``priv_backgroundtask`` (``spec/heartbeat.md`` §3).

:class:`TaskRows` is where such rows are kept. :class:`OwnTaskRows` keeps those of itopd's own tasks and of jobs in
``itopd_task``; the rows of iTop's tasks live in iTop's database and are read through the same protocol.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol, TypedDict

import sqlalchemy as sa

from itopd.state.runs import SubjectKind
from itopd.state.store import StateStore
from itopd.state.tables import TASK


class TaskStatus(StrEnum):
    """Only active rows run."""

    ACTIVE = "active"
    PAUSED = "paused"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One row. Instants are aware, in UTC, whole seconds; durations are seconds with three decimals."""

    class_name: str
    first_run_date: datetime | None = None
    latest_run_date: datetime | None = None
    next_run_date: datetime | None = None
    """``None``: never selected."""
    total_exec_count: int = 0
    latest_run_duration: Decimal = Decimal("0.000")
    min_run_duration: Decimal = Decimal("99999.999")
    max_run_duration: Decimal = Decimal("0.000")
    average_run_duration: Decimal = Decimal("0.000")
    running: bool = False
    """From the start to the successful end; stays after a failure. Never used as a lock."""
    status: TaskStatus = TaskStatus.ACTIVE
    system_user: str = ""
    schedule: str = ""
    """The text the next run was planned by; iTop's table does not keep it."""


class RowChange(TypedDict, total=False):
    """What is written to one row: only these columns change, so that what people change meanwhile stays."""

    first_run_date: datetime | None
    latest_run_date: datetime | None
    next_run_date: datetime | None
    total_exec_count: int
    latest_run_duration: Decimal
    min_run_duration: Decimal
    max_run_duration: Decimal
    average_run_duration: Decimal
    running: bool
    status: TaskStatus
    system_user: str
    schedule: str


class TaskRows(Protocol):
    """Where rows of tasks are kept."""

    def read(self) -> list[TaskRow]:
        """Return all rows in the order they were inserted; one query."""
        ...

    def insert(self, rows: Sequence[TaskRow]) -> None:
        """Add rows; the caller holds a lease that keeps others from adding the same."""
        ...

    def update(self, class_name: str, change: RowChange, *, started: datetime | None = None) -> None:
        """Write some columns of one row; nothing happens when it is gone.

        ``started`` is the start of the run that writes: nothing happens either when another has started since.
        """
        ...

    def update_seen(self, seen: TaskRow, change: RowChange) -> None:
        """Write some columns of a row that is still as it was seen: nothing happens when one of its dates is another.

        Then a run has begun, or somebody has planned it anew.
        """
        ...


@dataclass(frozen=True, slots=True)
class OwnTaskRows:
    """The rows of ``itopd_task`` of one kind."""

    store: StateStore
    kind: SubjectKind

    def read(self) -> list[TaskRow]:
        """Return all rows of this kind in the order they were inserted."""
        statement = sa.select(*_COLUMNS).where(TASK.c.kind == self.kind).order_by(TASK.c.id)
        with self.store.read() as connection:
            return [_row(row) for row in connection.execute(statement)]

    def insert(self, rows: Sequence[TaskRow]) -> None:
        """Add rows in one statement."""
        if not rows:
            return
        values = [{"kind": self.kind} | {name: getattr(row, name) for name in _NAMES} for row in rows]
        self.store.transact(lambda connection: connection.execute(TASK.insert(), values))

    def update(self, class_name: str, change: RowChange, *, started: datetime | None = None) -> None:
        """Write some columns of one row; given ``started``, only while that is its latest run."""
        statement = TASK.update().where(TASK.c.kind == self.kind, TASK.c.class_name == class_name).values(**change)
        if started is not None:
            statement = statement.where(TASK.c.latest_run_date == started)
        self.store.transact(lambda connection: connection.execute(statement))

    def update_seen(self, seen: TaskRow, change: RowChange) -> None:
        """Write some columns of a row whose dates are still those of ``seen``."""
        as_seen = (TASK.c.next_run_date == seen.next_run_date, TASK.c.latest_run_date == seen.latest_run_date)
        this_row = (TASK.c.kind == self.kind, TASK.c.class_name == seen.class_name)
        statement = TASK.update().where(*this_row, *as_seen).values(**change)
        self.store.transact(lambda connection: connection.execute(statement))


_NAMES = tuple(field.name for field in fields(TaskRow))
_COLUMNS = tuple(TASK.c[name] for name in _NAMES)


def _row(stored: sa.Row[tuple[object, ...]]) -> TaskRow:
    values: dict[str, object] = dict(zip(_NAMES, stored, strict=True))
    values["running"] = bool(values["running"])
    values["status"] = TaskStatus(str(values["status"]))
    return TaskRow(**values)  # type: ignore[arg-type]  # the columns are the fields
