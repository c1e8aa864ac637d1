"""A whole database to another engine: every row, every counter, and nothing half-done that looks done."""

from __future__ import annotations

import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from itopd.attributes import Stored
from itopd.database import Database, insert_rows, open_database
from itopd.database.copying import (
    MARKER,
    CopyRequest,
    Trouble,
    UnholdableValues,
    copy_database,
    reading,
    require_finished,
    simulate_copy,
)
from itopd.datamodel import Model, bundled_model
from itopd.errors import ConflictError, DatabaseError, RefusedError
from tests.support.dumps import diff_dumps, dump_tables
from tests.support.engines import EACH_ENGINE, ENGINES, empty_database, marked
from tests.support.sample import sample_mariadb
from tests.support.servers import PARIS

CLASSES = (
    "Organization",
    "Contact",
    "Person",
    "CMDBChange",
    "IPInterface",
    "UserLocal",
    "EventWebService",
    "AsyncSendEmail",
    "Ticket",
)
SMALL = Model({name: bundled_model()[name] for name in CLASSES})
"""A few tables with columns of every kind."""

PAIRS = [marked("sqlite", "mariadb"), marked("mariadb", "postgresql"), marked("postgresql", "sqlite")]

Rows = dict[str, list[dict[str, Stored]]]

ROWS: Rows = {
    "Organization": [
        {"id": 1, "name": "Élan \\ ' % 😀 \x01", "status": "active", "parent_id": 0},
        {"id": 7, "name": "", "status": None, "parent_id": -1},
    ],
    "Person": [{"id": 5, "picture_data": bytes(range(256)) * 3, "picture_downloads_count": 4}],
    "CMDBChange": [{"id": 2, "date": "2024-02-29 23:59:59", "userinfo": "x" * 255}],
    "IPInterface": [{"id": 3, "speed": Decimal("-1234567890.10")}],
    "UserLocal": [{"id": 1, "password_renewed_date": "0001-01-01"}],
    "EventWebService": [{"id": 9, "result": 1, "data": "long\n" * 12_000}],
}


def put(database: Database, rows: Rows) -> None:
    with database.write() as connection:
        for class_name, given in rows.items():
            for row in given:
                insert_rows(connection, database.table(class_name), tuple(row), [tuple(row.values())])


@contextmanager
def filled(engine: str, folder: Path, rows: Rows) -> Iterator[Database]:
    """Give a database of the small model with the rows."""
    with empty_database(engine, folder, SMALL) as database:
        database.create_schema()
        put(database, rows)
        yield database


@pytest.fixture
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Database, Database]]:
    """Give a filled source and an empty target."""
    one, other = request.param
    with filled(one, tmp_path, ROWS) as source, empty_database(other, tmp_path, SMALL) as target:
        yield source, target


def names_in(database: Database) -> list[str]:
    with database.read() as connection:
        return sorted(sa.inspect(connection).get_table_names())


def organizations(count: int) -> Rows:
    return {"Organization": [{"id": number, "name": f"organization {number}"} for number in range(1, count + 1)]}


@pytest.mark.shared
@pytest.mark.mariadb
@pytest.mark.postgresql
def test_the_sample_goes_round_all_engines_and_comes_back_as_it_was(tmp_path: Path) -> None:
    with ExitStack() as stack:
        first = source = stack.enter_context(sample_mariadb())
        for engine in ("sqlite", "postgresql", "mariadb"):
            target = stack.enter_context(empty_database(engine, tmp_path))
            report = copy_database(source, target, CopyRequest(verify=True))
            assert (report.total, report.left_out, report.replaced.total) == (1538, (), 0)
            assert target.missing() == []
            source = target
        assert diff_dumps(dump_tables(first), dump_tables(source)) == {}
        for class_name in ("FunctionalCI", "Organization", "CMDBChangeOp", "Ticket"):
            with first.write() as a, source.write() as b:
                assert list(first.allocate_ids(a, class_name, 2)) == list(source.allocate_ids(b, class_name, 2))


