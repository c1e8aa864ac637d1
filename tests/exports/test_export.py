"""The service ``export`` on real databases: what comes out, and what is refused before a byte is written."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from itopd.access import Account
from itopd.clock import FixedClock
from itopd.database import Database
from itopd.dictionary import bundled_dictionary
from itopd.errors import AccessDenied, MissingFile, OqlError, SettingsError
from itopd.exports import SERVICE, BadField, BadFormat, BadQueryId, ExportParameters, MissingParameter
from itopd.exports import selection as selection_module
from itopd.rules import ITOP, ITOPD, Rules
from itopd.service import Context
from itopd.settings import ParameterFile, Settings, resolve_parameters
from itopd.wiring import Application
from itopd.writing import Change, Create

ADMIN = Account("admin", 1, 1, "Ann Admin", "EN US", {1: "Administrator"})
NOW = FixedClock(datetime(2026, 11, 23, 12, tzinfo=UTC))


def context_of(database: Database, output: io.BytesIO, rules: Rules = ITOPD) -> Context:
    application = Application(Settings(), rules, NOW, database, bundled_dictionary(database.model))
    return application.context(ADMIN, output=output, progress=lambda *_: None)


def exported(database: Database, rules: Rules = ITOPD, **parameters: Any) -> str:
    output = io.BytesIO()
    SERVICE.run(context_of(database, output, rules), ExportParameters(**parameters))
    return output.getvalue().decode()


@pytest.fixture
def people(database: Database) -> Database:
    """Give a database with an organization and three persons."""
    writer = context_of(database, io.BytesIO()).writer
    with database.write() as connection:
        (organization,) = writer.write(
            connection, [Create("Organization", {"name": "Acme", "code": "A,B"})], Change("t")
        )
        names = [("Müller", "Zoé"), ("O'Neil", 'Ann "Nan"'), ("Żak", "Bo\nris")]
        outcomes = writer.write(
            connection,
            [Create("Person", {"name": n, "first_name": f, "org_id": organization.id}) for n, f in names],
            Change("t"),
        )
        assert [outcome.status for outcome in outcomes] == ["created"] * 3
    return database


def test_rows_come_in_the_default_order_with_labels_and_quotes(people: Database) -> None:
    text = exported(people, expression="SELECT Person", fields="name,first_name,status,org_id->code,obsolescence_flag")
    assert text == (
        '"Last Name","First Name","Status","Organization->Code","Obsolete"\n'
        '"O\'Neil","Ann ""Nan""","Active","A,B",No\n'
        '"Żak","Bo\nris","Active","A,B",No\n'
        '"Müller","Zoé","Active","A,B",No\n'
    )


def test_json_holds_codes_and_typed_values(people: Database) -> None:
    fields = "id,name,status,obsolescence_flag,obsolescence_date,org_id,location_id->name"
    rows = json.loads(exported(people, expression="SELECT Person", fields=fields, format="json"))
    assert rows[2]["name"] == "Müller"
    assert rows[2]["status"] == "active"
    assert rows[2]["obsolescence_flag"] is False
    assert rows[2]["obsolescence_date"] is None
    assert isinstance(rows[2]["id"], int)
    assert isinstance(rows[2]["org_id"], int)
    lines = exported(people, expression="SELECT Person", fields=fields, format="jsonl").splitlines()
    assert [json.loads(line) for line in lines] == rows


def test_no_object_gives_an_empty_list_and_a_header(people: Database) -> None:
    assert exported(people, expression="SELECT Person WHERE id = 0", fields="id", format="json") == "[]\n"
    assert exported(people, expression="SELECT Person WHERE id = 0", fields="id") == '"id (Primary Key)"\n'


def test_arguments_are_values_never_text_of_the_query(people: Database) -> None:
    query = "SELECT Person WHERE name = :who"
    assert exported(people, expression=query, fields="name", arguments={"who": "muller"}).splitlines() == [
        '"Last Name"',
        '"Müller"',
    ]
    assert exported(people, expression=query, fields="name", arguments={"who": "' OR 1=1"}) == '"Last Name"\n'


