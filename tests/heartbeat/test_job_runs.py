"""Jobs in a tick: what is missed, what is tried again, what the child is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from itopd.clock import FixedClock
from itopd.heartbeat import (
    Heartbeat,
    Job,
    Jobs,
    Periodic,
    load_jobs,
    looking,
    parse_schedule,
    status,
    tick,
)
from itopd.heartbeat.entries import entries_of
from itopd.heartbeat.jobs.hot_folder import HotFolder, Watch
from itopd.heartbeat.jobs.job import JobService
from itopd.heartbeat.jobs.plan import Misfire, Plan, Retries, Watching
from itopd.heartbeat.jobs.results import Results
from itopd.heartbeat.jobs.windows import Window
from itopd.heartbeat.row_keeping import synchronise_rows
from itopd.state import RunState, StateStore, Subject, SubjectKind, TaskRow, TaskStatus, ledger
from itopd.state.tasks import OwnTaskRows
from tests.heartbeat.support import NOW, PARIS, heartbeat_of

DAILY = Plan(parse_schedule("0 10 * * *"), PARIS)


def job(name: str = "Succeed", plan: Plan = DAILY, **options: object) -> Job:
    made = Job(name, Path(f"{name}.params"), "export", plan, True, "transfer", {}, Results(name))
    return replace(made, **options)  # type: ignore[arg-type]


def planned(state: StateStore, name: str = "Succeed") -> TaskRow:
    return next(row for row in OwnTaskRows(state, SubjectKind.JOB).read() if row.class_name == name)


def beat(state: StateStore, one: Job, clock: FixedClock) -> Heartbeat:
    return heartbeat_of(state, load_jobs=lambda: Jobs((one,)), clock=clock)


class TestMissed:
    @pytest.mark.parametrize(
        ("one", "reason"),
        [
            (job(misfire=Misfire(timedelta(minutes=5))), "it is 6:00:00 late"),
            (
                job(plan=replace(DAILY, window=Window(NOW.astimezone(PARIS).time(), NOW.astimezone(PARIS).time()))),
                "its window 10:00-10:00 has closed",
            ),
        ],
    )
    def test_a_missed_run_is_told_and_the_next_planned_time_counts(
        self, state: StateStore, one: Job, reason: str
    ) -> None:
        clock = FixedClock(NOW - timedelta(hours=1))
        heartbeat = beat(state, one, clock)
        assert tick(heartbeat).runs == ()
        clock.advance(7 * 3600)
        with capture_logs() as logs:
            assert tick(heartbeat).runs == ()
        (missed,) = [entry for entry in logs if entry["event"] == "job_missed"]
        assert missed["name"] == "Succeed"
        assert missed["reason"].startswith(reason)
        assert missed["next_due"] == "2027-02-11 10:00:00"
        assert planned(state).next_run_date == NOW + timedelta(days=1)
        clock.advance(18 * 3600)
        assert len(tick(heartbeat).runs) == 1

    def test_a_late_run_runs_once_where_nothing_forbids_it(self, state: StateStore) -> None:
        clock = FixedClock(NOW - timedelta(hours=1))
        heartbeat = beat(state, job(), clock)
        tick(heartbeat)
        clock.advance(5 * 86400)
        assert len(tick(heartbeat).runs) == 1
        assert tick(heartbeat).runs == ()
        assert planned(state).next_run_date == NOW + timedelta(days=5)


class TestRetries:
    def test_a_failed_job_is_tried_again_then_waits_for_its_next_planned_time(self, state: StateStore) -> None:
        clock = FixedClock(NOW - timedelta(hours=1))
        heartbeat = beat(state, job("Wrong", retries=Retries(2, timedelta(minutes=1))), clock)
        tick(heartbeat)
        clock.advance(3600)
        dates = []
        for _ in range(3):
            (report,) = tick(heartbeat).runs
            assert not report.succeeded
            following = planned(state, "Wrong").next_run_date
            assert following is not None
            dates.append(following)
            clock.advance((following - clock.now()).total_seconds())
        assert dates == [NOW + timedelta(minutes=1), NOW + timedelta(minutes=3), NOW + timedelta(days=1)]
        assert len(tick(heartbeat).runs) == 1
        assert planned(state, "Wrong").next_run_date == NOW + timedelta(days=1, minutes=1)

    def test_the_ledger_counts_the_failures(self, state: StateStore) -> None:
        clock = FixedClock(NOW - timedelta(hours=1))
        heartbeat = beat(state, job("Wrong"), clock)
        tick(heartbeat)
        clock.advance(3600)
        tick(heartbeat)
        head = ledger.heads(state)[Subject(SubjectKind.JOB, "Wrong")]
        assert (head.run.state, head.run.failures, head.run.next_due) == (
            RunState.FAILED,
            1,
            NOW + timedelta(minutes=1),
        )


class TestHotFolders:
    def watching(self, state: StateStore, folder: Path, clock: FixedClock, name: str = "Succeed") -> Heartbeat:
        folder.mkdir(exist_ok=True)
        watch = Watch.parse(f"{folder}/*.csv")
        plan = Plan(Watching(watch.text), PARIS, Window(time(8), time(18)))
        return beat(state, job(name, plan, hot_folder=HotFolder(watch, name)), clock)

    def test_nothing_runs_without_a_file_nor_outside_the_window(self, state: StateStore, tmp_path: Path) -> None:
        clock = FixedClock(NOW)
        heartbeat = self.watching(state, tmp_path / "in", clock)
        assert tick(heartbeat).runs == ()
        left = tmp_path / "in" / "working" / "Succeed"
        left.mkdir(parents=True)
        (left / "RUN.0-0.a.csv").touch()
        clock.advance(12 * 3600)
        assert tick(heartbeat).runs == ()
        clock.advance(12 * 3600)
        (head,) = looking.look(heartbeat, entries_of(heartbeat, heartbeat.load_jobs())).due
        assert head.entry.subject.name == "Succeed"

    def test_a_fresh_file_is_looked_at_again_as_soon_as_it_may_be_complete(
        self, state: StateStore, tmp_path: Path
    ) -> None:
        clock = FixedClock(NOW)
        heartbeat = self.watching(state, tmp_path / "in", clock)
        entries = entries_of(heartbeat, heartbeat.load_jobs())
        synchronise_rows(heartbeat, heartbeat.load_jobs())
        assert looking.look(heartbeat, entries).later == {}
        (tmp_path / "in" / "a.csv").touch()
        seen = looking.look(heartbeat, entries)
        (again,) = seen.later.values()
        assert (seen.due, again - NOW) == ((), timedelta(seconds=2.1))
        clock.advance(2.1)
        assert [item.entry.subject.name for item in looking.look(heartbeat, entries).due] == ["Succeed"]

    def test_a_bad_file_does_not_delay_the_next_but_a_failing_job_pauses(self) -> None:
        watch = Watch.parse("in/*.csv")
        one = job(plan=Plan(Watching(watch.text), PARIS), hot_folder=HotFolder(watch, "job"))
        assert one.after_failure(NOW, 9, 65, NOW) == NOW
        assert [one.after_failure(NOW, n, 69, NOW) - NOW for n in (1, 2, 30)] == [
            timedelta(minutes=1),
            timedelta(minutes=2),
            timedelta(hours=1),
        ]

    def test_a_folder_that_goes_away_is_told_once_and_shown_in_the_status(
        self, state: StateStore, tmp_path: Path
    ) -> None:
        heartbeat = self.watching(state, tmp_path / "in", FixedClock(NOW))
        (one,) = heartbeat.load_jobs().jobs
        (tmp_path / "in").rmdir()
        with capture_logs() as logs:
            for _ in range(2):
                assert not looking.has_work(heartbeat, one)
            assert "in cannot be read (No such file or directory)" in status(heartbeat).problems[0]
            (tmp_path / "in").mkdir()
            looking.has_work(heartbeat, one)
        assert [entry["event"] for entry in logs] == ["folder_away", "folder_back"]
        assert status(heartbeat).problems == ()


def test_a_paused_job_does_not_run_and_stays_paused(state: StateStore) -> None:
    clock = FixedClock(NOW)
    heartbeat = beat(state, job(plan=Plan(Periodic(60), PARIS)), clock)
    assert len(tick(heartbeat).runs) == 1
    OwnTaskRows(state, SubjectKind.JOB).update("Succeed", {"status": TaskStatus.PAUSED})
    clock.advance(3600)
    assert tick(heartbeat).runs == ()
    assert planned(state).status is TaskStatus.PAUSED


def test_an_edited_schedule_counts_from_the_next_look(state: StateStore, tmp_path: Path) -> None:
    services = {"export": JobService("transfer", lambda _file: None)}
    clock, path = FixedClock(NOW), tmp_path / "Succeed.params"
    heartbeat = heartbeat_of(state, load_jobs=lambda: load_jobs(tmp_path, services, PARIS), clock=clock)
    path.write_text("service = export\nschedule = 0 3 1 1 *\n")
    assert tick(heartbeat).runs == ()
    path.write_text("service = export\nschedule = 0 11 * * *\ntimezone = Asia/Tokyo\n")
    tick(heartbeat)
    assert planned(state).next_run_date == NOW.replace(day=11, hour=2)
    path.write_text("service = export\nschedule = every 1h\n")
    assert len(tick(heartbeat).runs) == 1
