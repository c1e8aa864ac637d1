"""Backups of a database, and their way back: dump, archive, check, load (``spec/heartbeat.md`` §11)."""

from itopd.backups.archive import Member, read_archive
from itopd.backups.backup import BackupPlan, create_backup
from itopd.backups.dumping import Programs
from itopd.backups.manifest import MANIFEST, Manifest
from itopd.backups.naming import retain
from itopd.backups.restore import RestorePlan, restore_backup
from itopd.backups.stopping import Pace

__all__ = [
    "MANIFEST",
    "BackupPlan",
    "Manifest",
    "Member",
    "Pace",
    "Programs",
    "RestorePlan",
    "create_backup",
    "read_archive",
    "restore_backup",
    "retain",
]
