"""What accounts do when they are written; on the sample of a real iTop: account 1 is its administrator."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from itopd.access import authenticate
from itopd.attributes import PasswordHash
from itopd.behaviours import BEHAVIOURS, DELETIONS, LocalPassword
from itopd.clock import FixedClock
from itopd.database import Database
from itopd.errors import AccessDenied, ModelError
from itopd.objects import fetch
from itopd.rules import ITOPD
from itopd.writing import Change, Create, Delete, Intent, LinkSet, NewPassword, Outcome, Pending, Update, Writer

CLOCK = FixedClock(datetime(2026, 7, 1, 12, 0, tzinfo=UTC))
ADMIN, PORTAL, CONFIGURATION, PERSON, DEMO = 1, 2, 3, 2, 3


@pytest.fixture
def connection(sample: Database) -> Iterator[sa.Connection]:
    with sample.write() as opened:
        yield opened
        opened.rollback()


def write(database: Database, connection: sa.Connection, *intents: Intent, by: int = ADMIN) -> list[Outcome]:
    writer = Writer(database, CLOCK, ITOPD, behaviours=BEHAVIOURS, deletions=DELETIONS)
    return writer.write(connection, intents, Change("me", by))


def account(login: str, password: object = NewPassword("Secret.1"), **values: Any) -> Create:
    profiles = values.pop("profiles", (CONFIGURATION,))
    links = LinkSet(add=tuple({"profileid": profile} for profile in profiles))
    return Create("UserLocal", {"login": login, "password": password, "profile_list": links, **values})


def values(database: Database, connection: sa.Connection, id_: int) -> dict[str, Any]:
    return dict(fetch(database, connection, "UserLocal", [id_])[id_].values)


def kinds(outcome: Outcome) -> list[str]:
    return [issue.kind for issue in outcome.issues]


def test_a_password_is_kept_as_a_hash_of_its_own_with_its_day(sample: Database, connection: sa.Connection) -> None:
    one, other = write(sample, connection, account("one"), account("other"))
    assert authenticate(sample, connection, "ONE", "Secret.1").user_id == one.id
    with pytest.raises(AccessDenied):
        authenticate(sample, connection, "one", "secret.1")
    first, second = (values(sample, connection, outcome.id) for outcome in (one, other))
    assert first["password"].hash != second["password"].hash
    assert first["password_renewed_date"] == "2026-07-01"


@pytest.mark.parametrize(
    ("password", "found"),
    [
        ("weak", ["password_policy"]),
        ("", ["password_policy", "wrong_format"]),
        ("Secret.1\0", ["wrong_format"]),
        ("Secret.1", []),
    ],
)
def test_a_weak_password_is_refused(
    sample: Database, connection: sa.Connection, password: str, found: list[str]
) -> None:
    (outcome,) = write(sample, connection, account("joe", NewPassword(password)))
    assert kinds(outcome) == found


def test_a_password_that_comes_hashed_is_past_the_policy_and_a_policy_may_be_another(
    sample: Database, connection: sa.Connection
) -> None:
    (outcome,) = write(sample, connection, account("joe", PasswordHash(b"$2y$10$x")))
    assert outcome.status == "created"
    writer = Writer(sample, CLOCK, ITOPD, behaviours=[LocalPassword("^.{12,}$")])
    (short, long) = writer.write(
        connection, [account("short"), account("long", NewPassword("twelve blanks"))], Change("me")
    )
    assert (kinds(short), long.status) == (["password_policy"], "created")


def test_a_clear_password_never_shows_and_fits_hashes_only(sample: Database, connection: sa.Connection) -> None:
    assert "Secret.1" not in repr(account("joe"))
    with pytest.raises(ModelError, match=r"User\w*\.login keeps no hash"):
        write(sample, connection, Create("UserLocal", {"login": NewPassword("Secret.1")}))


def test_a_login_is_unique_whatever_its_case_also_among_new_ones(sample: Database, connection: sa.Connection) -> None:
    made = write(sample, connection, account("ADMIN"), account("joe"), account("Joe"), account("jim"))
    assert [kinds(outcome) for outcome in made] == [["login_not_unique"], [], ["login_not_unique"], []]
    renamed, same = write(
        *(sample, connection, Update("User", made[3].id, {"login": "JOE"})),
        Update("User", made[1].id, {"login": "JOE"}),
    )
    assert (kinds(renamed), same.status) == (["login_not_unique"], "updated")


def test_an_account_keeps_a_profile(sample: Database, connection: sa.Connection) -> None:
    none, joe = write(sample, connection, account("none", profiles=()), account("joe"))
    assert kinds(none) == ["no_profile"]
    table = sample.table("URP_UserProfile")
    link = connection.execute(sa.select(table.c.id).where(table.c.userid == joe.id)).scalar_one()
    last = Update("User", joe.id, {"profile_list": LinkSet(remove=(link,))})
    other = Update("User", joe.id, {"profile_list": LinkSet(remove=(link,), add=({"profileid": PORTAL},))})
    refused, swapped = write(sample, connection, last, other)
    assert (kinds(refused), swapped.status) == (["no_profile"], "updated")


def test_what_is_missing_is_said(sample: Database, connection: sa.Connection) -> None:
    (person,) = write(sample, connection, Create("Person", {"name": "p", "first_name": "q", "org_id": DEMO}))
    organizations = LinkSet(add=({"allowed_org_id": DEMO},))
    bare, whole, boss = write(
        *(sample, connection, account("bare")),
        account("whole", contactid=person.id, allowed_org_list=organizations),
        account("boss", contactid=PERSON, profiles=(ADMIN,)),
    )
    told = [[warning.kind for warning in outcome.warnings] for outcome in (bare, whole, boss)]
    assert told == [["no_contact", "no_organization"], [], []]


def test_an_account_sees_the_organization_of_its_contact(sample: Database, connection: sa.Connection) -> None:
    table = sample.table("Organization")
    top, below = write(
        *(sample, connection, Create("Organization", {"name": "Top"}, tag="t")),
        Create("Organization", {"name": "Below", "parent_id": Pending("t")}),
    )
    assert connection.execute(sa.select(table.c.parent_id).where(table.c.id == below.id)).scalar_one() == top.id
    (person,) = write(sample, connection, Create("Person", {"name": "p", "first_name": "q", "org_id": below.id}))

    def limited(login: str, organization: int, *profiles: int) -> Create:
        organizations = LinkSet(add=({"allowed_org_id": organization},))
        given = {"contactid": person.id, "allowed_org_list": organizations}
        return account(login, profiles=profiles or (CONFIGURATION,), **given)

    own, above, elsewhere, boss = write(
        *(sample, connection, limited("own", below.id), limited("above", top.id), limited("elsewhere", DEMO)),
        limited("boss", DEMO, ADMIN),
    )
    assert [kinds(outcome) for outcome in (own, above, elsewhere, boss)] == [[], [], ["own_organization"], []]
    away = Update("Organization", below.id, {"parent_id": 0})
    moved, late = write(sample, connection, away, limited("late", top.id))
    assert (moved.status, kinds(late)) == ("updated", ["own_organization"])


def test_nobody_locks_itself_out(sample: Database, connection: sa.Connection) -> None:
    (joe,) = write(sample, connection, account("joe", contactid=PERSON))
    disabled, cleared, secret = (
        Update("UserLocal", joe.id, one)
        for one in ({"status": "disabled"}, {"contactid": 0}, {"expiration": "otp_expire"})
    )
    gone = Delete("User", joe.id)
    own = write(sample, connection, disabled, cleared, secret, gone, by=joe.id)
    assert [kinds(outcome) for outcome in own] == [
        ["own_account"],
        ["contact_mandatory"],
        ["own_account"],
        ["own_account"],
    ]
    others = write(sample, connection, disabled, cleared, secret, gone)
    assert [outcome.status for outcome in others] == ["updated", "updated", "updated", "deleted"]


def test_changing_ones_own_password_ends_the_duty_to_change_it(sample: Database, connection: sa.Connection) -> None:
    made = write(sample, connection, account("joe", expiration="force_expire"), account("jim"))
    joe, jim = (outcome.id for outcome in made)
    write(sample, connection, Update("UserLocal", joe, {"password": NewPassword("Other.222")}), by=jim)
    assert values(sample, connection, joe)["expiration"] == "force_expire"
    write(sample, connection, Update("UserLocal", joe, {"password": NewPassword("Other.333")}), by=joe)
    assert values(sample, connection, joe)["expiration"] == "can_expire"


def test_only_administrators_grant_their_profile(sample: Database, connection: sa.Connection) -> None:
    (joe,) = write(sample, connection, account("joe"))
    grant = Create("URP_UserProfile", {"userid": joe.id, "profileid": ADMIN})
    assert kinds(*write(sample, connection, grant, by=joe.id)) == ["not_grantable"]
    within = account("jim", profiles=(PORTAL, ADMIN))
    assert kinds(*write(sample, connection, within, by=joe.id)) == ["not_grantable"]
    assert write(sample, connection, grant)[0].status == "created"


def test_a_hundred_accounts_cost_as_many_look_ups_as_one(sample: Database, connection: sa.Connection) -> None:
    sent: list[str] = []

    @sa.event.listens_for(sample.engine, "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    hashed = PasswordHash(b"$2y$10$x")
    write(sample, connection, account("one", hashed))
    alone = len(sent)
    write(sample, connection, *(account(f"joe{n}", hashed) for n in range(100)))
    assert len(sent) - alone <= alone + 2
