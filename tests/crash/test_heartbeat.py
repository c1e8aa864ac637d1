"""Real daemons, really killed: what they leave, and what their successors make of it. No test sleeps."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from itopd.state import RunState, Subject, SubjectKind, ledger
from tests.crash.daemons import World, wait_for_end

pytestmark = pytest.mark.crash


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with contextlib.ExitStack() as stack:
        yield World(tmp_path, stack)


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
    daemon = world.daemon("Stubborn", stop_timeout=4)
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
