"""Tasks and their rows: synchronisation, statistics, the table."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itopd.heartbeat import Periodic, Task, Weekly, periodic_task, status_table, weekly_task
from itopd.heartbeat.schedules.wall_clock import parked
from itopd.heartbeat.tasks import SHIPPED, statistics_after, synchronise
from itopd.state import TaskRow, TaskStatus
from tests.heartbeat.support import NOW, PARIS, not_called

MAIL = Task("ExecAsyncTask", Periodic(2), not_called)
BACKUP = Task("BackupExec", Weekly.of_settings("itop-backup", {"time": "21:00"}, "23:30"), not_called)


class TestSynchronisation:
    def test_a_new_periodic_task_is_due_now_and_a_scheduled_one_at_its_occurrence(self) -> None:
        created = synchronise([MAIL, BACKUP], [], NOW, PARIS, whole_table=True).created
        assert [(row.class_name, row.next_run_date) for row in created] == [
            ("ExecAsyncTask", NOW),
            ("BackupExec", NOW + timedelta(hours=11)),
        ]
        assert created[0].min_run_duration == Decimal("99999.999")

    def test_a_parked_scheduled_row_is_planned_again(self) -> None:
        rows = [TaskRow("BackupExec", next_run_date=parked(PARIS))]
        changed = synchronise([BACKUP], rows, NOW, PARIS, whole_table=True).changed
        assert changed == (("BackupExec", {"next_run_date": NOW + timedelta(hours=11)}),)

    def test_a_planned_row_is_left_as_it_is(self) -> None:
        rows = [TaskRow("BackupExec", next_run_date=NOW), TaskRow("ExecAsyncTask", status=TaskStatus.PAUSED)]
        assert synchronise([BACKUP, MAIL], rows, NOW, PARIS, whole_table=True).changed == ()

    def test_a_removed_row_comes_back_and_an_unknown_class_is_removed_even_when_paused(self) -> None:
        rows = [
            TaskRow("ExecAsyncTask", status=TaskStatus.REMOVED),
            TaskRow("GoneProcess", status=TaskStatus.PAUSED),
            TaskRow("CheckStopWatchThresholds", status=TaskStatus.PAUSED),
        ]
        assert "CheckStopWatchThresholds" in SHIPPED
        changed = synchronise([MAIL], rows, NOW, PARIS, whole_table=True).changed
        assert changed == (
            ("ExecAsyncTask", {"status": TaskStatus.ACTIVE}),
            ("GoneProcess", {"status": TaskStatus.REMOVED}),
        )

    def test_attached_only_dates_of_rows_taken_over_are_touched(self) -> None:
        rows = [
            TaskRow("BackupExec", next_run_date=parked(PARIS), status=TaskStatus.PAUSED),
            TaskRow("Vendor\\Process", next_run_date=NOW),
        ]
        found = synchronise([BACKUP, MAIL], rows, NOW, PARIS, whole_table=False)
        assert found.created == ()
        assert found.changed == (("BackupExec", {"next_run_date": NOW + timedelta(hours=11)}),)


class TestStatistics:
    @given(st.lists(st.floats(0, 1e6), min_size=1, max_size=20))
    def test_counters_stay_within_their_columns(self, durations: list[float]) -> None:
        row = TaskRow("Any")
        for seconds in durations:
            row = TaskRow("Any", **statistics_after(row, seconds))
        held = (row.min_run_duration, row.average_run_duration, row.max_run_duration)
        assert row.total_exec_count == len(durations)
        assert all(Decimal(0) <= value <= Decimal("99999.999") and value.as_tuple().exponent == -3 for value in held)
        assert row.min_run_duration <= row.max_run_duration

    def test_a_clock_that_went_back_counts_as_nothing(self) -> None:
        assert statistics_after(TaskRow("Any"), -1.0)["latest_run_duration"] == Decimal("0.000")


def test_a_wrong_setting_disables_only_its_own_task() -> None:
    task = weekly_task("BackupExec", "itop-backup", {"week_days": "lundi"}, not_called, default_time="23:30")
    assert task.schedule is None
    assert "itop-backup: wrong format for setting 'week_days' (found 'lundi')" in task.problem
    assert periodic_task("ObsolescenceDateUpdater", 0, not_called).problem.startswith(
        "ObsolescenceDateUpdater: a period"
    )


@pytest.mark.parametrize("count", [1, 1234567])
def test_the_table_overflows_without_cutting_except_the_class(count: int) -> None:
    row = TaskRow("A" * 30, total_exec_count=count, average_run_duration=Decimal("12345.678"), next_run_date=NOW)
    line = status_table([row], PARIS).splitlines()[3]
    assert line == f"| {'A' * 25} | active  |                     | 2027-02-10 10:00:00 | {count:>6} | 12345.678 s |"
