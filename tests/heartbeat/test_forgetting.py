"""The ledger stays small however it is worked: by a daemon, by ``itopd tick`` or by ``itopd cron``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from itopd.clock import FixedClock
from itopd.heartbeat import (
    Control,
    CronLimits,
    CronLines,
    Heartbeat,
    InlineExecutor,
    RunOutcome,
    RunSpec,
    cron,
    periodic_task,
    tick,
)
from itopd.heartbeat.forgetting import forget_old_runs
from itopd.state import RunState, StateStore, ledger
from tests.heartbeat.support import NOW, PARIS, MemoryRows, heartbeat_of, not_called


def succeed_or_fail(spec: RunSpec, _control: Control) -> RunOutcome:
    """Do what the task's name says."""
    succeeded = spec.name != "Fail"
    return RunOutcome(succeeded=succeeded, exit_code=0 if succeeded else 70, message=spec.name)


def by_cron(heartbeat: Heartbeat) -> None:
    async def no_pause(_seconds: float) -> None:
        """Time stands still otherwise, and the heartbeat would never end."""
        clock = heartbeat.clock
        assert isinstance(clock, FixedClock)
        clock.advance(60)

    cron(heartbeat, CronLimits(seconds=5, pause=1), CronLines(lambda _line: None, PARIS, verbose=False), no_pause)


def by_tick(heartbeat: Heartbeat) -> None:
    tick(heartbeat)


def heartbeat_at(state: StateStore, clock: FixedClock, *names: str) -> Heartbeat:
    tasks = [periodic_task(name, 10, not_called) for name in names]
    executor = InlineExecutor(f"{__name__}:succeed_or_fail")
    return heartbeat_of(state, *tasks, rows=MemoryRows(), clock=clock, executor=executor)


def states_of(state: StateStore) -> list[RunState]:
    return sorted(run.state for run in ledger.recent(state))


@pytest.mark.parametrize("work", [by_tick, by_cron])
def test_a_round_that_ran_something_forgets_what_is_old(state: StateStore, work: Callable[[Heartbeat], None]) -> None:
    clock = FixedClock(NOW)
    heartbeat = heartbeat_at(state, clock, "Succeed", "Fail")
    work(heartbeat)
    clock.advance(timedelta(days=3).total_seconds())
    work(heartbeat)  # the run of three days ago that failed is kept: somebody may still have to look into it
    assert states_of(state) == [RunState.DONE, RunState.FAILED, RunState.FAILED]
    clock.advance(timedelta(days=31).total_seconds())
    work(heartbeat)
    assert states_of(state) == [RunState.DONE, RunState.FAILED]


def test_more_than_one_batch_goes_at_once_but_not_without_end(
    state: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("itopd.heartbeat.forgetting._BATCH", 2)
    clock = FixedClock(NOW)
    heartbeat = heartbeat_at(state, clock, "Succeed")
    for _ in range(10):
        tick(heartbeat)
        clock.advance(10)
    clock.advance(timedelta(days=3).total_seconds())
    assert forget_old_runs(heartbeat, batches=2) == 4
    assert forget_old_runs(heartbeat) == 5  # the newest run of a task is never forgotten
    assert len(states_of(state)) == 1
