"""Opening, transactions and values: the same on every engine."""

from __future__ import annotations

from contextlib import closing
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from itopd.attributes import Stored
from itopd.database import Database, insert_rows, open_database
from itopd.database.postgresql import _require_server
from itopd.datamodel import bundled_model
from itopd.errors import DatabaseError, SettingsError
from tests.support.sample import new_mariadb, new_postgresql
from tests.support.servers import PARIS, drop_postgresql, new_name, opened, postgresql_admin, postgresql_url


def names(database: Database) -> list[str]:
    table = database.table("Organization")
    with database.read() as connection:
        return list(connection.scalars(sa.select(table.c.name).order_by(table.c.id)))


def add(connection: sa.Connection, database: Database, name: str) -> None:
    [row_id] = database.allocate_ids(connection, "Organization", 1)
    insert_rows(connection, database.table("Organization"), ("id", "name"), [(row_id, name)])


def test_a_write_is_committed_at_the_end(database: Database) -> None:
    with database.write() as connection:
        add(connection, database, "Demo")
    assert names(database) == ["Demo"]


def test_what_is_committed_in_a_file_survives_a_power_cut(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/itop.db"
    with closing(open_database(url, bundled_model(), PARIS)) as database, database.write() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2


def test_an_exception_rolls_back(database: Database) -> None:
    def fail() -> None:
        with database.write() as connection:
            add(connection, database, "Demo")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert names(database) == []


def test_a_write_can_be_rolled_back_by_hand(database: Database) -> None:
    with database.write() as connection:
        add(connection, database, "Demo")
        connection.rollback()
    assert names(database) == []


def test_a_write_can_be_committed_in_parts(database: Database) -> None:
    def fail() -> None:
        with database.write() as connection:
            add(connection, database, "kept")
            connection.commit()
            add(connection, database, "lost")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert names(database) == ["kept"]


def test_a_reader_sees_one_snapshot(database: Database) -> None:
    table = database.table("Organization")
    count = sa.select(sa.func.count()).select_from(table)
    with database.read() as reader:
        assert reader.scalar(count) == 0
        with database.write() as writer:
            add(writer, database, "Demo")
        assert reader.scalar(count) == 0
    with database.read() as reader:
        assert reader.scalar(count) == 1


def test_what_the_engine_refuses_is_a_database_error_without_values(database: Database) -> None:
    with pytest.raises(DatabaseError) as error, database.write() as connection:
        insert_rows(connection, database.table("Organization"), ("id", "name", "status"), [(1, "geheim", "x")])
    assert "refused" in error.value.message
    assert "geheim" not in error.value.message


def test_values_come_back_as_they_were_stored(database: Database) -> None:
    rows: dict[str, tuple[str, Stored]] = {
        "CMDBChange": ("date", "2026-03-29 02:30:00"),
        "UserLocal": ("password_renewed_date", "2026-02-28"),
        "IPInterface": ("speed", Decimal("1234567890.10")),
        "Person": ("picture_data", bytes(range(256))),
        "Ticket": ("description", "naïve 😀 \\ ' % \x01 :x"),
        "Organization": ("parent_id", 0),
        "EventWebService": ("result", 1),
        "Contact": ("status", "active"),
    }
    with database.write() as connection:
        for class_name, (column, value) in rows.items():
            insert_rows(connection, database.table(class_name), ("id", column), [(1, value)])
    with database.read() as connection:
        for class_name, (column, value) in rows.items():
            read = connection.scalar(sa.select(database.table(class_name).c[column]))
            assert read == value
            assert type(read) is type(value)


@pytest.mark.parametrize("text", ["muller", "MÜLLER  "])
def test_texts_are_found_as_itop_compares_them(database: Database, text: str) -> None:
    table = database.table("Organization")
    with database.write() as connection:
        add(connection, database, "Müller")
        add(connection, database, "Miller")
        query = sa.select(table.c.id).where(database.key(table.c.name) == database.key_value(text))
        assert list(connection.scalars(query)) == [1]


def test_texts_are_ordered_as_in_itop(database: Database) -> None:
    table = database.table("Organization")
    expected = ["", "  spaced", "_x", "-y", "=1+1", "1", "a", "B", "é", "œ", "一", "😀"]
    with database.write() as connection:
        for name in reversed(expected):
            add(connection, database, name)
        query = sa.select(table.c.name).order_by(database.key(table.c.name))
        assert list(connection.scalars(query)) == expected


@pytest.mark.parametrize("number", [2**31, 2**40])
def test_an_id_that_no_column_can_hold_is_looked_up_in_vain(database: Database, number: int) -> None:
    table = database.table("Organization")
    with database.read() as connection:
        for column in (table.c.id, table.c.parent_id):
            assert connection.execute(sa.select(table.c.id).where(column.in_([number, 1]))).all() == []


def test_only_text_columns_compare_as_text(database: Database) -> None:
    assert database.is_text("Organization", "name")
    assert database.is_text("Organization", "status")
    assert not database.is_text("Organization", "parent_id")
    assert not database.is_text("Organization", "id")


def test_registered_functions_are_there_on_sqlite(database: Database) -> None:
    database.register_function("twice", 1, lambda text: text * 2)
    if database.dialect == "sqlite":
        with database.read() as connection:
            assert connection.scalar(sa.select(sa.func.twice("ab"))) == "abab"


def test_two_writers_on_sqlite_wait_for_each_other(tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path}/x.db") as database:
        database.create_schema()
        with database.write(), database.engine.connect() as other:
            other.exec_driver_sql("PRAGMA busy_timeout = 0")
            with pytest.raises(sa.exc.OperationalError, match="locked"):
                other.exec_driver_sql("DELETE FROM organization")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://root:geheim@127.0.0.1:1/itop", r"database 'itop' at 127\.0\.0\.1:1 \(user 'root'\)"),
        ("sqlite:////nowhere/at/all.db", "folder /nowhere/at of"),
        ("postgresql://root:geheim@127.0.0.1:1/itop", r"database 'itop' at 127\.0\.0\.1:1 \(user 'root'\)"),
        ("postgresql+psycopg2://root:geheim@127.0.0.1/itop", "write postgresql://"),
        ("oracle://root:geheim@127.0.0.1/itop", "does not run on 'oracle'"),
        ("sqlite://", "in a file"),
        ("geheim", "cannot be read"),
        ("mysql://root:secret@1:geheim@127.0.0.1/itop", "write @ as %40"),
    ],
)
def test_a_url_that_leads_nowhere_says_where_and_what_to_do_but_no_password(url: str, message: str) -> None:
    with pytest.raises((DatabaseError, SettingsError), match=message) as error:
        open_database(url, bundled_model(), PARIS).is_empty()
    assert "geheim" not in error.value.message


