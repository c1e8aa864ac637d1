"""Tasks with nothing to do: asked at each of their dates, run only when something waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NoReturn

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from itopd.clock import FixedClock
from itopd.database import Database
from itopd.heartbeat import Heartbeat, Periodic, Task, tick
from itopd.heartbeat.daemon.quiet import QuietTasks
from itopd.heartbeat.entries import entries_of
from itopd.heartbeat.jobs.job import Jobs
from itopd.heartbeat.looking import Due, look
from itopd.state import StateStore, Subject, SubjectKind, TaskRow, TaskRows, ledger
from itopd.state.tasks import OwnTaskRows
from itopd.tasks.background_rows import BackgroundTaskRows
from tests.heartbeat.support import NOW, MemoryRows, heartbeat_of, not_called

NAME = "Succeed"


@dataclass
class Question:
    """What a task answers when it is asked."""

    answer: bool | datetime = False
    times: int = 0

    def __call__(self) -> bool | datetime:
        self.times += 1
        return self.answer


@dataclass
class World:
    """One daemon's quiet tasks, and a clock that the test moves."""

    state: StateStore
    question: Callable[[], bool | datetime]
    seconds: int = 2
    rows: MemoryRows = field(default_factory=lambda: MemoryRows([TaskRow(NAME, next_run_date=NOW)]))
    clock: FixedClock = field(default_factory=lambda: FixedClock(NOW))

    def __post_init__(self) -> None:
        task = Task(NAME, Periodic(self.seconds), not_called, waiting=self.question)
        self.heartbeat: Heartbeat = heartbeat_of(self.state, task, rows=self.rows, clock=self.clock)
        self.quiet = QuietTasks(self.heartbeat)

    def at(self, seconds: float) -> None:
        """Let it be so many seconds after the beginning."""
        self.clock.advance((NOW + timedelta(seconds=seconds) - self.clock.now()).total_seconds())

    def look(self) -> list[Due]:
        """Make a whole round up to the claims."""
        seen = look(self.heartbeat, entries_of(self.heartbeat, Jobs()))
        self.later = seen.later
        return self.quiet.awake(seen.due, seen.later)

    @property
    def row(self) -> TaskRow:
        return self.rows.one(NAME)


def test_while_nothing_waits_it_is_asked_at_each_date_and_nothing_runs(state: StateStore) -> None:
    question = Question()
    world = World(state, question)
    assert world.look() == []
    for second in range(20):
        world.at(second + 0.3)
        assert not world.quiet.somebody_woke()
    assert question.times == 10
    assert ledger.recent(state) == []


def test_its_row_shows_life_once_a_minute_and_its_counters_stay(state: StateStore) -> None:
    world = World(state, Question())
    world.look()
    for second in range(181):
        world.at(second)
        assert not world.quiet.somebody_woke()
        if second % 5 == 0:
            assert world.look() == []
    assert [change["latest_run_date"] for _, change in world.rows.changes] == [
        NOW + timedelta(seconds=second) for second in (0, 60, 120, 180)
    ]
    assert world.row.next_run_date == NOW + timedelta(seconds=182)
    assert (world.row.total_exec_count, world.row.running) == (0, False)


def test_what_waits_runs_under_the_date_at_which_it_was_found(state: StateStore) -> None:
    question = Question()
    world = World(state, question)
    world.look()
    world.at(41)
    assert not world.quiet.somebody_woke()
    question.answer = True
    world.at(42.1)
    assert world.quiet.somebody_woke()
    [due] = world.look()
    assert due.planned == NOW + timedelta(seconds=42)


def test_a_date_that_a_quiet_task_sleeps_until_needs_no_look(state: StateStore) -> None:
    question = Question(NOW + timedelta(seconds=50))
    world = World(state, question)
    world.look()
    world.at(5)
    world.look()
    assert world.later == {Subject(SubjectKind.TASK, NAME): NOW + timedelta(seconds=50)}
    assert (world.quiet.next_at, world.quiet.next_of_others(world.later)) == (NOW + timedelta(seconds=50), None)
    world.rows.update(NAME, {"next_run_date": NOW + timedelta(seconds=30)})
    world.look()
    assert (world.quiet.next_at, world.quiet.next_of_others(world.later)) == (None, NOW + timedelta(seconds=30))
    assert question.times == 1


