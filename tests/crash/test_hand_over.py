"""A hand-over killed at any point is completed by doing it again, in either direction."""

from __future__ import annotations

import multiprocessing
import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest

from itopd.attaching import give_back, take_over
from itopd.clock import FixedClock
from itopd.database import Database, open_database
from itopd.datamodel import bundled_model
from itopd.state import TaskRow, open_state, taken_over
from itopd.tasks.background_rows import BackgroundTaskRows
from tests.support.sample import new_sqlite
from tests.support.servers import PARIS

pytestmark = pytest.mark.crash

PROCESSES = multiprocessing.get_context("forkserver")
NOW = datetime(2026, 2, 3, 9, 0, tzinfo=UTC)
MAILS = "ExecAsyncTask"


def _die(*_arguments: object, **_options: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def hand_over(direction: str, url: str, state_url: str, dies_at: str) -> None:
    """Hand the process over in one direction; die where ``dies_at`` says, just before that is done."""
    match dies_at:
        case "pausing or restoring":
            BackgroundTaskRows.change_status = _die  # type: ignore[method-assign]
        case "forgetting":
            taken_over.forget = _die
        case "recording":
            taken_over.record = _die
    database, state = open_database(url, bundled_model(), PARIS), open_state(state_url)
    if direction == "take":
        take_over(database, state, FixedClock(NOW), [MAILS], named=False, wait=0, say=print)
    else:
        give_back(database, state, None, wait=0, say=print)


def _killed(direction: str, database: Database, state_url: str, dies_at: str) -> bool:
    url = database.engine.url.render_as_string(hide_password=False)
    process = PROCESSES.Process(target=hand_over, args=(direction, url, state_url, dies_at))
    process.start()
    process.join(60)
    return process.exitcode == -signal.SIGKILL


@pytest.mark.parametrize("take_dies_at", ["recording", "pausing or restoring"])
@pytest.mark.parametrize("give_dies_at", ["pausing or restoring", "forgetting"])
def test_what_a_dead_hand_over_began_the_next_one_completes(
    tmp_path: Path, take_dies_at: str, give_dies_at: str
) -> None:
    state_url = f"sqlite:///{tmp_path}/state.db"
    with new_sqlite(tmp_path) as database:
        rows, state = BackgroundTaskRows(database), open_state(state_url)
        rows.insert([TaskRow(MAILS)])

        def status() -> str:
            return rows.read()[0].status.value

        assert _killed("take", database, state_url, take_dies_at)
        assert status() == "active", "iTop's cron.php goes on with it"
        take_over(database, state, FixedClock(NOW), [MAILS], named=False, wait=5, say=print)
        assert (status(), taken_over.names(state)) == ("paused", frozenset({MAILS}))

        assert _killed("give", database, state_url, give_dies_at)
        assert taken_over.names(state) == frozenset(), "no run begins here"
        give_back(database, state, None, wait=5, say=print)
        assert (status(), taken_over.read(state)) == ("active", [])
        state.close()


def test_a_dead_take_over_can_be_called_off(tmp_path: Path) -> None:
    state_url = f"sqlite:///{tmp_path}/state.db"
    with new_sqlite(tmp_path) as database:
        rows, state = BackgroundTaskRows(database), open_state(state_url)
        rows.insert([TaskRow(MAILS)])
        assert _killed("take", database, state_url, "pausing or restoring")
        (outcome,) = give_back(database, state, None, wait=5, say=print)
        assert outcome.text == "is back with iTop: somebody had set its row to active already"
        assert (rows.read()[0].status.value, taken_over.read(state)) == ("active", [])
        state.close()
