"""``itopd check``: each line says ok, or what to do; 1 when something is to do."""

from __future__ import annotations

import shutil
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.calls import Answer, Place, place
from tests.support.dictionaries import dictionary_text
from tests.support.servers import (
    admin_connection,
    empty_mariadb,
    empty_postgresql,
    mariadb_url,
    postgresql_connection,
    postgresql_url,
)
from tests.support.smtp import smtp_server

NAMES = [
    *("data folder", "data model", "labels", "database", "mode", "account"),
    *("state store", "clone guard", "processes", "jobs", "mail"),
]


def _lines(answer: Answer) -> dict[str, tuple[str, str]]:
    """Return state and text by name; every line has the form that the manual promises."""
    found = {}
    for line in answer.out.splitlines():
        state, rest = line[:5].strip(), line[7:]
        assert state in {"ok", "TO DO"}, line
        name, _, text = rest.partition(": ")
        found[name] = (state, text)
    assert list(found) == NAMES
    assert answer.err == ""
    assert answer.code == (1 if "TO DO" in {state for state, _ in found.values()} else 0)
    return found


def _to_do(answer: Answer, name: str) -> str:
    """Return what is to do about one thing, all others being ok."""
    lines = _lines(answer)
    assert [one for one, (state, _) in lines.items() if state == "TO DO"] == [name]
    return lines[name][1]


def test_all_is_well_after_init(installed: Place) -> None:
    lines = _lines(installed.call("check"))
    assert {state for state, _ in lines.values()} == {"ok"}
    assert lines["data model"][1] == "225 classes, bundled"
    assert lines["database"][1] == f"file {installed.folder}/itopd.db, tables as in the data model"
    assert lines["account"][1] == "admin acts where no auth_user is given (run_as)"


def test_dictionaries_of_an_attached_itop_are_read(installed: Place) -> None:
    folder = installed.folder / "itop" / "env-test" / "dictionaries"
    installed.configure(itop_root=installed.folder / "itop", itop_environment="test", default_language="FR FR")
    said = dict(line[7:].split(": ", 1) for line in installed.call("check").out.splitlines())
    assert said["labels"] == f"{folder} is no folder: correct itop_root or itop_environment"
    folder.mkdir(parents=True)
    french = folder / "fr-fr.dict.php"
    french.write_text("<?php A('FR FR', array('Class:Person' => NAME));", encoding="utf-8")
    text = _lines(installed.call("check"))["labels"]
    assert text[0] == "TO DO"
    assert "line 1: entry 'Class:Person' is no plain text" in text[1]
    assert text[1].endswith("there is no dictionary of EN US")
    for language in ("EN US", "FR FR"):
        path = folder / f"{language.lower().replace(' ', '-')}.dict.php"
        path.write_text(dictionary_text(language, {"Class:Person": "Somebody"}), encoding="utf-8")
    assert _lines(installed.call("check"))["labels"] == ("ok", f"2 languages in {folder}")


def test_a_check_writes_nothing_to_the_database(installed: Place) -> None:
    database = installed.folder / "itopd.db"
    before = database.read_bytes()
    installed.call("check")
    assert database.read_bytes() == before


def test_before_init_the_tables_are_to_be_made(tmp_path: Path) -> None:
    lines = _lines(place(tmp_path).call("check"))
    assert lines["database"][0] == "TO DO"
    assert lines["database"][1] == (
        f"file {tmp_path}/itopd.db holds no tables of an iTop: run 'itopd init' to create them, "
        "or correct database_url in the settings"
    )
    assert lines["account"] == ("TO DO", "it can be looked at once the database is right")


def test_a_missing_data_folder_is_to_be_made_and_is_not_made_by_looking(tmp_path: Path) -> None:
    made = place(tmp_path)
    made.configure(data_folder=tmp_path / "data")
    lines = _lines(made.call("check"))
    assert lines["data folder"][1] == f"{tmp_path}/data is no folder: create it, or correct data_folder"
    assert lines["state store"][0] == "TO DO"
    assert not (tmp_path / "data").exists()


def test_a_database_that_is_no_itops(installed: Place) -> None:
    (installed.folder / "itopd.db").unlink()
    with sqlite3.connect(installed.folder / "itopd.db") as other:
        other.execute("CREATE TABLE invoices (id INTEGER)")
    other.close()
    lines = _lines(installed.call("check"))
    assert lines["database"][0] == "TO DO"
    assert str(installed.folder / "itopd.db") in lines["database"][1]
    assert "itopd init" in lines["database"][1] or "does not fit the data model" in lines["database"][1]


def test_tables_that_lack_a_column_are_named(installed: Place) -> None:
    with sqlite3.connect(installed.folder / "itopd.db") as database:
        database.execute("ALTER TABLE person DROP COLUMN mobile_phone")
    database.close()
    text = _to_do(installed.call("check"), "database")
    assert "does not fit the data model" in text
    assert "person" in text
    assert "mobile_phone" in text


