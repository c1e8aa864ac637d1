"""BackupExec: a backup of the database, then the oldest ones go (``spec/heartbeat.md`` §11)."""

from __future__ import annotations

from itopd.backups import BackupPlan, Pace, create_backup, retain
from itopd.backups.naming import SUFFIX
from itopd.clock import Clock
from itopd.database import Database


def backup_exec(database: Database, plan: BackupPlan, retention_count: int, clock: Clock, pace: Pace) -> str:
    """Make a backup; only then delete old ones until ``retention_count`` remain (0: keep all). Return iTop's message.

    Raises as :func:`itopd.backups.create_backup` and :func:`itopd.backups.retain`.
    """
    path = create_backup(database, plan, clock, pace)
    retain(plan.folder, retention_count, path)
    return f"Created the backup: {str(path).removesuffix(SUFFIX)}"
