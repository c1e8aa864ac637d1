"""Rows of a table in the order of their keys, in batches whose memory is bounded however long the table and its values.

Pages by key keep each statement short; within a page rows stream one by one from the server, so that a thousand
attachments are never in memory together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from importlib import import_module
from itertools import islice
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from itopd.attributes import BINARY_KINDS, Column, ColumnKind, Stored, rounded
from itopd.database.engines import reason, where
from itopd.errors import DatabaseError

Row = tuple[Any, ...]
"""The values of a row as ``Stored``, its id first; texts that are not UTF-8 hold lone surrogates for their bytes."""

_PAGE: Final = 20_000
_BATCH_ROWS: Final = 2_000
_BATCH_BYTES: Final = 4_000_000
_LONG_KINDS: Final = BINARY_KINDS | {ColumnKind.TEXT, ColumnKind.LONGTEXT}


@dataclass(frozen=True, slots=True)
class CopiedTable:
    """A table of the model: the same on both sides."""

    class_name: str
    table: sa.Table
    key: str
    columns: tuple[Column, ...]
    """All but the key."""
    is_numbered: bool
    """Whether the engine hands out its ids."""

    @property
    def names(self) -> list[str]:
        """Return the columns, the key first."""
        return [self.key, *(column.name for column in self.columns)]


def read_rows(connection: Connection, table: CopiedTable) -> Iterator[list[Row]]:
    """Yield all rows in batches, ordered by id, as the transaction of ``connection`` sees them.

    Raises :class:`DatabaseError` when the database does not give them.
    """
    try:
        yield from _pages(connection, table)
    except DBAPIError as error:
        raise DatabaseError(
            f"{where(connection.engine.url)} stopped giving rows of {table.table.name}: {reason(error)}"
        ) from error


def _pages(connection: Connection, table: CopiedTable) -> Iterator[list[Row]]:
    quote = connection.dialect.identifier_preparer.quote
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    columns = ", ".join(map(quote, table.names))
    statement = f"SELECT {columns} FROM {quote(table.table.name)}"  # noqa: S608 - names are the model's
    condition, order = f" WHERE {quote(table.key)} > {mark}", f" ORDER BY {quote(table.key)} LIMIT {_PAGE}"
    stream = _STREAMS[connection.dialect.name]
    settle = _settling(connection, table)
    query, parameters = statement + order, tuple[int, ...]()
    while True:
        seen, last = 0, 0
        for batch in _batches(settle(stream(connection, query, parameters)), table):
            seen, last = seen + len(batch), batch[-1][0]
            yield batch
        if seen < _PAGE:
            return
        query, parameters = statement + condition + order, (last,)


def _batches(rows: Iterable[Row], table: CopiedTable) -> Iterator[list[Row]]:
    long = [place for place, column in enumerate(table.columns, 1) if column.kind in _LONG_KINDS]
    rows = iter(rows)
    if not long:
        while batch := list(islice(rows, _BATCH_ROWS)):
            yield batch
        return
    batch, size = [], 0
    for row in rows:
        batch.append(row)
        size += sum(len(value) for value in (row[place] for place in long) if isinstance(value, str | bytes))
        if size >= _BATCH_BYTES or len(batch) >= _BATCH_ROWS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _settling(connection: Connection, table: CopiedTable) -> Callable[[Iterator[Row]], Iterator[Row]]:
    """Return what turns rows of the driver into values as every engine gives them: SQLite has no decimals."""
    scales = {place: column.scale for place, column in enumerate(table.columns, 1) if column.kind is ColumnKind.DECIMAL}
    if connection.dialect.name != "sqlite" or not scales:
        return lambda rows: rows

    def settled(rows: Iterator[Row]) -> Iterator[Row]:
        for row in rows:
            values = list(row)
            for place, scale in scales.items():
                values[place] = _decimal(values[place], scale)
            yield tuple(values)

    return settled


def _decimal(value: Stored, scale: int) -> Stored:
    """Return a number as the column shows it; what is no number stays what it is."""
    try:
        return None if value is None else rounded(Decimal(str(value)), scale)
    except InvalidOperation:
        return value


@contextmanager
def driver_errors(connection: Connection) -> Iterator[None]:
    """Raise what the driver itself raises as SQLAlchemy's ``DBAPIError``; a connection that is broken is given up."""
    dbapi: Any = connection.dialect.loaded_dbapi
    raw: Any = connection.connection.dbapi_connection
    try:
        yield
    except dbapi.Error as error:
        broken = connection.dialect.is_disconnect(error, raw, None)
        if broken:
            connection.invalidate(error)
        raise sa.exc.DBAPIError.instance(
            None, None, error, dbapi.Error, connection_invalidated=broken, dialect=connection.dialect
        ) from error


def _stream_sqlite(connection: Connection, query: str, parameters: Sequence[Any]) -> Iterator[Row]:
    driver: Any = connection.connection.dbapi_connection
    before, driver.text_factory = driver.text_factory, _decoded
    try:
        with driver_errors(connection):
            yield from driver.execute(query, parameters)
    finally:
        driver.text_factory = before


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")


def _stream_mysql(connection: Connection, query: str, parameters: Sequence[Any]) -> Iterator[Row]:
    driver: Any = connection.connection.dbapi_connection
    cursors: Any = import_module(f"{connection.dialect.loaded_dbapi.__name__}.cursors")  # of PyMySQL or mysqlclient
    with driver_errors(connection), driver.cursor(cursors.SSCursor) as cursor:
        cursor.execute(query, parameters)
        yield from cursor


def _stream_psycopg(connection: Connection, query: str, parameters: Sequence[Any]) -> Iterator[Row]:
    driver: Any = connection.connection.dbapi_connection
    with driver_errors(connection), driver.cursor() as cursor:
        yield from cursor.stream(query, parameters)


_STREAMS: Final[dict[str, Callable[[Connection, str, Sequence[Any]], Iterator[Row]]]] = {
    "sqlite": _stream_sqlite,
    "mysql": _stream_mysql,
    "postgresql": _stream_psycopg,
}
