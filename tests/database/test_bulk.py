"""Bulk writing: right rows, and statements that do not grow with them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from itertools import pairwise

import pytest
import sqlalchemy as sa

from itopd.attributes import Stored
from itopd.database import Database, insert_rows, update_rows
from itopd.errors import RefusedError
from tests.support.sample import new_mariadb, new_postgresql


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement[:60])

    sa.event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        sa.event.remove(database.engine, "before_cursor_execute", note)


def test_ids_are_new_and_ascending_even_after_a_rollback(database: Database) -> None:
    seen: list[int] = []
    for round_ in range(3):
        with database.write() as connection:
            ids = list(database.allocate_ids(connection, "FunctionalCI", 5))
            insert_rows(connection, database.table("FunctionalCI"), ("id",), [(i,) for i in ids])
            if round_ == 1:
                connection.rollback()
        assert ids == sorted(set(ids))
        assert not seen or ids[0] > seen[-1] or round_ == 2
        if round_ != 1:
            seen += ids
    with database.read() as connection:
        assert list(connection.scalars(sa.select(database.table("FunctionalCI").c.id).order_by("id"))) == seen
    assert len(set(seen)) == 10


def test_ids_follow_rows_that_others_inserted(database: Database) -> None:
    table = database.table("Organization")
    with database.write() as connection:
        insert_rows(connection, table, ("id", "name"), [(40, "x")])
        assert list(database.allocate_ids(connection, "Organization", 2)) == [41, 42]


@pytest.mark.postgresql
def test_ids_follow_others_rows_however_far_they_are() -> None:
    with new_postgresql() as database, database.write() as connection:
        table = database.table("Organization")
        insert_rows(connection, table, ("id", "name"), [(250_000, "x")])
        assert list(database.allocate_ids(connection, "Organization", 2)) == [250_001, 250_002]
        insert_rows(connection, table, ("id", "name"), [(250_004, "y")])  # among the next ones
        assert list(database.allocate_ids(connection, "Organization", 3)) == [250_006, 250_007, 250_008]


@pytest.mark.postgresql
def test_a_text_that_its_column_cannot_hold_is_refused_by_name() -> None:
    with new_postgresql() as database, database.write() as connection:
        table = database.table("Organization")
        insert_rows(connection, table, ("id", "name"), [(1, "x")])
        connection.begin_nested()
        with pytest.raises(RefusedError, match=r"column organization\.code cannot hold the NUL byte of a text"):
            insert_rows(connection, table, ("id", "name", "code"), [(2, "a", "b"), (3, "c", "d\0")])
        with pytest.raises(RefusedError, match=r"column organization\.name cannot hold the NUL"):
            update_rows(connection, table, ("name",), {1: ("\0",)})
        for statement in (sa.insert(table), sa.update(table)):
            with pytest.raises(RefusedError, match=r"column organization\.code cannot hold the NUL"):
                connection.execute(statement.values(name="x", code="\0"))
        with pytest.raises(RefusedError, match=r"column organization\.name cannot hold the NUL"):
            connection.execute(sa.insert(table), [{"id": 5, "name": "x"}, {"id": 6, "name": "y\0"}])
        # Last, since the server itself says this one, which ends the transaction.
        with pytest.raises(RefusedError, match=r"column organization\.name cannot hold a text of more than 255"):
            update_rows(connection, table, ("name",), {1: ("é" * 256,)})


def test_no_ids_cost_nothing(database: Database) -> None:
    with statements(database) as seen, database.write() as connection:
        assert list(database.allocate_ids(connection, "Organization", 0)) == []
        insert_rows(connection, database.table("Organization"), ("id",), [])
        update_rows(connection, database.table("Organization"), ("name",), {})
    assert [s for s in seen if "BEGIN" not in s] == []


def test_concurrent_reservations_never_overlap(database: Database) -> None:
    def reserve(_: int) -> list[int]:
        with database.write() as connection:
            ids = list(database.allocate_ids(connection, "Organization", 50))
            insert_rows(connection, database.table("Organization"), ("id",), [(i,) for i in ids])
            return ids

    with ThreadPoolExecutor(4) as pool:
        ids = [i for part in pool.map(reserve, range(12)) for i in part]
    assert len(set(ids)) == 600


@pytest.mark.mariadb
def test_ids_keep_the_step_of_a_cluster() -> None:
    with new_mariadb() as database, database.write() as connection:
        connection.exec_driver_sql("SET SESSION auto_increment_increment = 3, auto_increment_offset = 2")
        ids = list(database.allocate_ids(connection, "Organization", 4))
        assert [after - before for before, after in pairwise(ids)] == [3, 3, 3]


def test_a_thousand_rows_cost_as_many_statements_as_ten(database: Database) -> None:
    def cost(count: int) -> int:
        with statements(database) as seen, database.write() as connection:
            ids = list(database.allocate_ids(connection, "Organization", count))
            table = database.table("Organization")
            insert_rows(connection, table, ("id", "name"), [(i, f"name {i}") for i in ids])
            update_rows(connection, table, ("name", "code"), {i: (f"new {i}", "x") for i in ids})
        return len(seen)

    first = cost(10)
    assert cost(10) >= cost(1000) <= first


def test_updates_change_these_columns_of_these_rows_only(database: Database) -> None:
    table = database.table("Organization")
    with database.write() as connection:
        insert_rows(connection, table, ("id", "name", "code"), [(i, f"n{i}", "c") for i in range(1, 6)])
        update_rows(
            connection, table, ("name", "status"), {2: ("%s ' \\ 😀", "inactive"), 4: ("", None), 9: ("z", None)}
        )
        rows = connection.execute(
            sa.select(table.c.id, table.c.name, table.c.code, table.c.status).order_by("id")
        ).all()
    assert [tuple(row) for row in rows] == [
        (1, "n1", "c", "active"),
        (2, "%s ' \\ 😀", "c", "inactive"),
        (3, "n3", "c", "active"),
        (4, "", "c", None),
        (5, "n5", "c", "active"),
    ]


def test_updates_of_every_kind_of_column(database: Database) -> None:
    cases: dict[tuple[str, str], list[Stored]] = {
        ("Person", "picture_data"): [b"\x00\xff'\\", None, b"x" * 300_000],
        ("IPInterface", "speed"): [Decimal("10.50"), None, Decimal("-0.01")],
        ("Ticket", "start_date"): ["2026-01-01 00:00:00", None, "1999-12-31 23:59:59"],
        ("Ticket", "private_log"): ["é" * 200_000, "", "x" * 900_000],
        ("UserLocal", "password_renewed_date"): ["2026-01-01", None, None],
        ("Contact", "status"): ["active", None, "inactive"],
        ("Contact", "org_id"): [0, 7, 2**31 - 1],
    }
    with database.write() as connection:
        for (class_name, column), values in cases.items():
            table = database.table(class_name)
            connection.execute(sa.delete(table))
            insert_rows(connection, table, ("id",), [(1,), (2,), (3,)])
            update_rows(connection, table, (column,), {i + 1: (value,) for i, value in enumerate(values)})
            assert list(connection.scalars(sa.select(table.c[column]).order_by(table.c.id))) == values
