"""Which objects an account sees (``spec/oql.md`` §9): look-ups by id or value know nothing of rights by themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import sqlalchemy as sa

from itopd.database import Database
from itopd.objects.fetch import CHUNK
from itopd.objects.rows import chunks, reading
from itopd.oql import ColumnPath, Reader, compile_query, parse, resolve


def is_filtered(database: Database, cls: str, reader: Reader) -> bool:
    """Return whether some objects of a class may be invisible to a reader."""
    return any(True for _ in reader.rights(database.model.get_class(cls)))


def visible_ids(database: Database, cls: str, reader: Reader) -> sa.Select[tuple[int]]:
    """Return the select of the ids of all objects of a class that a reader sees, obsolete ones included."""
    query = resolve(parse(f"SELECT {cls} AS seen"), database.model)
    compiled = compile_query(
        query,
        database,
        columns=[ColumnPath("seen", "id")],
        arguments={},
        now="",  # no filter asks for the time
        reader=replace(reader, hide_obsolete=False),
        order=False,
    )
    return sa.select(compiled.select.subquery().c[0])


def seen(database: Database, connection: sa.Connection, cls: str, ids: Iterable[int], reader: Reader) -> frozenset[int]:
    """Return those of the ids that are objects of a class and visible; one statement per 1,000 ids."""
    plan = reading(database, database.model.get_class(cls), ())
    select = plan.select.with_only_columns(plan.key)
    if is_filtered(database, cls, reader):
        select = select.where(plan.key.in_(visible_ids(database, cls, reader)))
    found: set[int] = set()
    for chunk in chunks(dict.fromkeys(ids), CHUNK):
        found.update(connection.execute(select.where(plan.key.in_(chunk))).scalars())
    return frozenset(found)
