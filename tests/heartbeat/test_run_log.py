"""What a run logs stays with it, whatever becomes of its process."""

from __future__ import annotations

from itopd.heartbeat import InlineExecutor, ProcessExecutor, tick
from itopd.heartbeat.executing.executor import Executor
from itopd.heartbeat.seeing.run_log import RunLogs
from itopd.state import StateStore, ledger, run_logs
from tests.heartbeat.support import heartbeat_of
from tests.heartbeat.test_executors import ENTRY, task


def log_of_a_run(state: StateStore, name: str, executor: Executor) -> list[str]:
    (report,) = tick(heartbeat_of(state, task(name), executor=executor)).runs
    assert ledger.find(state, report.run_id) is not None
    return run_logs.read(state, report.run_id)


def test_the_last_words_of_a_killed_child_are_kept(state: StateStore) -> None:
    assert log_of_a_run(state, "Say", ProcessExecutor(ENTRY)) == ["first", "second", "with its trace"]


def test_a_run_that_says_nothing_leaves_nothing(state: StateStore) -> None:
    assert log_of_a_run(state, "Succeed", InlineExecutor(ENTRY)) == []


def test_lines_are_gathered_only_for_runs_of_ours_and_only_once() -> None:
    logs = RunLogs()
    logs.open("a")
    logs.add("a", "mine " + "x" * 3000)
    logs.add("b", "somebody else's")
    (line,) = logs.close("a")
    assert (line[:6], len(line)) == ("mine x", 2004)
    assert (logs.close("a"), logs.close("b")) == ([], [])
