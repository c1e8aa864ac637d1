"""The daemon inside the test's own process; ``tests/crash`` kills real ones."""

from __future__ import annotations

import os
import signal
from datetime import timedelta

import pytest
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from structlog.testing import capture_logs

from itopd.heartbeat import EVENTS, InlineExecutor, Periodic, RunSpec, Task, run
from itopd.heartbeat.executing.inline import InlineRun
from itopd.state import RunState, StateStore, TaskRow, ledger
from tests.heartbeat.support import NOW, MemoryRows, heartbeat_of, not_called

ENTRY = "tests.heartbeat.support:entry"


class StopsAtStart(InlineExecutor):
    """SIGTERM comes while the daemon is getting ready."""

    async def warm_up(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)


class StopsAtRun(InlineExecutor):
    """SIGTERM comes when the first run starts."""

    def start(self, spec: RunSpec) -> InlineRun:
        os.kill(os.getpid(), signal.SIGTERM)
        return super().start(spec)


def test_a_stop_while_getting_ready_is_a_clean_stop(state: StateStore) -> None:
    with capture_logs() as logs:
        assert run(heartbeat_of(state, Task("Succeed", Periodic(10), not_called), executor=StopsAtStart(ENTRY))) == 0
    events = [entry["event"] for entry in logs]
    assert "loop_died" not in events
    assert events[-1] == "daemon_stopped"


def test_a_run_claimed_when_the_stop_comes_is_finished(state: StateStore) -> None:
    with capture_logs() as logs:
        assert run(heartbeat_of(state, Task("Succeed", Periodic(86400), not_called), executor=StopsAtRun(ENTRY))) == 0
    assert [found.state for found in ledger.recent(state)] == [RunState.DONE]
    assert {entry["event"] for entry in logs} <= set(EVENTS)


def test_rows_are_looked_at_although_the_clock_was_set_back(state: StateStore, monkeypatch: pytest.MonkeyPatch) -> None:
    class Looked(MemoryRows):
        """Stop the daemon at the fifth look."""

        looks = 0

        def read(self) -> list[TaskRow]:
            self.looks += 1
            if self.looks == 5:
                os.kill(os.getpid(), signal.SIGTERM)
            return super().read()

    # What was planned by the old time does not come for an hour.
    monkeypatch.setattr(AsyncIOScheduler, "add_job", lambda *_arguments, **_options: None)
    rows = Looked([TaskRow("Succeed", next_run_date=NOW + timedelta(days=1))])
    assert run(heartbeat_of(state, Task("Succeed", Periodic(10), not_called), rows=rows, poll_seconds=0.01)) == 0
    assert rows.looks >= 5
