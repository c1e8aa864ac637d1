"""What a transaction sees and what it leaves: a reader one moment, a writer all or nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from itopd.database import Database, insert_rows, update_rows
from itopd.errors import DatabaseError


def put(database: Database, *rows: tuple[int, str]) -> None:
    with database.write() as connection:
        insert_rows(connection, database.table("Organization"), ("id", "name"), rows)


def names(connection: sa.Connection, database: Database) -> dict[int, str]:
    table = database.table("Organization")
    return {row.id: row.name for row in connection.execute(sa.select(table.c.id, table.c.name))}


@pytest.fixture
def three(engine: Database) -> Database:
    """Give a database with three organizations."""
    with engine.write() as connection:
        connection.execute(sa.delete(engine.table("Organization")))
        connection.execute(sa.delete(engine.table("Location")))
    put(engine, (1, "one"), (2, "two"), (3, "three"))
    return engine


def test_a_reader_sees_one_moment_of_all_tables_whatever_is_written_meanwhile(three: Database) -> None:
    table, other = three.table("Organization"), three.table("Location")
    with three.read() as reader:
        before = names(reader, three)
        with three.write() as writer:
            update_rows(writer, table, ("name",), {1: ("changed",)})
            writer.execute(sa.delete(table).where(table.c.id == 2))
            insert_rows(writer, table, ("id", "name"), [(4, "four")])
            insert_rows(writer, other, ("id", "name"), [(1, "a place")])
        assert names(reader, three) == before == {1: "one", 2: "two", 3: "three"}
        assert reader.scalar(sa.select(sa.func.count()).select_from(other)) == 0
    with three.read() as reader:
        assert names(reader, three) == {1: "changed", 3: "three", 4: "four"}
        assert reader.scalar(sa.select(sa.func.count()).select_from(other)) == 1


def test_nobody_sees_what_is_not_committed(three: Database) -> None:
    with three.write() as writer:
        update_rows(writer, three.table("Organization"), ("name",), {1: ("changed",)})
        with three.read() as reader:
            assert names(reader, three)[1] == "one"
        assert names(writer, three)[1] == "changed"


def test_all_of_a_write_is_undone_together(three: Database) -> None:
    def fail() -> None:
        with three.write() as writer:
            update_rows(writer, three.table("Organization"), ("name",), {1: ("changed",), 2: ("too",)})
            insert_rows(writer, three.table("Location"), ("id", "name"), [(1, "a place")])
            insert_rows(writer, three.table("Organization"), ("id", "name"), [(4, "four"), (3, "there already")])

    with pytest.raises(DatabaseError, match="refused"):
        fail()
    with three.read() as reader:
        assert names(reader, three) == {1: "one", 2: "two", 3: "three"}
        assert reader.scalar(sa.select(sa.func.count()).select_from(three.table("Location"))) == 0


def test_a_part_can_be_undone_alone(three: Database) -> None:
    with three.write() as writer:
        update_rows(writer, three.table("Organization"), ("name",), {1: ("kept",)})
        with writer.begin_nested() as part:
            update_rows(writer, three.table("Organization"), ("name",), {2: ("lost",)})
            part.rollback()
        update_rows(writer, three.table("Organization"), ("name",), {3: ("kept too",)})
    with three.read() as reader:
        assert names(reader, three) == {1: "kept", 2: "two", 3: "kept too"}


def test_two_writers_of_one_row_come_one_after_the_other(three: Database) -> None:
    """Counting up from two threads loses nothing: the second reads what the first has left."""
    table = three.table("Organization")

    def count_up() -> None:
        for _ in range(10):
            with three.write() as writer:
                writer.execute(sa.update(table).where(table.c.id == 1).values(parent_id=table.c.parent_id + 1))

    with three.write() as writer:
        update_rows(writer, table, ("parent_id",), {1: (0,)})
    with ThreadPoolExecutor(2) as pool:
        for work in [pool.submit(count_up) for _ in range(2)]:
            work.result()
    with three.read() as reader:
        assert reader.scalar(sa.select(table.c.parent_id).where(table.c.id == 1)) == 20
