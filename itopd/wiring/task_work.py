"""What the background tasks do when they run: each opens what it needs and calls its module of :mod:`itopd.tasks`.

Only processes that run tasks import this: :mod:`itopd.wiring.tasks`, which says what tasks there are, does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from itopd.access import account_of
from itopd.backups import Pace
from itopd.behaviours import behaviours_of
from itopd.heartbeat import TaskContext
from itopd.settings import Settings
from itopd.state import StateStore
from itopd.tasks import names
from itopd.tasks.bulk_export_result_gc import bulk_export_result_gc
from itopd.tasks.check_stop_watch_thresholds import Effects, check_stop_watch_thresholds
from itopd.tasks.event_notification_newsroom_gc import event_notification_newsroom_gc
from itopd.tasks.exec_async_task import exec_async_task
from itopd.tasks.inline_image_gc import inline_image_gc
from itopd.tasks.log_file_rotation import LogFiles, log_file_rotation
from itopd.tasks.log_periods import Rotation
from itopd.tasks.obsolescence_date_updater import obsolescence_date_updater
from itopd.tasks.temporary_object_gc import temporary_object_gc
from itopd.tasks.work import Work
from itopd.wiring.application import Application, open_application, writer_of
from itopd.wiring.backups import back_up
from itopd.wiring.config_files import config_files
from itopd.wiring.guard import require_adopted
from itopd.wiring.own_state import open_own_state

EFFECTS: Final = Effects()
"""What thresholds of stop watches set off: nothing yet, so those with actions wait."""

_BACKUP_WAITS_SECONDS: Final = 3600
"""How long a backup waits while another one, or a restore, is at work: iTop's own waits as long (§7)."""


@contextmanager
def _opened(settings: Settings, context: TaskContext) -> Iterator[tuple[Application, StateStore, Work]]:
    """Give what a task works with, once it is known that it may."""
    with open_application(settings) as application, closing(open_own_state(settings, application.database)) as state:
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
    with open_application(settings) as application, closing(open_own_state(settings, application.database)) as state:
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
            work,
            writer_of(
                application.database,
                application.rules,
                application.clock,
                behaviours=behaviours_of(application.settings),
            ),
            EFFECTS,
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


def _log_file_rotation(settings: Settings, context: TaskContext) -> str:
    rotation = Rotation.named(settings.log_filename_builder_impl)
    if rotation is None:  # somebody has planned the row by hand
        return ""
    keep = settings.log_purge_max_keep_days if settings.log_purge_enabled else None
    with _opened(settings, context) as (_, _, work):
        return log_file_rotation(work, LogFiles(_log_folder(settings), rotation, keep))


def _log_folder(settings: Settings) -> Path:
    return (settings.itop_root or settings.data_folder) / "log"


WORK: Final[Mapping[str, Callable[[Settings, TaskContext], str]]] = {
    names.CHECK_STOP_WATCH_THRESHOLDS: _check_stop_watch_thresholds,
    names.LOG_FILE_ROTATION: _log_file_rotation,
    names.EXEC_ASYNC_TASK: _exec_async_task,
    names.OBSOLESCENCE_DATE_UPDATER: _obsolescence_date_updater,
    names.BULK_EXPORT_RESULT_GC: _bulk_export_result_gc,
    names.INLINE_IMAGE_GC: _inline_image_gc,
    names.EVENT_NOTIFICATION_NEWSROOM_GC: _event_notification_newsroom_gc,
    names.TEMPORARY_OBJECT_GC: _temporary_object_gc,
    names.BACKUP_EXEC: _backup_exec,
}
"""The work of each task by its name; returns the message that its row shows."""
