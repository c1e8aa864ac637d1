"""Saved queries: the entries of iTop's phrasebook, class ``QueryOQL``, and their use (``spec/export.md`` §1.2)."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from itopd.database import Database
from itopd.errors import SettingsError
from itopd.oql import ColumnPath, compile_query, parse, resolve

_CLASS = "QueryOQL"
_USE = ("export_count", "export_last_date", "export_last_user_id")


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
    by_id = isinstance(wanted, int) or (wanted.isascii() and wanted.isdigit())
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


def count_use(database: Database, connection: sa.Connection, entry: int, user: int, now: str) -> None:
    """Count one more use of a saved query, the last one by ``user`` at ``now`` (as iTop stores it).

    One update of the columns alone, as iTop does it: no change record, and no use is lost when two run at once. Columns
    that an older iTop lacks are left out.
    """
    cls = database.model[_CLASS]
    table = database.table(cls.root)
    columns = {code: table.c[cls.attributes[code].sql] for code in _USE if code in cls.attributes}
    values: dict[str, object] = {"export_last_date": now, "export_last_user_id": user}
    if "export_count" in columns:
        values["export_count"] = sa.func.coalesce(columns["export_count"], 0) + 1
    if columns:
        used = {column.name: values[code] for code, column in columns.items()}
        connection.execute(sa.update(table).where(table.c[cls.key_column] == entry).values(used))
