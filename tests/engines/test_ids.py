"""Ids are given out once, whoever asks at the same time and whatever is undone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import sqlalchemy as sa

from itopd.database import Database, insert_rows

ROUNDS, AT_ONCE, WRITERS = 6, 40, 4


def write_some(database: Database, class_name: str, undo_every: int) -> list[int]:
    """Allocate and insert rows in several transactions; return the ids that were committed."""
    kept: list[int] = []
    for number in range(1, ROUNDS + 1):
        with database.write() as connection:
            ids = list(database.allocate_ids(connection, class_name, AT_ONCE))
            insert_rows(connection, database.table(class_name), ("id",), [(one,) for one in ids])
            assert ids == sorted(set(ids))
            if number % undo_every == 0:
                connection.rollback()
            else:
                kept += ids
    return kept


def stored_ids(database: Database, class_name: str) -> list[int]:
    table = database.table(class_name)
    with database.read() as connection:
        return list(connection.scalars(sa.select(table.c.id).order_by(table.c.id)))


def test_writers_at_the_same_time_never_get_the_same_id(engine: Database) -> None:
    with ThreadPoolExecutor(WRITERS) as pool:
        work = [pool.submit(write_some, engine, "CMDBChange", undo_every) for undo_every in (2, 3, 100, 100)]
        given = [row_id for one in work for row_id in one.result()]
    assert len(given) == len(set(given))
    assert sorted(given) == stored_ids(engine, "CMDBChange")


def test_what_is_undone_is_not_given_to_somebody_else_who_committed(engine: Database) -> None:
    with engine.write() as connection:
        [first] = engine.allocate_ids(connection, "Organization", 1)
        insert_rows(connection, engine.table("Organization"), ("id",), [(first,)])
    with engine.write() as connection:
        undone = list(engine.allocate_ids(connection, "Organization", 5))
        connection.rollback()
    with engine.write() as connection:
        [following] = engine.allocate_ids(connection, "Organization", 1)
    assert first < undone[0]
    assert following > first


def test_rows_that_brought_their_own_ids_are_passed_over(engine: Database) -> None:
    table = engine.table("Event")
    with engine.write() as connection:
        before = engine.allocate_ids(connection, "Event", 1)[0]
        insert_rows(connection, table, ("id",), [(before + 1,), (before + 2,), (before + 50,)])
    with engine.write() as connection:
        following = list(engine.allocate_ids(connection, "Event", 10))
        insert_rows(connection, table, ("id",), [(one,) for one in following])
    assert following[0] > before + 50
    assert all(one < other for one, other in pairwise(following))


def test_many_at_once_are_as_few(engine: Database) -> None:
    with engine.write() as connection:
        ids = list(engine.allocate_ids(connection, "CMDBChangeOp", 2500))
    assert len(set(ids)) == 2500
    assert ids == sorted(ids)
    with engine.write() as connection:
        assert list(engine.allocate_ids(connection, "CMDBChangeOp", 0)) == []


def test_every_hierarchy_has_its_own_numbers(engine: Database) -> None:
    with engine.write() as connection:
        for class_name in ("FunctionalCI", "Typology"):
            assert list(engine.allocate_ids(connection, class_name, 3)) == [1, 2, 3]
