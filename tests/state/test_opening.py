"""Opening a state store: made, brought up to date, and what is said when that cannot be."""

from __future__ import annotations

import secrets
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

import itopd.state
from itopd.errors import DatabaseError, RefusedError, SettingsError
from itopd.state import StateStore, SubjectKind, open_state
from itopd.state.opening import SCHEMA
from itopd.state.tables import VERSION_TABLE, metadata
from itopd.state.tasks import OwnTaskRows
from tests.support.servers import (
    admin_connection,
    empty_postgresql,
    mariadb_url,
    new_name,
    postgresql_connection,
    postgresql_url,
)


def test_the_migrations_make_the_tables_that_the_code_uses(store: StateStore) -> None:
    with store.read() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": False})
        assert compare_metadata(context, metadata) == []


def test_the_newest_migration_is_the_schema_the_code_expects() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(itopd.state.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_heads() == [SCHEMA]


def test_opening_twice_changes_nothing(store: StateStore, state_url: str) -> None:
    open_state(state_url).close()
    with store.read() as connection:
        assert connection.execute(sa.text(f"SELECT count(*) FROM {VERSION_TABLE}")).scalar() == 1


def test_several_processes_may_open_a_new_store_at_once(state_url: str) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("forkserver")) as pool:
        assert list(pool.map(_open, [state_url] * 4)) == [True] * 4


def _open(url: str) -> bool:
    open_state(url).close()
    return True


@pytest.mark.mariadb
def test_a_missing_database_is_made() -> None:
    name = new_name()
    with admin_connection() as connection, connection.cursor() as cursor:
        try:
            open_state(mariadb_url(name)).close()
            cursor.execute(f"SELECT count(*) FROM {name}.itopd_run")
        finally:
            cursor.execute(f"DROP DATABASE IF EXISTS {name}")


@pytest.mark.mariadb
def test_an_account_that_may_not_make_it_is_told_what_to_run() -> None:
    name = new_name()
    with admin_connection() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE USER {name}@'%' IDENTIFIED BY 'pw'")
        try:
            with pytest.raises(DatabaseError, match=f"CREATE DATABASE IF NOT EXISTS `{name}`"):
                open_state(f"mysql://{name}:pw@127.0.0.1/{name}")
        finally:
            cursor.execute(f"DROP USER {name}@'%'")


@pytest.mark.postgresql
def test_an_account_that_may_not_make_the_schema_is_told_what_to_run() -> None:
    with empty_postgresql() as name, closing(postgresql_connection(name)) as admin:
        account = f"itopd_test_{secrets.token_hex(6)}"
        admin.execute(f"CREATE ROLE {account} LOGIN".encode())
        url = sa.make_url(postgresql_url(name)).set(username=account).render_as_string(hide_password=False)
        try:
            with pytest.raises(DatabaseError, match=f'CREATE SCHEMA itopd_state AUTHORIZATION "{account}"'):
                open_state(url)
            admin.execute(f"CREATE SCHEMA itopd_state AUTHORIZATION {account}".encode())
            open_state(url).close()
        finally:
            admin.execute("DROP SCHEMA IF EXISTS itopd_state CASCADE")
            admin.execute(f"DROP ROLE {account}".encode())


@pytest.mark.postgresql
def test_a_transaction_that_waited_too_long_is_done_again() -> None:
    with empty_postgresql() as name, closing(postgresql_connection(name)) as admin:
        store = open_state(postgresql_url(name))
        tries: list[int] = []

        def work(connection: sa.Connection) -> str:
            tries.append(len(tries))
            connection.exec_driver_sql("SET LOCAL lock_timeout = '10ms'")
            if len(tries) == 2:
                admin.execute("COMMIT")
            connection.exec_driver_sql("LOCK TABLE itopd_run IN ACCESS EXCLUSIVE MODE")
            return "done"

        admin.execute("BEGIN")
        admin.execute("LOCK TABLE itopd_state.itopd_run IN ACCESS EXCLUSIVE MODE")
        assert store.transact(work) == "done"
        assert tries == [0, 1]
        store.close()


def test_a_store_serves_one_database_only(state_url: str) -> None:
    open_state(state_url).close()
    for _ in range(2):
        open_state(state_url, "itop_production").close()
    with pytest.raises(
        RefusedError, match=r"belongs to the iTop database 'itop_production', not to 'itop_test'.*state_url.*adopt"
    ):
        open_state(state_url, "itop_test")


def test_a_store_of_a_newer_itopd_is_left_alone(store: StateStore, state_url: str) -> None:
    with store.write() as connection:
        connection.execute(sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(DatabaseError, match="schema 9999, written by a newer itopd"):
        open_state(state_url)


@pytest.mark.parametrize("scheme", ["mysql", "postgresql"])
def test_a_server_that_is_away_is_named_without_the_password(scheme: str) -> None:
    with pytest.raises(DatabaseError, match=r"state_url") as caught:
        open_state(f"{scheme}://joe:s3cret@127.0.0.1:1/itopd")
    assert "s3cret" not in caught.value.message


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "oracle://x/y",
        "sqlite://",
        "sqlite:///:memory:",
        "mysql://x:pa@ss:wd@h/s",
        "mysql+no://h/s",
        "postgresql+pg8000://h/s",
    ],
)
def test_a_url_that_cannot_be_used_is_a_settings_error(url: str) -> None:
    with pytest.raises(SettingsError, match="state_url"):
        open_state(url)


def test_a_store_that_goes_away_in_mid_operation_is_named_with_what_to_do(store: StateStore) -> None:
    with store.write() as connection:
        connection.execute(sa.text("DROP TABLE itopd_task"))
    rows = OwnTaskRows(store, SubjectKind.TASK)
    told = r"the state store .* does not answer or refuses: .*itopd_task.*state_url"
    with pytest.raises(DatabaseError, match=told):
        rows.read()
    with pytest.raises(DatabaseError, match=told):
        rows.update("ExecAsyncTask", {"running": True})
    with pytest.raises(DatabaseError, match=told), store.write() as connection:
        connection.execute(sa.text("SELECT * FROM itopd_task"))


def test_a_transaction_that_was_undone_for_another_is_repeated(store: StateStore) -> None:
    tries = []

    def work(connection: sa.Connection) -> int:
        tries.append(connection)
        if len(tries) < 3:
            raise sa.exc.OperationalError("UPDATE", {}, Exception(1213, "Deadlock found"))
        return 7

    assert store.transact(work) == 7
    assert len(tries) == 3
