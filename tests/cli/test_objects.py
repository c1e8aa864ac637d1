"""``itopd object``: single objects, looked at and written."""

from __future__ import annotations

import json

import pytest

from tests.cli.calls import Answer, Place

ORG = {"name": "Demo", "code": "D"}


def data(answer: Answer) -> dict[str, object]:
    found = json.loads(answer.out)
    assert isinstance(found, dict)
    return found


@pytest.fixture
def filled(installed: Place) -> Place:
    """Give a place with an organization and a person in it."""
    assert installed.call("object", "create", "Organization", json.dumps(ORG)).out == "Organization::2 created\n"
    jane = {"name": "Doe", "first_name": "Jane", "org_id": {"code": "D"}, "phone": "1"}
    assert installed.call("object", "create", "Person", json.dumps(jane)).out == "Person::2 created\n"
    return installed


def test_an_object_is_shown_by_name_id_or_criteria(filled: Place) -> None:
    answer = filled.call("object", "get", "Person", "Jane Doe")
    assert answer.code == 0, answer
    lines = [line.split() for line in answer.out.splitlines()]
    assert lines[0] == ["Person::2", "Jane", "Doe"]
    assert ["org_id", "2", "Demo"] in lines
    by_id = data(filled.call("object", "get", "Contact", "2", "--json"))
    assert by_id == data(filled.call("object", "get", "Person", '{"name": "Doe"}', "--json"))
    assert (by_id["class"], by_id["friendlyname"]) == ("Person", "Jane Doe")
    account = data(filled.call("object", "get", "User", "admin", "--json"))
    assert account["fields"]["password"] == "(set)"  # type: ignore[index]


def test_what_is_not_there_or_not_clear_is_said(filled: Place) -> None:
    filled.call("object", "create", "Person", '{"name": "Doe", "first_name": "Jane", "org_id": 2}')
    for words, code, text in (
        (("get", "Person", "Nobody"), 66, "there is no Person 'Nobody'"),
        (("get", "Person", "99"), 66, "there is no Person with the id 99"),
        (("get", "Person", "Jane Doe"), 65, "2 of class Person are 'Jane Doe': ids 2, 3"),
        (("get", "Person", '{"x": 1}'), 65, "x: class Person has no such attribute; it has name"),
        (("get", "Persn", "1"), 64, "did you mean 'Person'?"),
        (("create", "Person", "[]"), 65, "DATA is no object of JSON"),
        (("create", "Person", "{"), 65, "DATA is no JSON"),
        (("create", "Person", "@none.json"), 66, "cannot read none.json"),
    ):
        answer = filled.call("object", *words)
        assert (answer.code, text in answer.err) == (code, True), answer


def test_every_value_that_cannot_be_read_is_named(filled: Place) -> None:
    given = {"org_id": "Nowhere", "status": ["active"], "phone": {"a": 1}, "nope": 1}
    answer = filled.call("object", "update", "Person", "2", json.dumps(given))
    assert answer.code == 65, answer
    for text in (
        "org_id: there is no Organization 'Nowhere'",
        "status: a AttributeEnum is no list",
        "phone: a AttributePhoneNumber is no object of JSON",
        "nope: class Person has no such attribute",
    ):
        assert text in answer.err


def test_an_update_tells_what_changed_and_a_simulation_changes_nothing(filled: Place) -> None:
    words = ("object", "update", "Person", "2", '{"phone": "2", "status": "inactive"}')
    simulated = filled.call(*words, "--simulate")
    assert simulated.out.splitlines() == [
        "Person::2 would be updated",
        "  status: active -> inactive",
        "  phone: 1 -> 2",
    ]
    assert data(filled.call("object", "get", "Person", "2", "--json"))["fields"]["phone"] == "1"  # type: ignore[index]
    assert filled.call(*words).out.splitlines()[0] == "Person::2 updated"
    assert filled.call(*words).out == "Person::2 unchanged\n"


def test_a_refusal_gives_all_reasons_and_exit_code_1(filled: Place) -> None:
    answer = filled.call("object", "create", "Person", '{"name": "X", "email": "bad"}')
    assert (answer.code, answer.out) == (1, "Person refused\n")
    assert "first_name: a value is required" in answer.err
    assert "email: wrong format [bad]" in answer.err


