"""What is copied: the tables of the model, when the source has them all; the rest of the source is named."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from itopd.database import schema
from itopd.database.copying.reading import CopiedTable
from itopd.database.database import Database
from itopd.errors import RefusedError

_NAMED = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """The tables to copy, in the order of the model."""

    tables: tuple[CopiedTable, ...]
    left_out: tuple[str, ...]
    """Tables, and columns as ``table.column``, that the source holds and the model does not know."""


def plan_copy(source: Database, reading: Connection) -> Plan:
    """Return what is copied; :class:`RefusedError` when the source lacks a table or column of the model."""
    tables = tuple(_table(source, cls.name) for cls in source.model.values() if cls.table)
    existing = schema.existing_columns(reading)
    missing: list[str] = []
    left_out = [name for name in sa.inspect(reading).get_table_names() if name.lower() not in _names(tables)]
    for table in tables:
        held = existing.get(table.table.name.lower())
        if held is None:
            missing.append(f"table {table.table.name}")
            continue
        known = {name.lower(): name for name in table.names}
        missing += [f"column {table.table.name}.{name}" for folded, name in known.items() if folded not in held]
        left_out += [f"{table.table.name}.{name}" for name in held if name not in known]
    if missing:
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        raise RefusedError(
            f"{source.where} does not fit the data model: it lacks {', '.join(missing[:_NAMED])}{more}. "
            "Name iTop's own datamodel-production.xml in data_model, or correct the URL or db_subname"
        )
    return Plan(tables, tuple(sorted(left_out)))


def _table(database: Database, class_name: str) -> CopiedTable:
    definition = database.definition(class_name)
    return CopiedTable(
        class_name=class_name,
        table=database.table(class_name),
        key=definition.key_column,
        columns=definition.columns,
        is_numbered=definition.is_root and definition.autoincrement,
    )


def _names(tables: tuple[CopiedTable, ...]) -> frozenset[str]:
    return frozenset(table.table.name.lower() for table in tables)
