"""Keeping accounts, on the sample of a real iTop: what is stored, what is refused, who may."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from itopd import users
from itopd.access import account_of, authenticate, rights_of
from itopd.clock import SystemClock
from itopd.database import Database
from itopd.dictionary import bundled_dictionary
from itopd.errors import AccessDenied, RefusedError, SettingsError
from itopd.rules import ITOPD
from itopd.service import Context
from itopd.settings import Settings
from itopd.users import NewUser
from itopd.wiring import Application
from tests.support.accounts import add_user

PASSWORD = "Good-Enough-1"
PICASSO_MAIL = "test@example.com"


@pytest.fixture
def acting(sample: Database) -> Callable[..., Context]:
    """Give the context of an account of the sample."""

    def context(login: str = "admin", **settings: Any) -> Context:
        application = Application(Settings(**settings), ITOPD, SystemClock(), sample, bundled_dictionary(sample.model))
        with sample.read() as connection:
            account = account_of(sample, connection, login)
        return application.context(account, output=io.BytesIO(), progress=lambda *_: None)

    return context


def stored(database: Database, cls: str, *codes: str) -> list[tuple[Any, ...]]:
    table = database.table(cls)
    with database.read() as connection:
        return [tuple(row) for row in connection.execute(sa.select(*(table.c[code] for code in codes)))]


def test_an_account_is_made_with_profiles_contact_organizations_and_history(
    sample: Database, acting: Callable[..., Context]
) -> None:
    operations = len(stored(sample, "CMDBChangeOp", "id"))
    new = NewUser("joe", PASSWORD, ("configuration manager", "1024"), "2", ("Demo", "2"), "FR FR")
    id_, remarks = users.add(acting(), new)
    assert remarks == []
    with sample.read() as connection:
        account = authenticate(sample, connection, "JOE", PASSWORD)
    assert (account.user_id, account.login, account.language) == (id_, "joe", "FR FR")
    assert account.profiles == {3: "Configuration Manager", 1024: "REST Services User"}
    assert account.assigned_orgs == frozenset({2, 3})
    assert account.contact_id == 2
    (row,) = [row for row in stored(sample, "UserLocal", "id", "password_hash", "password_salt") if row[0] == id_]
    assert bytes(row[1] if isinstance(row[1], bytes) else row[1].encode()).startswith(b"$2y$10$")
    assert not row[2]
    assert len(stored(sample, "CMDBChangeOp", "id")) > operations
    shown = users.user(acting(), "joe")
    assert (shown.cls, shown.status, shown.contact) == ("UserLocal", "enabled", "Pablo Picasso")
    assert (shown.profiles, shown.organizations) == (
        ("Configuration Manager", "REST Services User"),
        ("Demo", "IT Department"),
    )


def test_what_is_missing_is_said(acting: Callable[..., Context]) -> None:
    _, remarks = users.add(acting(), NewUser("bare", PASSWORD, ("3",)))
    assert [remark.split(":")[0] for remark in remarks] == [
        "the account has no contact",
        "the account is limited to no organization",
    ]


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (NewUser("Admin ", PASSWORD, ("3",)), "cannot be a login"),
        (NewUser("ADMIN", PASSWORD, ("3",)), "there is an account 'ADMIN' already"),
        (NewUser("x", PASSWORD, ()), "at least one profile"),
        (NewUser("x", PASSWORD, ("Nobody",)), "there is no URP_Profiles with the name 'Nobody'"),
        (NewUser("x", PASSWORD, ("3",), organizations=("99",)), "there is no Organization with the id '99'"),
        (NewUser("x", PASSWORD, ("3",), contact="no@where"), "there is no Person with the email 'no@where'"),
        (NewUser("x", PASSWORD, ("3",), language="Klingon"), "language"),
        (NewUser("x", "weak", ("3",)), "Password must be at least 8 characters and include uppercase"),
        (NewUser("x", "Aa1-5678\0", ("3",)), "NUL"),
    ],
)
def test_an_account_that_cannot_be_is_refused_and_leaves_nothing(
    sample: Database, acting: Callable[..., Context], new: NewUser, message: str
) -> None:
    before = {cls: stored(sample, cls, "id") for cls in ("User", "URP_UserProfile", "URP_UserOrg", "CMDBChange")}
    with pytest.raises(SettingsError, match=message):
        users.add(acting(), new)
    assert {cls: stored(sample, cls, "id") for cls in before} == before


def test_a_policy_of_ones_own_holds(acting: Callable[..., Context]) -> None:
    context = acting(authent_local_password_validation_pattern="^.{12,}$")
    with pytest.raises(SettingsError, match=r"does not match authent_local_password_validation_pattern, \^\.\{12,\}\$"):
        users.add(context, NewUser("x", "Aa1-5678", ("3",)))
    users.add(context, NewUser("x", "twelve blanks", ("3",)))
    with pytest.raises(SettingsError, match="is no regular expression"):
        users.set_password(acting(authent_local_password_validation_pattern="("), "x", PASSWORD)


def test_a_password_is_set_with_its_day(sample: Database, acting: Callable[..., Context]) -> None:
    with sample.write() as connection:
        user_id = add_user(sample, connection, "joe", profiles=[3])
        table = sample.table("UserLocal")
        connection.execute(
            table.update()
            .where(table.c.id == user_id)
            .values(password_renewed_date="2001-01-01", expiration="force_expire")
        )
    users.set_password(acting(), "Joe", PASSWORD)
    with sample.read() as connection:
        assert authenticate(sample, connection, "joe", PASSWORD).user_id == user_id
    rows = {row[0]: row[1:] for row in stored(sample, "UserLocal", "id", "password_renewed_date", "expiration")}
    assert str(rows[user_id][0]) > "2025"
    assert rows[user_id][1] == "force_expire"


def test_ones_own_password_ends_the_duty_to_change_it(sample: Database, acting: Callable[..., Context]) -> None:
    with sample.write() as connection:
        connection.execute(sample.table("UserLocal").update().values(expiration="force_expire"))
    users.set_password(acting(), "admin", PASSWORD)
    assert stored(sample, "UserLocal", "expiration") == [("can_expire",)]


def test_accounts_of_other_classes_have_no_password_here(sample: Database, acting: Callable[..., Context]) -> None:
    with sample.write() as connection:
        add_user(sample, connection, "outside", cls="UserExternal")
    with pytest.raises(SettingsError, match="'outside' is a UserExternal, which has no password here"):
        users.set_password(acting(), "outside", PASSWORD)


def test_accounts_are_disabled_and_enabled(sample: Database, acting: Callable[..., Context]) -> None:
    with sample.write() as connection:
        add_user(sample, connection, "joe", profiles=[3])
    assert users.set_status(acting(), "joe", "disabled")
    assert not users.set_status(acting(), "joe", "disabled")
    with sample.read() as connection, pytest.raises(AccessDenied, match="'joe' is disabled"):
        account_of(sample, connection, "joe")
    assert users.set_status(acting(), "joe", "enabled")
    with pytest.raises(RefusedError, match="nobody can disable itself"):
        users.set_status(acting(), "ADMIN", "disabled")
    with pytest.raises(SettingsError, match="there is no account 'jim'"):
        users.set_status(acting(), "jim", "disabled")


def test_who_has_no_right_on_accounts_neither_sees_nor_makes_them(
    sample: Database, acting: Callable[..., Context]
) -> None:
    with sample.write() as connection:
        add_user(sample, connection, "joe", profiles=[3])
    context = acting("joe")
    with pytest.raises(AccessDenied, match="'joe' may not make accounts"):
        users.add(context, NewUser("x", PASSWORD, ("3",)))
    for call in (users.users, lambda c: users.set_password(c, "admin", PASSWORD)):
        with pytest.raises(AccessDenied, match="'joe' may not read accounts"):
            call(context)


def test_a_list_takes_three_statements(sample: Database, acting: Callable[..., Context]) -> None:
    with sample.write() as connection:
        for number in range(5):
            add_user(sample, connection, f"user{number}", profiles=[3, 4], orgs=[2, 3])
    context = acting()
    statements: list[str] = []
    sa.event.listen(sample.engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    found = users.users(context)
    assert sum(statement.startswith("SELECT") for statement in statements) == 3
    assert [one.login for one in found] == ["admin", *(f"user{number}" for number in range(5))]
    assert found[1].organizations == ("Demo", "IT Department")


def test_who_sees_some_organizations_makes_no_account_that_sees_all(
    sample: Database, acting: Callable[..., Context]
) -> None:
    with sample.write() as connection:
        add_user(sample, connection, "chief", profiles=[3], orgs=[3])
    chief = acting("chief")
    context = dataclasses.replace(chief, rights=rights_of(sample.model, frozenset({1})))
    with pytest.raises(AccessDenied, match=r"'chief' sees some organizations only.*--org"):
        users.add(context, NewUser("x", PASSWORD, ("3",)))


def test_the_organizations_include_that_of_the_contact_but_for_administrators(
    sample: Database, acting: Callable[..., Context]
) -> None:
    with sample.write() as connection:
        person = sample.table("Contact")
        connection.execute(person.update().where(person.c.id == 2).values(org_id=3))
        parent, below = sample.table("Organization"), {1: (1, 6), 2: (2, 3), 3: (4, 5)}
        for id_, (left, right) in below.items():
            place = {"parent_id": 0 if id_ == 1 else 1, "parent_id_left": left, "parent_id_right": right}
            connection.execute(parent.update().where(parent.c.id == id_).values(place))
    with pytest.raises(SettingsError, match="organizations of account 'x' must include that of its contact"):
        users.add(acting(), NewUser("x", PASSWORD, ("3",), "2", ("2",)))
    for login, profile, org in (("itself", "3", "3"), ("above", "3", "1"), ("master", "1", "2")):
        users.add(acting(), NewUser(login, PASSWORD, (profile,), "2", (org,)))


def test_the_accounts_of_a_demonstration_stay_as_they_are(sample: Database, acting: Callable[..., Context]) -> None:
    with sample.write() as connection:
        add_user(sample, connection, "joe", profiles=[3])
    context = acting(demo_mode=True)
    for change in (
        lambda: users.add(context, NewUser("x", PASSWORD, ("3",))),
        lambda: users.set_password(context, "joe", PASSWORD),
        lambda: users.set_status(context, "joe", "disabled"),
    ):
        with pytest.raises(RefusedError, match="demo_mode is on"):
            change()
    assert [one.login for one in users.users(context)] == ["admin", "joe"]
