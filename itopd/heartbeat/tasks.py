"""Background tasks: what they are, and how their rows follow them (``spec/heartbeat.md`` §3 and §4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

from itopd.errors import SettingsError
from itopd.heartbeat.executing.runs import Control, RunOutcome, RunSpec
from itopd.heartbeat.schedules.schedule import Periodic, Schedule
from itopd.heartbeat.schedules.wall_clock import parked
from itopd.heartbeat.schedules.weekly import Weekly
from itopd.state import RowChange, TaskRow, TaskStatus

SHIPPED = frozenset(
    {
        "ExecAsyncTask",
        "CheckStopWatchThresholds",
        "ObsolescenceDateUpdater",
        "BulkExportResultGC",
        "InlineImageGC",
        r"Combodo\iTop\Service\TemporaryObjects\TemporaryObjectGC",
        r"Combodo\iTop\Service\Notification\Event\EventNotificationNewsroomGC",
        r"Combodo\iTop\SessionTracker\SessionGC",
        "LogFileRotationProcess",
        "BackupExec",
    }
)
"""iTop's own processes (§8): their rows stay as they are even where no such task runs here."""


@dataclass(frozen=True, slots=True)
class TaskContext:
    """What a task is handed when it runs. Everything else it needs, ``wiring`` binds into its function."""

    run_id: str
    name: str
    until: datetime
    """Soft limit, UTC: a task finishes its present item and returns when this passes."""
    should_stop: Callable[[], bool]
    """Asked between items: the daemon stops, or the limit has passed."""
    progress: Callable[[int, int | None, str], None]
    """Told how many of how many (``None``: unknown) units are done."""


Waiting = Callable[[], bool | datetime]
"""Whether a task has anything to do: ``True``; ``False`` not now; an instant (UTC): nothing is known to come before it,
and one that has passed means now. One or two cheap statements, nothing written; called in the daemon's process, from
any of its threads. A database that is away may raise. The answer may be out of date a moment later: the task itself
looks again."""


@dataclass(frozen=True, slots=True)
class Task:
    """One background process, by the name of its class in iTop."""

    name: str
    schedule: Schedule | None
    """``None`` when its settings are wrong: then ``problem`` says what, and only this task does not run."""
    run: Callable[[TaskContext], str]
    """Does the work in a child process; returns the message. Raising an error means that the run failed."""
    lane: str = "tasks"
    max_seconds: float | None = None
    """Soft limit of one run; ``None``: its lane's."""
    own: bool = False
    """itopd's own task: its row is in ``itopd_task``, since iTop would mark a class it does not know removed."""
    problem: str = ""
    waiting: Waiting | None = None
    """The daemon asks before it makes a run, and makes none while nothing waits (:mod:`itopd.heartbeat.daemon.quiet`).
    ``None``, and everywhere but in the daemon: it runs whenever it is due."""


def periodic_task(
    name: str,
    seconds: int,
    run: Callable[[TaskContext], str],
    *,
    lane: str = "tasks",
    max_seconds: float | None = None,
    waiting: Waiting | None = None,
) -> Task:
    """Return a task that runs every ``seconds``; a wrong period disables only this task."""
    try:
        return Task(name, Periodic(seconds), run, lane, max_seconds, waiting=waiting)
    except SettingsError as error:
        return Task(name, None, run, lane, max_seconds, problem=f"{name}: {error.message}", waiting=waiting)


def weekly_task(
    name: str,
    module: str,
    settings: Mapping[str, object],
    run: Callable[[TaskContext], str],
    *,
    default_time: str,
    lane: str = "tasks",
) -> Task:
    """Return a scheduled task with the three weekly settings of a module; wrong ones disable only this task."""
    try:
        return Task(name, Weekly.of_settings(module, settings, default_time), run, lane)
    except SettingsError as error:
        return Task(name, None, run, lane, problem=error.message)


