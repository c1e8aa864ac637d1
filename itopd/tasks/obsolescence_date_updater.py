"""ObsolescenceDateUpdater: notes since when objects are obsolete (``spec/heartbeat.md`` §8).

Bulk SQL without history and triggers, as in iTop.
"""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from itopd.attributes import bind
from itopd.datamodel import Model
from itopd.oql import ColumnPath, compile_query, parse, resolve
from itopd.tasks.work import BATCH, Work, batches

_DATE = "obsolescence_date"
_FLAG = "obsolescence_flag"


def obsolescence_date_updater(work: Work) -> str:
    """Give objects that became obsolete the present day as date, and take it from those that are not; return a message.

    Its number of classes is always 0, as iTop's is.
    """
    put = cleared = 0
    for cls in hierarchies(work.database.model):
        put += _change(work, f"SELECT {cls} WHERE {_FLAG} = 1 AND ISNULL({_DATE}) AND id > :last", cls, work.now[:10])
        cleared += _change(work, f"SELECT {cls} WHERE {_FLAG} != 1 AND ISNULL({_DATE}) = 0 AND id > :last", cls, None)
    return f"Obsolescence date updated (classes: 0 ; set: {put} ; reset: {cleared})\n"


def hierarchies(model: Model) -> Iterator[str]:
    """Yield the classes that declare a date of obsolescence: with their subclasses, all that can be obsolete."""
    for cls in model.values():
        date = cls.attributes.get(_DATE)
        if date is not None and date.origin == cls.name and cls.table:
            yield cls.name


def _change(work: Work, query: str, cls: str, date: str | None) -> int:
    """Write ``date`` into the objects of a query, in the order of their ids; return how many."""
    database = work.database
    table, key = database.table(cls), database.model[cls].key_column
    column = bind(database.model[cls].attributes[_DATE]).columns[0].name
    resolved, last, changed = resolve(parse(query), database.model), 0, 0

    def look() -> list[int]:
        compiled = compile_query(
            resolved,
            database,
            columns=[ColumnPath(cls, "id")],
            arguments={"last": str(last)},
            now=work.now,
            order=False,
        )
        with database.read() as connection:
            by_id = compiled.select.order_by(sa.text("1")).limit(BATCH)
            return list(connection.execute(by_id).scalars())

    for batch in batches(work, look):
        last = batch[-1]
        with database.write() as connection:
            connection.execute(table.update().where(table.c[key].in_(batch)).values({column: date}))
        changed += len(batch)
    return changed
