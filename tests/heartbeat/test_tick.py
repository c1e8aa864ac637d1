"""One tick: what is due runs once, is recorded, and hurts nobody else."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from itopd.clock import FixedClock, from_itop, to_itop
from itopd.errors import DatabaseError, SettingsError
from itopd.heartbeat import (
    EVENTS,
    Job,
    Jobs,
    Periodic,
    RunReport,
    Task,
    TickReport,
    run_now,
    status,
    status_text,
    tick,
)
from itopd.heartbeat.claiming import claim
from itopd.heartbeat.entries import entries_of
from itopd.heartbeat.jobs.job import BrokenJob
from itopd.heartbeat.jobs.plan import Plan
from itopd.heartbeat.jobs.results import Results
from itopd.heartbeat.looking import Due, look_at
from itopd.state import (
    Owner,
    RowChange,
    RunState,
    StateStore,
    Subject,
    SubjectKind,
    TaskRow,
    TaskStatus,
    ledger,
    this_process,
)
from itopd.state.tables import LEASE
from itopd.state.tasks import OwnTaskRows
from tests.heartbeat.support import NOW, PARIS, MemoryRows, heartbeat_of, not_called


def task(name: str, period: int = 10, **options: object) -> Task:
    return Task(name, Periodic(period), not_called, **options)  # type: ignore[arg-type]


def row(name: str, seconds_ago: int = 0, **columns: object) -> TaskRow:
    return TaskRow(name, next_run_date=NOW - timedelta(seconds=seconds_ago), **columns)  # type: ignore[arg-type]


def job(name: str) -> Job:
    plan = Plan(Periodic(300), PARIS)
    return Job(name, Path(f"{name}.params"), "export", plan, True, "transfer", {"k": "v"}, Results(name, "{name}.csv"))


def by_name(report: TickReport) -> dict[str, RunReport]:
    return {run.subject.name: run for run in report.runs}


class TestRuns:
    def test_a_new_task_gets_its_row_and_runs_at_once(self, state: StateStore) -> None:
        rows = MemoryRows()
        report = tick(heartbeat_of(state, task("Succeed"), rows=rows))
        assert report.exit_code == 0
        assert [run.message for run in report.runs] == ["did Succeed"]
        found = rows.one("Succeed")
        assert (found.first_run_date, found.latest_run_date, found.next_run_date) == (
            NOW,
            NOW,
            NOW + timedelta(seconds=10),
        )
        assert (found.total_exec_count, found.running, found.system_user) == (1, False, "itopd")
        (run,) = ledger.recent(state)
        assert (run.state, run.due, run.message, run.counters) == (RunState.DONE, NOW, "did Succeed", {"rows": 3})

    def test_nothing_due_is_exit_code_0(self, state: StateStore) -> None:
        rows = MemoryRows([row("Succeed", -60), TaskRow("Succeed-2", next_run_date=None)])
        report = tick(heartbeat_of(state, task("Succeed"), task("Succeed-2"), rows=rows))
        assert (report.exit_code, report.runs, ledger.recent(state)) == (0, (), [])

    def test_missed_dates_are_one_run_on_the_old_grid(self, state: StateStore) -> None:
        rows = MemoryRows([row("Succeed", 47)])
        tick(heartbeat_of(state, task("Succeed"), rows=rows))
        assert rows.one("Succeed").next_run_date == NOW + timedelta(seconds=3)

    def test_a_paused_row_is_left_alone(self, state: StateStore) -> None:
        rows = MemoryRows([row("Succeed", 5, status=TaskStatus.PAUSED)])
        assert tick(heartbeat_of(state, task("Succeed"), rows=rows)).runs == ()
        assert rows.changes == []

    def test_attached_only_paused_rows_that_were_handed_over_are_ours_and_stay_paused(self, state: StateStore) -> None:
        paused = [row(name, 5, status=TaskStatus.PAUSED) for name in ("Succeed", "Succeed-by-hand")]
        rows = MemoryRows([*paused, row("Succeed-active", 5), row("Vendor", 5)])
        tasks = [task("Succeed"), task("Succeed-by-hand"), task("Succeed-active")]
        heartbeat = heartbeat_of(state, *tasks, rows=rows, handed_over=lambda: {"Succeed", "Succeed-active"})
        assert [run.subject.name for run in tick(heartbeat).runs] == ["Succeed"]
        assert rows.one("Succeed").status is TaskStatus.PAUSED
        assert rows.one("Vendor") == row("Vendor", 5)

    def test_a_process_that_is_given_back_between_look_and_claim_is_not_run(self, state: StateStore) -> None:
        rows = MemoryRows([row("Succeed", 5, status=TaskStatus.PAUSED)])
        answers = iter([{"Succeed"}, {"Succeed"}])  # when rows are synchronised, and at the look
        heartbeat = heartbeat_of(state, task("Succeed"), rows=rows, handed_over=lambda: next(answers, set()))
        assert tick(heartbeat).runs == ()

    def test_the_oldest_is_claimed_first_and_ties_keep_their_order(self, state: StateStore) -> None:
        rows = MemoryRows([row("Succeed-a", 5), row("Succeed-b", 60), row("Succeed-c", 5)])
        tasks = [task("Succeed-a"), task("Succeed-b"), task("Succeed-c")]
        report = tick(heartbeat_of(state, *tasks, rows=rows, limit=1))
        assert [run.subject.name for run in report.runs] == ["Succeed-b", "Succeed-a", "Succeed-c"]

    def test_jobs_and_own_tasks_keep_their_rows_in_the_state_store(self, state: StateStore) -> None:
        rows = MemoryRows()
        heartbeat = heartbeat_of(
            state, task("Succeed", own=True), rows=rows, load_jobs=lambda: Jobs((job("Succeed-job"),))
        )
        report = tick(heartbeat)
        assert sorted(by_name(report)) == ["Succeed", "Succeed-job"]
        assert rows.read() == []
        (job_row,) = OwnTaskRows(state, SubjectKind.JOB).read()
        assert (job_row.class_name, job_row.next_run_date) == ("Succeed-job", NOW + timedelta(seconds=300))
        assert OwnTaskRows(state, SubjectKind.TASK).read()[0].total_exec_count == 1
        assert tick(heartbeat).runs == ()

    def test_only_limits_the_tick_to_one_name(self, state: StateStore) -> None:
        heartbeat = heartbeat_of(state, task("Succeed"), task("Succeed-2"))
        assert [run.subject.name for run in tick(heartbeat, only="Succeed-2").runs] == ["Succeed-2"]

    def test_a_row_planned_by_hand_for_an_old_date_runs_again_each_time(self, state: StateStore) -> None:
        rows, clock = MemoryRows(), FixedClock(NOW)
        heartbeat = heartbeat_of(state, task("Succeed", 86400), rows=rows, clock=clock)
        for seconds in range(3):
            rows.rows = [replace(row("Succeed"), next_run_date=datetime(2000, 1, 1, tzinfo=UTC))]
            assert len(tick(heartbeat).runs) == 1
            clock.advance(1 + seconds)
        assert len(ledger.recent(state)) == 3

    def test_a_period_goes_on_through_the_repeated_hour(self, state: StateStore) -> None:
        class LocalRows(MemoryRows):
            """iTop's table: local time, in which the repeated hour is ambiguous."""

            def update(self, class_name: str, change: RowChange, *, started: datetime | None = None) -> None:
                super().update(class_name, change, started=started)
                planned = self.one(class_name).next_run_date
                assert planned is not None
                local = from_itop(to_itop(planned, PARIS), PARIS)
                self.rows = [replace(found, next_run_date=local) for found in self.rows]

        start = from_itop("2027-10-31 01:50:00", PARIS)
        clock, rows, ran = FixedClock(start), LocalRows([TaskRow("Succeed", next_run_date=start)]), 0
        heartbeat = heartbeat_of(state, task("Succeed", 600), rows=rows, clock=clock)
        for _minute in range(180):
            ran += len(tick(heartbeat).runs)
            clock.advance(60)
        assert ran == 18


