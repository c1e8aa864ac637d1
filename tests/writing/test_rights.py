"""What an account may write: its rights on classes, and the organizations it sees; on the sample of a real iTop."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from itopd.access import account_of
from itopd.clock import SystemClock
from itopd.database import Database
from itopd.dictionary import bundled_dictionary
from itopd.rules import ITOPD
from itopd.settings import Settings
from itopd.wiring import Application
from itopd.writing import Change, Create, Delete, Intent, Outcome, Pending, RightsGuard, Update
from tests.support.accounts import add_user

DEMO, IT_DEPARTMENT = 3, 2
PICASSO, ROUSSEAU = 2, 4
"""Persons of Demo and of IT Department."""
CONFIGURATION_MANAGER, SERVICE_DESK = 3, 4

Write = Callable[..., list[Outcome]]


@pytest.fixture
def connection(sample: Database) -> Iterator[sa.Connection]:
    with sample.write() as opened:
        yield opened
        opened.rollback()


@pytest.fixture
def write(sample: Database, connection: sa.Connection) -> Write:
    """Give a function that writes as an account with these profiles and organizations."""

    def writing(
        intents: Sequence[Intent],
        *,
        profiles: Sequence[int],
        orgs: Sequence[int] = (),
        login: str = "joe",
        **settings: Any,
    ) -> list[Outcome]:
        add_user(sample, connection, login, profiles=profiles, orgs=orgs)
        account = account_of(sample, connection, login)
        application = Application(Settings(**settings), ITOPD, SystemClock(), sample, bundled_dictionary(sample.model))
        context = application.context(account, output=io.BytesIO(), progress=lambda *_: None)
        return context.writer.write(connection, intents, Change("joe"))

    return writing


def problems(outcomes: Sequence[Outcome]) -> list[list[tuple[str | None, str]]]:
    return [[(issue.code, issue.kind) for issue in outcome.issues] for outcome in outcomes]


def person(**values: object) -> Create:
    return Create("Person", {"name": "A", "first_name": "B", "org_id": DEMO, **values})


def test_classes_are_written_as_the_profiles_allow(write: Write) -> None:
    intents = [
        person(),
        Create("Organization", {"name": "New"}),
        Create("lnkContactToFunctionalCI", {"contact_id": PICASSO, "functionalci_id": 1}),
        Update("Server", 1, {"ram": "1"}),
        Create("UserRequest", {"title": "T", "description": "D", "org_id": DEMO}),
        Create("SynchroDataSource", {"name": "S", "scope_class": "Person"}),
    ]
    outcomes = write(intents, profiles=[CONFIGURATION_MANAGER])
    assert [outcome.status for outcome in outcomes] == ["created"] * 3 + ["updated"] + ["refused"] * 2
    assert problems(outcomes)[4:] == [[(None, "access_denied")]] * 2
    assert outcomes[4].issues[0].text == (
        "'joe' may not create objects of class UserRequest (profiles: Configuration Manager)"
    )


def test_rights_hold_for_the_class_of_the_object_whatever_class_was_named(write: Write) -> None:
    outcomes = write([Update("Contact", PICASSO, {"phone": "1"})], profiles=[SERVICE_DESK])
    assert problems(outcomes) == [[(None, "access_denied")]]
    assert "may not modify objects of class Person" in outcomes[0].issues[0].text


def test_a_read_only_database_lets_users_write_nothing(write: Write) -> None:
    outcomes = write([person()], profiles=[CONFIGURATION_MANAGER], access_mode=2)
    assert outcomes[0].issues[0].text == "objects of class Person cannot be written: access_mode lets 'joe' only read"


def test_administrators_write_everywhere_whatever_organizations_they_have(write: Write) -> None:
    outcomes = write([Update("Person", ROUSSEAU, {"phone": "1"})], profiles=[1], orgs=[DEMO])
    assert outcomes[0].status == "updated"


def test_nobody_makes_profiles(write: Write) -> None:
    outcomes = write([Create("URP_Profiles", {"name": "Mine", "description": "x"})], profiles=[1])
    assert problems(outcomes) == [[(None, "access_denied")]]


def test_what_lies_outside_the_organizations_is_not_there(write: Write) -> None:
    intents = [
        Update("Person", PICASSO, {"phone": "1"}),
        Update("Person", ROUSSEAU, {"phone": "1"}),
        Update("Person", PICASSO, {"org_id": IT_DEPARTMENT}),
        Update("Person", PICASSO, {"manager_id": ROUSSEAU}),
        person(org_id=IT_DEPARTMENT),
        person(),
        Update("Person", 4711, {"phone": "1"}),
        person(org_id=4711),
    ]
    outcomes = write(intents, profiles=[CONFIGURATION_MANAGER], orgs=[DEMO])
    assert problems(outcomes) == [
        [], [(None, "not_found")], [("org_id", "target_not_found")], [("manager_id", "target_not_found")],
        [("org_id", "target_not_found")], [], [(None, "not_found")], [("org_id", "target_not_found")],
    ]  # fmt: skip
    # What is hidden reads exactly like what does not exist.
    assert outcomes[1].issues[0].text.replace("4", "N") == outcomes[6].issues[0].text.replace("4711", "N")
    assert outcomes[4].issues[0].text.replace("2", "N") == outcomes[7].issues[0].text.replace("4711", "N")


def test_a_key_that_stays_as_it_is_may_point_anywhere(
    sample: Database, connection: sa.Connection, write: Write
) -> None:
    table = sample.table("Person")
    connection.execute(table.update().where(table.c.id == PICASSO).values(manager_id=ROUSSEAU))
    outcomes = write([Update("Person", PICASSO, {"manager_id": ROUSSEAU, "phone": "1"})], profiles=[3], orgs=[DEMO])
    assert outcomes[0].status == "updated"


def test_links_and_typologies_belong_to_nobody(write: Write) -> None:
    intents = [
        Create("Brand", {"name": "New"}),
        Create("lnkPersonToTeam", {"person_id": PICASSO, "team_id": 36}),
    ]
    outcomes = write(intents, profiles=[CONFIGURATION_MANAGER], orgs=[DEMO])
    assert outcomes[0].status == "created"


def test_organizations_are_made_and_moved_only_where_they_are_seen(write: Write) -> None:
    intents: list[Intent] = [
        Create("Organization", {"name": "Top"}),
        Create("Organization", {"name": "Below", "parent_id": DEMO}, tag="below"),
        Create("Organization", {"name": "Deep", "parent_id": Pending("below")}, tag="deep"),
        person(org_id=Pending("deep")),
        Create("Organization", {"name": "Elsewhere", "parent_id": IT_DEPARTMENT}),
        Update("Organization", Pending("deep"), {"parent_id": 0}),
        Update("Organization", DEMO, {"name": "Demo 2", "parent_id": 0}),
    ]
    outcomes = write(intents, profiles=[CONFIGURATION_MANAGER], orgs=[DEMO])
    assert problems(outcomes) == [
        [("parent_id", "access_denied")], [], [], [], [("parent_id", "target_not_found")],
        [("parent_id", "access_denied")], [],
    ]  # fmt: skip


def test_a_new_organization_is_seen_by_later_writes_with_a_fixed_number_of_statements(
    connection: sa.Connection, write: Write
) -> None:
    below = Create("Organization", {"name": "Below", "parent_id": DEMO})
    (organization,) = write([below], profiles=[CONFIGURATION_MANAGER], orgs=[DEMO])
    statements: list[str] = []
    sa.event.listen(connection, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    intents = [person(name=f"N{number}", org_id=organization.id) for number in range(1500)]
    outcomes = write(intents, profiles=[CONFIGURATION_MANAGER], orgs=[DEMO], login="jim")
    assert {outcome.status for outcome in outcomes} == {"created"}
    assert len(statements) < 80


def test_an_account_without_any_organization_left_sees_none(write: Write) -> None:
    outcomes = write([person(), Update("Person", PICASSO, {"phone": "1"})], profiles=[3], orgs=[4711])
    assert problems(outcomes) == [[("org_id", "target_not_found")], [(None, "not_found")]]


@pytest.mark.parametrize("hide", [True, False])
def test_administrators_are_out_of_reach_for_others(
    sample: Database, connection: sa.Connection, write: Write, hide: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("itopd.access.rights.Rights.allows", lambda *_: True)  # as if a profile granted accounts
    user_id = add_user(sample, connection, "other", profiles=[3])
    intents = [
        Update("UserLocal", 1, {"status": "disabled"}),
        Create("URP_UserProfile", {"userid": user_id, "profileid": 1}),
        Create("URP_UserProfile", {"userid": user_id, "profileid": 4}),
        Update("UserLocal", user_id, {"status": "disabled"}),
    ]
    outcomes = write(intents, profiles=[3], security_hide_administrators=hide)
    assert problems(outcomes) == [[(None, "not_found")], [("profileid", "target_not_found")], [], []]


def test_what_behaviours_bring_about_is_not_judged(
    sample: Database, connection: sa.Connection, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin of a link between two network devices is made although nobody asked for it, or might."""
    asked: list[bool] = []
    issues = RightsGuard._issues

    def noted(self: RightsGuard, draft: Any, hidden: Any) -> Any:
        asked.append(draft.asked)
        return issues(self, draft, hidden)

    monkeypatch.setattr(RightsGuard, "_issues", noted)
    location = {"org_id": DEMO, "networkdevicetype_id": _any_id(sample, connection, "NetworkDeviceType")}
    devices = [Create("NetworkDevice", {"name": name, **location}, tag=name) for name in "AB"]
    link = {"networkdevice_id": Pending("A"), "connectableci_id": Pending("B"), "network_port": "1", "device_port": "2"}
    intents: list[Intent] = [*devices, Create("lnkConnectableCIToNetworkDevice", link)]
    outcomes = write(intents, profiles=[CONFIGURATION_MANAGER], orgs=[DEMO])
    assert problems(outcomes) == [[], [], []]
    table = sample.table("lnkConnectableCIToNetworkDevice")
    ends = sa.select(sa.func.count()).where(table.c.networkdevice_id.in_([outcomes[0].id, outcomes[1].id]))
    assert connection.execute(ends).scalar_one() == 2
    assert asked == [True, True, True]


def _any_id(database: Database, connection: sa.Connection, cls: str) -> int:
    table = database.table(cls)
    return int(connection.execute(sa.select(sa.func.min(table.c.id))).scalar_one())


def test_deleting_takes_the_right_to_delete_and_sight(write: Write) -> None:
    orgs = (IT_DEPARTMENT,)
    hidden, seen = write(
        [Delete("Person", PICASSO), Delete("Person", ROUSSEAU)],
        profiles=[CONFIGURATION_MANAGER], orgs=orgs, login="manager",
    )  # fmt: skip
    assert problems([hidden]) == [[(None, "not_found")]]
    assert seen.status == "deleted"
    (refused,) = write([Delete("Person", PICASSO)], profiles=[SERVICE_DESK], login="agent")
    assert (None, "access_denied") in problems([refused])[0]
