"""What kills its process too often is set aside, said so, and comes back when it is released or changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from itopd.clock import FixedClock
from itopd.heartbeat import (
    Heartbeat,
    InlineExecutor,
    Job,
    Jobs,
    Periodic,
    RunOutcome,
    RunSpec,
    Task,
    parse_schedule,
    release,
    run_now,
    status,
    stop,
    tick,
)
from itopd.heartbeat.executing.inline import InlineRun
from itopd.heartbeat.jobs.plan import Plan
from itopd.heartbeat.jobs.results import Results
from itopd.state import RunState, StateStore, Subject, SubjectKind, interventions, ledger, this_process
from tests.heartbeat.support import NOW, PARIS, heartbeat_of, not_called

POISON = Subject(SubjectKind.TASK, "Poison")


class Scripted(InlineExecutor):
    """Runs that end as they are told, the last way for ever."""

    def __init__(self, *ends: RunOutcome) -> None:
        super().__init__("not:called")
        self.ends = list(ends)

    def start(self, spec: RunSpec) -> InlineRun:
        end = self.ends.pop(0) if len(self.ends) > 1 else self.ends[0]
        return InlineRun(lambda _control: replace(end, message=spec.name))


DIES = RunOutcome(succeeded=False, exit_code=70, error="its process was killed by SIGKILL", died=True)
FAILS = RunOutcome(succeeded=False, exit_code=70, error="something is wrong")
WORKS = RunOutcome(succeeded=True, exit_code=0)


def poisoned(state: StateStore, *ends: RunOutcome, **options: Any) -> tuple[Heartbeat, FixedClock]:
    clock = FixedClock(NOW)
    tasks = [Task("Poison", Periodic(10), not_called)]
    return heartbeat_of(state, *tasks, executor=Scripted(*ends), clock=clock, **options), clock


def rounds(heartbeat: Heartbeat, clock: FixedClock, count: int) -> int:
    """Tick so often, far enough apart for every pause after failures; return how many runs that made."""
    runs = 0
    for _ in range(count):
        runs += len(tick(heartbeat).runs)
        clock.advance(timedelta(days=2).total_seconds())
    return runs


def test_three_deaths_in_a_row_set_a_task_aside_until_it_is_released(state: StateStore) -> None:
    heartbeat, clock = poisoned(state, DIES, DIES, DIES, WORKS)
    with capture_logs() as logs:
        assert rounds(heartbeat, clock, 5) == 3
    assert [entry["deaths"] for entry in logs if entry["event"] == "set_aside"] == [3]
    report, seen = tick(heartbeat), status(heartbeat)
    assert (report.runs, report.exit_code) == ((), 1)
    assert report.problems == seen.problems
    (problem,) = seen.problems
    assert problem.startswith("task Poison is set aside since 2027-02-14 10:00:00: 3 processes in a row died over it")
    assert problem.endswith("its process was killed by SIGKILL); find out why, then: itopd task release 'Poison'")
    assert release(heartbeat, POISON)
    assert status(heartbeat).problems == ()
    assert [run.succeeded for run in tick(heartbeat).runs] == [True]
    assert not release(heartbeat, POISON), "there is nothing to forgive any more"


def test_a_run_whose_process_lives_to_its_end_clears_the_account(state: StateStore) -> None:
    heartbeat, clock = poisoned(state, DIES, DIES, FAILS, DIES, DIES, WORKS, DIES, DIES, WORKS)
    assert rounds(heartbeat, clock, 9) == 9
    assert status(heartbeat).problems == ()


def test_what_has_changed_is_tried_once(state: StateStore) -> None:
    model = ["1"]
    heartbeat, clock = poisoned(state, DIES, DIES, DIES, DIES, WORKS, generation=lambda: model[0])
    assert rounds(heartbeat, clock, 4) == 3
    model[0] = "2"
    assert rounds(heartbeat, clock, 3) == 1, "it died again"
    model[0] = "3"
    assert rounds(heartbeat, clock, 3) == 3, "it works now"


def test_a_job_that_was_set_aside_runs_when_its_file_changes_or_somebody_calls_for_it(
    state: StateStore, tmp_path: Path
) -> None:
    jobs = [_job(tmp_path, {"class": "Person"})]
    clock = FixedClock(NOW)
    heartbeat = heartbeat_of(
        state, load_jobs=lambda: Jobs(jobs=tuple(jobs)), executor=Scripted(DIES, DIES, DIES, DIES, WORKS), clock=clock
    )
    assert rounds(heartbeat, clock, 5) == 3
    assert "itopd job resume 'nightly'" in status(heartbeat).problems[0]
    jobs[0] = _job(tmp_path, {"class": "Team"})
    assert rounds(heartbeat, clock, 2) == 1
    assert [run.succeeded for run in run_now(heartbeat, "nightly").runs] == [True]
    assert status(heartbeat).problems == ()


def _job(folder: Path, parameters: dict[str, str]) -> Job:
    return Job(
        name="nightly",
        path=folder / "nightly.params",
        service="export",
        schedule=Plan(parse_schedule("every 60s"), PARIS),
        enabled=True,
        lane="transfer",
        parameters=parameters,
        results=Results("nightly"),
        writes=False,
    )


def test_a_run_that_lost_its_owners_counts_too(state: StateStore) -> None:
    """The process of the heartbeat dies with the task each time, as when a whole cgroup runs out of memory."""
    heartbeat, clock = poisoned(state, WORKS)
    tick(heartbeat)
    clock.advance(10)
    _claim_and_die(heartbeat, ledger.claim)
    for _ in range(heartbeat.max_attempts - 1):
        _claim_and_die(heartbeat, None)
    with capture_logs() as logs:
        assert tick(heartbeat).runs == ()
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["run_given_up", "set_aside"]
    clock.advance(timedelta(days=2).total_seconds())
    assert tick(heartbeat).runs == ()
    assert "task Poison is set aside" in status(heartbeat).problems[0]


def _claim_and_die(heartbeat: Heartbeat, claim: Callable[..., object] | None) -> None:
    head = ledger.heads(heartbeat.state)[POISON]
    owner, now = replace(this_process(), started="1"), heartbeat.clock.now()
    if claim is None:
        run = ledger.take_over(
            heartbeat.state, head, owner=owner, now=now, lease_seconds=60, owner_is_dead=True, died_at_work=True
        )
    else:
        made = ledger.claim(
            heartbeat.state,
            POISON,
            due=now,
            next_due=now,
            owner=owner,
            seen=head,
            now=now,
            lease_seconds=60,
            version=head.run.version,
        )
        assert not isinstance(made, str)
        run = made
    assert run is not None
    ledger.start(heartbeat.state, run, pid=None, now=now)


def test_an_operator_stops_a_run_through_the_ledger(state: StateStore, tmp_path: Path) -> None:
    """As if elsewhere: what is asked reaches the run with the next renewal of its lease."""
    heartbeat = heartbeat_of(
        state,
        Task("Obey", Periodic(10), not_called),
        settings={"folder": str(tmp_path)},
        lease_seconds=1,
        executor=_StoppedFromOutside("tests.heartbeat.support:entry", state),
    )
    (run,) = tick(heartbeat).runs
    assert (run.succeeded, run.error) == (False, "stopped by an operator")
    assert ledger.recent(state)[0].state is RunState.FAILED
    assert stop(heartbeat, Subject(SubjectKind.TASK, "Obey")) is None
    assert stop(heartbeat, POISON) is None


class _StoppedFromOutside(InlineExecutor):
    """Somebody asks each run to stop as soon as it begins."""

    def __init__(self, entry: str, state: StateStore) -> None:
        super().__init__(entry)
        self._state = state

    def start(self, spec: RunSpec) -> InlineRun:
        assert interventions.ask_to_stop(self._state, spec.run_id)
        return super().start(spec)


@pytest.mark.parametrize("died", [True, False])
def test_deaths_are_in_the_ledger(state: StateStore, *, died: bool) -> None:
    heartbeat, _ = poisoned(state, replace(FAILS, died=died))
    tick(heartbeat)
    assert ledger.recent(state)[0].deaths == int(died)
