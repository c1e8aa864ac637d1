"""A clock that is set forward or back while the heartbeat works: no storm of runs, and no gap but the stated one."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest

from itopd.clock import FixedClock
from itopd.heartbeat import Jobs, Periodic, Task, looking, tick
from itopd.heartbeat.daemon.quiet import QuietTasks
from itopd.heartbeat.entries import entries_of
from itopd.heartbeat.schedules.cron_text import CronText
from itopd.heartbeat.schedules.schedule import Schedule, after_set_back
from itopd.state import StateStore, ledger
from tests.heartbeat.support import NOW, MemoryRows, heartbeat_of, not_called
from tests.support.invariants import ALL, assert_at_rest

PERIOD = 30
HOUR = 3600


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_the_clock_does_a_period_is_kept(state: StateStore, seed: int) -> None:
    chance = random.Random(seed)
    clock, jumps, real, last = FixedClock(NOW), 0, 0, 0
    beat = heartbeat_of(state, Task("Succeed", Periodic(PERIOD), not_called), clock=clock)
    assert len(tick(beat).runs) == 1
    for _ in range(20):
        passed, jump = chance.randint(1, 40), chance.choice([0, 0, HOUR, -HOUR])
        real, jumps = real + passed, jumps + (jump != 0)
        clock.advance(passed + jump)
        runs = tick(beat).runs
        assert len(runs) <= 1
        last = real if runs else last
        assert real - last < PERIOD, f"no run for {real - last} seconds"
    assert jumps >= 5
    assert len(ledger.recent(state, ALL)) <= real // PERIOD + 2 * jumps + 1
    assert_at_rest(state)


@pytest.mark.parametrize(
    ("schedule", "latest", "moves"),
    [
        (Periodic(2), NOW + timedelta(hours=1), True),
        (Periodic(HOUR), NOW + timedelta(hours=1), True),
        (Periodic(2), NOW + timedelta(seconds=59), False),  # another host's clock
        (Periodic(2), NOW - timedelta(hours=1), False),  # somebody planned it for later
        (Periodic(2), None, False),
        (Periodic(86400), NOW + timedelta(hours=1), False),  # a time on the wall clock comes again
        (CronText.parse("*/5 * * * *"), NOW + timedelta(hours=1), False),
    ],
)
def test_only_what_counts_seconds_does_not_wait_for_the_old_time(
    schedule: Schedule, latest: datetime | None, moves: bool
) -> None:
    planned = NOW + timedelta(hours=1, seconds=2)
    assert after_set_back(schedule, planned, latest, NOW) == (NOW if moves else planned)


def test_a_quiet_task_is_asked_again_when_the_clock_was_set_back(state: StateStore) -> None:
    clock, rows, asked = FixedClock(NOW), MemoryRows(), list[datetime]()

    def waiting() -> bool:
        asked.append(clock.now())
        return False

    beat = heartbeat_of(state, Task("Succeed", Periodic(2), not_called, waiting=waiting), rows=rows, clock=clock)
    tick(beat)
    quiet, entries = QuietTasks(beat), entries_of(beat, Jobs())
    for seconds in (10, -HOUR, 2):
        clock.advance(seconds)
        seen = looking.look(beat, entries)
        quiet.awake(seen.due, seen.later)
        assert asked[-1] == clock.now()
        planned = rows.one("Succeed").next_run_date
        assert planned is not None
        assert planned - clock.now() <= timedelta(minutes=1)