@pytest.mark.parametrize("one", ENGINES)
@pytest.mark.parametrize("other", ENGINES)
@pytest.mark.mariadb
@pytest.mark.postgresql
def test_values_of_every_kind_arrive_on_every_engine(one: str, other: str, tmp_path: Path) -> None:
    with filled(one, tmp_path, ROWS) as source, empty_database(other, tmp_path, SMALL) as target:
        report = copy_database(source, target, CopyRequest(verify=True))
        assert report.total == 7
        assert report.rows["organization"] == 2
        assert diff_dumps(dump_tables(source), dump_tables(target)) == {}
        assert names_in(target) == names_in(source)
        with target.read() as connection:
            table = target.table("Organization")
            found = sa.select(table.c.id).where(target.key(table.c.name) == target.key_value("ELAN \\ ' % 😺"))
            assert list(connection.scalars(found)) == [1]


@pytest.mark.parametrize("pair", PAIRS, indirect=True)
def test_numbering_goes_on_where_the_source_would_gaps_included(pair: tuple[Database, Database]) -> None:
    source, target = pair
    with source.write() as connection:
        source.allocate_ids(connection, "Organization", 30)
    with source.read() as connection:
        assert connection.scalar(sa.select(sa.func.max(source.table("Organization").c.id))) == 7
    copy_database(source, target, CopyRequest())
    for class_name in ("Organization", "CMDBChange", "Contact"):
        with source.write() as a, target.write() as b:
            expected = list(source.allocate_ids(a, class_name, 1))
            assert list(target.allocate_ids(b, class_name, 1)) == expected