@pytest.mark.parametrize(
    ("parameters", "error", "part"),
    [
        ({"fields": "name"}, MissingParameter, "expression"),
        ({"expression": "SELECT Person"}, MissingParameter, "fields"),
        ({"expression": "SELECT Person WHERE name = :who", "fields": "name"}, MissingParameter, "--arg_who"),
        ({"expression": "SELECT Persn", "fields": "name"}, OqlError, "did you mean 'Person'"),
        ({"expression": "SELECT Person", "fields": "nam"}, BadField, "did you mean 'name'"),
        ({"expression": "SELECT Person", "fields": "name,"}, BadField, "field ''"),
        ({"expression": "SELECT Person", "fields": "name->code"}, BadField, "no external key"),
        ({"expression": "SELECT Person", "fields": "x.name"}, BadField, "it selects: Person"),
        ({"expression": "SELECT Person", "fields": "team_list"}, BadField, "team_list"),
        ({"expression": "SELECT Person", "fields": "name", "format": "docx"}, BadFormat, "csv, json, jsonl"),
        ({"expression": "SELECT Person", "format": "docx"}, BadFormat, "docx"),
        ({"query": 77, "fields": "name"}, BadQueryId, "77"),
        ({"expression": "SELECT Person", "fields": "name", "with_archive": True}, AccessDenied, "archive"),
    ],
)
def test_a_wrong_request_is_refused_before_the_first_byte(
    people: Database, parameters: dict[str, Any], error: type[Exception], part: str
) -> None:
    output = io.BytesIO()
    with pytest.raises(error, match=part):
        SERVICE.run(context_of(people, output), ExportParameters(**parameters))
    assert output.getvalue() == b""


def test_formats_of_our_own_are_unknown_under_itops_rules(people: Database) -> None:
    with pytest.raises(BadFormat):
        exported(people, ITOP, expression="SELECT Person", fields="name", format="json")


def test_a_file_appears_whole_with_the_format_of_its_extension(people: Database, tmp_path: Path) -> None:
    path = tmp_path / "people.jsonl"
    result = SERVICE.run(
        context_of(people, io.BytesIO()),
        ExportParameters(expression="SELECT Person", fields="name", output=path),
    )
    assert [json.loads(line)["name"] for line in path.read_text().splitlines()] == ["O'Neil", "Żak", "Müller"]
    assert result.files == (path,)
    assert result.counters["rows"] == 3
    assert [found for found in tmp_path.iterdir() if path.name in found.name] == [path]


