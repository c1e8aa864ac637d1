"""The background tasks that exist here: name, schedule, lane, and the function with all that it needs bound to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final

from itopd.clock import Clock
from itopd.database import Database
from itopd.deferred import deferred, find
from itopd.heartbeat import Parked, Schedule, Task, TaskContext, Waiting, periodic_task, scheduled_task, weekly_task
from itopd.settings import Settings
from itopd.state import StateStore
from itopd.tasks import names
from itopd.tasks.log_periods import Rotating, Rotation
from itopd.wiring import needs
from itopd.wiring.maintenance import is_attached

_NOT_BESIDE_ITOP: Final = frozenset({names.CHECK_STOP_WATCH_THRESHOLDS, names.TEMPORARY_OBJECT_GC})
"""Processes that stay with an attached iTop: itopd does not apply stimuli, activate triggers on thresholds, or delete
objects together with what depends on them. Stand-alone, what they cannot do waits, and is reported."""

UNASKED_WITH_ITOP: Final = frozenset({names.BACKUP_EXEC})
"""Processes that stay with an attached iTop until somebody takes them over by name: it makes backups of its own."""

_NEEDS_ROOT: Final = frozenset({names.BULK_EXPORT_RESULT_GC, names.LOG_FILE_ROTATION})
"""Processes that work on files below the root folder of an attached iTop."""

_CAN_TELL: Final = frozenset(
    {names.EXEC_ASYNC_TASK, names.INLINE_IMAGE_GC, names.TEMPORARY_OBJECT_GC, names.CHECK_STOP_WATCH_THRESHOLDS}
)
_QUESTION_OF: Final = "itopd.wiring.waiting:question_of"

_BACKUP_SECONDS: Final = 6 * 3600
_BACKUP_WEEKLY: Final = {
    "enabled": "itop_backup_enabled", "week_days": "itop_backup_week_days", "time": "itop_backup_time"
}  # fmt: skip
"""iTop's names of the three settings of the schedule, and those of :class:`Settings`."""

_PURPOSES: Final[Mapping[str, needs.Purpose]] = {
    names.EXEC_ASYNC_TASK: "mails",
    names.INLINE_IMAGE_GC: "drafts",
    names.BULK_EXPORT_RESULT_GC: "export results",
    names.EVENT_NOTIFICATION_NEWSROOM_GC: "news",
    names.TEMPORARY_OBJECT_GC: "temporary objects",
}


def tasks_of(settings: Settings) -> tuple[Task, ...]:
    """Return the background tasks that exist here; each opens what it needs when it runs.

    Attached, these are the processes that itopd can take over from iTop.
    """
    tasks = _all_tasks(settings)
    if not is_attached(settings):
        return tasks
    left = _NOT_BESIDE_ITOP if settings.itop_root else _NOT_BESIDE_ITOP | _NEEDS_ROOT
    return tuple(task for task in tasks if task.name not in left)


def able(tasks: Sequence[Task], database: Database) -> tuple[Task, ...]:
    """Return the tasks; those that miss something in the database carry the reason instead of a schedule."""
    needs.require_parts(database.model, "processes")
    return tuple(_unable(task, database) for task in tasks)


def with_waiting(tasks: Sequence[Task], database: Database, state: StateStore, clock: Clock) -> tuple[Task, ...]:
    """Return the tasks, those that can tell whether they have anything to do with their question."""
    return tuple(
        replace(task, waiting=_Question(partial(deferred(_QUESTION_OF), task.name, database, state, clock)))
        if task.name in _CAN_TELL and task.schedule is not None
        else task
        for task in tasks
    )


class _Question:
    """Whether a task has anything to do; what tells is made when it is first asked, which a tick never does."""

    def __init__(self, make: Callable[[], Waiting]) -> None:
        self._make = make
        self._ask: Waiting | None = None

    def __call__(self) -> bool | datetime:
        if self._ask is None:
            self._ask = self._make()
        return self._ask()


def _all_tasks(settings: Settings) -> tuple[Task, ...]:
    def task(name: str, seconds: int, lane: str = "tasks") -> Task:
        return periodic_task(name, seconds, _work(name, settings), lane=lane)

    return (
        task(names.CHECK_STOP_WATCH_THRESHOLDS, 10),
        scheduled_task(names.LOG_FILE_ROTATION, partial(_rotating, settings), _work(names.LOG_FILE_ROTATION, settings)),
        task(names.EXEC_ASYNC_TASK, 2, lane="mail"),
        task(names.OBSOLESCENCE_DATE_UPDATER, settings.obsolescence_date_update_interval),
        task(names.BULK_EXPORT_RESULT_GC, 86_400),
        task(names.INLINE_IMAGE_GC, 1),
        task(names.EVENT_NOTIFICATION_NEWSROOM_GC, 86_400),
        task(names.TEMPORARY_OBJECT_GC, settings.temporary_object_garbage_interval),
        _backup_task(settings),
    )


def _backup_task(settings: Settings) -> Task:
    weekly = {name: getattr(settings, setting) for name, setting in _BACKUP_WEEKLY.items()}
    work = _work(names.BACKUP_EXEC, settings)
    task = weekly_task(names.BACKUP_EXEC, "itop-backup", weekly, work, default_time="23:30")
    return replace(task, max_seconds=_BACKUP_SECONDS)


def _work(name: str, settings: Settings) -> Callable[[TaskContext], str]:
    def run(context: TaskContext) -> str:
        message: str = find("itopd.wiring.task_work:WORK")[name](settings, context)
        return message

    return run


def _unable(task: Task, database: Database) -> Task:
    lacking = needs.lacking(database.model, _PURPOSES[task.name]) if task.name in _PURPOSES else ""
    return replace(task, schedule=None, problem=f"{task.name}: {lacking}") if lacking else task


def _rotating(settings: Settings) -> Schedule:
    rotation = Rotation.named(settings.log_filename_builder_impl)
    return Parked() if rotation is None else Rotating(rotation)