def perform(task: Task, spec: RunSpec, control: Control) -> RunOutcome:
    """Run a task inside its child process: what the child entry of ``wiring`` calls."""
    context = TaskContext(spec.run_id, spec.name, spec.until, control.should_stop, control.progress)
    return RunOutcome(succeeded=True, exit_code=0, message=task.run(context))


def scheduled_task(
    name: str, schedule: Callable[[], Schedule], run: Callable[[TaskContext], str], *, lane: str = "tasks"
) -> Task:
    """Return a task with the schedule that its settings give; wrong ones disable only this task."""
    try:
        return Task(name, schedule(), run, lane)
    except SettingsError as error:
        return Task(name, None, run, lane, problem=f"{name}: {error.message}")


_LONGEST = Decimal("99999.999")


def statistics_after(row: TaskRow, seconds: float) -> RowChange:
    """Return the counters after one more run (failed ones count too): iTop's arithmetic, three decimals each time.

    A duration beyond what the columns hold is clamped: statistics never fail the work.
    """
    duration = min(Decimal(repr(max(seconds, 0.0))), _LONGEST)
    count = row.total_exec_count
    return {
        "total_exec_count": count + 1,
        "latest_run_duration": _milliseconds(duration),
        "min_run_duration": _milliseconds(min(duration, row.min_run_duration)),
        "max_run_duration": _milliseconds(max(duration, row.max_run_duration)),
        "average_run_duration": _milliseconds((row.average_run_duration * count + duration) / (count + 1)),
    }


@dataclass(frozen=True, slots=True)
class Synchronisation:
    """What brings the rows in line with the declared tasks."""

    created: tuple[TaskRow, ...] = ()
    changed: tuple[tuple[str, RowChange], ...] = ()
    """Class name, and the columns to write."""


def synchronise(
    tasks: Sequence[Task], rows: Sequence[TaskRow], now: datetime, zone: ZoneInfo, *, whole_table: bool
) -> Synchronisation:
    """Return what must change so that every declared task has its row (§4).

    ``whole_table``: stand-alone, all three rules hold for all rows. Attached, ``tasks`` are those taken over from
    iTop; other rows, and the status of all rows, belong to iTop.
    """
    by_name = first_by_name(rows)
    created = []
    changed: list[tuple[str, RowChange]] = []
    for task in tasks:
        row = by_name.get(task.name)
        if task.schedule is None:
            continue
        if row is None:
            if not whole_table:  # iTop makes its rows itself; the hand-over pauses them
                continue
            created.append(
                TaskRow(task.name, next_run_date=task.schedule.first(now, zone), schedule=task.schedule.text)
            )
            continue
        change = _revived(task.schedule, row, now, zone, whole_table=whole_table)
        if change:
            changed.append((task.name, change))
    if whole_table:
        declared = {task.name for task in tasks}
        changed += [
            (name, {"status": TaskStatus.REMOVED})
            for name, row in by_name.items()
            if name not in declared | SHIPPED and row.status != TaskStatus.REMOVED
        ]
    return Synchronisation(tuple(created), tuple(changed))


def first_by_name(rows: Iterable[TaskRow]) -> dict[str, TaskRow]:
    """Return rows by class name; of duplicates, which iTop can make, the first counts."""
    by_name: dict[str, TaskRow] = {}
    for row in rows:
        by_name.setdefault(row.class_name, row)
    return by_name


def _revived(schedule: Schedule, row: TaskRow, now: datetime, zone: ZoneInfo, *, whole_table: bool) -> RowChange:
    """Return the change that plans a parked row again and activates a removed one."""
    change: RowChange = {}
    if row.next_run_date == parked(zone) and not isinstance(schedule, Periodic):
        planned = schedule.first(now, zone)
        if planned != row.next_run_date:
            change["next_run_date"] = planned
    if whole_table and row.status == TaskStatus.REMOVED:
        change["status"] = TaskStatus.ACTIVE
    return change


def _milliseconds(seconds: Decimal) -> Decimal:
    return seconds.quantize(Decimal("0.001"), ROUND_HALF_UP)