def test_an_instant_is_waited_for_but_not_longer_than_a_minute(state: StateStore) -> None:
    question = Question(NOW + timedelta(seconds=20))
    world = World(state, question, seconds=1)
    assert world.look() == []
    assert world.quiet.next_at == NOW + timedelta(seconds=20)
    question.answer = datetime.max.replace(tzinfo=UTC)
    world.at(20)
    assert not world.quiet.somebody_woke()
    assert world.quiet.next_at == NOW + timedelta(seconds=80)
    assert world.row.next_run_date == NOW + timedelta(seconds=80)
    assert question.times == 2


def test_an_instant_that_has_passed_means_now(state: StateStore) -> None:
    assert len(World(state, Question(NOW - timedelta(days=1))).look()) == 1
    assert len(World(state, Question(NOW)).look()) == 1


def test_a_row_that_somebody_planned_anew_is_looked_at_anew(state: StateStore) -> None:
    question = Question(NOW + timedelta(seconds=50))
    world = World(state, question)
    world.look()
    question.answer = True
    world.at(3)
    assert world.look() == []
    world.rows.update(NAME, {"next_run_date": NOW + timedelta(seconds=3)})
    assert [due.planned for due in world.look()] == [NOW + timedelta(seconds=3)]


def test_a_clock_that_was_set_back_lets_nobody_sleep_on(state: StateStore) -> None:
    question = Question()
    world = World(state, question, rows=MemoryRows([TaskRow(NAME, next_run_date=NOW - timedelta(hours=2))]))
    world.look()
    world.at(2.5)
    world.look()
    assert world.quiet.next_at == NOW + timedelta(seconds=4)
    world.rows.update(NAME, {"next_run_date": NOW - timedelta(hours=2)})
    world.look()
    world.at(-3600)
    asked = question.times
    world.look()
    assert question.times == asked + 1
    assert world.quiet.next_at == NOW + timedelta(seconds=-3600 + 2)


def test_a_task_that_cannot_tell_is_run_and_that_is_said_once(state: StateStore) -> None:
    def fail() -> NoReturn:
        raise ZeroDivisionError

    world = World(state, fail)
    with capture_logs() as logs:
        assert len(world.look()) == 1
        assert len(world.look()) == 1
    assert [entry["event"] for entry in logs] == ["task_cannot_tell"]


def test_a_database_that_is_away_is_not_taken_for_an_answer(state: StateStore) -> None:
    def away() -> NoReturn:
        raise sa.exc.OperationalError("SELECT 1", {}, OSError("gone"))

    with pytest.raises(sa.exc.OperationalError):
        World(state, away).look()


def test_after_a_failure_it_runs_without_being_asked(state: StateStore) -> None:
    question = Question()
    task = Task("Wrong", Periodic(2), not_called, waiting=question)
    rows = MemoryRows()
    clock = FixedClock(NOW)
    heartbeat = heartbeat_of(state, task, rows=rows, clock=clock)
    tick(heartbeat)
    assert question.times == 0, "a tick runs everything that is due"
    clock.advance(10)
    seen = look(heartbeat, entries_of(heartbeat, Jobs()))
    assert len(QuietTasks(heartbeat).awake(seen.due, seen.later)) == 1
    assert question.times == 0


def test_a_row_is_changed_only_while_its_dates_are_as_seen(database: Database, state: StateStore) -> None:
    stores: list[TaskRows] = [BackgroundTaskRows(database), OwnTaskRows(state, SubjectKind.TASK)]
    for rows in stores:
        rows.insert([TaskRow(NAME, next_run_date=NOW), TaskRow("Other", next_run_date=NOW)])
        seen = rows.read()[0]
        later = NOW + timedelta(seconds=2)
        rows.update_seen(seen, {"next_run_date": later, "latest_run_date": NOW})
        assert [(row.next_run_date, row.latest_run_date) for row in rows.read()] == [(later, NOW), (NOW, None)]
        rows.update_seen(seen, {"next_run_date": NOW + timedelta(days=1)})
        assert rows.read()[0].next_run_date == later
        rows.update_seen(rows.read()[0], {"latest_run_date": later})
        assert rows.read()[0].latest_run_date == later
