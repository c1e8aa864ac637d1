"""The daemon inside the test's own process; ``tests/crash`` kills real ones."""

from __future__ import annotations

import os
import signal

from structlog.testing import capture_logs

from itopd.heartbeat import EVENTS, InlineExecutor, Periodic, RunSpec, Task, run
from itopd.heartbeat.executors import InlineRun
from itopd.state import RunState, StateStore, ledger
from tests.heartbeat.support import heartbeat_of, not_called

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