class TestRunNow:
    def test_it_runs_now_and_leaves_the_plan_alone(self, state: StateStore) -> None:
        clock = FixedClock(NOW)
        heartbeat = heartbeat_of(state, load_jobs=lambda: Jobs((job("Succeed-job"),)), clock=clock)
        tick(heartbeat)
        clock.advance(7)
        OwnTaskRows(state, SubjectKind.JOB).update("Succeed-job", {"next_run_date": NOW + timedelta(seconds=100)})
        for count in (2, 3):
            report = run_now(heartbeat, "Succeed-job")
            assert (report.exit_code, [run.message for run in report.runs]) == (0, ["did Succeed-job"])
            (found,) = OwnTaskRows(state, SubjectKind.JOB).read()
            assert (found.next_run_date, found.total_exec_count) == (NOW + timedelta(seconds=100), count)
            clock.advance(0.5)

    def test_it_is_busy_while_another_process_works_on_it(self, state: StateStore) -> None:
        heartbeat = heartbeat_of(state, load_jobs=lambda: Jobs((job("Succeed"),)))
        TestOthers().claim_by(state, Owner("elsewhere", 4711, "1"), SubjectKind.JOB)
        report = run_now(heartbeat, "Succeed")
        assert (report.exit_code, "elsewhere pid 4711" in report.held[0].owner) == (75, True)

    @pytest.mark.parametrize(
        ("name", "complaint"),
        [
            ("bad", r"bad\.params:1: unknown service 'x'"),
            ("off", r"off\.params: the job is disabled; write enabled = yes"),
            ("none", "there is no job 'none'; the jobs are: good, off"),
        ],
    )
    def test_what_cannot_run_is_told_with_its_problem(self, state: StateStore, name: str, complaint: str) -> None:
        broken = BrokenJob("bad", Path("bad.params"), "bad.params:1: unknown service 'x'")
        jobs = Jobs((job("good"), replace(job("off"), enabled=False)), (broken,))
        with pytest.raises(SettingsError, match=complaint):
            run_now(heartbeat_of(state, load_jobs=lambda: jobs), name)

    @pytest.mark.parametrize("handed_back", [True, False])
    def test_one_that_is_taken_up_again_leaves_the_plan_alone_too(self, state: StateStore, handed_back: bool) -> None:
        clock, jobs = FixedClock(NOW), Jobs((replace(job("Succeed"), schedule=Plan(Periodic(86400), PARIS)),))
        heartbeat = heartbeat_of(state, load_jobs=lambda: jobs, clock=clock)
        tick(heartbeat)
        clock.advance(5 * 3600)
        found = look_at(heartbeat, entries_of(heartbeat, jobs)[0])
        assert isinstance(found, Due)
        claimed = claim(heartbeat, found)
        assert claimed is not None
        if handed_back:
            ledger.hand_back(state, claimed.run, reason="itopd stops")
        else:
            with state.write() as connection:
                connection.execute(LEASE.update().values(expires=datetime(2001, 1, 1, tzinfo=UTC)))
        clock.advance(5)
        assert [run.due for run in tick(heartbeat).runs] == [NOW + timedelta(hours=5)]
        assert OwnTaskRows(state, SubjectKind.JOB).read()[0].next_run_date == NOW + timedelta(days=1)


