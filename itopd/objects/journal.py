"""What the change history says of an object (``spec/objects.md`` §8)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from itopd.database import Database
from itopd.datamodel import Class

_HEAD: Final = "CMDBChangeOp"
_CHANGE: Final = "CMDBChange"


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that was done to an object."""

    id: int
    date: str
    """As stored: local time of iTop."""
    userinfo: str
    """Who, in the words of the writer."""
    origin: str
    kind: str
    """Class of the operation, without ``CMDBChangeOp``: ``Create``, ``SetAttributeScalar``, ..."""
    details: Mapping[str, Any]
    """What its tables hold: ``attcode``, ``oldvalue``, ``newvalue``, ``prevdata``, ``type``, ..."""


def journal(database: Database, connection: sa.Connection, cls: Class, id_: int, limit: int) -> list[Operation]:
    """Return the newest operations on an object of a final class, the newest first.

    One statement, and one for each kind of operation and table among them.
    """
    head, change = database.table(_HEAD), database.table(_CHANGE)
    columns = (head.c.id, head.c.optype, change.c.date, change.c.userinfo, change.c.origin)
    query = (
        sa.select(*columns)
        .select_from(head.outerjoin(change, change.c.id == head.c.changeid))
        .where(head.c.objclass.in_(cls.lineage), head.c.objkey == id_)
        .order_by(head.c.id.desc())
        .limit(limit)
    )
    rows = connection.execute(query).all()
    by_kind: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        by_kind[row.optype].append(row.id)
    details: dict[int, dict[str, Any]] = defaultdict(dict)
    for kind, ids in by_kind.items():
        for operation_id, part in _details(database, connection, kind, ids):
            details[operation_id] |= part
    return [
        Operation(
            *(row.id, row.date or "", row.userinfo or "", row.origin or ""),
            kind=row.optype.removeprefix(_HEAD),
            details=details[row.id],
        )
        for row in rows
    ]


def _details(
    database: Database, connection: sa.Connection, kind: str, ids: list[int]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield what the tables below the first hold of operations of one kind; nothing of a kind the model lacks."""
    if kind not in database.model:
        return
    for part in database.model.table_classes(kind):
        if part.name == _HEAD:
            continue
        table = database.table(part.name)
        key = table.c[part.key_column]
        for row in connection.execute(table.select().where(key.in_(ids))).mappings():
            found = {name: value for name, value in row.items() if name not in {part.key_column, "optype"}}
            yield row[part.key_column], found
