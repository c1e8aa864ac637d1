"""The rows of a whole database, and what changed between two moments."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import compress
from typing import Any

import sqlalchemy as sa

from itopd.database import Database
from itopd.datamodel import Model

Row = dict[str, Any]
Tables = dict[str, dict[int, Row]]
"""Table -> id -> row without its id; dates are text, decimals ``Decimal``, files bytes."""


def dump_tables(database: Database) -> Tables:
    """Return all rows of all tables of the model, by table name in lower case and id."""
    known = _tables_of(database)
    tables: Tables = {name: {} for name in known}
    quoted = database.engine.dialect.identifier_preparer.quote
    are_filled = ", ".join(f"EXISTS (SELECT 1 FROM {quoted(table.name)})" for table in known.values())
    with database.read() as connection:
        filled = connection.exec_driver_sql(f"SELECT {are_filled}").one()
        for name, table in compress(known.items(), filled):
            key = next(iter(table.primary_key))
            rows = connection.execute(table.select().order_by(key)).mappings()
            tables[name] = {
                row[key.name]: {column: value for column, value in row.items() if column != key.name} for row in rows
            }
    return tables


_known: dict[tuple[Model, str], dict[str, sa.Table]] = {}


def _tables_of(database: Database) -> dict[str, sa.Table]:
    """Return the tables by their name in lower case; made once for all databases of the same model and prefix."""
    if (database.model, database.prefix) not in _known:
        _known[database.model, database.prefix] = {
            cls.table.lower(): database.table(cls.name) for cls in database.model.values() if cls.table
        }
    return _known[database.model, database.prefix]


@dataclass
class TableDifference:
    """What changed in one table."""

    inserted: dict[int, Row] = field(default_factory=dict)
    deleted: dict[int, Row] = field(default_factory=dict)
    updated: dict[int, dict[str, tuple[Any, Any]]] = field(default_factory=dict)
    """Id -> column -> (before, after), changed columns only."""


def diff_dumps(before: Tables, after: Tables) -> dict[str, TableDifference]:
    """Return what changed, for the tables in which something did."""
    differences: dict[str, TableDifference] = {}
    for table in sorted(before.keys() | after.keys()):
        old, new = before.get(table, {}), after.get(table, {})
        if old == new:
            continue
        differences[table] = TableDifference(
            inserted={row_id: row for row_id, row in new.items() if row_id not in old},
            deleted={row_id: row for row_id, row in old.items() if row_id not in new},
            updated={
                row_id: {c: (old[row_id][c], value) for c, value in row.items() if old[row_id][c] != value}
                for row_id, row in new.items()
                if row_id in old and old[row_id] != row
            },
        )
    return differences
