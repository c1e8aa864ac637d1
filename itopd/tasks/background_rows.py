"""``priv_backgroundtask``: where iTop keeps date and statistics of each process (``spec/heartbeat.md`` §3)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from itopd.attributes import bind
from itopd.clock import from_itop, to_itop
from itopd.database import Database
from itopd.state import RowChange, TaskRow, TaskStatus

CLASS: Final = "BackgroundTask"
_STATUSES: Final = {status.value: status for status in TaskStatus}
"""A row without a status is one that nobody runs: read as removed."""
_CODES: Final = tuple(field.name for field in fields(TaskRow) if field.name != "schedule")


@dataclass(frozen=True, slots=True)
class Process:
    """Which row stands for a process, and whether iTop runs it."""

    row_id: int
    class_name: str
    status: TaskStatus


@dataclass(frozen=True, slots=True)
class BackgroundTaskRows:
    """The rows of iTop's processes; instants are converted between UTC and iTop's local time at this border."""

    database: Database

    def read(self) -> list[TaskRow]:
        """Return all rows in the order they were inserted."""
        table = self.database.table(CLASS)
        query = sa.select(*[table.c[code] for code in _CODES]).order_by(table.c.id)
        with self.database.look() as connection:
            return [self._row(dict(zip(_CODES, row, strict=True))) for row in connection.execute(query)]

    def processes(self) -> list[Process]:
        """Return the status of all rows in the order they were inserted; iTop can have several of one process."""
        table = self.database.table(CLASS)
        query = sa.select(table.c.id, table.c.class_name, table.c.status).order_by(table.c.id)
        with self.database.read() as connection:
            return [
                Process(row_id, name or "", _STATUSES.get(status, TaskStatus.REMOVED))
                for row_id, name, status in connection.execute(query)
            ]

    def change_status(self, row_ids: Collection[int], *, old: TaskStatus, new: TaskStatus) -> None:
        """Give these rows a new status, all at once; those that no longer have the ``old`` one stay as they are."""
        if not row_ids:
            return
        table = self.database.table(CLASS)
        these = table.c.id.in_(sorted(row_ids)) & (table.c.status == old.value)
        with self.database.write() as connection:
            connection.execute(sa.update(table).where(these).values(status=new.value))

    def insert(self, rows: Sequence[TaskRow]) -> None:
        """Add rows in one statement."""
        if not rows:
            return
        values = [{code: self._stored(code, getattr(row, code)) for code in _CODES} for row in rows]
        with self.database.write() as connection:
            ids = self.database.allocate_ids(connection, CLASS, len(values))
            connection.execute(
                sa.insert(self.database.table(CLASS)),
                [{"id": row_id, **row} for row_id, row in zip(ids, values, strict=True)],
            )

    def update(self, class_name: str, change: RowChange, *, started: datetime | None = None) -> None:
        """Write some columns of one row; given ``started``, only while that is its latest run."""
        only: dict[str, object] = {} if started is None else {"latest_run_date": started}
        self._change(class_name, change, only)

    def update_seen(self, seen: TaskRow, change: RowChange) -> None:
        """Write some columns of a row whose dates are still those of ``seen``."""
        only = {"latest_run_date": seen.latest_run_date, "next_run_date": seen.next_run_date}
        self._change(seen.class_name, change, only)

    def _change(self, class_name: str, change: RowChange, only: Mapping[str, object]) -> None:
        """Write some columns of one row while it has these dates."""
        table = self.database.table(CLASS)
        values = {code: self._stored(code, value) for code, value in change.items() if code != "schedule"}
        if not values:
            return
        this_row = self.database.key(table.c.class_name) == self.database.key_value(class_name)
        as_seen = [table.c[code] == self._stored(code, date) for code, date in only.items()]
        with self.database.write() as connection:
            connection.execute(sa.update(table).where(this_row, *as_seen).values(values))

    def _row(self, stored: Mapping[str, Any]) -> TaskRow:
        attributes = self.database.model[CLASS].attributes
        values = {code: bind(attributes[code]).decode((stored[code],)) for code in _CODES}
        for code in _CODES:
            if code.endswith("_date") and values[code] is not None:
                values[code] = from_itop(values[code], self.database.timezone)
        values["status"] = _STATUSES.get(values["status"], TaskStatus.REMOVED)
        values["running"] = bool(values["running"])
        # iTop's columns may be empty where a new row has numbers.
        return TaskRow(**{code: value for code, value in values.items() if value is not None})

    def _stored(self, code: str, value: object) -> object:
        if isinstance(value, datetime):
            return to_itop(value, self.database.timezone)
        if isinstance(value, TaskStatus):
            return value.value
        return bind(self.database.model[CLASS].attributes[code]).encode(value)[0]