@pytest.mark.mariadb
def test_a_wrong_password_is_a_database_error() -> None:
    database = open_database("mariadb://nobody:geheim@127.0.0.1:3306/itop", bundled_model(), PARIS)
    with pytest.raises(DatabaseError, match="cannot open database 'itop'") as error:
        database.is_empty()
    assert "geheim" not in error.value.message


@pytest.mark.postgresql
def test_a_database_that_is_not_there_is_a_database_error() -> None:
    database = open_database(postgresql_url("itopd_test_never_made"), bundled_model(), PARIS)
    with pytest.raises(DatabaseError, match="cannot open database 'itopd_test_never_made' at 127"):
        database.is_empty()


def test_an_old_postgresql_is_refused() -> None:
    connection = SimpleNamespace(info=SimpleNamespace(server_version=130_012, host="db"))
    with pytest.raises(DatabaseError, match="the server at db is PostgreSQL 13; itopd needs 14 or later"):
        _require_server(connection)


@pytest.mark.postgresql
def test_a_database_that_cannot_hold_every_text_is_refused() -> None:
    name = new_name()
    with closing(postgresql_admin()) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING SQL_ASCII LOCALE 'C'".encode())
        try:
            with opened(postgresql_url(name)) as database, pytest.raises(DatabaseError, match="encoded in SQL_ASCII"):
                database.is_empty()
        finally:
            drop_postgresql(admin, name)


@pytest.mark.postgresql
def test_a_reader_writes_nothing_and_a_writer_sees_what_is_committed() -> None:
    with new_postgresql() as database:
        with pytest.raises(DatabaseError, match="read-only transaction"), database.read() as connection:
            add(connection, database, "Demo")
        count = sa.select(sa.func.count()).select_from(database.table("Organization"))
        with database.write() as writer:
            assert writer.scalar(count) == 0
            with database.write() as other:
                add(other, database, "Demo")
            assert writer.scalar(count) == 1


@pytest.mark.postgresql
def test_a_connection_that_dies_on_postgresql_tells_what_happened() -> None:
    with new_postgresql() as database:

        def kill(connection: sa.Connection) -> None:
            pid = connection.scalar(sa.text("SELECT pg_backend_pid()"))
            with database.connect() as admin:
                admin.execute(sa.text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})

        with pytest.raises(DatabaseError, match=r"refused: .*terminat"), database.write() as connection:
            kill(connection)
        with database.read() as connection:
            assert connection.scalar(sa.text("SELECT 1")) == 1


@pytest.mark.mariadb
def test_a_connection_that_dies_tells_what_happened_and_hides_nothing() -> None:
    with new_mariadb() as database:

        def kill(connection: sa.Connection) -> bool:
            with database.connect() as admin:
                admin.exec_driver_sql(f"KILL {connection.scalar(sa.text('SELECT CONNECTION_ID()'))}")
            return False

        with pytest.raises(DatabaseError, match=r"refused: .*Lost connection"), database.write() as connection:
            kill(connection)
        with pytest.raises(ZeroDivisionError), database.write() as connection:
            _ = kill(connection) or 1 / 0  # what went wrong first is what is told
        with database.read() as connection:
            kill(connection)  # all was read: there is nothing to undo
        with database.read() as connection:
            assert connection.scalar(sa.text("SELECT 1")) == 1
        assert isinstance(database.engine.pool, sa.pool.QueuePool)
        assert database.engine.pool.checkedout() == 0
