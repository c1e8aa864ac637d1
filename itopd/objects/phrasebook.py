"""Saved queries: the entries of iTop's phrasebook, class ``QueryOQL`` (``spec/export.md`` §1.2)."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from itopd.database import Database
from itopd.errors import SettingsError
from itopd.oql import ColumnPath, compile_query, parse, resolve

_CLASS = "QueryOQL"


@dataclass(frozen=True, slots=True)
class SavedQuery:
    """One entry."""

    id: int
    name: str
    oql: str
    fields: str
    """Columns to export, separated by commas; '' when the entry names none."""


def saved_query(database: Database, connection: sa.Connection, wanted: int | str) -> SavedQuery | None:
    """Return the saved query of this id or this name (as the database compares texts), or ``None``.

    Digits alone are an id. Raises :class:`SettingsError` for a name that several entries have.
    """
    by_id = isinstance(wanted, int) or wanted.isdigit()
    resolved = resolve(parse(f"SELECT {_CLASS} WHERE {'id' if by_id else 'name'} = :wanted"), database.model)
    compiled = compile_query(
        resolved,
        database,
        columns=[ColumnPath(_CLASS, path) for path in ("id", "name", "oql", "fields")],
        arguments={"wanted": int(wanted) if by_id else wanted},
        now="",
        limit=2,
    )
    found = [
        SavedQuery(*(column.decode(row) for column in compiled.columns)) for row in connection.execute(compiled.select)
    ]
    if len(found) > 1:
        ids = " and ".join(str(one.id) for one in found)
        raise SettingsError(f"several saved queries have the name '{wanted}', {ids} among them: give an id")
    return found[0] if found else None
