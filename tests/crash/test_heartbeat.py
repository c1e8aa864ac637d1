"""Real daemons, really killed: what they leave, and what their successors make of it. No test sleeps."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from itopd.state import Run, RunState, Subject, SubjectKind, TaskRow, ledger
from itopd.state.owners import process_is_alive
from tests.crash.heartbeat_daemon import data_of, rows_of, state_of

pytestmark = pytest.mark.crash

ROOT = Path(__file__).parents[2]


class Daemon:
    """A daemon in a process of its own."""

    def __init__(self, folder: Path, *names: str, stop_timeout: float = 20) -> None:
        command = [sys.executable, "-u", "-m", "tests.crash.heartbeat_daemon", str(folder), str(stop_timeout), *names]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._lines: IO[str] = self._process.stdout
        self.log: list[dict[str, Any]] = []

    def until(self, event: str, **fields: object) -> dict[str, Any]:
        """Read the log up to an event with these fields, and return it."""
        for line in self._lines:
            entry: dict[str, Any] = json.loads(line)
            self.log.append(entry)
            if entry["event"] == event and all(entry.get(key) == value for key, value in fields.items()):
                return entry
        raise AssertionError(f"the daemon ended without {event}: {self.log}")

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def exit_code(self) -> int:
        """Wait for the end."""
        self.log += [json.loads(line) for line in self._lines]
        return self._process.wait(30)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._lines.close()


class World:
    """The folder of a test: pipes, daemons and what the state store says."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.folder = folder
        self.state = state_of(folder)
        stack.callback(self.state.close)
        self._data = data_of(folder)
        stack.callback(self._data.close)
        self._stack = stack

    def daemon(self, *names: str, stop_timeout: float = 20) -> Daemon:
        daemon = Daemon(self.folder, *names, stop_timeout=stop_timeout)
        self._stack.callback(daemon.close)
        return daemon

    def pipes(self, name: str) -> None:
        """Make the pipes through which a waiting run and the test talk."""
        for word in ("started", "go"):
            os.mkfifo(self.folder / f"{word}-{name}")

    def started(self, name: str) -> int:
        """Wait until a run says that it works; return its process."""
        return int((self.folder / f"started-{name}").read_text())

    def go(self, name: str, word: str = "go") -> None:
        """Let a waiting run go on."""
        (self.folder / f"go-{name}").write_text(f"{word}\n")

    def run(self, name: str) -> Run:
        """Return the newest run of a task."""
        return ledger.heads(self.state)[Subject(SubjectKind.TASK, name)].run

    def row(self, name: str) -> TaskRow:
        return next(row for row in rows_of(self._data).read() if row.class_name == name)

    def assert_consistent(self) -> None:
        """Nothing is under way, nobody holds a lease, no process is left."""
        for subject, head in ledger.heads(self.state).items():
            assert head.run.state in (RunState.DONE, RunState.FAILED, RunState.HANDED_BACK), subject
            assert head.owner == "", subject
            assert head.run.pid is None or not process_is_alive(head.run.pid), subject


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with contextlib.ExitStack() as stack:
        yield World(tmp_path, stack)


def wait_for_end(pid: int) -> None:
    """Wait until a process that is not our child has ended."""
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        try:
            assert select.select([descriptor], [], [], 30)[0], f"process {pid} still lives"
        finally:
            os.close(descriptor)


def test_a_killed_child_is_a_failed_run_and_the_others_go_on(world: World) -> None:
    world.pipes("Wait")
    daemon = world.daemon("Wait", "Succeed")
    os.kill(world.started("Wait"), signal.SIGKILL)
    failed = daemon.until("run_failed", name="Wait")
    assert failed["error"] == "its process was killed by SIGKILL"
    if not any(entry["event"] == "run_finished" for entry in daemon.log):
        daemon.until("run_finished", name="Succeed")
    daemon.send(signal.SIGTERM)
    assert daemon.exit_code() == 0
    assert (world.run("Wait").state, world.run("Succeed").state) == (RunState.FAILED, RunState.DONE)
    assert world.row("Wait").total_exec_count == 1
    world.assert_consistent()


def test_a_run_of_a_killed_daemon_ends_with_it_and_is_taken_over_by_the_next(world: World) -> None:
    world.pipes("Wait")
    first = world.daemon("Wait")
    child = world.started("Wait")
    first.until("run_started")
    first.send(signal.SIGKILL)
    assert first.exit_code() == -signal.SIGKILL
    wait_for_end(child)
    assert world.run("Wait").state is RunState.RUNNING

    second = world.daemon("Wait")
    lost = second.until("run_lost", name="Wait")
    assert lost["attempts"] == 1
    world.started("Wait")
    world.go("Wait", "twice")
    second.until("run_finished", name="Wait")
    second.send(signal.SIGTERM)
    assert second.exit_code() == 0
    run = world.run("Wait")
    assert (run.state, run.attempts, run.message) == (RunState.DONE, 2, "told twice")
    assert len(ledger.recent(world.state)) == 1
    assert (world.row("Wait").total_exec_count, world.row("Wait").running) == (1, False)
    world.assert_consistent()


