"""The one-shot heartbeat: what it runs in which order, for how long, and what ends it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from itopd.clock import FixedClock
from itopd.errors import DatabaseError
from itopd.heartbeat import (
    Control,
    CronEnd,
    CronLimits,
    CronLines,
    CronReport,
    Heartbeat,
    InlineExecutor,
    RunOutcome,
    RunSpec,
    periodic_task,
    weekly_task,
)
from itopd.heartbeat import cron as run
from itopd.state import StateStore, TaskRow, TaskStatus
from tests.heartbeat.support import NOW, PARIS, MemoryRows, heartbeat_of, not_called

SEEN: list[tuple[str, float]] = []
"""What ran, and how many seconds it was given."""
CLOCK = FixedClock(NOW)


def record(spec: RunSpec, _control: Control) -> RunOutcome:
    """Note the run; one called Slow takes 30 seconds."""
    SEEN.append((spec.name, (spec.until - spec.started).total_seconds()))
    if spec.name.startswith("Slow"):
        CLOCK.advance(30)
    return RunOutcome(succeeded=True, exit_code=0, message="done")


@pytest.fixture(autouse=True)
def afresh() -> None:
    """Start at 10:00 with nothing seen."""
    global CLOCK  # noqa: PLW0603 - the entry of a run is found by its name, and so is its clock
    CLOCK = FixedClock(NOW)
    SEEN.clear()


def beat_of(state: StateStore, *names: str, **options: Any) -> Heartbeat:
    tasks = [periodic_task(name, 10, not_called) for name in names]
    executor = options.pop("executor", None) or InlineExecutor(f"{__name__}:record")
    return heartbeat_of(state, *tasks, clock=CLOCK, executor=executor, **options)


def beat(heartbeat: Heartbeat, seconds: int = 1, periods: int = 0, pause: int = 1) -> tuple[CronReport, str]:
    written: list[str] = []

    async def sleep(length: float) -> None:
        CLOCK.advance(length)

    limits = CronLimits(seconds, pause, periods)
    report = run(heartbeat, limits, CronLines(written.append, PARIS, verbose=True), sleep)
    return report, "".join(written)


def test_due_tasks_run_by_date_and_ties_in_the_order_of_their_rows(state: StateStore) -> None:
    rows = MemoryRows(
        [
            TaskRow("Third", next_run_date=NOW - timedelta(seconds=5)),
            TaskRow("First", next_run_date=NOW - timedelta(seconds=9)),
            TaskRow("Later", next_run_date=NOW + timedelta(hours=1)),
            TaskRow("Fourth", next_run_date=NOW - timedelta(seconds=5)),
            TaskRow("Resting", next_run_date=NOW, status=TaskStatus.PAUSED),
        ]
    )
    report, out = beat(beat_of(state, "Fourth", "First", "Third", "Later", "Resting", rows=rows))
    assert [name for name, _ in SEEN] == ["First", "Third", "Fourth"]
    assert report.end is CronEnd.DONE
    assert "\n-- Skipping task: Later ---------------------------------- until: 2027-02-10 11:00:00\n" in out
    assert "Skipping task: Resting" not in out


def test_it_goes_on_until_its_time_is_over(state: StateStore) -> None:
    report, out = beat(beat_of(state, "Task"), seconds=25, pause=5)
    assert len(report.runs) == 3  # at 10:00:00, 10:00:10 and 10:00:20
    assert out.endswith("Reached normal execution time limit (exceeded by 0s)\n")


def test_after_the_time_nothing_more_begins(state: StateStore) -> None:
    report, out = beat(beat_of(state, "Slow", "Other"), seconds=20)
    assert [name for name, _ in SEEN] == ["Slow"]
    assert "(exceeded by 10s)" in out
    assert report.end is CronEnd.DONE


@pytest.mark.parametrize(("periods", "given"), [(0, 100), (3, 30), (50, 100)])
def test_a_task_is_told_until_when_it_may_work(state: StateStore, periods: int, given: float) -> None:
    heartbeat = beat_of(state, "Task")
    lanes = {name: replace(lane, soft_seconds=600) for name, lane in heartbeat.lanes.items()}
    beat(replace(heartbeat, lanes=lanes), seconds=100, periods=periods, pause=101)
    assert [("Task", given)] == SEEN


def test_a_scheduled_task_has_the_whole_time(state: StateStore) -> None:
    weekly = weekly_task("Weekly", "module", {"time": "10:00"}, not_called, default_time="10:00")
    rows = MemoryRows([TaskRow("Weekly", next_run_date=NOW)])
    heartbeat = heartbeat_of(state, weekly, clock=CLOCK, rows=rows, executor=InlineExecutor(f"{__name__}:record"))
    beat(heartbeat, seconds=50, periods=1, pause=51)
    assert SEEN == [("Weekly", 50)]


def test_without_time_rows_are_made_and_nothing_runs(state: StateStore) -> None:
    heartbeat = beat_of(state, "Task")
    report, out = beat(heartbeat, seconds=0)
    assert (report.runs, SEEN) == ((), [])
    assert "Creating record for: Task\nFirst execution planned at: 2027-02-10 10:00:00\n" in out
    assert [row.class_name for row in heartbeat.task_rows.read()] == ["Task"]


@pytest.mark.parametrize("answers", [["", "iTop is under maintenance"], ["iTop is under maintenance"]])
def test_a_marker_that_appears_ends_it_after_the_process(state: StateStore, answers: list[str]) -> None:
    left = iter(answers)
    report, out = beat(beat_of(state, "One", "Two", closed=lambda: next(left)), seconds=60)
    assert report.end is CronEnd.CLOSED
    assert [name for name, _ in SEEN] == ["One", "Two"][: len(answers) - 1]
    assert "Reached normal" not in out


def test_failures_are_told_apart_and_the_others_go_on(state: StateStore) -> None:
    executor = InlineExecutor("tests.heartbeat.support:entry")
    report, out = beat(beat_of(state, "Wrong", "Bug", "Succeed", executor=executor))
    assert [run.succeeded for run in report.runs] == [False, False, True]
    assert "\nWrong: Processing failed with message: the setting is wrong\n" in out
    told = '(error_code=0, message="ZeroDivisionError: boom <x>")'
    assert f"\nERROR : an exception was thrown when processing 'Bug' {told}\n<< ===" in out
    assert "\nSucceed: did Succeed\n" in out


def test_a_wrong_setting_keeps_only_its_own_task_from_running(state: StateStore) -> None:
    wrong = weekly_task("BackupExec", "itop-backup", {"time": "late"}, not_called, default_time="23:30")
    heartbeat = beat_of(state, "Task")
    report, out = beat(replace(heartbeat, tasks=(wrong, *heartbeat.tasks)))
    assert [name for name, _ in SEEN] == ["Task"]
    assert len(report.problems) == 1
    assert "TO DO: itop-backup: wrong format for setting 'time'" in out


def broken(*_: object) -> None:
    raise sa.exc.OperationalError("SELECT", {}, Exception("Server has gone away"))


def test_a_database_that_goes_away_with_a_process_ends_it(state: StateStore, monkeypatch: pytest.MonkeyPatch) -> None:
    heartbeat = beat_of(state, "Task", "Other")
    monkeypatch.setattr("itopd.heartbeat.claiming.claim", broken)
    report, out = beat(heartbeat)
    assert (report.end, SEEN) == (CronEnd.AWAY, [])
    assert "ERROR : 'Server has gone away' thrown when processing Task  (error_code=2006)\n" in out


def test_a_database_that_is_away_at_the_start_is_raised(state: StateStore, monkeypatch: pytest.MonkeyPatch) -> None:
    heartbeat = beat_of(state, "Task")
    monkeypatch.setattr("itopd.heartbeat.row_keeping.synchronise_rows", broken)
    with pytest.raises(DatabaseError, match="the database went away: Server has gone away"):
        beat(heartbeat)


def test_attached_only_what_was_taken_over_is_looked_at(state: StateStore) -> None:
    paused: Callable[[str], TaskRow] = lambda name: TaskRow(name, next_run_date=NOW, status=TaskStatus.PAUSED)  # noqa: E731
    rows = MemoryRows([paused("Ours"), paused("Theirs"), TaskRow("Active", next_run_date=NOW)])
    heartbeat = beat_of(state, "Ours", "Theirs", "Active", rows=rows, handed_over=lambda: {"Ours"})
    _, out = beat(heartbeat)
    assert [name for name, _ in SEEN] == ["Ours"]
    assert "Background processes: Ours\n" in out
