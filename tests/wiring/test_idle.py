"""What an idle daemon sends to its databases: counted, since every statement comes again and again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from itopd.heartbeat import Heartbeat
from itopd.heartbeat.daemon.quiet import QuietTasks
from itopd.heartbeat.entries import entries_of
from itopd.heartbeat.looking import look
from itopd.heartbeat.row_keeping import synchronise_rows
from itopd.settings import Settings
from itopd.wiring import open_heartbeat
from tests.cli.calls import Place
from tests.cli.conftest import installed, prepared

__all__ = ["installed", "prepared"]


@contextmanager
def _sent() -> Iterator[list[str]]:
    """Collect the statements that are sent meanwhile."""
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)


@pytest.fixture
def beat(installed: Place) -> Iterator[Heartbeat]:
    settings = Settings.model_validate({"data_folder": installed.folder, "jobs_folder": installed.jobs})
    with open_heartbeat(settings, [str(installed.config)], starts=True) as opened:
        yield opened


def test_asking_the_queue_of_mails_is_one_statement_without_a_transaction(beat: Heartbeat) -> None:
    task = next(task for task in beat.tasks if task.name == "ExecAsyncTask")
    assert task.waiting is not None
    task.waiting()  # the first question looks for what dead processes left behind, too
    with _sent() as statements:
        assert task.waiting() is False
    assert len(statements) == 1
    assert statements[0].startswith("SELECT")


def test_a_look_while_nothing_waits_is_a_handful_of_statements_and_writes_nothing(beat: Heartbeat) -> None:
    jobs = beat.load_jobs()
    assert synchronise_rows(beat, jobs)
    quiet, entries = QuietTasks(beat), entries_of(beat, jobs)
    seen = look(beat, entries)
    asleep = [item.entry.subject.name for item in seen.due if item.entry.waiting is not None]
    assert "ExecAsyncTask" in asleep
    quiet.awake([item for item in seen.due if item.entry.subject.name in asleep], seen.later)
    with _sent() as statements:
        look(beat, entries)
    assert len(statements) <= 5
    assert not [statement for statement in statements if statement.startswith(("UPDATE", "INSERT", "DELETE"))]


def test_a_queued_mail_is_seen(installed: Place, beat: Heartbeat) -> None:
    task = next(task for task in beat.tasks if task.name == "ExecAsyncTask")
    assert task.waiting is not None
    assert task.waiting() is False
    answer = installed.call("mail", "enqueue", "--to=a@b.example", "--from=me@b.example", "--subject=s")
    assert answer.code == 0, answer
    assert task.waiting() is True
