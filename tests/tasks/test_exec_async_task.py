"""The task ExecAsyncTask: settings in, iTop's message out."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from itopd.clock import FixedClock, to_itop
from itopd.database import Database
from itopd.errors import SettingsError
from itopd.mail import Address, Message, listing, put_all
from itopd.rules import ITOP, ITOPD, Rules
from itopd.settings import Settings
from itopd.state import open_state
from itopd.tasks.exec_async_task import exec_async_task

NOW = datetime(2027, 2, 10, 9, 0, tzinfo=UTC)


def run(database: Database, folder: Path, settings: Settings, rules: Rules = ITOPD) -> str:
    state = open_state(f"sqlite:///{folder}/state.db")
    try:
        return exec_async_task(database, state, settings, rules, FixedClock(NOW))
    finally:
        state.close()


def queue(database: Database, number: int) -> None:
    now = to_itop(NOW, database.timezone)
    mails = [(Message(to=f"p{one}@example.com", sender=Address("itop@example.com")), 0) for one in range(number)]
    with database.write() as connection:
        put_all(connection, database, mails, now)


def test_what_is_queued_goes_where_the_settings_say(database: Database, tmp_path: Path) -> None:
    queue(database, 3)
    settings = Settings(email_transport="directory", data_folder=tmp_path, mail_directory=Path("out"))
    assert run(database, tmp_path, settings) == "processed 3 tasks"
    assert len(list((tmp_path / "out").glob("*.eml"))) == 3
    assert run(database, tmp_path, settings) == "processed 0 tasks"


@pytest.mark.parametrize(("rules", "status"), [(ITOP, "error"), (ITOPD, "planned")])
def test_the_rules_decide_whether_a_failure_is_final(
    database: Database, tmp_path: Path, rules: Rules, status: str
) -> None:
    queue(database, 1)
    (tmp_path / "mails").write_text("in the way of the folder")
    settings = Settings(email_transport="directory", data_folder=tmp_path)
    assert run(database, tmp_path, settings, rules) == "processed 1 tasks"
    with database.read() as connection:
        assert [row.status for row in listing(connection, database)] == [status]


def test_an_unusable_transport_is_an_error_of_the_task_and_no_mail_is_touched(
    database: Database, tmp_path: Path
) -> None:
    queue(database, 1)
    with pytest.raises(SettingsError):
        run(database, tmp_path, Settings(email_transport="SMTP_OAuth"))
    with database.read() as connection:
        assert [(row.status, row.last_error) for row in listing(connection, database)] == [("planned", "")]


def test_a_redirection_is_told_in_the_message_of_the_run_and_a_wrong_one_sends_nothing(
    database: Database, tmp_path: Path
) -> None:
    queue(database, 1)
    settings = Settings(email_transport="directory", data_folder=tmp_path, mail_redirect_to="nobody")
    with pytest.raises(SettingsError, match="mail_redirect_to"):
        run(database, tmp_path, settings)
    assert not (tmp_path / "mails").exists()
    settings = settings.model_copy(update={"mail_redirect_to": "qa@test.example"})
    assert run(database, tmp_path, settings) == "processed 1 tasks; mails go to qa@test.example only (mail_redirect_to)"
    [letter] = (tmp_path / "mails").glob("*.eml")
    assert "X-Envelope-To: qa@test.example\r\n" in letter.read_bytes().decode()
