"""``itopd user``, as it is called."""

from __future__ import annotations

import io
import json

import pytest

from tests.cli.calls import Answer, Place
from tests.cli.conftest import PASSWORD

NEW = "Another-Pass-9"


def with_input(monkeypatch: pytest.MonkeyPatch, made: Place, text: str, *words: str) -> Answer:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    return made.call("user", *words)


@pytest.fixture
def joe(installed: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Give a place with a second account."""
    words = ("add", "joe", "--profile=Configuration Manager", "--org=My Company/Department", "--password_file=-")
    answer = with_input(monkeypatch, installed, f"{NEW}\n", *words)
    assert (answer.code, answer.out) == (0, "account 'joe' has the id 2\n")
    assert "note: the account has no contact" in answer.err
    return installed


def test_accounts_are_listed(joe: Place) -> None:
    lines = joe.call("user", "list").out.splitlines()
    assert lines[2].split("  ")[0] == "joe"
    assert lines[2].endswith("Configuration Manager  My Company/Department")
    listed = [json.loads(line) for line in joe.call("user", "list", "--json").out.splitlines()]
    assert [one["login"] for one in listed] == ["admin", "joe"]
    assert listed[1]["organizations"] == ["My Company/Department"]
    assert json.loads(joe.call("user", "show", "JOE", "--json").out) == listed[1]
    assert "status        enabled" in joe.call("user", "show", "joe").out


def test_a_password_comes_from_a_file_or_standard_input_and_is_never_an_argument(
    joe: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = joe.write("new", "Yet-Another-3\r\nrest\n")
    assert joe.call("user", "passwd", "joe", f"--password_file={file}").code == 0
    pwd = joe.write("pwd", "Yet-Another-3")
    answer = joe.call("user", "list", "--auth_user=joe", f"--auth_pwd_file={pwd}")
    assert (answer.code, "'joe' may not read accounts" in answer.err) == (77, True)
    assert joe.call("user", "passwd", "joe", "--password=x").code == 64
    assert with_input(monkeypatch, joe, "", "passwd", "joe").code == 64
    assert with_input(monkeypatch, joe, "\n", "passwd", "joe", "--password_file=-").code == 64
    assert with_input(monkeypatch, joe, "weak\n", "passwd", "joe", "--password_file=-").code == 64
    assert joe.call("user", "passwd", "joe", "--password_file=/nowhere").code == 66


def test_accounts_are_disabled_and_enabled(joe: Place) -> None:
    assert joe.call("user", "disable", "joe").out == "account 'joe' is disabled\n"
    assert joe.call("user", "disable", "joe").out == "account 'joe' is disabled, as it was before\n"
    words = ("export", "--expression=SELECT Person", "--fields=id", "--auth_user=joe", f"--auth_pwd={NEW}")
    assert joe.call(*words).code == 77
    assert joe.call("user", "enable", "joe").code == 0
    assert joe.call(*words).code == 0
    assert joe.call("user", "disable", "admin").code == 69
    assert joe.call("user", "disable", "nobody").code == 64


def test_services_are_open_as_the_profiles_of_the_account_allow(joe: Place) -> None:
    who = ("--auth_user=joe", f"--auth_pwd={NEW}")
    rows = joe.write("rows.csv", "name,first_name,org_id->name\nNew,Person,My Company/Department\n")
    answer = joe.call("import", "--class=Person", f"--csvfile={rows}", "--no_localize=1", *who)
    assert (answer.code, answer.counter("Created")) == (0, 1), answer
    tickets = joe.write("tickets.csv", "title,description,org_id->name\nT,D,My Company/Department\n")
    answer = joe.call("import", "--class=UserRequest", f"--csvfile={tickets}", "--no_localize=1", *who)
    assert answer.code == 77
    assert "You are not allowed to perform a bulk update of objects of class UserRequest" in answer.err
    answer = joe.call("export", "--expression=SELECT UserLocal", "--fields=login", *who)
    assert answer.code == 77
    assert "bulk read data of class 'UserLocal'" in answer.err
    assert joe.call("export", "--expression=SELECT Organization", "--fields=name", *who).out.count("\n") == 2
    assert PASSWORD not in answer.err
