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


def test_whoever_has_the_engine_number_its_rows_gets_other_ids_than_those_given_out(engine: Database) -> None:
    """As iTop does, which inserts row by row beside us."""
    table = engine.table("CMDBChange")

    def number_by_itself() -> None:
        for _ in range(60):
            with engine.write() as connection:
                connection.execute(sa.insert(table).values(userinfo="numbered"))

    def give_out() -> list[int]:
        given: list[int] = []
        for _ in range(ROUNDS):
            with engine.write() as connection:
                ids = list(engine.allocate_ids(connection, "CMDBChange", AT_ONCE))
                insert_rows(connection, table, ("id", "userinfo"), [(one, "given") for one in ids])
            given += ids
        return given

    with ThreadPoolExecutor(WRITERS) as pool:
        others = [pool.submit(number_by_itself) for _ in range(2)]
        given = [row_id for one in [pool.submit(give_out) for _ in range(2)] for row_id in one.result()]
        for one in others:
            one.result()
    with engine.read() as connection:
        counts = connection.execute(sa.select(table.c.userinfo, sa.func.count()).group_by(table.c.userinfo))
        found: dict[str, int] = dict(map(tuple, counts))
        ours = set(connection.scalars(sa.select(table.c.id).where(table.c.userinfo == "given")))
    assert (found["numbered"], found["given"]) == (120, 2 * ROUNDS * AT_ONCE)
    assert ours == set(given)


def test_ids_of_a_writer_that_broke_off_harm_nobody(engine: Database) -> None:
    table = engine.table("ActionEmail")
    root = engine.table("Action")
    with engine.connect() as lost:
        lost.execution_options(itopd_purpose="write")
        ids = list(engine.allocate_ids(lost, "Action", 20))
        insert_rows(lost, root, ("id",), [(one,) for one in ids[:10]])
        lost.invalidate()
    with engine.write() as connection:
        following = list(engine.allocate_ids(connection, "Action", 20))
        insert_rows(connection, root, ("id",), [(one,) for one in following])
        insert_rows(connection, table, ("id",), [(one,) for one in following])
    assert stored_ids(engine, "Action") == stored_ids(engine, "ActionEmail") == following


def test_an_id_of_a_deleted_object_is_not_given_out_again(engine: Database) -> None:
    table = engine.table("Trigger")
    with engine.write() as connection:
        last = list(engine.allocate_ids(connection, "Trigger", 5))[-1]
        insert_rows(connection, table, ("id",), [(last,)])
    with engine.write() as connection:
        connection.execute(sa.delete(table))
    with engine.write() as connection:
        assert engine.allocate_ids(connection, "Trigger", 1)[0] > last
