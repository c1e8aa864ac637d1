"""The names of iTop's processes: the classes that ``priv_backgroundtask`` knows them by (``spec/heartbeat.md`` §8)."""

from typing import Final

EXEC_ASYNC_TASK: Final = "ExecAsyncTask"
CHECK_STOP_WATCH_THRESHOLDS: Final = "CheckStopWatchThresholds"
OBSOLESCENCE_DATE_UPDATER: Final = "ObsolescenceDateUpdater"
BULK_EXPORT_RESULT_GC: Final = "BulkExportResultGC"
INLINE_IMAGE_GC: Final = "InlineImageGC"
TEMPORARY_OBJECT_GC: Final = r"Combodo\iTop\Service\TemporaryObjects\TemporaryObjectGC"
EVENT_NOTIFICATION_NEWSROOM_GC: Final = r"Combodo\iTop\Service\Notification\Event\EventNotificationNewsroomGC"
LOG_FILE_ROTATION: Final = "LogFileRotationProcess"
BACKUP_EXEC: Final = "BackupExec"