class TestFailures:
    def test_a_failure_is_recorded_and_the_others_run(self, state: StateStore) -> None:
        rows = MemoryRows()
        report = tick(heartbeat_of(state, task("Wrong"), task("Bug"), task("Succeed"), rows=rows))
        assert report.exit_code == 1
        runs = by_name(report)
        assert (runs["Wrong"].exit_code, runs["Wrong"].error) == (64, "the setting is wrong")
        assert runs["Bug"].exit_code == 70
        assert runs["Bug"].error.startswith("ZeroDivisionError: boom <x>\n")
        assert "in _bug" in runs["Bug"].error
        assert runs["Succeed"].succeeded
        failed = rows.one("Bug")
        assert (failed.total_exec_count, failed.running, failed.next_run_date) == (1, True, NOW + timedelta(seconds=10))

    def test_repeated_failures_back_off_and_a_success_ends_it(self, state: StateStore) -> None:
        rows, clock = MemoryRows(), FixedClock(NOW)
        heartbeat = heartbeat_of(state, task("Bug"), rows=rows, clock=clock)
        pauses = []
        for _ in range(5):
            tick(heartbeat)
            planned = rows.one("Bug").next_run_date
            assert planned is not None
            pauses.append((planned - clock.now()).total_seconds())
            clock.advance(pauses[-1])
        assert pauses == [10, 10, 60, 120, 240]

    def test_wrong_settings_and_files_are_reported_and_cost_the_exit_code(self, state: StateStore) -> None:
        jobs = Jobs((), (BrokenJob("bad", Path("bad.params"), "bad.params:1: unknown service 'x'"),), ("odd line",))
        wrong = Task("BackupExec", None, not_called, problem="itop-backup: wrong format for setting 'time'")
        with capture_logs() as logs:
            report = tick(heartbeat_of(state, wrong, task("Succeed"), load_jobs=lambda: jobs))
        assert len(report.runs) == 1
        assert report.exit_code == 1
        assert report.problems == ("itop-backup: wrong format for setting 'time'", "bad.params:1: unknown service 'x'")
        assert {"task_disabled", "job_broken", "job_warning"} <= {entry["event"] for entry in logs}

    def test_a_database_that_is_away_is_said_and_nothing_moves(self, state: StateStore) -> None:
        class AwayRows(MemoryRows):
            def read(self) -> list[TaskRow]:
                raise sa.exc.OperationalError("SELECT 1", {}, OSError("server has gone away"))

        with pytest.raises(DatabaseError, match="server has gone away; what was due stays due"):
            tick(heartbeat_of(state, task("Succeed"), rows=AwayRows()))
        assert ledger.recent(state) == []

    def test_a_row_that_cannot_be_written_at_the_claim_gives_the_run_back(self, state: StateStore) -> None:
        class FlakyRows(MemoryRows):
            """Away for one write."""

            failed = False

            def update(self, class_name: str, change: RowChange, *, started: datetime | None = None) -> None:
                if not self.failed:
                    self.failed = True
                    raise DatabaseError("server has gone away")
                super().update(class_name, change, started=started)

        rows = FlakyRows([row("Succeed", 60)])
        heartbeat = heartbeat_of(state, task("Succeed"), rows=rows)
        report = tick(heartbeat)
        assert (report.exit_code, report.runs[0].handed_back) == (1, True)
        (run,) = ledger.recent(state)
        assert (run.state, run.attempts) == (RunState.HANDED_BACK, 0)
        assert tick(heartbeat).exit_code == 0
        assert [run.state for run in ledger.recent(state)] == [RunState.DONE]


