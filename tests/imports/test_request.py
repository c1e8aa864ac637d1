"""What is refused before any row is read, and how."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from itopd.database import Database
from itopd.errors import AccessDenied, InputError, ItopdError, MissingFile, ModelError, RefusedError, SettingsError
from itopd.imports import SERVICE
from itopd.imports.parameters import Parameters
from itopd.rules import ITOP, ITOPD
from itopd.settings import Settings, declared_parameters
from tests.imports.calls import ADMIN, import_rows, make_context
from tests.support.dumps import dump_tables
from tests.support.sample import new_sqlite

GOOD = "name,first_name,org_id\nA,B,1\n"

REFUSALS: list[tuple[str, str | bytes, dict[str, Any], type[ItopdError], int, str]] = [
    ("Person", "", {}, InputError, 65, "Missing data"),
    ("Person", "\n \n", {}, InputError, 65, "Missing data"),
    ("Persn", GOOD, {}, ModelError, 64, "unknown class 'Persn'; did you mean 'Person'"),
    ("Person", GOOD, {"separator": ";;"}, SettingsError, 64, "Separator is limited to one character, found ';;'"),
    ("Person", GOOD, {"separator": "§"}, SettingsError, 64, "Separator is limited"),
    ("Person", GOOD, {"qualifier": "''"}, SettingsError, 64, "Text qualifier is limited"),
    ("Person", GOOD, {"output": "xml"}, SettingsError, 64, "Unknown output format: 'xml'"),
    ("Person", GOOD, {"charset": "KLINGON"}, SettingsError, 64, "unknown charset 'KLINGON'"),
    ("Person", GOOD, {"date_format": "H:i"}, SettingsError, 64, "has no year and no month and no day"),
    ("Person", GOOD, {"no_localize": "perhaps"}, SettingsError, 64, "no_localize 'perhaps'"),
    ("Person", "nam\nA\n", {}, InputError, 65, "Unknown column: 'nam' (did you mean 'name'?)"),
    ("Person", "phone\n1\n", {}, SettingsError, 64, "No reconciliation scheme"),
    ("Person", GOOD, {"reconciliationkeys": "email"}, SettingsError, 64, "not found in the input columns: 'email'"),
    ("Person", GOOD.encode() + b"C\xff,D,1\n", {}, InputError, 65, "line 3: byte 0xFF"),
]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with new_sqlite(tmp_path_factory.mktemp("request")) as database:
        yield database


@pytest.mark.parametrize(("cls", "data", "parameters", "error", "code", "message"), REFUSALS)
def test_a_bad_request_is_one_clear_error_and_nothing_is_written(
    empty: Database,
    cls: str,
    data: str | bytes,
    parameters: dict[str, Any],
    error: type[ItopdError],
    code: int,
    message: str,
) -> None:
    before = dump_tables(empty)
    with pytest.raises(error) as refused:
        import_rows(make_context(empty), cls, data, **parameters)
    assert message in refused.value.message
    assert refused.value.exit_code == code
    assert dump_tables(empty) == before


@pytest.mark.parametrize(
    ("cls", "data", "parameters", "message"),
    [(cls, data, given, message) for cls, data, given, _, _, message in REFUSALS[:13] if "date_format" not in given][
        :8
    ],
)
def test_with_itops_rules_the_error_is_a_line_of_the_output(
    empty: Database, cls: str, data: str, parameters: dict[str, Any], message: str
) -> None:
    imported = import_rows(make_context(empty, rules=ITOP), cls, data, **parameters)
    last = imported.output.splitlines()[-1]
    assert last.startswith("#")
    assert message in last
    assert imported.result.exit_code == 0


def test_an_import_needs_the_right_to_write_the_class_in_bulk(empty: Database) -> None:
    author = replace(ADMIN, login="ann", profiles={11: "Document author"})
    with pytest.raises(
        AccessDenied,
        match=r"You are not allowed to perform a bulk update of objects of class Person: 'ann' has the profiles: Docu",
    ):
        import_rows(make_context(empty, account=author), "Person", GOOD)
    manager = replace(ADMIN, profiles={3: "Configuration Manager"})
    frozen = make_context(empty, account=manager, settings=Settings(access_mode=2))
    with pytest.raises(AccessDenied, match="access_mode lets 'admin' only read"):
        import_rows(frozen, "Person", GOOD)


def test_a_missing_file_and_no_file_at_all(empty: Database, tmp_path: Path) -> None:
    context = make_context(empty)
    with pytest.raises(MissingFile, match=r"could not be found or could not be read: '.*nothing.csv'") as refused:
        SERVICE.run(context, Parameters(class_="Person", csvfile=str(tmp_path / "nothing.csv")))
    assert refused.value.exit_code == 66
    with pytest.raises(SettingsError, match="Missing argument 'csvfile'"):
        SERVICE.run(context, Parameters(class_="Person"))


def test_reports_that_cannot_be_written_are_refused_before_anything_else(empty: Database, tmp_path: Path) -> None:
    before = dump_tables(empty)
    for name in ("report", "error_file"):
        with pytest.raises(MissingFile, match="create the folder"):
            import_rows(make_context(empty), "Person", GOOD, **{name: str(tmp_path / "none" / "x")})
    assert dump_tables(empty) == before


def test_too_many_rows_are_not_simulated(empty: Database) -> None:
    context = make_context(empty, settings=Settings(simulate_limit=1))
    with pytest.raises(RefusedError, match=r"2 rows are too many to simulate.*simulate_limit is 1"):
        import_rows(context, "Organization", "name\nA\nB\n", simulate=True)


def test_the_default_charset_is_that_of_the_rules_unless_set(empty: Database) -> None:
    data = "name\nMüller\n"
    for rules, settings, label in (
        (ITOPD, Settings(), "UTF-8"),
        (ITOP, Settings(), "ISO-8859-1"),
        (ITOPD, Settings(csv_file_default_charset="WINDOWS-1252"), "WINDOWS-1252"),
    ):
        imported = import_rows(make_context(empty, rules=rules, settings=settings), "Organization", data, simulate=True)
        assert f"#Charset Encoding:{label}" in imported.output.splitlines()


def test_parameters_are_declared_under_itops_names() -> None:
    names = {one.name: one for one in declared_parameters(Parameters)}
    assert names["class"].mandatory
    assert names["csvfile"].where == {"cli", "file"}
    assert names["csvdata"].where == {"http"}
    assert names["report"].where == {"cli", "file"}


def test_itop_trims_parameters_so_that_no_blank_is_a_separator(tmp_path: Path) -> None:
    spaced = "name first_name org_id\nA B 1\n"
    with new_sqlite(tmp_path) as database:
        seen = import_rows(make_context(database), "Person", spaced, separator=" ")
        assert seen.outcomes == ["issue"]  # no organization is there, but all columns are known
        refused = import_rows(make_context(database, rules=ITOP), "Person", spaced, separator=" ")
        assert "#Unknown column: 'name first_name org_id'" in refused.output
        assert import_rows(make_context(database, rules=ITOP), " Person ", GOOD).outcomes == ["issue"]