def test_data_may_come_from_a_file_or_standard_input(filled: Place) -> None:
    path = filled.write("brand.json", '{"name": "Acme"}')
    assert filled.call("object", "create", "Brand", f"@{path}", "--json").code == 0
    assert data(filled.call("object", "get", "Brand", "Acme", "--json"))["friendlyname"] == "Acme"


def test_a_deletion_lists_what_goes_and_what_stands_in_the_way(filled: Place) -> None:
    refused = filled.call("object", "delete", "Organization", "Demo")
    assert refused.code == 1
    assert refused.out.splitlines() == [
        "Organization::2 refused",
        "  Person::2 Jane Doe: must be deleted by hand first",
    ]
    filled.call("object", "create", "Person", '{"name": "Roe", "first_name": "R", "org_id": 2, "manager_id": 2}')
    told = filled.call("object", "delete", "Person", "Jane Doe", "--simulate")
    assert told.out.splitlines() == ["Person::2 would be deleted", "  Person::3 R Roe: is changed, manager_id = 0"]
    effects = data(filled.call("object", "delete", "Person", "Jane Doe", "--json"))["effects"]
    assert effects == [{"cls": "Person", "id": 3, "kind": "reset", "name": "R Roe", "values": {"manager_id": 0}}]
    assert filled.call("object", "get", "Person", "2").code == 66


def test_the_history_tells_who_did_what_even_of_the_dead(filled: Place) -> None:
    filled.call("object", "update", "Person", "2", '{"phone": "2"}')
    lines = filled.call("object", "history", "Person", "2").out.splitlines()
    assert [line.split(")", 1)[1].strip() for line in lines[1:]] == ["phone: 1 -> 2", "created"]
    assert "My first name My last name (itopd object)" in lines[1]
    newest = json.loads(filled.call("object", "history", "Person", "2", "--limit=1", "--json").out)
    assert [(one["kind"], one["details"]["newvalue"]) for one in newest] == [("SetAttributeScalar", "2")]
    filled.call("object", "delete", "Person", "2")
    assert filled.call("object", "history", "Person", "2").out.splitlines()[1].endswith("deleted Person 'Jane Doe'")
    assert filled.call("object", "history", "Brand", "77").out == "the history says nothing of it\n"


def test_links_are_written_with_their_object(filled: Place) -> None:
    team = {"name": "T", "org_id": "Demo", "persons_list": {"add": [{"person_id": "Jane Doe"}]}}
    assert filled.call("object", "create", "Team", json.dumps(team)).out == "Team::3 created\n"
    assert filled.query("SELECT lnkPersonToTeam", "id,person_id,team_id") == [(1, 2, 3)]
    answer = filled.call("object", "update", "Team", "T", '{"persons_list": {"remove": [1]}}')
    assert answer.out == "Team::3 updated\n"
    assert filled.query("SELECT lnkPersonToTeam", "id") == []
    for links, text in (
        ({"set": []}, "set is none of add, remove, attach, modify"),
        ({"remove": ["x"]}, "persons_list: links are written like"),
        ({"add": [{"person_id": "Nobody"}]}, "person_id: there is no Person 'Nobody'"),
        (["x"], "persons_list: AttributeLinkedSetIndirect cannot be set here"),
    ):
        answer = filled.call("object", "update", "Team", "T", json.dumps({"persons_list": links}))
        assert (answer.code, text in answer.err) == (65, True), answer


def test_a_text_for_a_case_log_is_a_new_entry(filled: Place) -> None:
    request = {"title": "T", "description": "<p>D</p>", "org_id": "Demo", "public_log": "first"}
    assert filled.call("object", "create", "UserRequest", json.dumps(request)).out == "UserRequest::1 created\n"
    assert filled.call("object", "update", "Ticket", "R-000001", '{"private_log": "second"}').code == 0
    fields = data(filled.call("object", "get", "UserRequest", "R-000001", "--json"))["fields"]
    assert "My first name My last name (1) ============\n\n<p>first</p>" in fields["public_log"]  # type: ignore[index]
    assert "<p>second</p>" in fields["private_log"]  # type: ignore[index]
