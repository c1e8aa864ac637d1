"""The recorded REST calls of accounts with few rights: each answer that is about rights follows from the rights here.

What REST makes of it (codes, messages, objects) is replayed with REST.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from itopd.access import Account, Action, Rights, account_of, authenticate, reader_of, rights_of
from itopd.access.rights import REST_SERVICES_USER
from itopd.database import Database
from itopd.errors import AccessDenied
from itopd.objects import find, seen
from tests.golden.accounts import give_users
from tests.golden.harness import DEFAULT_FOLDER
from tests.support.sample import require_shared

Json = dict[str, Any]

WRITES = 3
"""``access_mode`` of the sample."""
MAY_NOT = "enough permissions for"


@pytest.fixture
def connection(sample: Database) -> Iterator[sa.Connection]:
    with sample.write() as opened:
        yield opened
        opened.rollback()


def vector(name: str) -> Json:
    require_shared()
    return json.loads((DEFAULT_FOLDER / "rest" / f"{name}.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def calls(recorded: Json) -> Iterator[tuple[str, str, Json, Json]]:
    """Yield login and password, what is asked and the answer of each step."""
    for step, expected in zip(recorded["run"]["steps"], recorded["expect"]["steps"], strict=True):
        form = step["form"]
        yield form["auth_user"], form["auth_pwd"], form["json_data"], expected["json"]


def rights_in(sample: Database, account: Account, recorded: Json) -> Rights:
    mode = (recorded["given"].get("config") or {}).get("access_mode", WRITES)
    bit = 2 if account.is_administrator else 1
    return rights_of(sample.model, frozenset(account.profiles), may_write=bool(mode & bit))


def refusal(rights: Rights, asked: Json) -> str:
    """Return the word by which REST names the right that is missing, nothing when none is (``spec/rest.md`` §4)."""
    cls = asked["class"]
    match asked["operation"]:
        case "core/get":
            if not rights.allows(Action.READ, cls):
                return "reading"
            return "" if rights.allows(Action.BULK_READ, cls) else "exporting"
        case "core/create":
            return "" if rights.allows_creation(cls) else "creating"
        case "core/update" | "core/apply_stimulus":
            return "" if rights.allows(Action.WRITE, cls) else "modifying"
        case "core/delete":
            return "" if rights.allows(Action.DELETE, cls) else "deleting"
    return ""


@pytest.mark.parametrize(
    "name",
    [
        "rights-configuration-manager", "rights-delete-not-granted", "rights-no-grant", "rights-read-only-mode",
        "rights-allowed-orgs", "rights-links-not-siloed", "stimulus-rights-not-checked",
    ],
)  # fmt: skip
def test_the_class_rights_of_each_recorded_call(sample: Database, connection: sa.Connection, name: str) -> None:
    recorded = vector(name)
    give_users(sample, connection, recorded["given"]["users"])
    judged, known = 0, dict[tuple[str, str], Account]()
    for login, password, asked, answer in calls(recorded):
        if (login, password) not in known:
            known[login, password] = authenticate(sample, connection, login, password)
        account = known[login, password]
        message = answer["message"] or ""
        word = refusal(rights_in(sample, account, recorded), asked)
        assert (f"{MAY_NOT} {word} data of class {asked.get('class')}" in message) == bool(word), asked
        assert (MAY_NOT in message) == bool(word), asked
        judged += 1
    assert judged > 2


def test_stimuli_are_granted_as_the_strict_mode_asks(sample: Database, connection: sa.Connection) -> None:
    recorded = vector("stimulus-rights-not-checked")
    give_users(sample, connection, recorded["given"]["users"])
    account = account_of(sample, connection, "sdrest")
    rights = rights_in(sample, account, recorded)
    asked = [call for _, _, call, _ in calls(recorded) if call["operation"] == "core/apply_stimulus"]
    granted = {call["stimulus"]: rights.allows_stimulus(call["stimulus"], call["class"]) for call in asked}
    assert granted == {"ev_assign": True, "ev_resolve": False}


def test_what_each_recorded_call_finds_is_what_the_account_sees(sample: Database, connection: sa.Connection) -> None:
    recorded = vector("rights-allowed-orgs")
    give_users(sample, connection, recorded["given"]["users"])
    account = account_of(sample, connection, "cmdemo")
    rights = rights_in(sample, account, recorded)
    reader = reader_of(account, rights, hide_administrators=True, strict=False)
    judged = 0
    for _, _, asked, answer in calls(recorded):
        cls = asked["class"]
        if asked["operation"] != "core/get":
            continue
        names = [int(key.split("::")[1]) for key in answer["objects"] or {}]
        visible = seen(sample, connection, cls, range(1, 60), reader)
        assert set(names) <= visible
        if asked["key"] == f"SELECT {cls}":
            assert set(names) == visible
        elif isinstance(asked["key"], int):
            assert (asked["key"] in visible) == bool(names)
        judged += 1
    assert judged == 5
    for cls, id_ in (("Person", 4), ("Organization", 2)):  # "Invalid object", "No item found" in the recording
        assert find(sample, connection, cls, ["id"], [[id_]]) == [(id_,)]
        assert seen(sample, connection, cls, [id_], reader) == frozenset()


def test_who_may_call_rest_at_all(sample: Database, connection: sa.Connection) -> None:
    recorded = vector("rights-rest-profile")
    give_users(sample, connection, recorded["given"]["users"])
    for login, password, _, answer in calls(recorded):
        message = answer["message"] or ""
        try:
            account = authenticate(sample, connection, login, password)
        except AccessDenied:
            assert message == "Error: Invalid login"
            continue
        if account.is_portal_only:
            assert message == "Error: Portal user is not allowed"
        else:
            assert ("REST Services User is required" in message) == (REST_SERVICES_USER not in account.profiles)


def test_credentials_are_checked_as_recorded_but_for_external_accounts(
    sample: Database, connection: sa.Connection
) -> None:
    """An account of the web server has no password here, where iTop takes any (``spec/http.md`` §5)."""
    recorded = vector("credentials-check")
    give_users(sample, connection, recorded["given"]["users"])
    judged = {}
    for _, _, asked, answer in calls(recorded):
        if "authorized" not in answer:
            continue
        try:
            known = authenticate(sample, connection, asked["user"], asked["password"]).login == asked["user"]
        except AccessDenied:
            known = False
        judged[asked["user"], asked["password"]] = (known, answer["authorized"])
    assert judged.pop(("ext1", "anything")) == (False, True)
    assert len(judged) == 5
    assert all(ours == theirs for ours, theirs in judged.values())
