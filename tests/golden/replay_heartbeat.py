"""Replays what the heartbeat computes: weekly schedules, statistics, log rotation. Whole ones: ``replay_cron``."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from itopd.clock import from_itop, to_itop
from itopd.errors import SettingsError
from itopd.heartbeat.schedules.weekly import Weekly
from itopd.heartbeat.tasks import statistics_after
from itopd.state import TaskRow, TaskStatus
from itopd.tasks.log_periods import Rotation, is_due, next_rotation, rotated_name
from tests.golden.harness import Difference, Vector, check_equal, replays

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
        found = next_rotation(Rotation(case["builder"]), from_itop(case["now"], zone), zone)
        check_equal(f"next of {case['builder']} at {case['now']}", to_itop(found, zone), case["next"])
    for case in vector.data["expect"]["rotate"]:
        rotation, modified = Rotation(case["builder"]), from_itop(case["last_modified"], zone)
        check_equal(f"rotate {case}", is_due(rotation, modified, from_itop(case["now"], zone), zone), case["rotate"])
        check_equal(f"name {case}", rotated_name(rotation, file, modified, zone), case["rotated_name"])


def silent(_logger: object, _name: str, _event: structlog.typing.EventDict) -> structlog.typing.ProcessorReturnValue:
    raise structlog.DropEvent


def recorded(row: TaskRow, zone: ZoneInfo) -> dict[str, Any]:
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


def row_of(given: dict[str, Any], zone: ZoneInfo) -> TaskRow:
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
