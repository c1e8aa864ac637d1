"""Rows written in bulk: the number of statements does not grow with the rows of a chunk (``spec/model.md``).

SQLAlchemy would compile a long ``VALUES`` list anew for each chunk; these statements go to the driver as text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from itopd.attributes import Stored

_ROWS: Final = 1000
_BYTES: Final = 1_000_000
"""Far below the smallest ``max_allowed_packet`` in use (16 MB), however the texts are escaped."""


def insert_rows(
    connection: Connection, table: sa.Table, columns: Sequence[str], rows: Sequence[Sequence[Stored]]
) -> None:
    """Insert rows, each giving the named columns; the key column is one of them when ids were allocated."""
    if not rows:
        return
    quote = connection.dialect.identifier_preparer.quote
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    names = ", ".join(map(quote, columns))
    marks = ", ".join([mark] * len(columns))
    statement = f"INSERT INTO {quote(table.name)} ({names}) VALUES ({marks})"  # noqa: S608 - names are the model's
    connection.exec_driver_sql(statement, [tuple(row) for row in rows])


def update_rows(
    connection: Connection, table: sa.Table, columns: Sequence[str], rows: Mapping[int, Sequence[Stored]]
) -> None:
    """Give the named columns of the rows with these ids new values; an id without a row is passed over."""
    if not rows or not columns:
        return
    quote = connection.dialect.identifier_preparer.quote
    key = quote(next(iter(table.primary_key)).name)
    if connection.dialect.name == "sqlite":
        assignments = ", ".join(f"{quote(column)} = ?" for column in columns)
        statement = f"UPDATE {quote(table.name)} SET {assignments} WHERE {key} = ?"  # noqa: S608 - names are the model's
        connection.exec_driver_sql(statement, [(*values, row_id) for row_id, values in rows.items()])
        return
    row = f"{'' if _is_mariadb(connection) else 'ROW'}({', '.join(['%s'] * (len(columns) + 1))})"
    names = ", ".join(f"{quote(column)} AS c{i}" for i, column in enumerate(columns))
    assignments = ", ".join(f"t.{quote(column)} = v.c{i}" for i, column in enumerate(columns))
    for part in _parts(rows):
        # The empty first branch names the values and gives them the types of their columns. Without the types MariaDB
        # holds a long binary value in a BLOB and silently drops multiples of 65,536 bytes of it (observed, 10.11).
        statement = (
            f"UPDATE {quote(table.name)} AS t JOIN "  # noqa: S608 - names are the model's
            f"(SELECT {key} AS id, {names} FROM {quote(table.name)} WHERE FALSE "
            f"UNION ALL VALUES {', '.join([row] * len(part))}) AS v "
            f"ON v.id = t.{key} SET {assignments}"
        )
        connection.exec_driver_sql(statement, tuple(value for row_id, values in part for value in (row_id, *values)))


def _parts(rows: Mapping[int, Sequence[Stored]]) -> Iterator[list[tuple[int, Sequence[Stored]]]]:
    """Yield the rows in parts that one statement holds."""
    part: list[tuple[int, Sequence[Stored]]] = []
    size = 0
    for row_id, values in rows.items():
        length = sum(len(value) for value in values if isinstance(value, str | bytes))
        if part and (len(part) >= _ROWS or size + length > _BYTES):
            yield part
            part, size = [], 0
        part.append((row_id, values))
        size += length
    yield part


def _is_mariadb(connection: Connection) -> bool:
    return bool(getattr(connection.dialect, "is_mariadb", False))
