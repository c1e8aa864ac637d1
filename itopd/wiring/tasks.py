"""The background tasks that exist here: name, schedule, lane, and the function with all that it needs bound to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from itopd.access import account_of
from itopd.backups import Pace
from itopd.database import Database
from itopd.heartbeat import Parked, Schedule, Task, TaskContext, periodic_task, scheduled_task, weekly_task
from itopd.settings import Settings
from itopd.state import StateStore
from itopd.tasks import (
    Effects,
    LogFiles,
    Rotating,
    Rotation,
    Work,
    bulk_export_result_gc,
    check_stop_watch_thresholds,
    event_notification_newsroom_gc,
    exec_async_task,
    inline_image_gc,
    log_file_rotation,
    names,
    obsolescence_date_updater,
    temporary_object_gc,
)
from itopd.wiring import needs
from itopd.wiring.application import Application, open_application, writer_of
from itopd.wiring.backups import WEEKLY, back_up
from itopd.wiring.config_files import config_files
from itopd.wiring.guard import require_adopted
from itopd.wiring.maintenance import is_attached
from itopd.wiring.own_state import open_own_state

EFFECTS: Final = Effects()
"""What thresholds of stop watches set off: nothing yet, so those with actions wait."""

_NOT_BESIDE_ITOP: Final = frozenset({names.CHECK_STOP_WATCH_THRESHOLDS, names.TEMPORARY_OBJECT_GC})
"""Processes that stay with an attached iTop: itopd does not apply stimuli, activate triggers on thresholds, or delete
objects together with what depends on them. Stand-alone, what they cannot do waits, and is reported."""

UNASKED_WITH_ITOP: Final = frozenset({names.BACKUP_EXEC})
"""Processes that stay with an attached iTop until somebody takes them over by name: it makes backups of its own."""

_NEEDS_ROOT: Final = frozenset({names.BULK_EXPORT_RESULT_GC, names.LOG_FILE_ROTATION})
"""Processes that work on files below the root folder of an attached iTop."""

_BACKUP_SECONDS: Final = 6 * 3600
_BACKUP_WAITS_SECONDS: Final = 3600
"""How long a backup waits while another one, or a restore, is at work: iTop's own waits as long (§7)."""

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
    needs.require(database.model, "processes")
    return tuple(_unable(task, database) for task in tasks)


def _all_tasks(settings: Settings) -> tuple[Task, ...]:
    def task(name: str, seconds: int, work: Callable[[Settings, TaskContext], str], lane: str = "tasks") -> Task:
        return periodic_task(name, seconds, partial(work, settings), lane=lane)

    return (
        task(names.CHECK_STOP_WATCH_THRESHOLDS, 10, _check_stop_watch_thresholds),
        scheduled_task(names.LOG_FILE_ROTATION, partial(_rotating, settings), partial(_log_file_rotation, settings)),
        task(names.EXEC_ASYNC_TASK, 2, _exec_async_task, lane="mail"),
        task(names.OBSOLESCENCE_DATE_UPDATER, settings.obsolescence_date_update_interval, _obsolescence_date_updater),
        task(names.BULK_EXPORT_RESULT_GC, 86_400, _bulk_export_result_gc),
        task(names.INLINE_IMAGE_GC, 1, _inline_image_gc),
        task(names.EVENT_NOTIFICATION_NEWSROOM_GC, 86_400, _event_notification_newsroom_gc),
        task(names.TEMPORARY_OBJECT_GC, settings.temporary_object_garbage_interval, _temporary_object_gc),
        _backup_task(settings),
    )


def _backup_task(settings: Settings) -> Task:
    weekly = {name: getattr(settings, setting) for name, setting in WEEKLY.items()}
    run = partial(_backup_exec, settings)
    task = weekly_task(names.BACKUP_EXEC, "itop-backup", weekly, run, default_time="23:30")
    return replace(task, max_seconds=_BACKUP_SECONDS)


def _unable(task: Task, database: Database) -> Task:
    lacking = needs.lacking(database.model, _PURPOSES[task.name]) if task.name in _PURPOSES else ""
    return replace(task, schedule=None, problem=f"{task.name}: {lacking}") if lacking else task


@contextmanager
def _opened(settings: Settings, context: TaskContext) -> Iterator[tuple[Application, StateStore, Work]]:
    """Give what a task works with, once it is known that it may."""
    with open_application(settings) as application, closing(open_own_state(settings, application)) as state:
        require_adopted(settings, application.database, state)
        with application.database.read() as connection:
            account = account_of(application.database, connection, settings.run_as)
        work = Work(
            context.name,
            application.database,
            application.clock,
            account.user_id,
            until=context.until,
            should_stop=context.should_stop,
        )
        yield application, state, work


def _exec_async_task(settings: Settings, context: TaskContext) -> str:
    with open_application(settings) as application, closing(open_own_state(settings, application)) as state:
        require_adopted(settings, application.database, state)
        return exec_async_task(
            application.database,
            state,
            settings,
            application.rules,
            application.clock,
            until=context.until,
            should_stop=context.should_stop,
        )


def _check_stop_watch_thresholds(settings: Settings, context: TaskContext) -> str:
    with _opened(settings, context) as (application, _, work):
        return check_stop_watch_thresholds(
            work, writer_of(application.database, application.rules, application.clock), Effects()
        )


def _obsolescence_date_updater(settings: Settings, context: TaskContext) -> str:
    with _opened(settings, context) as (_, _, work):
        return obsolescence_date_updater(work)


def _bulk_export_result_gc(settings: Settings, context: TaskContext) -> str:
    with _opened(settings, context) as (_, _, work):
        return bulk_export_result_gc(work, [settings.itop_root or settings.data_folder])


def _inline_image_gc(settings: Settings, context: TaskContext) -> str:
    with _opened(settings, context) as (_, _, work):
        return inline_image_gc(work)


def _event_notification_newsroom_gc(settings: Settings, context: TaskContext) -> str:
    with _opened(settings, context) as (_, _, work):
        return event_notification_newsroom_gc(work, settings.notifications_itop_read_notification_retention)


def _temporary_object_gc(settings: Settings, context: TaskContext) -> str:
    with _opened(settings, context) as (_, _, work):
        return temporary_object_gc(work)


def _backup_exec(settings: Settings, context: TaskContext) -> str:
    pace = Pace(context.should_stop, context.progress)
    with _opened(settings, context) as (application, _, _):
        return back_up(
            settings,
            config_files(),
            application.database,
            application.clock,
            pace,
            wait_seconds=_BACKUP_WAITS_SECONDS,
        )


def _rotating(settings: Settings) -> Schedule:
    rotation = Rotation.named(settings.log_filename_builder_impl)
    return Parked() if rotation is None else Rotating(rotation)


def _log_file_rotation(settings: Settings, context: TaskContext) -> str:
    rotation = Rotation.named(settings.log_filename_builder_impl)
    if rotation is None:  # somebody has planned the row by hand
        return ""
    keep = settings.log_purge_max_keep_days if settings.log_purge_enabled else None
    with _opened(settings, context) as (_, _, work):
        return log_file_rotation(work, LogFiles(_log_folder(settings), rotation, keep))


def _log_folder(settings: Settings) -> Path:
    return (settings.itop_root or settings.data_folder) / "log"
