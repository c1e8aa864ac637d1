"""``itopd query``: what an OQL query selects, and where a query is wrong."""

from __future__ import annotations

import json

import pytest

from tests.cli.calls import Place
from tests.support.servers import opened


@pytest.fixture
def filled(installed: Place) -> Place:
    """Give a place with a few organizations."""
    rows = 'Ökonomie,OEK\n[/bold]x,B\n"a\nb\x1b[31m",C\n'
    installed.write("orgs.csv", f"name,code\n{rows}")
    answer = installed.call(
        "import", "--class=Organization", f"--csvfile={installed.folder}/orgs.csv", "--no_localize=1"
    )
    assert answer.counter("Created") == 3, answer
    return installed


def test_a_table_shows_what_tells_objects_apart(installed: Place) -> None:
    answer = installed.call("query", "SELECT Person")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines() == [
        "id  finalclass  friendlyname",
        "1   Person      My first name My last name",
        "1 row",
    ]


def test_a_table_of_two_classes_shows_both(installed: Place) -> None:
    answer = installed.call("query", "SELECT p, o FROM Person AS p JOIN Organization AS o ON p.org_id = o.id")
    assert answer.out.splitlines()[0].split() == [
        "p.id", "p.finalclass", "p.friendlyname", "o.id", "o.friendlyname",
    ]  # fmt: skip


def test_a_table_stays_one_whatever_the_data_hold(filled: Place) -> None:
    answer = filled.call("query", "SELECT Organization", "--fields=name,code")
    assert answer.code == 0
    assert sorted(answer.out.splitlines()[1:-1]) == [
        "My Company/Department  SOMECODE", "[/bold]x               B", "a b [31m               C",
        "Ökonomie               OEK",
    ]  # fmt: skip


def test_the_rows_of_a_table_are_limited_and_it_says_so(filled: Place) -> None:
    answer = filled.call("query", "SELECT Organization", "--limit=2")
    assert len(answer.out.splitlines()) == 4
    assert answer.out.splitlines()[-1] == "the first 2 rows; --limit shows more"


def test_csv_and_json_are_those_of_an_export(filled: Place) -> None:
    words = ("SELECT Organization WHERE name = 'ökonomie'", "--fields=name,code")
    assert filled.call("query", *words, "--format=csv").out == '"name","code"\n"Ökonomie","OEK"\n'
    assert json.loads(filled.call("query", *words, "--format=json").out) == [{"name": "Ökonomie", "code": "OEK"}]
    assert len(filled.call("query", "SELECT Organization", "--format=jsonl").out.splitlines()) == 4


def test_parameters_of_the_query_are_given_by_name(filled: Place) -> None:
    text = "SELECT Organization WHERE name = :name AND code = :code"
    answer = filled.call("query", text, "--arg", "name=Ökonomie", "--arg", "code=OEK", "--format=csv", "--fields=code")
    assert answer.out == '"code"\n"OEK"\n'


def test_a_parameter_that_is_missing_is_named_in_the_words_of_this_command(installed: Place) -> None:
    answer = installed.call("query", "SELECT Person WHERE name = :name")
    assert (answer.code, answer.out) == (64, "")
    assert answer.err == "itopd: the query uses :name: give its value with --arg name=VALUE\n"


def test_the_account_that_acts_is_known_to_the_query(installed: Place) -> None:
    answer = installed.call("query", "SELECT Person WHERE id = :current_contact_id", "--fields=name", "--format=csv")
    assert (answer.code, answer.out) == (0, '"name"\n"My last name"\n'), answer


@pytest.mark.parametrize(
    ("text", "shown", "column", "problem"),
    [
        (
            "SELECT Persn",
            "SELECT Persn",
            7,
            "unknown class 'Persn'; did you mean 'Person'? (position 7: line 1, column 8)",
        ),
        ("SELECT Person WHERE nme = 1", "SELECT Person WHERE nme = 1", 20, "did you mean 'name'?"),
        ("SELECT Person WHERE", "SELECT Person WHERE", 19, "the query ends too early"),
        ("SELECT Person\n  WHERE nme = 1", "  WHERE nme = 1", 8, "did you mean 'name'?"),
        ("SELECT Person WHERE name = 'é' AND nme = 1", "SELECT Person WHERE name = 'é' AND nme = 1", 35, "'nme'"),
        ("", "", 0, "the query is empty"),
    ],
)
def test_an_error_points_at_the_column(installed: Place, text: str, shown: str, column: int, problem: str) -> None:
    answer = installed.call("query", text)
    assert (answer.code, answer.out) == (64, "")
    line, pointer, said = answer.err.splitlines()
    assert line == shown
    assert pointer == " " * column + "^"
    assert problem in said


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--fields=nme",), "field 'nme': class Person has no attribute 'nme'; did you mean 'name'?"),
        (("--fields=q.name",), "the query selects no alias 'q'"),
        (("--format=xml",), "'xml' is not one of 'table', 'csv', 'json', 'jsonl'"),
        (("--arg", "x"), "--arg=x: write NAME=VALUE"),
        (("--limit=0",), "0 is not in the range"),
    ],
)
def test_a_wrong_option_is_refused(installed: Place, words: tuple[str, ...], problem: str) -> None:
    answer = installed.call("query", "SELECT Person", *words)
    assert (answer.code, answer.out) == (64, "")
    assert problem in answer.err


