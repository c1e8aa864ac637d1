"""The clone guard at the command line: a copy reads, and acts only once somebody adopted it."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from tests.cli.calls import PATIENCE, Place, place, wait_until
from tests.support.engines import empty_url
from tests.support.servers import require

MAIL = ("mail", "enqueue", "--to=customer@example.com", "--from=itop@example.com", "--subject=Hello")
REFUSAL = "this is not the database that itopd was started on"


@pytest.fixture
def production(installed: Place) -> Place:
    """Give a place that itopd was started on, with a mail that waits and two jobs that are due."""
    installed.configure(app_root_url="https://itop.example/")
    assert installed.call("tick").code == 0
    installed.configure(email_transport="directory")
    assert installed.call(*MAIL).code == 0
    return installed


def _clone(production: Place, folder: Path) -> Place:
    """Copy data, state and settings, as one copies a machine."""
    folder.mkdir()
    clone = place(folder, app_root_url="https://itop.example/")
    clone.configure(email_transport="directory")
    for name in ("itopd.db", "itopd-state.db"):
        shutil.copy2(production.folder / name, folder / name)
    return clone


def _make_due(made: Place) -> None:
    """Let the tasks be due now, whenever their next date was planned."""
    with sqlite3.connect(made.folder / "itopd.db") as database:
        database.execute("UPDATE priv_backgroundtask SET next_run_date = '2026-01-01 00:00:00'")
        database.execute("UPDATE priv_async_task SET created = '2026-01-01 00:00:00'")
    database.close()


def _sent(made: Place) -> int:
    return len(list((made.folder / "mails").glob("*.eml")))


def test_production_itself_goes_on(production: Place) -> None:
    _make_due(production)
    assert production.call("tick").code == 0
    assert _sent(production) == 1
    assert "Clone guard: adopted " in production.call("status").out
    answer = production.call("adopt")
    assert (answer.code, answer.out) == (0, "nothing to adopt: the database is where itopd was started on it\n")


def test_a_copy_of_data_and_state_sends_nothing_says_why_and_works_once_adopted(
    production: Place, tmp_path: Path
) -> None:
    clone = _clone(production, tmp_path / "clone")
    _make_due(clone)
    answer = clone.call("tick")
    assert answer.code == 69
    assert f"REFUSED: {REFUSAL} (server was 'engine sqlite" in answer.out
    assert _sent(clone) == 0
    status = clone.call("status")
    assert status.code == 1
    assert REFUSAL in status.out
    assert f"TO DO  clone guard: {REFUSAL}" in clone.call("check").out
    assert clone.call("mail", "list").out.endswith("1 planned (AsyncSendEmail)\n")

    unanswered = clone.call("adopt")
    assert unanswered.code == 69
    assert "say --yes" in unanswered.err
    assert clone.call("tick").code == 69

    adopted = clone.call("adopt", "--yes")
    assert adopted.code == 0
    assert "1 mails wait, the oldest since 2026-01-01 00:00:00: they go to the recipients they name" in adopted.out
    assert "adopted: itopd works on file" in adopted.out
    assert clone.call("tick").code == 0
    assert _sent(clone) == 1


def test_on_a_copy_what_reads_runs_and_what_a_person_starts_by_hand(production: Place, tmp_path: Path) -> None:
    clone = _clone(production, tmp_path / "clone")
    clone.write("orgs.csv", "name,code\nNew,N\n")
    clone.write(
        "jobs/out.params",
        "service = export\nschedule = every 1h\nexpression = SELECT Person\nfields = name\n"
        f"output_file = {clone.folder}/people.csv\n",
    )
    clone.write(
        "jobs/in.params",
        f"service = import\nschedule = every 1h\nclass = Organization\ncsvfile = {clone.folder}/orgs.csv\n",
    )
    assert clone.call("job", "run", "out").code == 0
    assert "My last name" in clone.read("people.csv")
    refused = clone.call("job", "run", "in")
    assert refused.code == 69
    assert REFUSAL in refused.err
    assert clone.call("export", "--expression=SELECT Person", "--fields=name").code == 0
    by_hand = clone.call("import", "--class=Organization", f"--csvfile={clone.folder}/orgs.csv", "--no_localize=1")
    assert by_hand.code == 0
    assert clone.query("SELECT Organization WHERE name = 'New'", "name") == [("New",)]


def test_a_tick_of_one_job_that_reads_is_not_refused(production: Place, tmp_path: Path) -> None:
    clone = _clone(production, tmp_path / "clone")
    clone.write("jobs/out.params", "service = export\nschedule = every 1h\nexpression = SELECT Person\nfields = name\n")
    assert clone.call("tick", "--only=out").code == 0
    assert clone.call("tick", "--only=ExecAsyncTask").code == 69


def test_another_application_url_is_another_system_until_adopted_and_both_may_be_right(production: Place) -> None:
    here = production.config.read_text()
    production.configure(app_root_url="https://test.example")
    answer = production.call("tick")
    assert answer.code == 69
    assert "app_root_url was 'https://itop.example', now it is 'https://test.example'" in answer.out
    assert production.call("adopt", "--yes", "--beside").code == 0
    assert production.call("tick").code == 0
    production.config.write_text(here)
    assert production.call("tick").code == 0


def test_a_renamed_database_needs_adoption_before_anything_uses_its_state(production: Place) -> None:
    (production.folder / "itopd.db").rename(production.folder / "itop2.db")
    production.configure(database_url="sqlite:///itop2.db")
    for words in (("tick",), ("status",), ("run",)):
        answer = production.call(*words)
        assert answer.code == 69
        assert "belongs to the iTop database 'itopd.db', not to 'itop2.db'" in answer.err
    assert "belongs to the iTop database" in production.call("check").out
    assert production.call("export", "--expression=SELECT Person", "--fields=name").code == 0
    with sqlite3.connect(production.folder / "itopd-state.db") as state:
        state.execute("UPDATE itopd_lease SET expires = '2026-01-01 00:00:00.000000'")
    state.close()
    assert production.call("adopt", "--yes").code == 0
    assert production.call("tick").code == 0


def test_who_declares_the_identity_of_the_server_is_asked_once(production: Place, tmp_path: Path) -> None:
    production.configure(server_identity="production")
    assert production.call("tick").code == 69
    assert production.call("adopt", "--yes").code == 0
    clone = _clone(production, tmp_path / "moved")
    clone.configure(server_identity="production")
    assert clone.call("tick").code == 0


def test_the_daemon_of_a_copy_waits_and_goes_to_work_when_it_is_adopted(production: Place, tmp_path: Path) -> None:
    clone = _clone(production, tmp_path / "clone")
    _make_due(clone)
    daemon = clone.start("run")
    try:
        wait_until(lambda: "writes_refused" in clone.read("started.err"), "the refusal")
        assert _sent(clone) == 0
        assert clone.call("adopt", "--yes").code == 0
        wait_until(lambda: _sent(clone) == 1, "the mail")
        assert "writes_allowed" in clone.read("started.err")
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(PATIENCE) == 0
    finally:
        daemon.kill()
        daemon.wait()


FRESH_REFUSAL = "itopd was never started on this database, and 1 mails wait in it since 2026-01-01 00:00:00"


def _dump(production: Place, folder: Path) -> Place:
    """Copy the data alone, as one loads a dump on a test system that has never been used."""
    clone = _clone(production, folder)
    for path in folder.glob("itopd-state.db*"):
        path.unlink()
    _make_due(clone)
    return clone


def test_a_dump_beside_a_fresh_state_store_sends_no_mail_that_it_brought_along(
    production: Place, tmp_path: Path
) -> None:
    clone = _dump(production, tmp_path / "clone")
    assert f"TO DO  clone guard: {FRESH_REFUSAL}" in clone.call("check").out
    for _ in range(2):
        answer = clone.call("tick")
        assert (answer.code, _sent(clone)) == (69, 0)
        assert f"REFUSED: {FRESH_REFUSAL}" in answer.out
    assert FRESH_REFUSAL in clone.call("status").out

    adopted = clone.call("adopt", "--yes")
    assert adopted.code == 0
    assert "1 mails wait, the oldest since 2026-01-01 00:00:00: they go to the recipients they name" in adopted.out
    assert (clone.call("tick").code, _sent(clone)) == (0, 1)


def test_a_dump_whose_mails_all_go_to_testers_works_at_once(production: Place, tmp_path: Path) -> None:
    clone = _dump(production, tmp_path / "clone")
    clone.configure(mail_redirect_to="testers@example.com")
    assert (clone.call("tick").code, _sent(clone)) == (0, 1)
    (mail,) = (clone.folder / "mails").glob("*.eml")
    assert b"To: testers@example.com" in mail.read_bytes()


def test_a_dump_in_which_no_mail_waits_is_an_ordinary_first_start(production: Place, tmp_path: Path) -> None:
    _make_due(production)
    assert (production.call("tick").code, _sent(production)) == (0, 1)
    clone = _dump(production, tmp_path / "clone")
    assert clone.call("tick").code == 0


def test_who_makes_a_database_is_at_home_there(tmp_path: Path) -> None:
    made = place(tmp_path)
    assert made.call("init").code == 0
    assert made.call(*MAIL).code == 0
    made.configure(email_transport="directory")
    _make_due(made)
    assert (made.call("tick").code, _sent(made)) == (0, 1)


@pytest.mark.postgresql
def test_a_dump_of_postgresql_carries_its_state_and_is_noticed(tmp_path: Path) -> None:
    require(shutil.which("pg_dump") is not None, "pg_dump and psql")
    with empty_url("postgresql", tmp_path) as url, empty_url("postgresql", tmp_path) as clone_url:
        production = place(tmp_path, database_url=url)
        assert production.call("init").code == 0
        assert production.call(*MAIL).code == 0
        dump = subprocess.run(["pg_dump", f"--dbname={url}"], capture_output=True, check=True, timeout=60)
        subprocess.run(
            ["psql", "--quiet", "--set=ON_ERROR_STOP=1", f"--dbname={clone_url}"],
            input=dump.stdout,
            stdout=subprocess.DEVNULL,
            check=True,
            timeout=60,
        )
        (tmp_path / "clone").mkdir()
        clone = place(tmp_path / "clone", database_url=clone_url)
        clone.configure(email_transport="directory")
        refused = clone.call("tick")
        assert (refused.code, _sent(clone)) == (69, 0)
        assert "belongs to the iTop database" in refused.err

        # Renamed as it was, on another server: the store lets it in, the fingerprint does not.
        with psycopg.connect(clone_url, autocommit=True) as connection:
            name = make_url(clone_url).database
            connection.execute("UPDATE itopd_state.itopd_served SET name = %s", (name,))
            connection.execute("UPDATE itopd_state.itopd_fingerprint SET database_name = %s", (name,))
            connection.execute(
                "UPDATE itopd_state.itopd_fingerprint"
                ' SET server = replace(server, \'"system_identifier": "\', \'"system_identifier": "9\')'
            )
        refused = clone.call("tick")
        assert (refused.code, _sent(clone)) == (69, 0)
        assert f"REFUSED: {REFUSAL} (server was 'engine postgresql, system_identifier 9" in refused.out
        assert clone.call("adopt", "--yes").code == 0
        assert (clone.call("tick").code, _sent(clone)) == (0, 1)