def test_a_file_that_is_no_database(installed: Place) -> None:
    shutil.copyfile("/bin/sh", installed.folder / "itopd.db")
    assert "file is not a database" in _lines(installed.call("check"))["database"][1]


def test_a_server_that_does_not_answer(installed: Place) -> None:
    installed.configure(
        database_url="mysql://root:geheim@127.0.0.1:1/x", state_url=f"sqlite:///{installed.folder}/s.db"
    )
    installed.config.chmod(0o600)
    answer = installed.call("check")
    lines = _lines(answer)
    assert "cannot open database 'x' at 127.0.0.1:1 (user 'root')" in lines["database"][1]
    assert "Check that the server runs and that database_url is right" in lines["database"][1]
    assert "geheim" not in answer.out


@pytest.mark.mariadb
def test_an_empty_database_of_a_server(installed: Place) -> None:
    admin_connection().close()
    with empty_mariadb() as name:
        installed.configure(database_url=mariadb_url(name), state_url=f"sqlite:///{installed.folder}/s.db")
        assert f"database '{name}' at 127.0.0.1:3306" in _lines(installed.call("check"))["database"][1]


@pytest.mark.postgresql
def test_an_installation_on_postgresql_keeps_its_state_in_the_same_database(tmp_path: Path) -> None:
    with empty_postgresql() as name:
        made = place(tmp_path, database_url=postgresql_url(name))
        assert made.call("init").code == 0
        lines = _lines(made.call("check"))
        assert {state for state, _ in lines.values()} == {"ok"}, lines
        assert lines["database"][1].startswith(f"database '{name}' at 127.0.0.1:5432 (user 'postgres'), tables as in")
        with closing(postgresql_connection(name)) as connection:
            held = connection.execute("SELECT count(*) FROM itopd_state.itopd_run").fetchone()
        assert held == (0,)


def test_an_account_that_is_not_there(installed: Place) -> None:
    installed.configure(run_as="somebody")
    text = _to_do(installed.call("check"), "account")
    assert "somebody" in text
    assert "run_as" in text


def test_a_data_model_that_is_not_there(installed: Place) -> None:
    installed.configure(data_model="/nowhere/datamodel.xml")
    lines = _lines(installed.call("check"))
    assert lines["data model"][0] == "TO DO"
    assert "/nowhere/datamodel.xml" in lines["data model"][1]
    assert lines["database"] == ("TO DO", "it can be looked at once the data model is right")
    assert lines["account"] == ("TO DO", "it can be looked at once the database is right")


def test_a_state_store_that_cannot_be_made(installed: Place) -> None:
    installed.configure(state_url=f"sqlite:///{installed.config}/state.db")
    lines = _lines(installed.call("check"))
    assert [name for name, (state, _) in lines.items() if state == "TO DO"] == ["state store", "clone guard"]
    assert str(installed.config) in lines["state store"][1]


def test_a_jobs_folder_that_is_missing(installed: Place) -> None:
    installed.configure(jobs_folder="/nowhere/jobs")
    assert _to_do(installed.call("check"), "jobs") == "/nowhere/jobs is no folder: create it, or correct jobs_folder"


def test_jobs_are_counted(installed: Place) -> None:
    installed.write(
        "jobs/one.params", "service = export\nschedule = every 1h\nexpression = SELECT Person\nfields = name\n"
    )
    assert _lines(installed.call("check"))["jobs"] == ("ok", f"1 in {installed.jobs}")


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("service = exprt\nschedule = every 1h\n", 1, "unknown service 'exprt'; known are export, import"),
        ("service = export\nschedule = often\n", 2, "schedule 'often'"),
        ("service = export\nschedule = every 1h\nfeilds = name\n", 3, "feilds"),
        ("service = import\nschedule = every 1h\ncsvfile = x.csv\n", None, "class"),
    ],
)
def test_a_job_that_is_wrong_is_named_by_file_and_line(
    installed: Place, text: str, line: int | None, problem: str
) -> None:
    path = installed.write("jobs/wrong.params", text)
    said = _to_do(installed.call("check"), "jobs")
    assert said.startswith(f"{path}:{line}: " if line else f"{path}")
    assert problem in said


def test_a_mail_server_that_answers(installed: Place) -> None:
    with smtp_server() as server:
        installed.configure(email_transport="SMTP", email_transport_smtp__host="127.0.0.1")
        installed.configure(email_transport_smtp__port=server.port)
        assert _lines(installed.call("check"))["mail"] == ("ok", f"SMTP server 127.0.0.1:{server.port} answers")


def test_a_mail_server_that_is_away(installed: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    installed.configure(email_transport="SMTP", email_transport_smtp__host="127.0.0.1", email_transport_smtp__port=port)
    text = _to_do(installed.call("check"), "mail")
    assert f"no SMTP server answers at 127.0.0.1:{port}" in text
    assert "correct email_transport_smtp.host and .port, or start the server" in text


def test_settings_that_cannot_be_read_end_it_at_once(installed: Place) -> None:
    installed.configure(databse_url="x")
    answer = installed.call("check")
    assert (answer.code, answer.out) == (64, "")
