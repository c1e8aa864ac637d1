"""Replays the heartbeat: weekly schedules, dates and rows, statistics, log rotation, the status table."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from itopd.clock import FixedClock, from_itop, to_itop
from itopd.errors import SettingsError
from itopd.heartbeat import (
    Control,
    Heartbeat,
    InlineExecutor,
    Jobs,
    Lane,
    RunOutcome,
    RunSpec,
    periodic_task,
    tick,
)
from itopd.heartbeat.log_rotation import Rotation, is_due, next_rotation, rotated_name
from itopd.heartbeat.table import by_class_name, status_table
from itopd.heartbeat.tasks import SHIPPED, statistics_after
from itopd.heartbeat.weekly import Weekly
from itopd.state import TaskRow, TaskStatus, open_state
from itopd.tasks.background_rows import BackgroundTaskRows
from tests.golden.harness import Difference, Vector, check_equal, instead, replays
from tests.support.sample import new_sqlite

_SCHEDULED_NOW = ("ExecAsyncTask", "GoneProcess")
"""Processes whose rows the heartbeat can judge today: the task that exists here, and one that exists nowhere."""
_BACKUP_TIME = "23:30"
"""The default time of ``BackupExec`` (``heartbeat.md`` §6)."""


@replays("cron", lambda vector: vector.name.startswith("weekly-"))
def replay_weekly(vector: Vector) -> None:
    """Plan the next occurrence of each case."""
    module, zone = vector.data["given"]["module"], ZoneInfo(vector.data["given"]["timezone"])
    for case in vector.data["expect"]["cases"]:
        what = f"{case['settings']} at {case['now']}"
        try:
            schedule = Weekly.of_settings(module, case["settings"], _BACKUP_TIME)
        except SettingsError as error:
            recorded = case.get("error")
            if recorded is None or not error.message.startswith(recorded):
                raise Difference(f"{what}: refused with {error.message}, recorded {case}") from error
            continue
        found = to_itop(schedule.occurrence(from_itop(case["now"], zone), zone), zone)
        check_equal(what, found, case.get("next", f"error {case.get('error')}"))


@replays("cron", lambda vector: vector.name.startswith("stats-"))
def replay_statistics(vector: Vector) -> None:
    """Count one run after the other."""
    given = vector.data["given"]["row"]
    row = TaskRow(
        "Any",
        total_exec_count=given["total_exec_count"],
        min_run_duration=Decimal(given["min_run_duration"]),
        max_run_duration=Decimal(given["max_run_duration"]),
        average_run_duration=Decimal(given["average_run_duration"]),
    )
    for number, expected in enumerate(vector.data["expect"]["after_each"], start=1):
        row = TaskRow("Any", **statistics_after(row, float(expected["duration"])))
        found = {
            "duration": expected["duration"],
            "total_exec_count": row.total_exec_count,
            "latest": str(row.latest_run_duration),
            "min": str(row.min_run_duration),
            "max": str(row.max_run_duration),
            "average": str(row.average_run_duration),
        }
        check_equal(f"after run {number}", found, expected)


@replays("cron", lambda vector: vector.name.startswith("logrotation-"))
def replay_log_rotation(vector: Vector) -> None:
    """Plan rotations and name the rotated files."""
    zone, file = ZoneInfo(vector.data["given"]["timezone"]), vector.data["given"]["file"]
    for case in vector.data["expect"]["next"]:
        found = next_rotation(Rotation.named(case["builder"]), from_itop(case["now"], zone), zone)
        check_equal(f"next of {case['builder']} at {case['now']}", to_itop(found, zone), case["next"])
    for case in vector.data["expect"]["rotate"]:
        rotation, modified = Rotation.named(case["builder"]), from_itop(case["last_modified"], zone)
        check_equal(f"rotate {case}", is_due(rotation, modified, from_itop(case["now"], zone), zone), case["rotate"])
        check_equal(f"name {case}", rotated_name(rotation, file, modified, zone), case["rotated_name"])


@replays("cron", lambda vector: vector.name.startswith("output-status-"))
def replay_status(vector: Vector) -> None:
    """Print the status table."""
    zone = ZoneInfo(vector.data["given"]["clock"]["timezone"])
    rows = [_row(given, zone) for given in vector.data["given"]["rows"]]
    check_equal("stdout", status_table(by_class_name(rows), zone), vector.data["expect"]["stdout"])


@replays("cron", lambda vector: vector.name.startswith("schedule-") and _is_scheduled_now(vector))
def replay_schedule(vector: Vector) -> None:
    """Tick once at the recorded instant and compare the row."""
    _compare_row(vector, vector.data["expect"]["row"])


@instead("cron/schedule-dst-autumn-first-pass")
def replay_repeated_hour(vector: Vector) -> None:
    """Elapsed time counts: two seconds after 02:59:58 of the first pass it is 02:00:00 again."""
    _compare_row(vector, vector.data["expect"]["row"] | {"next_run_date": "2027-10-31 02:00:00"})


def do_nothing(_spec: RunSpec, _control: Control) -> RunOutcome:
    """Stand for the work: these vectors are about dates and counters."""
    return RunOutcome(succeeded=True, exit_code=0)


def _is_scheduled_now(vector: Vector) -> bool:
    row = vector.data["given"].get("row") or {}
    # cron_max_execution_time is a setting of the cron service, which comes with its own command.
    return row.get("class_name") in _SCHEDULED_NOW and vector.data["given"]["settings"]["cron_max_execution_time"] > 0


def _compare_row(vector: Vector, expected: dict[str, Any]) -> None:
    given = vector.data["given"]
    zone = ZoneInfo(given["clock"]["timezone"])
    clock = FixedClock(datetime.fromisoformat(given["clock"]["utc"]).replace(tzinfo=UTC))
    task = periodic_task("ExecAsyncTask", 2, lambda _context: "")
    with TemporaryDirectory() as name, new_sqlite(Path(name)) as database:
        state = open_state(f"sqlite:///{name}/state.sqlite")
        rows = BackgroundTaskRows(database)
        others = SHIPPED - {given["row"]["class_name"]}
        rows.insert([TaskRow(other, status=TaskStatus.PAUSED) for other in sorted(others)])
        rows.insert([_row(given["row"], zone)])
        try:
            report = tick(
                Heartbeat(
                    state=state,
                    task_rows=rows,
                    tasks=(task,),
                    load_jobs=Jobs,
                    lanes={"tasks": Lane("tasks", InlineExecutor(f"{__name__}:do_nothing"))},
                    clock=clock,
                    zone=zone,
                    log=structlog.wrap_logger(None, processors=[_silent]),
                )
            )
        finally:
            state.close()
        found = next(row for row in rows.read() if row.class_name == given["row"]["class_name"])
    check_equal("exit code", report.exit_code, vector.data["expect"]["exit_code"])
    check_equal("executed", bool(report.runs), vector.data["expect"]["executed"])
    check_equal("row", _recorded(found, zone), expected)


def _silent(_logger: object, _name: str, _event: structlog.typing.EventDict) -> structlog.typing.ProcessorReturnValue:
    raise structlog.DropEvent


def _recorded(row: TaskRow, zone: ZoneInfo) -> dict[str, Any]:
    """Return a row as the vectors write it."""
    dates = {
        column: to_itop(instant, zone) if instant is not None else None
        for column, instant in (
            ("first_run_date", row.first_run_date),
            ("latest_run_date", row.latest_run_date),
            ("next_run_date", row.next_run_date),
        )
    }
    return {
        "class_name": row.class_name,
        "status": row.status.value,
        **dates,
        "total_exec_count": row.total_exec_count,
        "running": int(row.running),
    }


def _row(given: dict[str, Any], zone: ZoneInfo) -> TaskRow:
    def instant(column: str) -> datetime | None:
        return from_itop(given[column], zone) if given.get(column) else None

    return TaskRow(
        given["class_name"],
        latest_run_date=instant("latest_run_date"),
        next_run_date=instant("next_run_date"),
        total_exec_count=given.get("total_exec_count", 0),
        average_run_duration=Decimal(given.get("average_run_duration", "0.000")),
        status=TaskStatus(given.get("status", "active")),
        running=bool(given.get("running", 0)),
    )
