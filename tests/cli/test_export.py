"""``itopd export``: a file that is whole or not there, and the documented exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.calls import Answer, Place
from tests.cli.conftest import PASSWORD

PROFILES = "--expression=SELECT URP_Profiles WHERE id < 4"


def _export(made: Place, *words: str | Path) -> Answer:
    return made.call("export", PROFILES, "--fields=id,name", "--no_localize=1", *words)


def test_csv_goes_to_standard_output(installed: Place) -> None:
    answer = _export(installed)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines()[0] == '"id","name"'
    assert sorted(answer.out.splitlines()[1:]) == ['1,"Administrator"', '2,"Portal user"', '3,"Configuration Manager"']


def test_the_extension_of_the_file_names_the_format(installed: Place) -> None:
    path = installed.folder / "profiles.json"
    answer = _export(installed, f"--output={path}")
    assert (answer.code, answer.out) == (0, "")
    assert len(json.loads(path.read_text())) == 3


def test_a_file_that_is_there_is_replaced_only_by_a_whole_one(installed: Place) -> None:
    path = installed.write("profiles.csv", "precious\n")
    assert _export(installed, "--fields=nme", f"--output={path}").code == 64
    assert path.read_text() == "precious\n"
    assert _export(installed, f"--output={path}").code == 0
    assert path.read_text().startswith('"id"')
    assert [one.name for one in installed.folder.glob(".*")] == []


def test_parameters_come_from_a_file_and_arguments_win(installed: Place) -> None:
    file = installed.write(
        "call.params",
        "expression = SELECT URP_Profiles WHERE id = :number\nfields = name\narg_number = 1\nno_localize = 1\n",
    )
    assert installed.call("export", f"--param_file={file}").out == '"name"\n"Administrator"\n'
    answer = installed.call("export", f"--param_file={file}", "--arg_number=2", "--fields=id,name")
    assert answer.out == '"id","name"\n2,"Portal user"\n'


@pytest.mark.parametrize(
    ("words", "code", "problem"),
    [
        (
            ("--expression=SELECT Persn",),
            64,
            "unknown class 'Persn'; did you mean 'Person'? (position 7: line 1, column 8)",
        ),
        (("--expression=SELECT Person WHERE name = :n",), 64, "Missing parameter '--arg_n'"),
        (("--expression=",), 64, "give expression (an OQL query) or query (its id in the phrasebook)"),
        (("--expression=", "--query=77"), 64, "query=77: the phrasebook holds no query of that id"),
        (("--fields=",), 64, "Missing parameter: fields"),
        (("--fields=name,nme",), 64, "field 'nme': class URP_Profiles has no attribute 'nme'; did you mean 'name'?"),
        (("--format=html",), 64, "give one of csv, json, jsonl"),
        (("--charset=KLINGON",), 64, "unknown character set 'KLINGON'"),
        (("--feilds=name",), 64, "unknown parameter 'feilds' (argument); did you mean 'fields'?"),
        (("--no_localize=maybe",), 64, "no_localize"),
        (("--param_file=/nowhere/call.params",), 66, "'/nowhere/call.params'"),
        (("--output=/nowhere/x.csv",), 66, "create the folder /nowhere or let this account write there"),
        (("--output=/etc/hostname/x.csv",), 66, "/etc/hostname"),
        (("--auth_user=admin", "--auth_pwd=wrong"), 77, "wrong login or password for 'admin'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_wrong_call_is_refused_with_what_to_do(
    installed: Place, words: tuple[str, ...], code: int, problem: str
) -> None:
    answer = _export(installed, *words)
    assert (answer.code, answer.out) == (code, ""), answer
    assert problem in answer.err
    assert len(answer.err.splitlines()) == 1


def test_with_compat_itop_a_refused_call_ends_as_itops_script(installed: Place) -> None:
    right = ("--compat=itop", "--auth_user=admin", f"--auth_pwd={PASSWORD}")
    assert _export(installed, *right, "--format=csv").code == 0
    assert _export(installed, "--compat=itop").code == 255
    assert _export(installed, *right, "--fields=nme").code == 255
    assert _export(installed, *right, "--format=jsonl").code == 255
    assert _export(installed, *right, "--auth_pwd=wrong").code == 255
    answer = _export(installed, "--compat=itop", "--param_file=/nowhere/call.params")
    assert answer.code == 254
    assert answer.err == "ERROR: Could not find the parameter file: '/nowhere/call.params'; check its path\n"


def test_an_export_writes_nothing_to_the_database(installed: Place) -> None:
    database = installed.folder / "itopd.db"
    before = database.read_bytes()
    _export(installed)
    assert database.read_bytes() == before