class TestOthers:
    def claim_by(self, state: StateStore, owner: Owner, kind: SubjectKind = SubjectKind.TASK) -> None:
        claimed = ledger.claim(
            state,
            Subject(kind, "Succeed"),
            due=NOW,
            next_due=NOW + timedelta(seconds=10),
            owner=owner,
            seen=None,
            now=NOW,
            lease_seconds=60,
        )
        assert not isinstance(claimed, str)

    def test_what_another_process_works_on_is_busy_and_says_who(self, state: StateStore) -> None:
        self.claim_by(state, Owner("elsewhere", 4711, "1"))
        report = tick(heartbeat_of(state, task("Succeed"), rows=MemoryRows([row("Succeed")])))
        assert report.exit_code == 75
        (held,) = report.held
        assert (str(held.subject), "elsewhere pid 4711" in held.owner) == ("task Succeed", True)

    def test_a_run_of_a_dead_process_is_taken_over_at_once(self, state: StateStore) -> None:
        dead = replace(this_process(), started="1")
        self.claim_by(state, dead)
        with capture_logs() as logs:
            report = tick(heartbeat_of(state, task("Succeed"), rows=MemoryRows([row("Succeed", -10)])))
        assert report.exit_code == 0
        (run,) = ledger.recent(state)
        assert (run.state, run.attempts, run.due) == (RunState.DONE, 2, NOW)
        (lost,) = [entry for entry in logs if entry["event"] == "run_lost"]
        assert (lost["owner"], lost["name"]) == (str(dead), "Succeed")

    def test_a_run_whose_lease_expired_is_taken_over(self, state: StateStore) -> None:
        self.claim_by(state, Owner("elsewhere", 4711, "1"))
        with state.write() as connection:
            connection.execute(LEASE.update().values(expires=datetime(2020, 1, 1, tzinfo=UTC)))
        report = tick(heartbeat_of(state, task("Succeed"), rows=MemoryRows([row("Succeed", -10)])))
        assert (report.exit_code, len(report.runs)) == (0, 1)

    def test_a_run_that_killed_its_owners_is_given_up_and_the_next_date_counts(self, state: StateStore) -> None:
        dead = replace(this_process(), started="1")
        self.claim_by(state, dead)
        subject = Subject(SubjectKind.TASK, "Succeed")
        for _ in range(2):
            head = ledger.heads(state)[subject]
            assert ledger.take_over(state, head, owner=dead, now=NOW, lease_seconds=60, owner_is_dead=True)
        clock = FixedClock(NOW)
        heartbeat = heartbeat_of(state, task("Succeed"), rows=MemoryRows([row("Succeed", -10)]), clock=clock)
        with capture_logs() as logs:
            assert tick(heartbeat).runs == ()
        assert "run_given_up" in {entry["event"] for entry in logs}
        (run,) = ledger.recent(state)
        assert (run.state, run.error.startswith("given up: 3 processes died")) == (RunState.FAILED, True)
        clock.advance(10)
        assert len(tick(heartbeat).runs) == 1

    def test_a_row_that_another_run_has_taken_since_is_not_written_any_more(self, state: StateStore) -> None:
        clock = FixedClock(NOW)

        class LateRows(MemoryRows):
            """The end of the first run is written after another tick has done the second."""

            waiting = True

            def update(self, class_name: str, change: RowChange, *, started: datetime | None = None) -> None:
                if self.waiting and "total_exec_count" in change:
                    self.waiting = False
                    clock.advance(10)
                    other = threading.Thread(target=lambda: tick(heartbeat))
                    other.start()
                    other.join()
                super().update(class_name, change, started=started)

        rows = LateRows([row("Succeed")])
        heartbeat = heartbeat_of(state, task("Succeed"), rows=rows, clock=clock)
        tick(heartbeat)
        assert rows.one("Succeed").next_run_date == NOW + timedelta(seconds=20)
        clock.advance(1)
        assert tick(heartbeat).runs == ()
        assert len(ledger.recent(state)) == 2

    def test_two_ticks_at_once_run_each_date_once(self, state: StateStore) -> None:
        rows = MemoryRows([row(f"Succeed-{number}") for number in range(10)])
        tasks = [task(f"Succeed-{number}", 86400) for number in range(10)]
        heartbeats = [heartbeat_of(state, *tasks, rows=rows, owner=Owner(place, 1, "1")) for place in ("here", "there")]
        threads = [threading.Thread(target=tick, args=(heartbeat,)) for heartbeat in heartbeats]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [found.total_exec_count for found in rows.read()] == [1] * 10
        assert len(ledger.recent(state, 100)) == 10


