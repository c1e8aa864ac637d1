"""InlineImageGC: removes drafts of pictures and attachments that nobody saved (``spec/heartbeat.md`` §8)."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog

from itopd.clock import from_itop
from itopd.tasks.work import BATCH, Work, batches

CLASSES = ("InlineImage", "Attachment")
_PATIENCE = timedelta(minutes=1)
"""How long a new draft may go unnoticed: it lives for a day."""

_log = structlog.get_logger(__name__)


def inline_image_gc(work: Work) -> str:
    """Delete what belongs to no object and has expired, first what expired first; return iTop's message.

    iTop deletes one of each class in a run, this deletes all until its time is over (§12).
    """
    images, attachments = (_clean(work, cls) for cls in CLASSES)
    return f"Cleaned {images} old temporary InlineImage(s) and {attachments} old temporary Attachment(s)."


def next_expiry(work: Work) -> datetime:
    """Return when there may be something to delete: one statement for each class."""
    soonest = work.clock.now() + _PATIENCE
    for cls in CLASSES:
        if cls not in work.database.model:
            continue
        table = work.database.table(cls)
        first = sa.select(sa.func.min(table.c.expire)).where(table.c.item_id == 0)
        with work.database.look() as connection:
            expire: str | None = connection.execute(first).scalar()
        if expire is not None:
            soonest = min(soonest, from_itop(expire, work.database.timezone) + timedelta(seconds=1))
    return soonest


def _clean(work: Work, cls: str) -> int:
    if cls not in work.database.model:  # attachments are a module of iTop, which may not be installed
        return 0
    table = work.database.table(cls)
    expired = (table.c.item_id == 0) & (table.c.expire < work.now)
    oldest = sa.select(table.c.id).where(expired).order_by(table.c.expire, table.c.id).limit(BATCH)

    def look() -> list[int]:
        with work.database.read() as connection:
            return list(connection.execute(oldest).scalars())

    cleaned = 0
    for batch in batches(work, look):
        with work.database.write() as connection:
            # Somebody may have saved the form since we looked: what belongs to an object now stays.
            cleaned += connection.execute(table.delete().where(table.c.id.in_(batch), expired)).rowcount
        _log.info("drafts_deleted", cls=cls, ids=batch)
    return cleaned
