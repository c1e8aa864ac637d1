"""The rows of a whole database, and what changed between two moments."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from itopd.database import Database

Row = dict[str, Any]
Tables = dict[str, dict[int, Row]]
"""Table -> id -> row without its id; dates are text, decimals ``Decimal``, files bytes."""


def dump_tables(database: Database) -> Tables:
    """Return all rows of all tables of the model, by table name in lower case and id."""
    tables: Tables = {}
    with database.read() as connection:
        for cls in database.model.values():
            if not cls.table:
                continue
            table = database.table(cls.name)
            key = next(iter(table.primary_key))
            rows = connection.execute(table.select().order_by(key)).mappings()
            tables[cls.table.lower()] = {
                row[key.name]: {name: value for name, value in row.items() if name != key.name} for row in rows
            }
    return tables


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
