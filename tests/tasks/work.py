"""Runs of tasks for tests: a fixed instant, rows put straight into the tables."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from itopd.clock import FixedClock
from itopd.database import Database
from itopd.rules import ITOPD
from itopd.tasks.work import Work
from itopd.wiring import writer_of
from itopd.writing import Change, Create, Writer

NOW = datetime(2027, 2, 10, 9, 0, 0, tzinfo=UTC)
"""10:00:00 in Paris."""


def work_on(database: Database, task: str = "Task", now: datetime = NOW, **options: Any) -> Work:
    return Work(task, database, FixedClock(now), user_id=7, **options)


def writer(database: Database, now: datetime = NOW) -> Writer:
    return writer_of(database, ITOPD, FixedClock(now))


def create(database: Database, cls: str, *objects: Mapping[str, Any], now: datetime = NOW) -> list[int]:
    """Make objects of a class; return their ids."""
    with database.write() as connection:
        intents = [Create(cls, values) for values in objects]
        outcomes = writer(database, now).write(connection, intents, Change("set-up"))
    assert {outcome.status for outcome in outcomes} == {"created"}, outcomes
    return [outcome.id for outcome in outcomes]


def insert(database: Database, cls: str, *rows: Mapping[str, Any]) -> list[int]:
    """Put rows into a class's own table, as iTop might leave them; return their ids."""
    with database.write() as connection:
        ids = list(database.allocate_ids(connection, cls, len(rows)))
        for id_, row in zip(ids, rows, strict=True):
            connection.execute(sa.insert(database.table(cls)).values(id=id_, **row))
    return ids


def column(database: Database, cls: str, name: str) -> list[Any]:
    """Return the values of a column of a class's own table, by id."""
    table = database.table(cls)
    with database.read() as connection:
        return list(connection.execute(sa.select(table.c[name]).order_by(table.c.id)).scalars())


def stored(database: Database, cls: str, id_: int) -> dict[str, Any]:
    """Return the row of a class's own table."""
    table = database.table(cls)
    with database.read() as connection:
        return dict(connection.execute(sa.select(table).where(table.c.id == id_)).mappings().one())


def update(database: Database, cls: str, id_: int, **values: Any) -> None:
    """Change a row of a class's own table, as somebody else might."""
    table = database.table(cls)
    with database.write() as connection:
        connection.execute(table.update().where(table.c.id == id_).values(**values))


def changes(database: Database) -> list[tuple[str, int]]:
    """Return who wrote, in order: text and account of every change but those of the set-up."""
    table = database.table("CMDBChange")
    query = sa.select(table.c.userinfo, table.c.user_id).where(table.c.userinfo != "set-up").order_by(table.c.id)
    with database.read() as connection:
        return [(row.userinfo, row.user_id) for row in connection.execute(query)]
