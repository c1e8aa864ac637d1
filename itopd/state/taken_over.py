"""Which of iTop's background processes run here, and what their rows were before (``spec/heartbeat.md`` §7).

A record is written before the row it is about is paused, and deleted after the row is restored: whatever dies in
between, doing the same again completes it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from itopd.state.columns import Instant
from itopd.state.store import StateStore
from itopd.state.tables import metadata
from itopd.state.tasks import TaskStatus

TAKEN_OVER = sa.Table(
    "itopd_taken_over",
    metadata,
    sa.Column("row_id", sa.Integer, primary_key=True, autoincrement=False, doc="id in priv_backgroundtask"),
    sa.Column("class_name", sa.String(255), nullable=False),
    sa.Column("previous_status", sa.String(8), nullable=False, doc="active, or paused by somebody else"),
    sa.Column("since", Instant, nullable=False),
    sa.Column("giving_back", sa.Integer, nullable=False, doc="1: no run begins here any more"),
)


@dataclass(frozen=True, slots=True)
class TakenOver:
    """One row of ``priv_backgroundtask`` that itopd has paused, or is about to pause."""

    row_id: int
    class_name: str
    previous: TaskStatus
    since: datetime
    giving_back: bool = False


def read(store: StateStore) -> list[TakenOver]:
    """Return all records by class name."""
    query = sa.select(TAKEN_OVER).order_by(TAKEN_OVER.c.class_name, TAKEN_OVER.c.row_id)
    with store.read() as connection:
        return [
            TakenOver(
                row.row_id,
                row.class_name,
                TaskStatus(row.previous_status),
                row.since,
                giving_back=bool(row.giving_back),
            )
            for row in connection.execute(query)
        ]


def names(store: StateStore) -> frozenset[str]:
    """Return the processes that are ours to run."""
    query = sa.select(TAKEN_OVER.c.class_name).where(TAKEN_OVER.c.giving_back == 0)
    with store.read() as connection:
        return frozenset(connection.execute(query).scalars())


def record(store: StateStore, records: Sequence[TakenOver]) -> None:
    """Write records, each in the place of an older one of the same row."""
    if not records:
        return
    values = [
        {
            "row_id": one.row_id,
            "class_name": one.class_name,
            "previous_status": one.previous.value,
            "since": one.since,
            "giving_back": int(one.giving_back),
        }
        for one in records
    ]

    def write(connection: sa.Connection) -> None:
        connection.execute(_of([one.row_id for one in records]))
        connection.execute(TAKEN_OVER.insert(), values)

    store.transact(write)


def give_back(store: StateStore, class_names: Collection[str]) -> None:
    """Let no more runs of these processes begin here."""
    change = TAKEN_OVER.update().where(TAKEN_OVER.c.class_name.in_(sorted(class_names))).values(giving_back=1)
    store.transact(lambda connection: connection.execute(change))


def forget(store: StateStore, row_ids: Collection[int]) -> None:
    """Delete the records of these rows."""
    store.transact(lambda connection: connection.execute(_of(row_ids)))


def _of(row_ids: Collection[int]) -> sa.Delete:
    return TAKEN_OVER.delete().where(TAKEN_OVER.c.row_id.in_(sorted(row_ids)))