@pytest.mark.parametrize("pair", PAIRS, indirect=True)
def test_long_tables_are_read_page_by_page_whatever_their_ids(
    pair: tuple[Database, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = pair
    monkeypatch.setattr(reading, "_PAGE", 7)
    monkeypatch.setattr(reading, "_BATCH_ROWS", 3)
    ids = [-5, 0, *range(20, 29), 1000, 2**31 - 2]
    put(source, {"Organization": [{"id": number, "name": str(number)} for number in ids]})
    seen: list[int] = []
    report = copy_database(source, target, CopyRequest(verify=True, progress=lambda done, _t, _u: seen.append(done)))
    assert report.rows["organization"] == 15
    assert diff_dumps(dump_tables(source), dump_tables(target)) == {}
    assert seen == sorted(seen)
    assert seen[-1] == report.total


@pytest.mark.parametrize("pair", PAIRS, indirect=True)
def test_the_copy_is_of_one_moment(pair: tuple[Database, Database]) -> None:
    source, target = pair
    before = dump_tables(source)

    def disturb(done: int, _total: int | None, _unit: str) -> None:
        put(source, {"UserLocal": [{"id": 100 + done}]})

    copy_database(source, target, CopyRequest(verify=True, progress=disturb))
    assert diff_dumps(before, dump_tables(target)) == {}
    assert diff_dumps(before, dump_tables(source)) != {}


def test_long_files_are_never_in_memory_together(tmp_path: Path) -> None:
    size, count = 1_000_000, 40
    with filled("sqlite", tmp_path, {}) as source, empty_database("sqlite", tmp_path, SMALL) as target:
        with source.write() as connection:
            for number in range(count):
                row = (number + 1, bytes([number]) * size)
                insert_rows(connection, source.table("Person"), ("id", "picture_data"), [row])
        tracemalloc.start()
        try:
            report = copy_database(source, target, CopyRequest(verify=True))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert report.rows["person"] == count
        assert peak < count * size / 2


@pytest.mark.parametrize("engine", EACH_ENGINE)
def test_only_an_empty_database_is_filled(engine: str, tmp_path: Path) -> None:
    with filled("sqlite", tmp_path, ROWS) as source, empty_database(engine, tmp_path, SMALL) as target:
        with target.write() as connection:
            connection.exec_driver_sql("CREATE TABLE mine (a INT)")
        for request in (CopyRequest(), CopyRequest(restart=True)):
            with pytest.raises(RefusedError, match="is not empty \\(it holds mine\\)"):
                copy_database(source, target, request)
        assert names_in(target) == ["mine"]
        with pytest.raises(RefusedError, match="is not empty"):
            copy_database(source, source, CopyRequest(restart=True))


@pytest.mark.parametrize("pair", PAIRS, indirect=True)
def test_what_the_model_does_not_know_is_left_out_and_named(pair: tuple[Database, Database]) -> None:
    source, target = pair
    with source.write() as connection:
        connection.exec_driver_sql("CREATE TABLE synchro_data_person_1 (id INT)")
        connection.exec_driver_sql("ALTER TABLE organization ADD COLUMN vat VARCHAR(20)")
        connection.exec_driver_sql("CREATE VIEW view_organization AS SELECT id FROM organization")
    report = copy_database(source, target, CopyRequest())
    assert report.left_out == ("organization.vat", "synchro_data_person_1")
    assert diff_dumps(dump_tables(source), dump_tables(target)) == {}


@pytest.mark.parametrize("engine", EACH_ENGINE)
def test_a_source_that_lacks_tables_or_columns_of_the_model_is_refused(engine: str, tmp_path: Path) -> None:
    with filled(engine, tmp_path, {}) as source, empty_database("sqlite", tmp_path, SMALL) as target:
        with source.write() as connection:
            connection.exec_driver_sql("DROP TABLE person")
            connection.exec_driver_sql("ALTER TABLE contact DROP COLUMN phone")
        with pytest.raises(RefusedError, match=r"lacks column contact\.phone, table person\. Name iTop's own"):
            copy_database(source, target, CopyRequest())
        assert names_in(target) == []


BAD: list[tuple[str, str, str, Stored, Trouble, str, Stored]] = [
    ("sqlite", "postgresql", "Organization.name", "a\0b", Trouble.NUL, "holds a NUL character at position 2", "ab"),
    ("mariadb", "postgresql", "CMDBChange.date", "0000-00-00 00:00:00", Trouble.ZERO_DATE, "one of MySQL's zero", None),
    ("mariadb", "postgresql", "CMDBChange.date", "2024-00-10 00:00:00", Trouble.ZERO_DATE, "one of MySQL's zero", None),
    ("sqlite", "mariadb", "Organization.name", "ä" * 256, Trouble.TOO_LONG, "has 256 characters of 255", "ä" * 255),
    ("sqlite", "postgresql", "Organization.name", "ä" * 256, Trouble.TOO_LONG, "has 256 characters of 255", "ä" * 255),
    ("sqlite", "mariadb", "AsyncSendEmail.to", "ä" * 32768, Trouble.TOO_LONG, "65,536 bytes of 65,535", "ä" * 32767),
    ("sqlite", "mariadb", "UserLocal.password_hash", b"x" * 256, Trouble.TOO_LONG, "256 bytes of 255", b"x" * 255),
    ("sqlite", "mariadb", "CMDBChange.date", "2023-02-29 00:00:00", Trouble.OTHER, "is no date with time", None),
    ("sqlite", "postgresql", "UserLocal.password_renewed_date", "20240229", Trouble.OTHER, "is no date", None),
    ("sqlite", "mariadb", "Organization.parent_id", 2**31, Trouble.OTHER, "is not from -2147483648 to", None),
    ("sqlite", "postgresql", "Organization.parent_id", "many", Trouble.OTHER, "is of type str, not an integer", None),
    ("sqlite", "mariadb", "IPInterface.speed", "quick", Trouble.OTHER, "is of type str, not a decimal", None),
    ("sqlite", "mariadb", "IPInterface.speed", 10**12, Trouble.OTHER, "more than 10 digits before the point", None),
    ("sqlite", "mariadb", "Person.picture_data", "text", Trouble.OTHER, "is of type str, not bytes", None),
    ("sqlite", "mariadb", "Person.picture_data", b"x" * 2**23, Trouble.OTHER, "takes 16,777,216 bytes to send", None),
    ("sqlite", "mariadb", "Ticket.private_log", "'" * 2**23, Trouble.OTHER, "takes 16,777,216 bytes to send", None),
]
"""Source, target, column, value, what is wrong with it, and what replaces it (nothing: it cannot be replaced)."""


def stored(database: Database, place: str) -> list[Stored]:
    class_name, column = place.split(".")
    table = database.table(class_name)
    with database.read() as connection:
        return list(connection.scalars(sa.select(table.c[column]).order_by(table.c.id)))


@pytest.mark.parametrize(("one", "other", "place", "value", "trouble", "text", "instead"), BAD)
@pytest.mark.mariadb
@pytest.mark.postgresql
def test_a_value_that_the_target_cannot_hold_stops_the_copy_or_is_replaced(
    one: str, other: str, place: str, value: Stored, trouble: Trouble, text: str, instead: Stored, tmp_path: Path
) -> None:
    class_name, column = place.split(".")
    rows: Rows = {class_name: [{"id": 4, column: None}, {"id": 5, column: value}]}
    with filled(one, tmp_path, rows) as source, empty_database(other, tmp_path, SMALL) as target:
        for act in (copy_database, simulate_copy):
            with pytest.raises(UnholdableValues) as refused:
                act(source, target, CopyRequest(replace=frozenset(Trouble) - {trouble}))
            [problem] = refused.value.problems.first
            assert (problem.row_id, problem.column, problem.trouble) == (5, column, trouble)
            assert text in problem.text
            assert f"{problem.table} 5, column {column}: the value " in refused.value.message
            assert names_in(target) == []
        if trouble is not Trouble.OTHER:
            assert f"--replace={trouble}" in refused.value.message
            report = copy_database(source, target, CopyRequest(replace=frozenset({trouble}), verify=True))
            assert report.replaced.total == 1
            assert stored(target, place) == [None, instead]


@pytest.mark.mariadb
@pytest.mark.parametrize("other", EACH_ENGINE)
def test_an_enum_value_outside_the_list_is_found(other: str, tmp_path: Path) -> None:
    with filled("mariadb", tmp_path, {}) as source, empty_database(other, tmp_path, SMALL) as target:
        with source.write() as connection:
            connection.exec_driver_sql("SET sql_mode = ''")
            connection.exec_driver_sql("INSERT INTO organization (id, status) VALUES (3, 'closed'), (4, 'active')")
            connection.detach()
        with pytest.raises(UnholdableValues, match="organization 3, column status: the value '' is none of the column"):
            copy_database(source, target, CopyRequest())
        copy_database(source, target, CopyRequest(replace=frozenset({Trouble.ENUM})))
        assert stored(target, "Organization.status") == [None, "active"]


@pytest.mark.parametrize("other", EACH_ENGINE)
def test_bytes_that_are_not_utf8_are_found(other: str, tmp_path: Path) -> None:
    with filled("sqlite", tmp_path, {}) as source, empty_database(other, tmp_path, SMALL) as target:
        with source.write() as connection:
            connection.exec_driver_sql(
                "INSERT INTO priv_async_send_email (id, subject) VALUES (8, CAST(x'61ff62' AS TEXT))"
            )
        with pytest.raises(UnholdableValues, match="holds bytes that are not UTF-8, from character 2"):
            copy_database(source, target, CopyRequest())
        copy_database(source, target, CopyRequest(replace=frozenset({Trouble.UTF8}), verify=True))
        assert stored(target, "AsyncSendEmail.subject") == ["a\ufffdb"]


@pytest.mark.postgresql
def test_of_many_such_values_the_first_are_listed_and_all_are_counted(tmp_path: Path) -> None:
    rows: Rows = {"Organization": [{"id": number, "name": "\0", "code": "\0"} for number in range(1, 31)]}
    with filled("sqlite", tmp_path, rows) as source, empty_database("postgresql", tmp_path, SMALL) as target:
        with pytest.raises(UnholdableValues, match="60 values cannot be held") as refused:
            copy_database(source, target, CopyRequest(listed=3))
        lines = refused.value.message.splitlines()
        assert len(lines) == 1 + 3 + 1 + 2
        assert lines[-3:] == ["  ... 60 in all:", "  organization.name: 30 (nul)", "  organization.code: 30 (nul)"]


@pytest.mark.postgresql
def test_a_value_with_several_troubles_is_replaced_in_steps(tmp_path: Path) -> None:
    rows: Rows = {"Organization": [{"id": 1, "name": "\0" + "x" * 300}]}
    with filled("sqlite", tmp_path, rows) as source, empty_database("postgresql", tmp_path, SMALL) as target:
        report = copy_database(source, target, CopyRequest(replace=frozenset({Trouble.NUL, Trouble.TOO_LONG})))
        assert report.replaced.total == 2
        assert stored(target, "Organization.name") == ["x" * 255]


@pytest.mark.parametrize("engine", EACH_ENGINE)
def test_a_copy_that_fails_leaves_an_empty_database(engine: str, tmp_path: Path) -> None:
    def fail(done: int, _total: int | None, _unit: str) -> None:
        if done > 2:
            raise KeyboardInterrupt

    with filled("sqlite", tmp_path, ROWS) as source, empty_database(engine, tmp_path, SMALL) as target:
        with pytest.raises(KeyboardInterrupt):
            copy_database(source, target, CopyRequest(progress=fail))
        assert names_in(target) == []
        assert copy_database(source, target, CopyRequest()).total == 7


def break_off(database: Database) -> None:
    """End all sessions on a database but this one, as a server does that is shut down."""
    with database.connect() as connection:
        if database.dialect == "postgresql":
            ids = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            end = "SELECT pg_terminate_backend({})"
        else:
            ids = "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
            end = "KILL {}"
        for number in connection.exec_driver_sql(ids).scalars().all():
            connection.exec_driver_sql(end.format(number))


@pytest.mark.parametrize("engine", [marked("mariadb"), marked("postgresql")])
def test_a_source_that_breaks_off_is_named_and_the_target_is_empty_again(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_PAGE", 1)
    with filled(engine, tmp_path, ROWS) as source, empty_database("sqlite", tmp_path, SMALL) as target:

        def broken(done: int, _total: int | None, _unit: str) -> None:
            if done == 1:
                break_off(source)

        with pytest.raises(DatabaseError, match=rf"database '{source.name}' at .* stopped giving rows of \w+: "):
            copy_database(source, target, CopyRequest(progress=broken))
        assert names_in(target) == []


@pytest.mark.postgresql
def test_a_target_that_breaks_off_in_a_copy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("itopd.database.locks.HeldLock.check", lambda _: None)  # the lock has a session of its own
    with filled("sqlite", tmp_path, ROWS) as source, empty_database("postgresql", tmp_path, SMALL) as target:

        def broken(done: int, _total: int | None, _unit: str) -> None:
            if done == 2:
                break_off(target)

        with pytest.raises(DatabaseError, match=r"refused rows of \w+ with ids from \d+ to \d+: .*connection"):
            copy_database(source, target, CopyRequest(progress=broken))
        assert names_in(target) == []


def test_a_disk_that_is_full_is_said_and_what_was_copied_is_gone(tmp_path: Path) -> None:
    with (
        filled("sqlite", tmp_path, organizations(3000)) as source,
        empty_database("sqlite", tmp_path, SMALL) as target,
    ):
        sa.event.listen(target.engine, "connect", lambda raw, _: raw.execute("PRAGMA max_page_count = 40"))
        target.engine.dispose()
        with pytest.raises(DatabaseError, match=r"refused rows of organization .*: database or disk is full"):
            copy_database(source, target, CopyRequest())
        assert names_in(target) == []


@pytest.mark.parametrize("engine", EACH_ENGINE)
def test_a_view_makes_a_database_not_empty_either(engine: str, tmp_path: Path) -> None:
    with filled("sqlite", tmp_path, ROWS) as source, empty_database(engine, tmp_path, SMALL) as target:
        with target.write() as connection:
            connection.exec_driver_sql("CREATE VIEW person AS SELECT 1 AS id")
        with pytest.raises(RefusedError, match="it holds person"):
            copy_database(source, target, CopyRequest())


KILLED = """
import os, signal, sys
from tests.database.test_copying import SMALL
from tests.support.servers import opened
from itopd.database.copying import CopyRequest, copy_database
def die(done, total, unit):
    if done >= 3:
        os.kill(os.getpid(), signal.SIGKILL)
with opened(sys.argv[1], SMALL) as source, opened(sys.argv[2], SMALL) as target:
    copy_database(source, target, CopyRequest(progress=die))
"""


@pytest.mark.crash
@pytest.mark.parametrize("engine", EACH_ENGINE)
def test_a_copy_that_was_killed_is_known_as_one_until_it_is_made_again(engine: str, tmp_path: Path) -> None:
    with filled("sqlite", tmp_path, ROWS) as source, empty_database(engine, tmp_path, SMALL) as target:
        urls = [database.engine.url.render_as_string(hide_password=False) for database in (source, target)]
        child = subprocess.run([sys.executable, "-c", KILLED, *urls], check=False, cwd=Path(__file__).parents[2])
        assert child.returncode == -signal.SIGKILL
        assert MARKER in names_in(target)
        assert len(stored(target, "Organization.id")) == 2
        with pytest.raises(RefusedError, match=r"holds an unfinished copy .* copy again with --restart"):
            require_finished(target)
        for one, other in ((source, target), (target, source)):
            with pytest.raises(RefusedError, match="holds an unfinished copy"):
                copy_database(one, other, CopyRequest())
        with target.write() as connection:
            connection.exec_driver_sql("CREATE TABLE mine (a INT)")
        with pytest.raises(RefusedError, match="it holds mine"):
            copy_database(source, target, CopyRequest(restart=True))
        assert names_in(target) == ["mine"]
        with target.write() as connection:
            connection.exec_driver_sql("DROP TABLE mine")
        assert copy_database(source, target, CopyRequest(restart=True, verify=True)).total == 7
        require_finished(target)


@pytest.mark.parametrize("engine", EACH_ENGINE)
@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE organization SET name = 'other' WHERE id = 1", "is not equal: .* organization, rows up to id 7"),
        ("DELETE FROM organization WHERE id = 1", "is not complete: .* holds 1 rows of organization, 2 were read"),
    ],
)
def test_what_changes_in_the_target_meanwhile_is_noticed(
    engine: str, statement: str, message: str, tmp_path: Path
) -> None:
    def disturb(done: int, total: int | None, _unit: str) -> None:
        if done == total:
            with target.write() as connection:
                connection.exec_driver_sql(statement)

    with filled("sqlite", tmp_path, ROWS) as source, empty_database(engine, tmp_path, SMALL) as target:
        with pytest.raises(DatabaseError, match=message):
            copy_database(source, target, CopyRequest(verify=True, progress=disturb))
        assert names_in(target) == []


@pytest.mark.parametrize("engine", EACH_ENGINE)
def test_a_second_copy_into_the_same_database_is_refused_while_the_first_is_at_work(
    engine: str, tmp_path: Path
) -> None:
    refused: list[str] = []

    def again(_done: int, _total: int | None, _unit: str) -> None:
        if not refused:
            with pytest.raises(ConflictError) as error:
                copy_database(source, target, CopyRequest(restart=True))
            refused.append(error.value.message)

    with filled("sqlite", tmp_path, ROWS) as source, empty_database(engine, tmp_path, SMALL) as target:
        assert copy_database(source, target, CopyRequest(progress=again)).total == 7
        assert "'itopd-copy' is already running" in refused[0]


def test_a_source_file_is_only_read(tmp_path: Path) -> None:
    with filled("sqlite", tmp_path, ROWS) as made:
        path = Path(made.name)
    before = path.read_bytes()
    path.chmod(0o444)
    source = open_database(f"sqlite:///{path}", SMALL, PARIS, read_only=True)
    with pytest.raises(sa.exc.OperationalError, match="readonly database"), source.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM organization")
    with empty_database("sqlite", tmp_path, SMALL) as target:
        assert copy_database(source, target, CopyRequest()).total == 7
    source.close()
    assert path.read_bytes() == before


def test_a_source_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=r"missing\.db does not exist"):
        open_database(f"sqlite:///{tmp_path}/missing.db", SMALL, PARIS, read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_names_of_tables_have_the_prefix_on_both_sides(tmp_path: Path) -> None:
    opening: Callable[..., Any] = lambda name: open_database(f"sqlite:///{tmp_path}/{name}", SMALL, PARIS, "it_")  # noqa: E731
    source, target = opening("a.db"), opening("b.db")
    source.create_schema()
    put(source, ROWS)
    assert copy_database(source, target, CopyRequest(verify=True)).rows["it_organization"] == 2
    source.close()
    target.close()
