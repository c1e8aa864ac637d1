"""The background processes, one module each; ``wiring`` gives them their names, periods and lanes."""

from itopd.tasks.backup_exec import backup_exec
from itopd.tasks.bulk_export_result_gc import bulk_export_result_gc
from itopd.tasks.check_stop_watch_thresholds import Effects, Reached, check_stop_watch_thresholds, thresholds_wait
from itopd.tasks.event_notification_newsroom_gc import event_notification_newsroom_gc
from itopd.tasks.exec_async_task import exec_async_task
from itopd.tasks.inline_image_gc import inline_image_gc, next_expiry
from itopd.tasks.log_file_rotation import LogFiles, log_file_rotation
from itopd.tasks.log_periods import Rotating, Rotation
from itopd.tasks.obsolescence_date_updater import obsolescence_date_updater
from itopd.tasks.temporary_object_gc import temporary_object_gc, temporary_objects_wait
from itopd.tasks.work import Work

__all__ = [
    "Effects",
    "LogFiles",
    "Reached",
    "Rotating",
    "Rotation",
    "Work",
    "backup_exec",
    "bulk_export_result_gc",
    "check_stop_watch_thresholds",
    "event_notification_newsroom_gc",
    "exec_async_task",
    "inline_image_gc",
    "log_file_rotation",
    "next_expiry",
    "obsolescence_date_updater",
    "temporary_object_gc",
    "temporary_objects_wait",
    "thresholds_wait",
]
