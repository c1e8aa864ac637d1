"""``itopd db``: a whole database to another engine, and a database against the model."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from itopd.database import collation_key
from itopd.database.copying import MARKER
from tests.cli.calls import Place, process
from tests.support.servers import empty_postgresql, opened, postgresql_url


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def change(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    connection.create_function("itop_key", 1, lambda text: text and collation_key(text), deterministic=True)
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def test_a_copy_is_a_database_that_itopd_works_on(installed: Place) -> None:
    target = installed.folder / "copy.db"
    answer = installed.call("db", "copy", "database_url", url(target), "--verify")
    assert answer.code == 0, answer
    assert f"of 219 tables from file {installed.folder}/itopd.db to file {target}" in answer.out
    assert "every row was read back and is equal" in answer.out
    before = installed.query("SELECT User", "id,login,contactid_friendlyname")
    installed.configure(database_url=url(target), state_url=url(installed.folder / "other-state.db"))
    assert installed.query("SELECT User", "id,login,contactid_friendlyname") == before
    assert installed.call("db", "check").out == f"file {target}: tables as in the data model\n"


def test_a_url_may_stand_in_a_file_so_that_its_password_is_seen_by_nobody(installed: Place) -> None:
    written = installed.write("target.url", f"{url(installed.folder / 'copy.db')}\nthe rest is not read\n")
    assert installed.call("db", "copy", "database_url", f"@{written}").code == 0
    answer = installed.call("db", "copy", f"@{installed.folder}/none", url(installed.folder / "other.db"))
    assert answer.code == 66
    assert "cannot read the URL from the file" in answer.err


def test_what_is_left_out_or_replaced_is_said_and_is_exit_code_1(installed: Place) -> None:
    change(installed.folder / "itopd.db", "CREATE TABLE mine (a)", "ALTER TABLE contact ADD COLUMN shoes TEXT")
    answer = installed.call("db", "copy", "database_url", url(installed.folder / "copy.db"))
    assert answer.code == 1, answer
    assert "LEFT OUT  column contact.shoes: the data model does not know it\nLEFT OUT  table mine: " in answer.out


@pytest.mark.postgresql
def test_a_simulation_finds_what_would_stop_the_copy_and_writes_nothing(installed: Place) -> None:
    change(installed.folder / "itopd.db", "UPDATE organization SET code = 'a' || char(0) WHERE id = 1")
    with empty_postgresql() as name:
        words = ("db", "copy", "database_url", postgresql_url(name))
        answer = installed.call(*words, "--simulate")
        assert answer.code == 65, answer
        assert "so nothing was copied: correct them in the source, or have the replaceable ones" in answer.err
        assert "  organization 1, column code: the value holds a NUL character at position 2 (nul)" in answer.err
        answer = installed.call(*words, "--simulate", "--replace=nul")
        assert answer.code == 1, answer
        assert answer.out.startswith("would copy ")
        assert "REPLACED  organization 1, column code: " in answer.out
        with opened(postgresql_url(name)) as database:
            assert database.is_empty()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("sqlite:///missing.db", "sqlite:///x.db"), 69, "the database file missing.db does not exist"),
        (("database_url", "database_url"), 69, "is not empty"),
        (("database_url", "sqlite:///x.db", "--replace=nul,none"), 64, "--replace: 'none' is none of nul, utf8, enum"),
        (("database_url",), 64, "Missing argument 'TO_URL'"),
        (("database_url", "oracle://x/y"), 69, "does not run on 'oracle'"),
    ],
)
def test_a_call_that_cannot_be_done_is_refused(
    installed: Place, words: tuple[str, ...], code: int, message: str
) -> None:
    answer = installed.call("db", "copy", *words)
    assert answer.code == code, answer
    assert message in answer.err


def test_nothing_works_on_half_a_copy(installed: Place) -> None:
    change(installed.folder / "itopd.db", f"CREATE TABLE {MARKER} (name)")
    for words in (("query", "SELECT User"), ("db", "check"), ("db", "copy", "database_url", "sqlite:///x.db")):
        answer = installed.call(*words)
        assert answer.code == 69, answer
        assert "holds an unfinished copy" in answer.err
        assert "copy again with --restart" in answer.err


def test_differences_to_the_model_are_named_all(installed: Place) -> None:
    change(installed.folder / "itopd.db", *(f"DROP TABLE {name}" for name in ("person", "team", "server", "pdu")))
    answer = installed.call("db", "check")
    assert answer.code == 1
    assert answer.out.splitlines() == [f"table {name} is missing" for name in ("pdu", "person", "server", "team")]


def test_help_says_what_each_replacement_does() -> None:
    answer = process("db", "copy", "--help")
    assert answer.code == 0
    assert "zero_date: MySQL's zero dates become undefined" in " ".join(answer.out.split())


@pytest.mark.postgresql
def test_functions_of_another_release_are_replaced(installed: Place) -> None:
    with empty_postgresql() as name:
        target = postgresql_url(name)
        assert installed.call("db", "copy", "database_url", target).code == 0
        installed.configure(database_url=target, state_url=url(installed.folder / "other-state.db"))
        with opened(target) as database, database.write() as connection:
            connection.exec_driver_sql("DROP FUNCTION itop_substr")
        missing = installed.call("db", "check")
        assert (missing.code, missing.out) == (1, "function itop_substr is missing; 'itopd db functions' makes it\n")
        assert installed.call("db", "functions").out.endswith(": functions as in this release\n")
        assert installed.call("db", "check").code == 0
        people = installed.query("SELECT User WHERE SUBSTR(login, 1, 2) = 'AD'", "login")
        assert "admin" in str(people)


def test_a_damaged_tree_is_found_and_mended(installed: Place) -> None:
    database = installed.folder / "itopd.db"
    change(database, "UPDATE organization SET parent_id_left = 7, parent_id_right = 7")
    answer = installed.call("db", "check")
    assert answer.code == 1, answer
    assert "Organization.parent_id: id 1: its left number 7 is not below its right one 7\n" in answer.out
    assert answer.out.endswith("run 'itopd db rebuild_trees'\n")
    told = installed.call("db", "rebuild_trees", "--simulate")
    assert (told.code, told.out.splitlines()[0]) == (0, "Organization.parent_id: 1 of 1 would get new numbers")
    assert installed.call("db", "check").code == 1
    assert installed.call("db", "rebuild_trees").out.startswith("Organization.parent_id: 1 of 1 got new numbers\n")
    assert installed.call("db", "check").code == 0
    change(database, "UPDATE organization SET parent_id = 99")
    answer = installed.call("db", "rebuild_trees")
    assert (answer.code, "its parent 99 does not exist: give it another one" in answer.out) == (1, True)
