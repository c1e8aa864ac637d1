"""Rights of profiles: iTop's default ones as recorded, and any others as the rules say."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itopd.access import Action, Rights, rights_of
from itopd.datamodel import Class, Model, Profile, UserRights, bundled_model
from itopd.errors import ModelError
from tests.access import reference

MODEL = bundled_model()
PROFILES = (1, *MODEL.user_rights.profiles)
CONFIGURATION_MANAGER, SERVICE_DESK, PORTAL, DOCUMENT_AUTHOR, REST = 3, 4, 2, 11, 1024


def rights(*profiles: int) -> Rights:
    return rights_of(MODEL, frozenset(profiles))


def differences(model: Model, profiles: frozenset[int], names: tuple[str, ...], *, legacy: bool = False) -> list[str]:
    computed = Rights(model, profiles, legacy=legacy)
    return [
        f"{sorted(profiles)} {action} {name}: {computed.allows(action, name)}"
        for name in names
        for action in Action
        if computed.allows(action, name) != reference.allowed(model, profiles, action, name, legacy=legacy)
    ]


@pytest.mark.parametrize("profile", PROFILES)
def test_every_right_of_a_profile_is_the_one_that_the_rules_give(profile: int) -> None:
    assert differences(MODEL, frozenset({profile}), tuple(MODEL)) == []


def test_profiles_add_up_as_the_rules_say() -> None:
    for pair in combinations(PROFILES, 2):
        assert differences(MODEL, frozenset(pair), tuple(MODEL)[::9]) == []


NAMES = ("Server", "FunctionalCI", "Person", "Contact", "lnkContactToFunctionalCI", "lnkPersonToTeam", "Brand",
         "UserLocal", "URP_UserProfile", "QueryOQL", "EventIssue", "BackgroundTask", "URP_Profiles")  # fmt: skip
GROUPS = {
    "CI": ("FunctionalCI", "Typology"), "Servers": ("Server",), "People": ("Contact",), "Users": ("User", "Query"),
    "Links": ("lnkContactToFunctionalCI", "URP_UserProfile"), "Persons": ("Person", "Gone"),
}  # fmt: skip
granted = st.dictionaries(
    st.sampled_from([f"action:{action}" for action in ("read", "bulk read", "write", "delete")]), st.booleans()
)
declared = st.dictionaries(st.sampled_from([*GROUPS, "*"]), granted, max_size=5)


@given(st.lists(declared, min_size=1, max_size=3), st.booleans())
def test_any_grants_and_denials_are_combined_as_the_rules_say(
    profiles: list[dict[str, dict[str, bool]]], legacy: bool
) -> None:
    made = {number: Profile(number, f"P{number}", "", grants) for number, grants in enumerate(profiles, 50)}
    model = replace(MODEL, user_rights=UserRights(made, GROUPS))
    assert differences(model, frozenset(made), NAMES, legacy=legacy) == []


@pytest.mark.parametrize(
    ("profile", "cls", "actions"),
    [
        (CONFIGURATION_MANAGER, "Server", "read, bulk read, write, bulk write, delete"),
        (CONFIGURATION_MANAGER, "UserRequest", "read, bulk read"),
        (CONFIGURATION_MANAGER, "lnkContactToFunctionalCI", "read, bulk read, write, bulk write, delete"),
        (CONFIGURATION_MANAGER, "Brand", "read, bulk read, write, bulk write, delete"),
        (CONFIGURATION_MANAGER, "User", ""),
        (CONFIGURATION_MANAGER, "SynchroDataSource", ""),
        (CONFIGURATION_MANAGER, "CMDBChange", ""),
        (CONFIGURATION_MANAGER, "URP_Profiles", ""),
        (CONFIGURATION_MANAGER, "BackgroundTask", ""),
        (CONFIGURATION_MANAGER, "QueryOQL", ""),
        (CONFIGURATION_MANAGER, "EventIssue", "read"),
        (CONFIGURATION_MANAGER, "ModuleInstallation", "read"),
        (SERVICE_DESK, "UserRequest", "read, bulk read, write, bulk write"),
        (SERVICE_DESK, "lnkContactToTicket", "read, bulk read, write, bulk write, delete"),
        (SERVICE_DESK, "Person", "read, bulk read"),
        (PORTAL, "UserRequest", "read, bulk read, write"),
        (DOCUMENT_AUTHOR, "DocumentWeb", "read, bulk read, write, bulk write, delete"),
        (DOCUMENT_AUTHOR, "Person", "read, bulk read"),
        (REST, "Person", ""),
        (1, "URP_Profiles", "read, bulk read, write, bulk write"),
        (1, "BackgroundTask", "read, bulk read, write, bulk write, delete, bulk delete"),
    ],
)  # fmt: skip
def test_what_was_observed(profile: int, cls: str, actions: str) -> None:
    assert ", ".join(action for action in Action if rights(profile).allows(action, cls)) == actions


def test_stimuli_look_at_the_class_itself_only() -> None:
    desk = rights(SERVICE_DESK)
    assert desk.allows_stimulus("ev_assign", "UserRequest")
    assert not desk.allows_stimulus("ev_resolve", "UserRequest")
    implementor = rights(7)
    assert implementor.allows_stimulus("ev_plan", "NormalChange")
    assert implementor.allows_stimulus("ev_assign", "NormalChange")  # the group Change names it
    assert not rights(9).allows_stimulus("ev_approve", "UserRequest")
    tickets = Profile(50, "P", "", {"T": {"stimulus:ev_close": True}})
    of_parent = replace(MODEL, user_rights=UserRights({50: tickets}, {"T": ("Ticket",)}))
    assert not Rights(of_parent, frozenset({50})).allows_stimulus("ev_close", "UserRequest")
    everything = replace(
        MODEL, user_rights=UserRights({50: Profile(50, "P", "", {"*": {"stimulus:ev_close": True}})}, {})
    )
    assert Rights(everything, frozenset({50})).allows_stimulus("ev_close", "UserRequest")
    assert rights(1).allows_stimulus("anything", "UserRequest")


def test_one_denial_denies_whatever_other_profiles_allow() -> None:
    model = replace(
        MODEL,
        user_rights=UserRights(
            {
                50: Profile(50, "No", "", {"Servers": {"action:write": False, "stimulus:ev_x": False}}),
                51: Profile(51, "Yes", "", {"CI": {"action:write": True}, "*": {"stimulus:ev_x": True}}),
            },
            GROUPS,
        ),
    )
    both = Rights(model, frozenset({50, 51}))
    assert not both.allows(Action.WRITE, "Server")
    assert both.allows(Action.WRITE, "Rack")
    assert not both.allows_stimulus("ev_x", "Server")
    assert both.allows_stimulus("ev_x", "Rack")


def test_a_read_only_database_lets_nobody_write() -> None:
    closed = Rights(MODEL, frozenset({1}), may_write=False)
    for action in Action:
        assert closed.allows(action, "Organization") == action.reads
    assert not closed.allows_creation("Organization")
    assert not closed.allows_stimulus("ev_assign", "UserRequest")


def test_objects_that_are_constants_are_made_and_deleted_by_nobody() -> None:
    administrator = rights(1)
    assert administrator.allows(Action.WRITE, "URP_Profiles")
    assert not administrator.allows_creation("URP_Profiles")
    assert not administrator.allows(Action.DELETE, "URP_Profiles")
    assert administrator.allows_creation("UserLocal")


def test_an_unknown_profile_grants_nothing_and_an_unknown_class_is_named() -> None:
    assert not rights(4711).allows(Action.READ, "Person")
    with pytest.raises(ModelError, match="Persn"):
        rights(3).allows(Action.READ, "Persn")


def test_classes_that_may_not_be_read_are_told() -> None:
    assert rights(1).unreadable() == frozenset()
    assert rights(CONFIGURATION_MANAGER).unreadable() >= {"User", "UserLocal"}
    assert "Person" in rights(REST).unreadable()
    assert "URP_Profiles" not in rights(REST).unreadable()


def test_each_right_is_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []
    work_out = Rights._allows

    def noticed(self: Rights, action: Action, cls: Class) -> bool:
        asked.append((action, cls.name))
        return work_out(self, action, cls)

    monkeypatch.setattr(Rights, "_allows", noticed)
    fresh = Rights(MODEL, frozenset(PROFILES) - {1})
    everything = [(action, name) for name in MODEL for action in Action]
    answers = [[fresh.allows(action, name) for action, name in everything] for _ in range(2)]
    assert answers[0] == answers[1]
    assert asked == everything
    assert rights_of(MODEL, frozenset({3, 4})) is rights_of(MODEL, frozenset({4, 3}))