def test_a_failure_in_the_middle_leaves_the_old_file(
    people: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "people.csv"
    path.write_text("old")
    chunks = selection_module.Selection.chunks

    def break_off(self: selection_module.Selection, connection: sa.Connection) -> Iterator[Any]:
        yield next(iter(chunks(self, connection)))
        raise OSError("the disk is full")

    monkeypatch.setattr(selection_module.Selection, "chunks", break_off)
    with pytest.raises(OSError, match="full"):
        SERVICE.run(
            context_of(people, io.BytesIO()), ExportParameters(expression="SELECT Person", fields="name", output=path)
        )
    assert path.read_text() == "old"
    assert [found for found in tmp_path.iterdir() if path.name in found.name] == [path]


def test_a_missing_folder_is_named(people: Database, tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="create the folder"):
        SERVICE.run(
            context_of(people, io.BytesIO()),
            ExportParameters(expression="SELECT Person", fields="name", output=tmp_path / "no" / "people.csv"),
        )


def test_an_export_sees_one_snapshot(people: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection_module, "CHUNK", 1)
    chunks = selection_module.Selection.chunks

    def disturbed(self: selection_module.Selection, connection: sa.Connection) -> Iterator[Any]:
        for number, chunk in enumerate(chunks(self, connection)):
            if number == 0:
                with people.write() as other:
                    other.execute(sa.update(people.table("Contact")).values(name="Changed"))
            yield chunk

    monkeypatch.setattr(selection_module.Selection, "chunks", disturbed)
    text = exported(people, expression="SELECT Person", fields="name")
    assert text.splitlines() == ['"Last Name"', '"O\'Neil"', '"Żak"', '"Müller"']


def saved_query(people: Database) -> int:
    writer = context_of(people, io.BytesIO()).writer
    values = {"name": "q", "description": "d", "oql": "SELECT Person WHERE name LIKE 'M%'", "fields": "name"}
    with people.write() as connection:
        (outcome,) = writer.write(connection, [Create("QueryOQL", values)], Change("t"))
    assert outcome.status == "created", outcome.issues
    return outcome.id or 0


def test_a_phrasebook_query_brings_its_fields(people: Database) -> None:
    assert exported(people, query=saved_query(people)) == '"Last Name"\n"Müller"\n'


def uses(database: Database) -> tuple[Any, ...]:
    """Return what the only saved query tells of its use, and how many changes history has."""
    query, change = database.table("Query").c, database.table("CMDBChangeOp").c
    with database.read() as connection:
        use = connection.execute(sa.select(query.export_count, query.export_last_date, query.user_id)).one()
        return (*use, connection.execute(sa.select(sa.func.count()).select_from(change.id.table)).scalar())


def test_the_use_of_a_saved_query_is_counted_when_the_export_is_done_and_leaves_no_history(people: Database) -> None:
    saved = saved_query(people)
    *unused, changes = uses(people)
    assert unused == [0, None, 0]
    exported(people, expression="SELECT Person", fields="id")
    exported(people, ITOP, query=saved, format="csv")
    with pytest.raises(BadField):
        exported(people, query=saved, fields="nme")
    assert uses(people) == (0, None, 0, changes)
    exported(people, query=saved)
    exported(people, query=saved, format="json")
    noon = datetime(2026, 11, 23, 12, tzinfo=UTC).astimezone(people.timezone).replace(tzinfo=None)
    assert uses(people) in {(2, when, 1, changes) for when in (noon, f"{noon}")}


def test_an_export_is_done_although_its_use_cannot_be_counted(people: Database) -> None:
    saved = saved_query(people)
    output = io.BytesIO()
    closed = Application(Settings(access_mode=0), ITOPD, NOW, people, bundled_dictionary(people.model))
    context = closed.context(ADMIN, output=output, progress=lambda *_: None)
    assert SERVICE.run(context, ExportParameters(query=saved)).exit_code == 0
    assert uses(people)[0] == 0
    with people.write() as connection:
        table = people.table("Query").name
        connection.execute(sa.text(f"ALTER TABLE {table} RENAME COLUMN export_count TO taken_away"))
    assert exported(people, query=saved) == output.getvalue().decode() == '"Last Name"\n"Müller"\n'


def test_an_export_that_is_asked_to_stop_leaves_no_file_and_says_so(people: Database, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    application = Application(Settings(), ITOPD, NOW, people, bundled_dictionary(people.model))
    context = application.context(ADMIN, output=io.BytesIO(), progress=lambda *_: None, should_stop=lambda: True)
    result = SERVICE.run(context, ExportParameters(expression="SELECT Person", fields="name", output=path))
    assert result.unfinished
    assert result.exit_code == 75
    assert not path.exists()


def test_headers_and_values_are_in_the_language_of_the_account(people: Database) -> None:
    texts = {
        "FR FR": {
            "Class:Person": "Personne",
            "Class:Contact/Attribute:name": "Nom",
            "Class:Contact/Attribute:status/Value:active": "Actif",
            "Class:Contact/Attribute:org_id": "Organisation",
            "Class:Organization/Attribute:name": "Nom organisation",
        }
    }
    dictionary = bundled_dictionary(people.model).with_texts(texts)
    application = Application(Settings(), ITOPD, NOW, people, dictionary)

    def lines(**parameters: Any) -> list[str]:
        output = io.BytesIO()
        context = application.context(replace(ADMIN, language="FR FR"), output=output, progress=lambda *_: None)
        fields = "name,status,finalclass,org_id->name,org_id_friendlyname,obsolescence_flag,id"
        query = "SELECT Person WHERE name = 'Müller'"
        SERVICE.run(context, ExportParameters(expression=query, fields=fields, format="csv", **parameters))
        return output.getvalue().decode().splitlines()

    header, row = lines()
    assert header == (
        '"Nom","Status","Contact sub-class","Organisation->Nom organisation","Organisation","Obsolète",'
        '"id (Clef primaire)"'
    )
    assert row.startswith('"Müller","Actif","Personne","Acme","Acme",Non,')
    assert lines(no_localize="1")[0] == (
        '"name","status","finalclass","org_id->name","org_id_friendlyname","obsolescence_flag","id"'
    )


def test_a_missing_object_has_nothing_in_any_cell(people: Database) -> None:
    fields = "p.name,l.id,l.friendlyname,l.org_id->name,l.obsolescence_flag,l.org_id->obsolescence_flag,p.location_id"
    query = "SELECT p, l FROM Person AS p JOIN Location AS l ON p.location_id = l.id"
    rows = exported(people, expression=query, fields=fields, format="csv").splitlines()
    assert rows[1] == '"O\'Neil",,,,,,0'
    (row, *_) = json.loads(exported(people, expression=query, fields=fields, format="json"))
    assert row["l.friendlyname"] is row["l.org_id->obsolescence_flag"] is None


def test_what_a_key_that_is_not_set_would_show_is_quoted_and_flags_say_no(people: Database) -> None:
    fields = "location_id->name,location_id->obsolescence_flag,location_id->org_id,manager_id->friendlyname"
    assert exported(people, expression="SELECT Person", fields=fields).splitlines()[1] == '"",No,,""'


def test_a_dashboard_is_an_empty_cell(people: Database) -> None:
    text = exported(people, expression="SELECT Organization", fields="name,overview", no_localize="1")
    assert text == '"name","overview"\n"Acme",\n'


@pytest.mark.parametrize(
    ("text", "codes"), [("1", True), ("2", True), ("0", False), ("", False), ("true", False), ("yes", False)]
)
def test_itop_reads_no_localize_as_a_number(text: str, codes: bool) -> None:
    words = [f"--no_localize={text}"]
    assert resolve_parameters(ExportParameters, words, ParameterFile(), ITOP).values.no_localize is codes


def test_a_word_for_no_localize_is_refused_by_our_rules() -> None:
    with pytest.raises(SettingsError, match="no_localize"):
        resolve_parameters(ExportParameters, ["--no_localize=true"], ParameterFile(), ITOPD)


def test_a_query_that_is_no_number_is_no_query_for_itop() -> None:
    assert resolve_parameters(ExportParameters, ["--query=abc"], ParameterFile(), ITOP).values.query == 0


def test_property_sets_are_names_with_values(database: Database) -> None:
    stored = ['a:2:{s:1:"k";s:2:"a"";s:1:"n";i:5;}', "a:0:{}", "garbage"]
    with database.write() as connection:
        for id_, text in enumerate(stored, start=1):
            for cls, values in (
                ("Event", {"realclass": "EventIssue", "date": "2024-01-01 00:00:00", "message": "m", "userinfo": "u"}),
                ("EventIssue", {"issue": "i", "impact": "i", "page": "p", "arguments_post": text}),
            ):
                connection.execute(sa.insert(database.table(cls)).values(id=id_, **values))
    request: dict[str, Any] = {"expression": "SELECT EventIssue", "fields": "id,arguments_post", "no_localize": "1"}
    rows = exported(database, **request).splitlines()
    assert sorted(rows[1:]) == ['1,"k=a"",n=5"', "2,", "3,"]
    shown: dict[int, Any] = {
        row["id"]: row["arguments_post"] for row in json.loads(exported(database, **request, format="json"))
    }
    assert shown == {1: {"k": 'a"', "n": 5}, 2: None, 3: None}