def test_sigterm_lets_runs_end_and_claims_nothing_more(world: World) -> None:
    world.pipes("Wait")
    daemon = world.daemon("Wait")
    world.started("Wait")
    daemon.until("run_started")
    daemon.send(signal.SIGTERM)
    daemon.until("daemon_stopping")
    world.go("Wait", "during the drain")
    assert daemon.exit_code() == 0
    run = world.run("Wait")
    assert (run.state, run.message) == (RunState.DONE, "told during the drain")
    world.assert_consistent()


def test_what_stops_between_two_chunks_is_handed_back_without_costing_an_attempt(world: World) -> None:
    world.pipes("Obey")
    first = world.daemon("Obey")
    world.started("Obey")
    first.until("run_started")
    first.send(signal.SIGTERM)
    first.until("daemon_stopping")
    first.send(signal.SIGTERM)  # a second one does not wait for the run to end by itself
    assert first.exit_code() == 0
    run = world.run("Obey")
    assert (run.state, run.attempts) == (RunState.HANDED_BACK, 0)
    assert world.row("Obey").next_run_date == run.due
    assert world.row("Obey").total_exec_count == 0
    world.assert_consistent()

    second = world.daemon("Obey")
    world.started("Obey")
    second.until("run_started")
    again = world.run("Obey")
    assert (again.id, again.attempts, again.state) == (run.id, 1, RunState.RUNNING)


def test_what_does_not_stop_is_killed_within_the_stop_timeout_and_handed_back(world: World) -> None:
    world.pipes("Stubborn")
    daemon = world.daemon("Stubborn", stop_timeout=0.5)
    child = world.started("Stubborn")
    daemon.until("run_started")
    daemon.send(signal.SIGTERM)
    assert daemon.exit_code() == 0
    wait_for_end(child)
    assert "run_killed" in {entry["event"] for entry in daemon.log}
    run = world.run("Stubborn")
    assert (run.state, run.attempts, run.message) == (RunState.HANDED_BACK, 0, "itopd stops")
    world.assert_consistent()


def test_a_database_that_is_away_costs_only_time(world: World) -> None:
    (world.folder / "away").touch()
    daemon = world.daemon("Succeed")
    away = daemon.until("database_away")
    assert away["error"] == "server has gone away"
    (world.folder / "away").unlink()
    daemon.until("run_finished", name="Succeed")
    daemon.send(signal.SIGTERM)
    assert daemon.exit_code() == 0
    assert "database_back" in {entry["event"] for entry in daemon.log}
    world.assert_consistent()


def test_a_database_that_goes_away_during_a_run_loses_no_outcome(world: World) -> None:
    world.pipes("Wait")
    daemon = world.daemon("Wait")
    world.started("Wait")
    daemon.until("run_started")
    (world.folder / "away").touch()
    world.go("Wait")
    daemon.until("database_away")
    (world.folder / "away").unlink()
    daemon.until("run_finished", name="Wait")
    daemon.send(signal.SIGTERM)
    assert daemon.exit_code() == 0
    assert world.row("Wait").total_exec_count == 1
    world.assert_consistent()


def test_a_loop_that_dies_takes_the_daemon_with_it_aloud(world: World) -> None:
    daemon = world.daemon("Succeed")
    daemon.until("run_finished")
    (world.folder / "broken").touch()
    died = daemon.until("loop_died")
    assert died["loop"] == "dispatch"
    assert "a programming error" in died["exception"]
    assert daemon.exit_code() == 70
    world.assert_consistent()


def test_sighup_reads_the_jobs_again(world: World) -> None:
    daemon = world.daemon("Succeed")
    daemon.until("run_finished")
    (world.folder / "jobs").mkdir()
    (world.folder / "jobs" / "Succeed-job.params").write_text("service = export\nschedule = every 1d\n")
    (world.folder / "jobs" / "bad.params").write_text("service = nothing\n")
    daemon.send(signal.SIGHUP)
    broken = daemon.until("job_broken")
    assert "bad.params:1: unknown service 'nothing'" in broken["problem"]
    daemon.until("run_finished", name="Succeed-job")
    daemon.send(signal.SIGTERM)
    assert daemon.exit_code() == 0
    world.assert_consistent()


def test_two_daemons_share_the_work(world: World) -> None:
    names = [f"Succeed-{number}" for number in range(8)]
    daemons = [world.daemon(*names) for _ in range(2)]
    for daemon in daemons:
        daemon.until("daemon_started")
    for name in names:
        while Subject(SubjectKind.TASK, name) not in ledger.heads(world.state):
            select.select([], [], [], 0.05)
    for daemon in daemons:
        daemon.send(signal.SIGTERM)
    assert [daemon.exit_code() for daemon in daemons] == [0, 0]
    finished = [entry for daemon in daemons for entry in daemon.log if entry["event"] == "run_finished"]
    assert sorted(entry["name"] for entry in finished) == names
    world.assert_consistent()
