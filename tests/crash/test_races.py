"""Eight processes race for a thousand due times, also while some are killed: each is done once, on every engine."""

from __future__ import annotations

import multiprocessing
import os
import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import count, islice
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from itopd.clock import FixedClock
from itopd.heartbeat import Heartbeat, Jobs, Periodic, Task, claiming, looking
from itopd.heartbeat.entries import entries_of
from itopd.state import Run, RunState, StateStore, SubjectKind, TaskRow, ledger, open_state
from itopd.state.tasks import OwnTaskRows
from tests.cli.calls import wait_until
from tests.heartbeat.support import NOW, heartbeat_of, not_called
from tests.support.engines import EACH_ENGINE, empty_url
from tests.support.invariants import ALL, assert_at_rest, assert_none_owned_by_the_dead

pytestmark = [pytest.mark.crash, pytest.mark.timeout(300)]

PROCESSES = multiprocessing.get_context("fork")  # nothing is open here yet, and eight imports cost more than the race
RACERS = 8
TASKS = 200
ROUNDS = 5
"""Due times of each task: a thousand in all."""
DEATHS = range(100, 1000, 100)
"""After how many claims a racer is killed, and another one starts."""


def heartbeat(state: StateStore, clock: FixedClock, number: int = TASKS) -> Heartbeat:
    tasks = [Task(f"Succeed-{number}", Periodic(10), not_called) for number in range(number)]
    rows = OwnTaskRows(state, SubjectKind.TASK)
    return replace(heartbeat_of(state, *tasks, rows=rows, clock=clock), max_attempts=len(DEATHS) + 1)


def race(url: str, claimed: Path, seed: int, barrier: Barrier) -> None:
    """Do whatever is due, in an order of one's own, as a heartbeat does it; write down what was done."""
    state, order, clock = open_state(url), random.Random(seed), FixedClock(NOW)
    beat = heartbeat(state, clock)
    entries = entries_of(beat, Jobs())
    book = os.open(claimed, os.O_WRONLY | os.O_APPEND)
    for _ in range(ROUNDS):
        barrier.wait(120)
        while due := looking.look(beat, entries).due:
            for item in islice(order.sample(due, len(due)), 20):
                found = claiming.claim(beat, item)
                if found is not None:
                    os.write(book, f"{found.run.name} {found.run.due:%H:%M:%S}\n".encode())
                    _finish(beat, found.run)
        clock.advance(10)
    state.close()


def race_among_the_dying(url: str, claimed: Path, seed: int) -> None:
    """Do whatever is due, that of the dead too, until nothing is left; write down every claim before its work."""
    state, order = open_state(url), random.Random(seed)
    beat = heartbeat(state, FixedClock(NOW), TASKS * ROUNDS)
    entries = entries_of(beat, Jobs())
    book = os.open(claimed, os.O_WRONLY | os.O_APPEND)
    while (picture := looking.look(beat, entries)).due or picture.held:
        for item in islice(order.sample(picture.due, len(picture.due)), 50):
            found = claiming.claim(beat, item)
            if found is not None:
                os.write(book, f"{found.run.name}\n".encode())
                _finish(beat, found.run)
    state.close()


def _has_lines(book: Path, number: int) -> bool:
    return book.read_bytes().count(b"\n") >= number


def _finish(beat: Heartbeat, run: Run) -> None:
    beat.task_rows.update(run.name, {"next_run_date": run.next_due})
    ledger.finish(beat.state, run, succeeded=True, exit_code=0, now=NOW, next_due=run.next_due)


def _plan(url: str, tasks: int = TASKS) -> None:
    state = open_state(url)
    beat = heartbeat(state, FixedClock(NOW), tasks)
    beat.task_rows.insert([TaskRow(task.name, next_run_date=NOW) for task in beat.tasks])
    state.close()


@pytest.mark.parametrize("engine", EACH_ENGINE)
def test_a_thousand_due_times_are_run_once_each_by_eight_processes(engine: str, tmp_path: Path) -> None:
    book = tmp_path / "claimed"
    book.touch()
    with empty_url(engine, tmp_path) as url:
        _plan(url)
        barrier = PROCESSES.Barrier(RACERS)
        racers = [PROCESSES.Process(target=race, args=(url, book, seed, barrier)) for seed in range(RACERS)]
        for racer in racers:
            racer.start()
        for racer in racers:
            racer.join(240)
        assert [racer.exitcode for racer in racers] == [0] * RACERS
        done = Counter(book.read_text().splitlines())
        wanted = {
            f"Succeed-{number} {NOW + timedelta(seconds=10 * turn):%H:%M:%S}"
            for number in range(TASKS)
            for turn in range(ROUNDS)
        }
        assert set(done) == wanted
        assert set(done.values()) == {1}, "somebody did again what was done"
        state = open_state(url)
        runs = ledger.recent(state, ALL)
        assert Counter(run.state for run in runs) == {RunState.DONE: TASKS * ROUNDS}
        assert {run.attempts for run in runs} == {1}
        assert_at_rest(state)
        state.close()


@pytest.mark.parametrize("engine", EACH_ENGINE)
def test_a_thousand_due_times_are_done_once_each_though_racers_are_killed_on_the_way(
    engine: str, tmp_path: Path
) -> None:
    book, chance = tmp_path / "claimed", random.Random(1)
    book.touch()
    with empty_url(engine, tmp_path) as url:
        _plan(url, TASKS * ROUNDS)
        seeds = count()

        def started() -> BaseProcess:
            racer = PROCESSES.Process(target=race_among_the_dying, args=(url, book, next(seeds)))
            racer.start()
            return racer

        racers = [started() for _ in range(RACERS)]
        for claims in DEATHS:
            wait_until(partial(_has_lines, book, claims), f"{claims} claims")
            victim = racers.pop(chance.randrange(len(racers)))
            victim.kill()
            victim.join()
            racers.append(started())
        for racer in racers:
            racer.join(240)
        assert [racer.exitcode for racer in racers] == [0] * RACERS
        state = open_state(url)
        runs = ledger.recent(state, ALL)
        assert Counter(run.state for run in runs) == {RunState.DONE: TASKS * ROUNDS}
        assert len({run.name for run in runs}) == TASKS * ROUNDS
        again = [run for run in runs if run.attempts > 1]
        assert sum(run.attempts - 1 for run in again) <= len(DEATHS), "each death costs one claim at most"
        claimed = Counter(book.read_text().splitlines())
        assert {name for name, times in claimed.items() if times > 1} <= {run.name for run in again}
        assert_none_owned_by_the_dead(state)
        assert_at_rest(state)
        state.close()
