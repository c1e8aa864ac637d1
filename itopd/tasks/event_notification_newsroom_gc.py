"""EventNotificationNewsroomGC: forgets news that were read long ago (``spec/heartbeat.md`` §8)."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from itopd.tasks.work import BATCH, Work, batches

CLASS = "EventNotificationNewsroom"


def event_notification_newsroom_gc(work: Work, retention_days: int) -> str:
    """Delete news read more than ``retention_days`` ago, with the rows of their parent classes; return ``1``.

    iTop asks the database for the time; here it is the one clock, in iTop's time zone (§12).
    """
    database = work.database
    table = database.table(CLASS)
    old = (table.c.read == "yes") & (table.c.read_date < work.ago(timedelta(days=retention_days)))
    first = sa.select(table.c.id).where(old).order_by(table.c.id).limit(BATCH)
    tables = [(database.table(part.name), part.key_column) for part in reversed(database.model.table_classes(CLASS))]

    def look() -> list[int]:
        with database.read() as connection:
            return list(connection.execute(first).scalars())

    for batch in batches(work, look):
        with database.write() as connection:
            for of_class, key in tables:
                connection.execute(of_class.delete().where(of_class.c[key].in_(batch)))
    return "1"
