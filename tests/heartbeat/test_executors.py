"""Child processes: how they end, how that is told, and how fast they start."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from multiprocessing import forkserver
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from itopd.heartbeat import (
    Jobs,
    Periodic,
    ProcessExecutor,
    RunOutcome,
    RunSpec,
    Task,
    claiming,
    looking,
    tick,
)
from itopd.heartbeat.entries import entries_of
from itopd.heartbeat.executing import child
from itopd.heartbeat.executing.supervisor import Supervisor
from itopd.heartbeat.row_keeping import synchronise_rows
from itopd.state import RowChange, RunState, StateStore, SubjectKind, ledger
from tests.heartbeat.support import NOW, MemoryRows, heartbeat_of, not_called

ENTRY = "tests.heartbeat.support:entry"


def task(name: str, max_seconds: float | None = None) -> Task:
    return Task(name, Periodic(10), not_called, max_seconds=max_seconds)


def spec(name: str, settings: Mapping[str, str] | None = None) -> RunSpec:
    return RunSpec("id", SubjectKind.TASK, name, NOW, NOW, NOW, token=1, attempt=1, settings=settings or {})


def test_each_end_of_a_child_is_told_and_hurts_nobody_else(state: StateStore) -> None:
    names = ("Succeed", "Wrong", "Bug", "Die", "Vanish")
    report = tick(heartbeat_of(state, *map(task, names), executor=ProcessExecutor(ENTRY)))
    ends = {run.subject.name: (run.succeeded, run.exit_code, run.error.splitlines()[:1]) for run in report.runs}
    assert ends == {
        "Succeed": (True, 0, []),
        "Wrong": (False, 64, ["the setting is wrong"]),
        "Bug": (False, 70, ["ZeroDivisionError: boom <x>"]),
        "Die": (False, 70, ["its process was killed by SIGKILL"]),
        "Vanish": (False, 70, ["its process ended with exit code 3 without reporting a result"]),
    }
    assert report.exit_code == 1
    assert {run.state for run in ledger.recent(state)} == {RunState.DONE, RunState.FAILED}
    pids = {run.pid for run in ledger.recent(state)}
    assert len(pids) == len(names)
    assert os.getpid() not in pids


@pytest.mark.parametrize(
    ("name", "patience", "error", "event"),
    [
        ("Obey", 60, "stopped at its limit of 0.05 seconds", "run_limit_reached"),
        ("Stubborn", 0.3, "it did not stop within 0.3 seconds of its limit of 0.05", "run_killed"),
    ],
)
def test_a_run_beyond_its_limit_is_stopped_then_killed(
    state: StateStore, tmp_path: Path, name: str, patience: float, error: str, event: str
) -> None:
    heartbeat = heartbeat_of(
        state,
        task(name, 0.05),
        executor=ProcessExecutor(ENTRY),
        settings={"folder": str(tmp_path)},
        hard_seconds=patience,
    )
    with capture_logs() as logs:
        (run,) = tick(heartbeat).runs
    assert (run.succeeded, run.error) == (False, error)
    assert event in {entry["event"] for entry in logs}
    assert ledger.recent(state)[0].state is RunState.FAILED


@pytest.mark.parametrize(("name", "line"), [("Stubborn", "in _stubborn"), ("Hang", "in _hang")])
def test_the_log_shows_where_a_child_is_that_outlives_its_limits(
    state: StateStore, tmp_path: Path, name: str, line: str
) -> None:
    executor = ProcessExecutor(ENTRY)
    asyncio.run(executor.warm_up())  # so that the child is at work when its limit passes, on a busy machine, too
    heartbeat = heartbeat_of(
        state, task(name, 1.5), executor=executor, settings={"folder": str(tmp_path)}, hard_seconds=1.0
    )
    with capture_logs() as logs:
        tick(heartbeat)
    stacks = {entry["event"]: entry["stack"] for entry in logs if "stack" in entry}
    assert set(stacks) == {"run_limit_reached", "run_stuck"}
    for stack in stacks.values():
        assert line in stack
        assert "in listen" in stack, "the other threads, too"


def test_a_child_that_has_ended_shows_no_stack() -> None:
    async def late() -> str:
        execution = ProcessExecutor(ENTRY).start(spec("Succeed"))
        await execution.outcome()
        return await execution.stack()

    assert asyncio.run(late()) == ""


def test_a_child_that_cannot_find_its_entry_says_so(state: StateStore) -> None:
    (run,) = tick(heartbeat_of(state, task("Succeed"), executor=ProcessExecutor("itopd.nothing:here"))).runs
    assert run.error.startswith("ModuleNotFoundError: No module named 'itopd.nothing'")


def test_a_child_begins_with_everything_imported() -> None:
    async def told() -> RunOutcome:
        executor = ProcessExecutor(ENTRY)
        await executor.warm_up()
        await executor.renew()  # what another test started in this process has not imported this module
        return await executor.start(spec("Imported")).outcome()

    assert asyncio.run(told()) == RunOutcome(True, 0, "True")


def test_a_child_whose_lease_is_no_longer_proven_stops_by_itself(tmp_path: Path) -> None:
    async def silent_heartbeat() -> RunOutcome:
        execution = ProcessExecutor(ENTRY).start(spec("Obey", {"folder": str(tmp_path)}))
        execution.hold_until(time.monotonic())
        return await execution.outcome()

    assert asyncio.run(silent_heartbeat()).unfinished


def test_progress_reaches_the_heartbeat(tmp_path: Path) -> None:
    async def watched() -> str:
        execution = ProcessExecutor(ENTRY).start(spec("Obey", {"folder": str(tmp_path)}))
        while not execution.progress:
            await asyncio.sleep(0)
        execution.stop()
        await execution.outcome()
        return execution.progress

    assert asyncio.run(watched()) == "1 chunks"


def test_a_heartbeat_that_gives_up_leaves_no_child_behind(state: StateStore, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "started-Stubborn")
    heartbeat = heartbeat_of(
        state, task("Stubborn"), executor=ProcessExecutor(ENTRY), settings={"folder": str(tmp_path)}
    )

    async def aborted() -> multiprocessing.process.BaseProcess:
        synchronise_rows(heartbeat, Jobs())
        (due,) = looking.look(heartbeat, entries_of(heartbeat, Jobs())).due
        claimed = claiming.claim(heartbeat, due)
        assert claimed is not None
        run = asyncio.create_task(Supervisor(heartbeat).carry_out(claimed))
        pid = int(await asyncio.to_thread((tmp_path / "started-Stubborn").read_text))
        (child,) = (child for child in multiprocessing.active_children() if child.pid == pid)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        return child

    child = asyncio.run(aborted())
    child.join(60)
    assert child.exitcode == -signal.SIGKILL


def test_what_nobody_foresaw_in_one_run_is_raised_when_the_others_are_done(state: StateStore) -> None:
    class BrokenRows(MemoryRows):
        """Fail at the end of one run."""

        def update(self, class_name: str, change: RowChange, *, started: datetime | None = None) -> None:
            if class_name == "Succeed-0" and "total_exec_count" in change:
                raise ZeroDivisionError
            super().update(class_name, change, started=started)

    tasks = [task(f"Succeed-{number}") for number in range(8)]
    with pytest.raises(ZeroDivisionError):
        tick(heartbeat_of(state, *tasks, rows=BrokenRows()))
    assert {run.state for run in ledger.recent(state)} == {RunState.DONE}
    assert len(ledger.recent(state)) == len(tasks)


def test_a_renewed_executor_forks_from_a_new_server_and_still_tells_how_runs_end() -> None:
    async def servers() -> list[str]:
        executor, seen = ProcessExecutor(f"{child.__name__}:nothing"), []
        await executor.warm_up()
        for _ in range(3):
            outcome = await executor.start(spec("Succeed", {})).outcome()
            assert outcome.succeeded
            seen.append(outcome.message)
            await executor.renew()
        return seen

    assert len(set(asyncio.run(servers()))) == 3


def test_a_forkserver_that_dies_while_it_forks_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    hear_number, deaths = forkserver.read_signed, list[str]()

    async def started(times: int) -> RunOutcome:
        executor = ProcessExecutor(f"{child.__name__}:nothing")
        await executor.warm_up()
        server = (await executor.start(spec("Succeed")).outcome()).message

        def die_instead(descriptor: int) -> int:
            if len(deaths) < times:
                deaths.append(server)
                with suppress(ProcessLookupError):
                    os.kill(int(server), signal.SIGKILL)
                raise EOFError
            number: int = hear_number(descriptor)
            return number

        monkeypatch.setattr(forkserver, "read_signed", die_instead)
        try:
            return await executor.start(spec("Succeed")).outcome()
        finally:
            monkeypatch.setattr(forkserver, "read_signed", hear_number)

    assert asyncio.run(started(1)).message not in ("", *deaths)
    deaths.clear()
    with pytest.raises(OSError, match="died twice"):
        asyncio.run(started(2))