def test_a_query_writes_nothing(installed: Place) -> None:
    before = (installed.folder / "itopd.db").read_bytes()
    installed.call("query", "SELECT Person")
    assert (installed.folder / "itopd.db").read_bytes() == before


@pytest.fixture
def saved(installed: Place) -> Place:
    """Give a place with a saved query, which has a parameter and fields of its own."""
    with opened(f"sqlite:///{installed.folder}/itopd.db") as database, database.write() as connection:
        head = {"id": 5, "name": "Who", "description": "", "realclass": "QueryOQL"}
        connection.execute(database.table("Query").insert().values(**head))
        text = "SELECT Person WHERE name LIKE :name"
        connection.execute(database.table("QueryOQL").insert().values(id=5, oql=text, fields="first_name"))
    return installed


def test_a_saved_query_runs_by_id_or_name_with_its_fields_and_arguments(saved: Place) -> None:
    for word in ("--query=5", "--query=who"):
        answer = saved.call("query", word, "--arg", "name=%last%")
        assert answer.out.splitlines() == ["first_name", "My first name", "1 row"]
    answer = saved.call("query", "--query=5", "--fields=name", "--arg", "name=%last%")
    assert answer.out.splitlines()[0] == "name"
    answer = saved.call("query", "--query=5")
    assert answer.err == "itopd: the query uses :name: give its value with --arg name=VALUE\n"


def test_a_query_comes_from_one_place(saved: Place) -> None:
    assert saved.call("query", "--query=6").code == 64
    assert saved.call("query", "--query=5", "SELECT Person").code == 64
    assert saved.call("query").code == 64


def test_a_check_tells_what_the_query_means_without_running_it(saved: Place) -> None:
    text = "SELECT s, l FROM Server AS s\nJOIN Location AS l ON s.location_id = l.id WHERE s.id = 1 + :n"
    answer = saved.call("query", "--check", text)
    assert (answer.code, answer.err) == (0, "")
    canonical, *others = answer.out.splitlines()
    assert canonical == (
        "query:      SELECT `s`, `l` FROM Server AS `s` JOIN Location AS `l` ON `s`.location_id = `l`.id "
        "WHERE ((`s`.`id` = 1) + :n)"
    )
    assert others == [
        "selects:    s (Server), l (Location)",
        "parameters: :n",
        "warning:    '+' after a comparison adds to its result; put the sum between parentheses (line 2, column 59)",
        "outer join: 'location_id' may be unset: objects without it are kept, with no 'l' (line 2, column 6)",
    ]
    assert saved.call("query", "--check", "--query=5").out.splitlines()[1:] == [
        "selects:    Person (Person)", "parameters: :name",
    ]  # fmt: skip


@pytest.fixture
def restricted(filled: Place) -> Place:
    """Give a place with an account ``joe`` that sees one organization of four."""
    new = "Another-Test-2"
    password = filled.write("joe", f"{new}\n")
    words = ("--profile=Configuration Manager", "--org=Ökonomie", f"--password_file={password}")
    assert filled.call("user", "add", "joe", *words).code == 0
    return filled


def test_rights_and_organizations_of_the_account_that_is_named_hold(restricted: Place) -> None:
    text = "SELECT Organization"
    assert restricted.call("query", text).out.splitlines()[-1] == "4 rows"
    for credentials in ("--auth_pwd=Another-Test-2", f"--auth_pwd_file={restricted.folder}/joe"):
        answer = restricted.call("query", text, "--fields=name", "--auth_user=joe", credentials)
        assert (answer.code, answer.out.splitlines()) == (0, ["name", "Ökonomie", "1 row"]), answer
    answer = restricted.call("query", "SELECT QueryOQL", "--auth_user=joe", "--auth_pwd=Another-Test-2")
    assert (answer.code, answer.out) == (77, ""), answer


@pytest.mark.parametrize(
    "words",
    [
        ("--auth_user=joe", "--auth_pwd=wrong"),
        ("--auth_user=nobody", "--auth_pwd=Another-Test-2"),
        ("--auth_user=joe",),
        ("--auth_pwd=Another-Test-2",),
    ],
)
def test_wrong_credentials_are_refused_whatever_is_asked(restricted: Place, words: tuple[str, ...]) -> None:
    for what in (), ("--check",), ("--format=csv",):
        answer = restricted.call("query", "SELECT Organization", *words, *what)
        assert (answer.code, answer.out) == (77, ""), answer


def test_a_password_is_given_in_one_way(restricted: Place) -> None:
    answer = restricted.call("query", "SELECT Person", "--auth_pwd=x", f"--auth_pwd_file={restricted.folder}/joe")
    assert (answer.code, "either with --auth_pwd or with --auth_pwd_file" in answer.err) == (64, True)
