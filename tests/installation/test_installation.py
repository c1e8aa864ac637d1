"""An installation is whole or leaves nothing, on every engine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from itopd import installation
from itopd.access import authenticate
from itopd.clock import FixedClock, from_itop
from itopd.database import Database
from itopd.datamodel import bundled_model
from itopd.errors import ConflictError, RefusedError, SettingsError
from itopd.installation import Administrator, install, new_password
from itopd.rules import ITOPD
from itopd.settings import Settings
from itopd.writing import Writer
from tests.support.engines import EACH_ENGINE, empty_database
from tests.support.servers import PARIS, opened

CLOCK = FixedClock(from_itop("2027-02-10 10:00:00", PARIS))
ADMIN = Administrator("admin", "Tests-of-itopd-1")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Database]:
    """Give an empty SQLite database."""
    with opened(f"sqlite:///{tmp_path}/itop.db") as database:
        yield database


@pytest.fixture(params=EACH_ENGINE)
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Give an empty database, on every engine."""
    with empty_database(request.param, tmp_path) as database:
        yield database


def _install(database: Database, administrator: Administrator = ADMIN) -> int:
    return install(database, Writer(database, CLOCK, ITOPD), CLOCK, administrator)


def _tables(database: Database) -> list[str]:
    with database.read() as connection:
        return sa.inspect(connection).get_table_names()


def _functions(database: Database) -> list[str]:
    """Return the SQL functions made with the tables; only PostgreSQL has any."""
    if database.dialect != "postgresql":
        return []
    with database.read() as connection:
        query = "SELECT proname FROM pg_proc WHERE pronamespace = current_schema()::regnamespace"
        return list(connection.exec_driver_sql(query).scalars())


def test_what_fails_leaves_nothing_and_can_be_done_again(empty: Database) -> None:
    with pytest.raises(SettingsError, match="the administrator cannot be created: login"):
        _install(empty, Administrator("x" * 300, ADMIN.password))
    assert _tables(empty) == []
    assert _functions(empty) == []
    assert _install(empty) == len(_tables(empty))
    with empty.read() as connection:
        account = authenticate(empty, connection, "admin", ADMIN.password)
        table = empty.table("URP_Profiles")
        profiles = connection.execute(sa.select(table.c.id, table.c.name)).all()
    assert account.is_administrator
    assert account.friendly_name == "My first name My last name"
    declared = bundled_model().user_rights.profiles.values()
    assert sorted(map(tuple, profiles)) == [(1, "Administrator"), *((one.id, one.name) for one in declared)]


@pytest.mark.parametrize(
    "administrator", [Administrator("", "Tests-1"), Administrator("admin", ""), Administrator("admin", "a\0b")]
)
def test_an_administrator_that_cannot_be_is_refused(small: Database, administrator: Administrator) -> None:
    with pytest.raises(SettingsError, match="administrator"):
        _install(small, administrator)
    assert _tables(small) == []


def test_a_database_that_holds_something_is_refused(small: Database) -> None:
    with small.write() as connection:
        connection.exec_driver_sql("CREATE TABLE invoices (id INTEGER)")
    with pytest.raises(RefusedError, match="it holds invoices"):
        _install(small)
    assert _tables(small) == ["invoices"]


def test_another_installation_at_work_is_named(small: Database) -> None:
    with small.named_lock("itopd-init"), pytest.raises(ConflictError, match="itopd-init"):
        _install(small)
    assert _tables(small) == []


def test_an_interruption_leaves_nothing(small: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(installation, "_write_administrator", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _install(small)
    assert _tables(small) == []


def test_passwords_made_here_follow_itops_policy_and_differ() -> None:
    policy = Settings().authent_local_password_validation_pattern
    made = {new_password() for _ in range(50)}
    assert len(made) == 50
    assert all(re.match(policy, password) and len(password) == 20 for password in made)
