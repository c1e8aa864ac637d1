"""A chunk that the server undoes for the sake of others is imported again, and only once in the end."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pymysql
import pytest
import sqlalchemy as sa

from itopd.database import Database, Repeats, open_database
from itopd.errors import DatabaseError
from tests.imports.calls import Imported, import_rows, make_context
from tests.support.dumps import dump_tables
from tests.support.engines import marked, new_database
from tests.support.servers import PARIS

WEIGHT = 3000
"""Rows that the other transaction has written: MariaDB undoes the one that wrote less."""


def opened(made: Database) -> Database:
    url = made.engine.url.render_as_string(hide_password=False)
    return open_database(url, made.model, PARIS, repeats=Repeats(count=2, pause_ms=0))


def persons(count: int, function: str) -> str:
    rows = (f"Name{i},First,{function}\n" for i in range(count))
    return "name,first_name,function\n" + "".join(rows)


def with_house(database: Database) -> None:
    assert import_rows(make_context(database), "Organization", "name\nHouse\n").outcomes == ["created"]


def make_persons(database: Database, count: int) -> None:
    with_house(database)
    data = "name,first_name,org_id->name\n" + "".join(f"Name{i},First,House\n" for i in range(count))
    assert import_rows(make_context(database), "Person", data).outcomes == ["created"] * count


def operations(database: Database) -> int:
    return len(dump_tables(database)["priv_changeop_setatt_scalar"])


def changes(database: Database) -> int:
    return len(dump_tables(database)["priv_change"])


@pytest.mark.parametrize("undone", [1, 2, 3])
def test_a_commit_that_the_server_refuses_is_done_again_with_all_before_it(
    database: Database, undone: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a node of a Galera cluster refuses it: what the attempt noted as written, the change too, is not there."""
    monkeypatch.setattr(sys.modules["itopd.imports.run"], "CHUNK", 2)
    make_persons(database, 6)
    before, commits = changes(database), [0]
    with closing(opened(database)) as repeated:

        @sa.event.listens_for(repeated.engine, "commit")
        def refuse(_connection: sa.Connection) -> None:
            commits[0] += 1
            if commits[0] == undone:
                raise sa.exc.OperationalError("COMMIT", {}, pymysql.err.OperationalError(1213, "Deadlock found"))

        imported = import_rows(make_context(repeated), "Person", persons(6, "painter"))
    assert commits == [4]
    _expect_once(database, imported, 6, before)


def _expect_once(database: Database, imported: Imported, count: int, changes_before: int) -> None:
    assert dict(imported.result.counters)["updated"] == count
    assert imported.outcomes == ["updated"] * count
    tables = dump_tables(database)
    assert [row["function"] for row in tables["contact"].values()] == ["painter"] * count
    assert len(tables["priv_changeop_setatt_scalar"]) == count
    assert len(tables["priv_change"]) == changes_before + 1
    [last] = list(tables["priv_change"])[changes_before:]
    theirs = [row["changeid"] for row in tables["priv_changeop"].values() if row["optype"].endswith("Scalar")]
    assert theirs == [last] * count


def _someone_waits(database: Database) -> bool:
    query = {
        "mysql": "SELECT COUNT(*) FROM information_schema.innodb_trx JOIN information_schema.processlist p "
        "ON p.id = trx_mysql_thread_id WHERE trx_state = 'LOCK WAIT' AND p.db = DATABASE()",
        "postgresql": "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
        "AND datname = current_database()",
    }[database.dialect]
    with database.connect() as connection:
        return bool(connection.exec_driver_sql(query).scalar())


@pytest.mark.parametrize("engine", [marked("mariadb"), marked("postgresql")])
def test_an_import_that_loses_a_dead_lock_goes_on(engine: str, tmp_path: Path) -> None:
    with new_database(engine, tmp_path) as database, closing(opened(database)) as repeated:
        make_persons(database, 2)
        before = changes(database)
        first, second = sorted(dump_tables(database)["contact"])
        table, other_table = database.table("Person"), database.table("Typology")
        with ThreadPoolExecutor(1) as pool, database.write() as other:
            if engine == "postgresql":
                other.exec_driver_sql("SET LOCAL deadlock_timeout = '1h'")  # so that the import finds the dead lock
            other.execute(sa.insert(other_table), [{"name": f"weight {n}"} for n in range(WEIGHT)])
            other.execute(sa.update(table).where(table.c.id == second).values(employee_number="12"))
            importing = pool.submit(import_rows, make_context(repeated), "Person", persons(2, "painter"))
            deadline = time.monotonic() + 60
            while not _someone_waits(database):
                assert time.monotonic() < deadline
                assert not importing.done(), importing.result()
                time.sleep(0.2)  # MariaDB shows nothing new to whoever looks more often than each 0.1 s
            other.execute(sa.update(table).where(table.c.id == first).values(employee_number="11"))
            other.commit()
            imported = importing.result(120)
        _expect_once(database, imported, 2, before)
        numbers = [row["employee_number"] for row in dump_tables(database)["person"].values()]
        assert numbers == ["11", "12"]


def test_what_cannot_be_written_in_the_end_is_said_with_what_is_done(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["itopd.imports.run"], "CHUNK", 2)
    make_persons(database, 4)
    commits = [0]
    with closing(opened(database)) as repeated:

        @sa.event.listens_for(repeated.engine, "commit")
        def refuse(_connection: sa.Connection) -> None:
            commits[0] += 1
            if commits[0] > 1:
                raise sa.exc.OperationalError("COMMIT", {}, pymysql.err.OperationalError(1213, "Deadlock found"))

        with pytest.raises(DatabaseError, match="The first 2 of 4 rows are done and stay") as refused:
            import_rows(make_context(repeated), "Person", persons(4, "painter"))
    assert refused.value.exit_code == 69
    assert commits == [1 + 3]
    assert operations(database) == 2
