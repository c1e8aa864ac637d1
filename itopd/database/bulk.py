"""Rows written in bulk: the number of statements does not grow with the rows of a chunk (``spec/model.md``).

SQLAlchemy would compile a long ``VALUES`` list anew for each chunk; these statements go to the driver as text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from itopd.attributes import Stored, rounded
from itopd.database.postgresql import Unstorable, nul_in
from itopd.database.sql_types import KEPT_DIGITS, StoredDecimal, array_type

_ROWS: Final = 1000
_BYTES: Final = 1_000_000
"""Far below the smallest ``max_allowed_packet`` in use (16 MB), however the texts are escaped."""


def insert_rows(
    connection: Connection, table: sa.Table, columns: Sequence[str], rows: Sequence[Sequence[Stored]]
) -> None:
    """Insert rows, each giving the named columns; the key column is one of them when ids were allocated."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        _insert_arrays(connection, table, columns, rows)
        return
    if connection.dialect.name == "sqlite":
        _require_kept_decimals(table, columns, rows)
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
    if connection.dialect.name == "postgresql":
        _update_arrays(connection, table, columns, rows)
        return
    quote = connection.dialect.identifier_preparer.quote
    key = quote(next(iter(table.primary_key)).name)
    if connection.dialect.name == "sqlite":
        _require_kept_decimals(table, columns, list(rows.values()))
        assignments = ", ".join(f"{quote(column)} = ?" for column in columns)
        statement = f"UPDATE {quote(table.name)} SET {assignments} WHERE {key} = ?"  # noqa: S608 - names are the model's
        connection.exec_driver_sql(statement, [(*values, row_id) for row_id, values in rows.items()])
        return
    row = f"{'' if _is_mariadb(connection) else 'ROW'}({', '.join(['%s'] * (len(columns) + 1))})"
    names = ", ".join(f"{quote(column)} AS c{i}" for i, column in enumerate(columns))
    assignments = ", ".join(f"t.{quote(column)} = v.c{i}" for i, column in enumerate(columns))
    for part in _parts([(row_id, *values) for row_id, values in rows.items()]):
        # The empty first branch names the values and gives them the types of their columns. Without the types MariaDB
        # holds a long binary value in a BLOB and silently drops multiples of 65,536 bytes of it (observed, 10.11).
        statement = (
            f"UPDATE {quote(table.name)} AS t JOIN "  # noqa: S608 - names are the model's
            f"(SELECT {key} AS id, {names} FROM {quote(table.name)} WHERE FALSE "
            f"UNION ALL VALUES {', '.join([row] * len(part))}) AS v "
            f"ON v.id = t.{key} SET {assignments}"
        )
        connection.exec_driver_sql(statement, tuple(value for row in part for value in row))


def _require_kept_decimals(table: sa.Table, columns: Sequence[str], rows: Sequence[Sequence[Stored]]) -> None:
    """Raise :class:`Unstorable` for a decimal with more digits than SQLite's floating point keeps: 15 at least."""
    for place, column in enumerate(columns):
        kind = table.c[column].type
        if not isinstance(kind, StoredDecimal) or kind.digits <= KEPT_DIGITS:
            continue
        for value in (row[place] for row in rows):
            if isinstance(value, Decimal) and rounded(Decimal(str(float(value))), kind.scale) != value:
                raise Unstorable(
                    f"column {table.name}.{column} cannot hold {value} on SQLite, which keeps {KEPT_DIGITS} digits; "
                    "keep this data on MariaDB or PostgreSQL"
                )


def _insert_arrays(
    connection: Connection, table: sa.Table, columns: Sequence[str], rows: Sequence[Sequence[Stored]]
) -> None:
    quote = connection.dialect.identifier_preparer.quote
    statement = (
        f"INSERT INTO {quote(table.name)} ({', '.join(map(quote, columns))}) "  # noqa: S608 - names are the model's
        f"SELECT * FROM {_unnest(table, columns)}"
    )
    for part in _parts(rows):
        _execute_with_arrays(connection, statement, table, columns, part)


def _update_arrays(
    connection: Connection, table: sa.Table, columns: Sequence[str], rows: Mapping[int, Sequence[Stored]]
) -> None:
    quote = connection.dialect.identifier_preparer.quote
    key = next(iter(table.primary_key)).name
    assignments = ", ".join(f"{quote(column)} = v.c{i}" for i, column in enumerate(columns))
    names = ", ".join(f"c{i}" for i in range(len(columns)))
    statement = (
        f"UPDATE {quote(table.name)} AS t SET {assignments} "  # noqa: S608 - names are the model's
        f"FROM {_unnest(table, (key, *columns))} AS v (id, {names}) WHERE t.{quote(key)} = v.id"
    )
    for part in _parts([(row_id, *values) for row_id, values in rows.items()]):
        _execute_with_arrays(connection, statement, table, (key, *columns), part)


def _unnest(table: sa.Table, columns: Sequence[str]) -> str:
    """Return PostgreSQL's rows of one array per column: as fast as COPY, and one text whatever the number of rows.

    The arrays have types without length: a cast to ``varchar(10)`` would cut a text, which an assignment refuses.
    """
    return f"unnest({', '.join(f'%s::{array_type(table.c[column].type)}' for column in columns)})"


def _execute_with_arrays(
    connection: Connection, statement: str, table: sa.Table, columns: Sequence[str], rows: Sequence[Sequence[Stored]]
) -> None:
    binary = [isinstance(table.c[column].type, sa.LargeBinary) for column in columns]
    arrays = tuple(
        [_as_bytes(value) for value in values] if is_binary else [None if v is None else str(v) for v in values]
        for is_binary, values in zip(binary, zip(*rows, strict=True), strict=True)
    )
    try:
        connection.exec_driver_sql(statement, arrays)
    except sa.exc.DataError as error:
        raise _unstorable_in(table, columns, arrays) or error from None


def _as_bytes(value: Stored) -> bytes | None:
    return value if value is None or isinstance(value, bytes) else str(value).encode()


def _unstorable_in(
    table: sa.Table, columns: Sequence[str], arrays: Sequence[Sequence[str | bytes | None]]
) -> Unstorable | None:
    """Return the error of the first text that its column cannot hold, which PostgreSQL does not name."""
    for column, values in zip(columns, arrays, strict=True):
        length = getattr(table.c[column].type, "length", None)
        if length is not None and any(isinstance(value, str) and len(value) > length for value in values):
            return Unstorable(f"column {table.name}.{column} cannot hold a text of more than {length} characters")
        if any(isinstance(value, str) and "\0" in value for value in values):
            return nul_in(table.name, column)
    return None


def _parts(rows: Sequence[Sequence[Stored]]) -> Iterator[list[Sequence[Stored]]]:
    """Yield the rows in parts that one statement holds."""
    part: list[Sequence[Stored]] = []
    size = 0
    for row in rows:
        length = sum(len(value) for value in row if isinstance(value, str | bytes))
        if part and (len(part) >= _ROWS or size + length > _BYTES):
            yield part
            part, size = [], 0
        part.append(row)
        size += length
    yield part


def _is_mariadb(connection: Connection) -> bool:
    return bool(getattr(connection.dialect, "is_mariadb", False))
