"""BulkExportResultGC: forgets the results of interactive exports after a day (``spec/heartbeat.md`` §8)."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa
import structlog

from itopd.tasks.work import BATCH, Work, batches

CLASS = "BulkExportResult"

_log = structlog.get_logger(__name__)


def bulk_export_result_gc(work: Work, folders: Sequence[Path]) -> str:
    """Delete results made more than 24 hours ago, oldest first, with their files; return iTop's message.

    Files are deleted below ``folders`` and the system's folder for temporary files only, where the first of
    ``folders`` is what a relative path starts at: what a row says is data. A file that is not there or cannot be
    deleted keeps nothing back.
    """
    table = work.database.table(CLASS)
    old = sa.select(table.c.id, table.c.temp_file_path).where(table.c.created < work.ago(timedelta(hours=24)))
    oldest = old.order_by(table.c.created, table.c.id).limit(BATCH)
    allowed = [folder.resolve() for folder in (*folders, Path(tempfile.gettempdir()))]

    def look() -> list[sa.Row[tuple[int, str | None]]]:
        with work.database.read() as connection:
            return list(connection.execute(oldest))

    cleaned = 0
    for batch in batches(work, look):
        for row in batch:
            if row.temp_file_path:
                _delete_file(Path(row.temp_file_path), allowed)
        with work.database.write() as connection:
            connection.execute(table.delete().where(table.c.id.in_([row.id for row in batch])))
        cleaned += len(batch)
    return f"Cleaned {cleaned} old export results(s)."


def _delete_file(path: Path, allowed: Sequence[Path]) -> None:
    target = (allowed[0] / path).resolve()
    if not any(target.is_relative_to(folder) for folder in allowed):
        _log.warning("export_file_kept", file=str(target), reason="it lies outside the folders of iTop and itopd")
        return
    try:
        target.unlink(missing_ok=True)
    except OSError as error:
        _log.warning("export_file_kept", file=str(target), reason=str(error))
