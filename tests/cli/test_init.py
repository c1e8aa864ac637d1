"""``itopd init``: an empty database becomes one that works; any other is left alone."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from itopd.database import Database
from itopd.datamodel import bundled_model
from tests.cli.calls import Place, command, place
from tests.support.dumps import dump_tables
from tests.support.engines import EACH_ENGINE, empty_url
from tests.support.servers import admin_connection, mariadb_url, opened


@pytest.fixture
def empty(tmp_path: Path) -> Place:
    """Give a place whose database is empty."""
    return place(tmp_path)


@pytest.fixture(params=EACH_ENGINE)
def empty_anywhere(request: pytest.FixtureRequest, empty: Place) -> Iterator[Place]:
    """Give a place whose database is empty, on every engine; only PostgreSQL holds its state too, as it does alone."""
    with empty_url(request.param, empty.folder) as url:
        apart = {"mariadb": {"state_url": f"sqlite:///{empty.folder}/itopd-state.db"}}
        empty.configure(database_url=url, **apart.get(request.param, {}))
        yield empty


def _import_two(made: Place, *words: str) -> str:
    made.write(
        "people.csv", "name,first_name,org_id->name\nDoe,Jane,My Company/Department\nRoe,Rick,My Company/Department\n"
    )
    answer = made.call(
        "import", "--class=Person", "--csvfile=" + str(made.folder / "people.csv"), "--no_localize=1", *words
    )
    assert answer.code == 0, answer
    return answer.out


def test_an_empty_database_becomes_one_that_works(empty_anywhere: Place) -> None:
    answer = empty_anywhere.call("init")
    assert answer.code == 0, answer
    assert re.match(r"created 2\d\d tables in ", answer.out)
    shown = re.search(r"administrator 'admin', password \(shown this once\): (\S+)\n", answer.out)
    assert shown is not None
    assert "TO DO" not in empty_anywhere.call("check").out
    assert "#Created: 2" in _import_two(empty_anywhere, "--auth_user=admin", f"--auth_pwd={shown[1]}")
    rows = empty_anywhere.query("SELECT URP_Profiles", "id,name")
    declared = [(one.id, one.name) for one in bundled_model().user_rights.profiles.values()]
    assert sorted(rows) == [(1, "Administrator"), *sorted(declared)]
    assert len(rows) == 13
    for path in empty_anywhere.folder.rglob("*"):
        assert path.is_dir() or shown[1].encode() not in path.read_bytes(), path


def test_the_password_comes_from_the_first_line_of_a_file(empty: Place) -> None:
    file = empty.write("password", "Grüße aus-1 Köln\r\nsecond line\n")
    answer = empty.call("init", "--admin_login=root", f"--admin_password_file={file}")
    assert answer.code == 0, answer
    assert "Grüße" not in answer.out
    assert f"administrator 'root', password from {file}" in answer.out
    empty.configure(run_as="root")
    _import_two(empty, "--auth_user=root", "--auth_pwd=Grüße aus-1 Köln")


def test_a_database_that_holds_something_is_refused_and_left_alone(installed: Place) -> None:
    before = _tables(installed)
    answer = installed.call("init")
    assert answer.code == 69
    assert "is not empty" in answer.err
    assert "name an empty database in database_url" in answer.err
    assert "password" not in answer.out
    assert _tables(installed) == before


def _tables(made: Place) -> object:
    with opened(f"sqlite:///{made.folder}/itopd.db") as database:
        return dump_tables(database)


def test_a_database_of_somebody_else_is_refused(tmp_path: Path) -> None:
    made = place(tmp_path)
    with sqlite3.connect(tmp_path / "itopd.db") as other:
        other.execute("CREATE TABLE invoices (id INTEGER)")
    other.close()
    answer = made.call("init")
    assert answer.code == 69
    assert "it holds invoices" in answer.err


@pytest.mark.parametrize(("text", "code"), [("\nsecond", 64), ("", 64), (b"\xff\xfe\n", 66)])
def test_a_password_file_without_a_password_creates_nothing(tmp_path: Path, text: str | bytes, code: int) -> None:
    made = place(tmp_path)
    answer = made.call("init", f"--admin_password_file={made.write('password', text)}")
    assert answer.code == code
    assert str(made.folder / "password") in answer.err
    assert not (tmp_path / "itopd.db").exists()


def test_a_missing_password_file_creates_nothing(tmp_path: Path) -> None:
    answer = place(tmp_path).call("init", "--admin_password_file=/nowhere/password")
    assert answer.code == 66
    assert "/nowhere/password" in answer.err
    assert not (tmp_path / "itopd.db").exists()


def test_a_password_file_may_stand_in_any_folder_that_is_missing_for_the_data(tmp_path: Path) -> None:
    made = place(tmp_path)
    made.configure(data_folder=tmp_path / "new" / "data")
    assert made.call("init").code == 0
    assert (tmp_path / "new" / "data" / "itopd.db").exists()


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    made = place(tmp_path)
    made.configure(data_folder=made.config)
    answer = made.call("init")
    assert answer.code == 64
    assert answer.err == f"itopd: data_folder {made.config} cannot be made (File exists): correct data_folder\n"


@pytest.mark.parametrize(
    ("url", "code", "text"),
    [
        ("nonsense", 64, "write sqlite:///path/to/file, postgresql://"),
        ("sqlite:////nowhere/itopd.db", 69, "the folder /nowhere of the database file does not exist; create it"),
        ("sqlite://", 64, "itopd needs SQLite in a file"),
        ("postgresql://root@127.0.0.1:1/x", 69, "cannot open database 'x' at 127.0.0.1:1"),
        ("oracle://u@127.0.0.1/x", 69, "oracle"),
        ("mysql://root@127.0.0.1:1/x", 69, "cannot open database 'x' at 127.0.0.1:1"),
    ],
)
def test_a_wrong_database_url_is_refused_with_what_to_do(tmp_path: Path, url: str, code: int, text: str) -> None:
    made = place(tmp_path, database_url=url)
    answer = made.call("init")
    assert (answer.code, answer.out) == (code, "")
    assert text in answer.err
    assert "Traceback" not in answer.err


@pytest.mark.mariadb
def test_a_database_that_the_server_does_not_have_is_named(tmp_path: Path) -> None:
    admin_connection().close()
    made = place(tmp_path, database_url=mariadb_url("itopd_test_never_made"), state_url=f"sqlite:///{tmp_path}/s.db")
    answer = made.call("init")
    assert answer.code == 69
    assert "itopd_test_never_made" in answer.err
    assert "Traceback" not in answer.err


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    made = place(tmp_path)
    shutil.copyfile("/bin/sh", tmp_path / "itopd.db")
    answer = made.call("init")
    assert answer.code == 69
    assert "file is not a database" in answer.err
    assert (tmp_path / "itopd.db").read_bytes() == Path("/bin/sh").read_bytes()


def test_of_two_at_once_one_creates_and_the_other_is_refused(empty_anywhere: Place) -> None:
    both = [
        subprocess.Popen(
            command("--config", empty_anywhere.config, "init"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=empty_anywhere.folder,
        )
        for _ in range(2)
    ]
    ends = []
    for one in both:
        out, err = one.communicate(timeout=60)
        ends.append((one.returncode, b"password (shown this once)" in out, err.decode()))
    (first, shown, _), (second, shown_too, text) = sorted(ends)
    assert (first, shown) == (0, True)
    assert (second in {69, 75}, shown_too) == (True, False), text
    assert len(text.splitlines()) == 1
    assert "TO DO" not in empty_anywhere.call("check").out


def test_the_schema_is_the_one_of_the_data_model(installed: Place) -> None:
    with opened(f"sqlite:///{installed.folder}/itopd.db") as database:
        assert isinstance(database, Database)
        assert database.missing() == []