def test_every_logged_event_is_documented(state: StateStore) -> None:
    with capture_logs() as logs:
        tick(heartbeat_of(state, task("Succeed"), task("Bug")))
    assert {"run_claimed", "run_started", "run_finished", "run_failed"} <= {entry["event"] for entry in logs}
    assert {entry["event"] for entry in logs} <= set(EVENTS)
    assert all(entry["run"] for entry in logs if entry["event"].startswith("run_"))


def test_the_events_in_the_code_are_those_documented() -> None:
    package = Path(__file__).parents[2] / "itopd" / "heartbeat"
    code = "".join(path.read_text() for path in package.rglob("*.py") if path.name != "events.py")
    assert [event for event in EVENTS if f'"{event}"' not in code] == []


def test_the_status_shows_tasks_jobs_runs_and_problems(state: StateStore) -> None:
    jobs = Jobs((job("Succeed-job"),), (BrokenJob("bad", Path("bad.params"), "bad.params:1: unknown service 'x'"),))
    heartbeat = heartbeat_of(state, task("Bug"), load_jobs=lambda: jobs)
    before = status(heartbeat)
    assert (before.task_rows, before.running, before.last_runs) == ((), (), ())
    tick(heartbeat)
    ledger.claim(
        state,
        Subject(SubjectKind.TASK, "Bug"),
        due=NOW + timedelta(seconds=10),
        next_due=NOW,
        owner=this_process(),
        seen=ledger.heads(state)[Subject(SubjectKind.TASK, "Bug")],
        now=NOW,
        lease_seconds=60,
    )
    seen = status(heartbeat)
    assert [found.class_name for found in seen.task_rows] == ["Bug"]
    assert [(found.subject.name, found.standing.value) for found in seen.subjects] == [
        ("Bug", "running"),
        ("Succeed-job", "planned"),
        ("bad", "broken"),
    ]
    assert [(found.run.name, found.is_alive) for found in seen.running] == [("Bug", True)]
    text = status_text(seen, heartbeat.zone)
    assert "| Bug                       | active  | 2027-02-10 10:00:00 | 2027-02-10 10:00:10 |      1 |" in text
    assert "Succeed-job (export, every 5m): last 2027-02-10 10:00:00 done, next 2027-02-10 10:05:00" in text
    assert f"task Bug claimed: {this_process()} since" in text
    assert "failed ZeroDivisionError: boom <x>\n" in text
    assert text.endswith("Problems:\n  bad.params:1: unknown service 'x'\n")
