"""``itopd import``: parameters from arguments and files, the documented exit codes, and nothing half-written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.calls import Answer, Place
from tests.cli.conftest import PASSWORD
from tests.support.dumps import Tables, diff_dumps, dump_tables
from tests.support.servers import opened

HEADER = "name,first_name,org_id->name,email"
DOE = "Doe,Jane,My Company/Department,jane@x.example"
ROE = "Roe,Rick,My Company/Department,rick@x.example"


def _dump(made: Place) -> Tables:
    with opened(f"sqlite:///{made.folder}/itopd.db") as database:
        return dump_tables(database)


def _bytes(made: Place) -> dict[str, bytes]:
    """Return the files of the database: the same bytes mean that nothing was written at all."""
    return {path.name: path.read_bytes() for path in made.folder.glob("itopd.db*") if path.is_file()}


def _import(made: Place, *words: str, rows: tuple[str, ...] = (HEADER, DOE, ROE)) -> Answer:
    file = made.write("people.csv", "\n".join(rows) + "\n")
    return made.call(
        "import", "--class=Person", f"--csvfile={file}", "--no_localize=1", "--reconciliationkeys=email", *words
    )


def _emails(made: Place) -> set[str]:
    return {row[0] for row in made.query("SELECT Person WHERE email != ''", "email")}


def test_rows_are_created_once_and_then_found_unchanged(installed: Place) -> None:
    first = _import(installed)
    assert (first.code, first.err) == (0, "")
    assert (first.counter("Created"), first.counter("Issues")) == (2, 0)
    again = _import(installed)
    assert (again.code, again.counter("Unchanged"), again.counter("Created")) == (0, 2, 0)


def test_rows_with_issues_end_with_1_and_the_rest_goes_in(installed: Place) -> None:
    answer = _import(installed, rows=(HEADER, DOE, "Moe,Max,Nowhere,max@x.example", ROE))
    assert (answer.code, answer.counter("Created"), answer.counter("Issues")) == (1, 2, 1)
    assert _emails(installed) == {"jane@x.example", "rick@x.example"}


def test_a_simulation_changes_nothing(installed: Place) -> None:
    before = _bytes(installed)
    answer = _import(installed, "--simulate=1")
    assert (answer.code, answer.counter("Created")) == (0, 2)
    assert _bytes(installed) == before


def test_the_account_that_acts_is_in_the_history(installed: Place) -> None:
    _import(installed, "--auth_user=admin", f"--auth_pwd={PASSWORD}", "--comment=of the test")
    rows = installed.query("SELECT CMDBChange", "userinfo")
    assert ("My first name My last name, Web Service (CSV) - of the test",) in rows


# --- Parameters files ---------------------------------------------------------------------------------------------


def test_parameters_come_from_files_and_arguments_win(installed: Place) -> None:
    file = installed.write("people.csv", f"{HEADER}\n{DOE}\n")
    common = installed.write("common.params", "class = Organization\nno_localize = 1\nreconciliationkeys = email\n")
    own = installed.write("own.params", f"class = Person\ncsvfile = {file} # the people\noutput = details\n")
    answer = installed.call("import", f"--param_file={common},{own}", "--output=retcode")
    assert (answer.code, answer.out, answer.err) == (0, "0", "")
    assert _emails(installed) == {"jane@x.example"}


def test_a_parameters_file_that_names_itself_is_read_once(installed: Place) -> None:
    path = installed.folder / "call.params"
    file = installed.write("people.csv", f"{HEADER}\n{DOE}\n")
    path.write_text(
        f"class = Person\ncsvfile = {file}\nno_localize = 1\nreconciliationkeys = email\nparam_file = {path}\n"
    )
    assert installed.call("import", f"--param_file={path}").code == 0


def test_credentials_may_stand_in_a_parameters_file(installed: Place) -> None:
    secret = installed.write("secret.params", "auth_user = admin\nauth_pwd = wrong\n")
    secret.chmod(0o600)
    answer = _import(installed, f"--param_file={secret}")
    assert answer.code == 77
    assert "wrong login or password for 'admin'" in answer.err
    assert _import(installed, f"--param_file={secret}", f"--auth_pwd={PASSWORD}").code == 0


def test_settings_in_a_parameters_file_hold_for_the_call(installed: Place) -> None:
    own = installed.write("own.params", "simulate_limit = 1\n")
    answer = _import(installed, f"--param_file={own}", "--simulate=1")
    assert answer.code == 69
    assert "simulate_limit is 1" in answer.err


@pytest.mark.parametrize("name", ["/nowhere/call.params", "."])
def test_a_parameters_file_that_is_none_ends_with_66(installed: Place, name: str) -> None:
    answer = _import(installed, f"--param_file={name}")
    assert (answer.code, answer.out) == (66, "")
    assert f"'{name}'" in answer.err


# --- What a call is refused for -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "code", "problem"),
    [
        ("--class=Persn", 64, "unknown class 'Persn'; did you mean 'Person'?"),
        ("--clas=Person", 64, "unknown parameter 'clas' (argument); did you mean 'class'?"),
        ("--output=html", 64, "Unknown output format: 'html'; use retcode, summary, details"),
        ("--separator=ab", 64, "Separator is limited to one character"),
        ("--qualifier=ab", 64, "qualifier is limited to one character"),
        ("--charset=KLINGON", 64, "unknown charset 'KLINGON'"),
        ("--simulate=maybe", 64, "use 1, true, yes or on, or 0, false, no or off"),
        ("--no_localize=maybe", 64, "no_localize 'maybe'"),
        ("--reconciliationkeys=nme", 64, "Unknown reconciliation key: 'nme'; did you mean 'name'?"),
        ("--reconciliationkeys=phone", 64, "Reconciliation key not found in the input columns: 'phone'"),
        ("--csvfile=/nowhere/people.csv", 66, "'/nowhere/people.csv'"),
        ("--csvfile=/tmp", 66, "'/tmp'"),
        ("--csvfile=/dev/null", 65, "Missing data"),
        ("--csvfile=", 64, "Missing argument 'csvfile'"),
        ("--csvdata=x", 64, "parameter 'csvdata' cannot be given on the command line"),
        ("--error_file=/nowhere/errors.csv", 66, "/nowhere"),
        ("--report=/etc/hostname/report.json", 66, "/etc/hostname"),
        ("--auth_user=nobody", 77, "wrong login or password for 'nobody'"),
        ("--auth_pwd=x", 77, "auth_pwd was given without auth_user"),
        ("--compat=other", 64, "compat=other: write itopd or itop"),
        ("--db_name=x", 64, "--db_name is a setting"),
        ("--simulate", 64, "argument '--simulate' is not understood: write --name=value"),
        ("people.csv", 64, "argument 'people.csv' is not understood"),
        ("--comment=a\nb", 64, "holds a line feed"),
    ],
)
def test_a_wrong_parameter_is_named_and_nothing_is_written(
    installed: Place, word: str, code: int, problem: str
) -> None:
    before = _bytes(installed)
    answer = _import(installed, word)
    assert (answer.code, answer.out) == (code, ""), answer
    assert problem in answer.err
    assert "Traceback" not in answer.err
    assert _bytes(installed) == before


@pytest.mark.parametrize(
    ("content", "words", "problem"),
    [
        ("name,frst_name\nx,y\n", (), "Unknown column: 'frst_name'"),
        ("name,name\nx,y\n", (), "name"),
        ("name,org_id->nme\nx,y\n", (), "did you mean 'org_id->name'?"),
        ("name,first_name->x\nx,y\n", (), "did you mean 'first_name'?"),
        (b"name,email\nD\xe9,x\n", (), "line 2: byte 0xE9 at offset 12 is not UTF-8"),
        ("", (), "Missing data"),
        ("name,email\nx,y\n".encode("utf-16"), (), "is not UTF-8"),
        (bytes(range(256)) * 4000, (), "is not UTF-8"),
        (bytes(range(256)) * 4000, ("--charset=ISO-8859-1",), "Unknown column"),
        ("x" * 10_000_000, (), "Unknown column"),
        ("a,b\0c\n1,2\n", (), "Unknown column"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_unusable_data_end_with_65_and_nothing_is_written(
    installed: Place, content: str | bytes, words: tuple[str, ...], problem: str
) -> None:
    before = _bytes(installed)
    file = installed.write("data.csv", content)
    answer = installed.call("import", "--class=Person", f"--csvfile={file}", "--no_localize=1", *words)
    assert (answer.code, answer.out) == (65, ""), str(answer)[:500]
    assert problem in answer.err
    assert "Traceback" not in answer.err
    assert _bytes(installed) == before


def test_the_right_charset_repairs_it(installed: Place) -> None:
    file = installed.write("data.csv", f"{HEADER}\n{DOE}\n".replace("Doe", "Dœ").encode("cp1252"))
    words = ("import", "--class=Person", f"--csvfile={file}", "--no_localize=1", "--reconciliationkeys=email")
    assert installed.call(*words).code == 65
    assert installed.call(*words, "--charset=WINDOWS-1252").code == 0
    assert installed.query("SELECT Person WHERE email = 'jane@x.example'", "name") == [("Dœ",)]


def test_while_another_import_of_the_class_is_at_work_the_call_ends_with_75(installed: Place) -> None:
    before = _bytes(installed)
    with opened(f"sqlite:///{installed.folder}/itopd.db") as database, database.named_lock("itopd_import_Contact"):
        answer = _import(installed)
        simulated = _import(installed, "--simulate=1")
    assert (answer.code, answer.out) == (75, "")
    assert "'itopd_import_Contact' is already running" in answer.err
    assert simulated.code == 0
    assert _bytes(installed) == before


# --- Rows that nobody would write -----------------------------------------------------------------------------------


def test_a_huge_cell_is_an_issue_of_its_row(installed: Place) -> None:
    answer = _import(installed, rows=(HEADER, f"{'x' * 5_000_000},Jane,My Company/Department,huge@x.example", ROE))
    assert (answer.code, answer.counter("Issues"), answer.counter("Created")) == (1, 1, 1)
    assert _emails(installed) == {"rick@x.example"}


def test_a_quote_that_never_closes_is_an_issue_of_its_row(installed: Place) -> None:
    answer = _import(installed, rows=(HEADER, DOE, '"open,' + "y," * 500_000))
    assert (answer.code, answer.counter("Issues"), answer.counter("Created")) == (1, 1, 1)


def test_odd_characters_come_back_as_they_went_in(installed: Place) -> None:
    odd = ["a\tb", "😀", "'; DROP TABLE person; --", "%s{0}$1", "\u202e\u0301", "[/bold]", "back\\slash", "x" * 255]
    rows = tuple(f"{text},Jane,My Company/Department,odd{at}@x.example" for at, text in enumerate(odd))
    answer = _import(installed, rows=(HEADER, *rows))
    assert answer.counter("Created") == len(odd), answer
    found = installed.call(
        "export", "--expression=SELECT Person WHERE email LIKE 'odd%'", "--fields=name", "--format=json"
    )
    assert sorted(row["name"] for row in json.loads(found.out)) == sorted(odd)


def test_a_report_and_an_error_file_are_written_whole(installed: Place) -> None:
    report, errors = installed.folder / "report.json", installed.folder / "errors.csv"
    _import(
        installed, f"--report={report}", f"--error_file={errors}", rows=(HEADER, DOE, "Moe,Max,Nowhere,m@x.example")
    )
    told = json.loads(report.read_text())
    assert [row["outcome"] for row in told["rows"]] == ["created", "issue"]
    assert told["request"]["class"] == "Person"
    assert len(errors.read_text().splitlines()) == 2
    assert "auth_pwd" not in report.read_text()
    assert {path.name for path in installed.folder.glob(".*") if path.is_file()} == set()


# --- compat = itop ---------------------------------------------------------------------------------------------------


def test_with_compat_itop_a_call_ends_as_itops_script(installed: Place) -> None:
    right = ("--compat=itop", "--auth_user=admin", f"--auth_pwd={PASSWORD}")
    assert _import(installed, *right, rows=(HEADER, DOE, "Moe,Max,Nowhere,m@x.example")).code == 0
    assert _import(installed, "--compat=itop").code == 0
    assert _import(installed, *right, "--auth_pwd=wrong").code == 255
    assert _import(installed, *right, "--csvfile=/nowhere/people.csv").code == 255
    assert _import(installed, *right, "--param_file=/nowhere/call.params").code == 254
    assert _import(installed, *right, "--class=Persn").code == 0


def test_compat_may_stand_in_settings_or_a_parameters_file(installed: Place) -> None:
    words = ("--auth_user=admin", "--auth_pwd=wrong")
    file = installed.write("call.params", "compat = itop\n")
    assert _import(installed, *words).code == 77
    assert _import(installed, *words, f"--param_file={file}").code == 255
    installed.configure(compat="itop")
    assert _import(installed, *words).code == 255
    assert _import(installed, *words, "--compat=itopd").code == 77


def test_with_compat_itop_unknown_parameters_are_warned_of(installed: Place) -> None:
    answer = _import(installed, "--compat=itop", "--auth_user=admin", f"--auth_pwd={PASSWORD}", "--clas=Person")
    assert answer.code == 0
    assert answer.counter("Created") == 2
    assert "clas" in answer.err


def test_what_a_refused_row_leaves_is_nothing(installed: Place) -> None:
    before = _dump(installed)
    answer = _import(installed, rows=(HEADER, "Moe,Max,Nowhere,m@x.example", "Poe,,My Company/Department,p@x.example"))
    assert answer.counter("Created") == 0, answer
    assert set(diff_dumps(before, _dump(installed))) <= {"priv_change"}


def test_the_database_is_never_in_the_messages_with_its_password(installed: Place, tmp_path: Path) -> None:
    installed.configure(database_url="mysql://root:geheim@127.0.0.1:1/x")
    installed.config.chmod(0o600)
    answer = _import(installed, f"--error_file={tmp_path}/errors.csv")
    assert answer.code == 69
    assert "geheim" not in answer.err
    assert not (tmp_path / "errors.csv").exists()


def test_an_unknown_key_of_a_parameters_file_is_named_with_line_and_nearest(installed: Place) -> None:
    file = installed.write("call.params", "# of the test\nseparater = ;\n")
    answer = _import(installed, f"--param_file={file}")
    assert (answer.code, answer.out) == (64, "")
    assert answer.err == f"itopd: unknown parameter 'separater' ({file}:2); did you mean 'separator'?\n"
