"""A few objects that exist, to show beside a value that matches none (``spec/import.md`` §7.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from itopd.attributes import TEXT_KINDS, bind
from itopd.database import Database
from itopd.datamodel import Class
from itopd.imports.header import ID
from itopd.objects import fetch, is_filtered, is_stored, reading, visible_ids
from itopd.oql import Reader

SHOWN: Final = 3


def some_objects(
    database: Database, connection: sa.Connection, cls: Class, codes: Sequence[str], reader: Reader
) -> str:
    """Return the values of ``codes`` of the first three objects that a reader sees, in their class's default order.

    Values of one object are joined by blanks; ``...`` tells that there are more objects. Two statements, one more for
    friendly names.
    """
    order = _order(cls)
    plan = reading(database, cls, [code for code, _ in order])
    columns = {part.code: plan.select.selected_columns.values()[part.start] for part in plan.slices}
    by: list[sa.ColumnElement[Any]] = []
    for code, ascending in order:
        text = bind(cls.attributes[code]).columns[0].kind in TEXT_KINDS
        column = database.key(columns[code]) if text else columns[code]
        by.append(database.order(column, ascending=ascending))
    select = plan.select
    if is_filtered(database, cls.name, reader):
        select = select.where(plan.key.in_(visible_ids(database, cls.name, reader)))
    found = connection.execute(select.order_by(*by, plan.key).limit(SHOWN + 1)).all()
    ids = [row[0] for row in found[:SHOWN]]
    records = fetch(database, connection, cls.name, ids, codes)
    shown = [" ".join(_text(cls, code, records[id_].values[code]) for code in codes) for id_ in ids if id_ in records]
    return ", ".join(shown) + ("..." if len(found) > SHOWN else "")


def hides_some(database: Database, connection: sa.Connection, cls: Class, reader: Reader) -> bool:
    """Return whether there are objects of a class that a reader does not see; one statement at most."""
    if not is_filtered(database, cls.name, reader):
        return False
    plan = reading(database, cls, ())
    hidden = plan.select.where(plan.key.not_in(visible_ids(database, cls.name, reader)))
    return connection.execute(hidden.limit(1)).first() is not None


def _order(cls: Class) -> list[tuple[str, bool]]:
    """Return the stored attributes that the class is ordered by; a name stands for what it is made of."""
    order: list[tuple[str, bool]] = []
    for code, ascending in cls.order_by:
        parts = cls.name_attributes if code == "friendlyname" else (code,)
        order += [(part, ascending) for part in parts if part in cls.attributes and is_stored(cls, part)]
    return order


def _text(cls: Class, code: str, value: Any) -> str:  # noqa: ANN401 - of the attribute's type
    if code == ID or code not in cls.attributes:
        return str(value)
    return bind(cls.attributes[code]).to_text(value)
