"""Accounts: who may log in, who acts, and what is known of them; on the sample of a real iTop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from itopd.access import Account, account_of, authenticate, require_administrator, require_more_than_portal
from itopd.database import Database
from itopd.datamodel import load_model
from itopd.errors import AccessDenied
from tests.support.accounts import add_user
from tests.support.sample import REFERENCE


@pytest.fixture
def connection(sample: Database) -> Iterator[sa.Connection]:
    with sample.write() as opened:
        yield opened


@pytest.mark.parametrize("login", ["admin", "ADMIN", "admin ", "ádmin"])
def test_the_administrator_of_the_sample_logs_in_however_the_database_compares_his_login(
    sample: Database, connection: sa.Connection, login: str
) -> None:
    assert authenticate(sample, connection, login, "admin") == Account(
        login="admin",
        user_id=1,
        contact_id=1,
        friendly_name="My first name My last name",
        language="EN US",
        profiles={1: "Administrator"},
        assigned_orgs=None,
        allowed_orgs=None,
    )


def test_an_account_without_person_is_called_by_its_login(sample: Database, connection: sa.Connection) -> None:
    add_user(sample, connection, "joe", profiles=[3, 1024])
    account = authenticate(sample, connection, "joe", "secret")
    assert (account.friendly_name, account.contact_id, account.language) == ("joe", 0, "FR FR")
    assert account.profiles == {3: "Configuration Manager", 1024: "REST Services User"}
    assert not account.is_administrator


def test_every_refusal_reads_the_same(sample: Database, connection: sa.Connection) -> None:
    add_user(sample, connection, "off", status="disabled")
    add_user(sample, connection, "outside", cls="UserExternal")
    messages = set()
    for login, password in (
        ("admin", "wrong"),
        (" admin", "admin"),
        ("nobody", "x"),
        ("off", "secret"),
        ("outside", "anything"),
        ("nobody", "a\0b"),
        ("admin\0", "admin"),
        ("\udce9", "admin"),
    ):
        with pytest.raises(AccessDenied) as caught:
            authenticate(sample, connection, login, password)
        messages.add(caught.value.message.replace(f"'{login}'", "'?'"))
    assert messages == {"wrong login or password for '?', or the account is disabled: check auth_user and auth_pwd"}


def test_argon2_accounts_log_in(sample: Database, connection: sa.Connection) -> None:
    stored = "$argon2id$v=19$m=65536,t=4,p=1$RUhORnZwY0VDejVOLlhMVA$NKqBXebjSBfhhnt8RZjlGfUrZVP2nVVKaRvNgUYqBt0"
    add_user(sample, connection, "argon", stored=stored)
    assert authenticate(sample, connection, "argon", "secret").login == "argon"


def test_a_hash_that_would_exhaust_the_machine_is_refused_and_logged(
    sample: Database, connection: sa.Connection
) -> None:
    add_user(sample, connection, "argon", stored="$argon2id$v=19$m=99999999,t=4,p=1$c2FsdHNhbHQ$aGFzaA")
    with capture_logs() as logs, pytest.raises(AccessDenied):
        authenticate(sample, connection, "argon", "secret")
    assert [(entry["event"], entry["login"]) for entry in logs] == [("password_hash_too_costly", "argon")]


def test_a_portal_account_opens_nothing_but_the_portal(sample: Database, connection: sa.Connection) -> None:
    add_user(sample, connection, "both", profiles=[1, 2])
    add_user(sample, connection, "power", profiles=[12])
    both = authenticate(sample, connection, "both", "secret")
    with pytest.raises(AccessDenied, match="Portal user is not allowed: 'both' has the profile 'Portal user'"):
        require_more_than_portal(both)
    require_more_than_portal(account_of(sample, connection, "power"))


def test_organizations_come_with_all_below_them(sample: Database, connection: sa.Connection) -> None:
    table = sample.table("Organization")
    connection.execute(table.update().where(table.c.id == 3).values(parent_id_right=8))
    connection.execute(table.insert().values(id=90, name="Below", parent_id=3, parent_id_left=6, parent_id_right=7))
    add_user(sample, connection, "some", orgs=[1, 3])
    add_user(sample, connection, "all")
    add_user(sample, connection, "lost", orgs=[4711])
    add_user(sample, connection, "boss", orgs=[1], profiles=[1])
    accounts = {login: account_of(sample, connection, login) for login in ("some", "all", "lost", "boss")}
    orgs = {login: account.allowed_orgs for login, account in accounts.items()}
    assert orgs == {"some": {1, 3, 90}, "all": None, "lost": frozenset(), "boss": None}
    given = {login: account.assigned_orgs for login, account in accounts.items()}
    assert given == {"some": {1, 3}, "all": None, "lost": {4711}, "boss": None}


def test_the_acting_account_needs_no_password_but_must_be_there_and_enabled(
    sample: Database, connection: sa.Connection
) -> None:
    add_user(sample, connection, "off", status="disabled")
    add_user(sample, connection, "outside", cls="UserExternal")
    assert account_of(sample, connection, "outside").login == "outside"
    with pytest.raises(AccessDenied, match="account 'off' is disabled: enable it, or name another one in run_as"):
        account_of(sample, connection, "off")
    with pytest.raises(AccessDenied, match="there is no account 'nobody'"):
        account_of(sample, connection, "nobody")


def test_a_service_for_administrators_says_who_may_use_it(sample: Database, connection: sa.Connection) -> None:
    add_user(sample, connection, "joe", profiles=[3])
    require_administrator(account_of(sample, connection, "admin"), "import")
    with pytest.raises(
        AccessDenied, match=r"import is open to administrators only, and 'joe' is none \(profiles: Conf"
    ):
        require_administrator(account_of(sample, connection, "joe"), "import")


def test_logging_in_takes_three_statements_at_most(sample: Database, connection: sa.Connection) -> None:
    statements: list[str] = []
    sa.event.listen(connection, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    add_user(sample, connection, "joe", profiles=[3, 4, 5], orgs=[1, 2])
    statements.clear()
    authenticate(sample, connection, "joe", "secret")
    assert len(statements) == 3


def test_an_account_of_an_extension_of_local_accounts_logs_in_and_one_of_an_unknown_class_does_not(
    sample: Database, connection: sa.Connection, tmp_path: Path
) -> None:
    text = (REFERENCE / "datamodel.xml").read_text()
    extension = '<classes><class id="UserFriend"><parent>UserLocal</parent><properties><category>addon</category>'
    extended = tmp_path / "datamodel.xml"
    extended.write_text(text.replace("<classes>", f"{extension}</properties><fields/></class>", 1))
    database = Database(sample.engine, load_model(extended), sample.timezone)
    user = sample.table("User")
    for cls in ("UserFriend", "UserGone"):
        user_id = add_user(sample, connection, cls, profiles=[3])
        connection.execute(user.update().where(user.c.id == user_id).values(finalclass=cls))
    assert authenticate(database, connection, "UserFriend", "secret").login == "UserFriend"
    with pytest.raises(AccessDenied, match="wrong login or password"):
        authenticate(database, connection, "UserGone", "secret")
