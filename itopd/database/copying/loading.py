"""Rows into a table, the quickest way each engine has, ids as given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.engine import Connection

from itopd.database.bulk import insert_rows
from itopd.database.copying.reading import CopiedTable, Row, driver_errors


def prepare_session(connection: Connection) -> None:
    """Make a connection one that loads: it must not go back to the pool afterwards (``detach`` it)."""
    if connection.dialect.name == "mysql":
        connection.exec_driver_sql(
            "SET SESSION sql_mode = CONCAT(@@SESSION.sql_mode, ',NO_AUTO_VALUE_ON_ZERO'), SESSION unique_checks = 0"
        )


def load_rows(connection: Connection, table: CopiedTable, rows: Sequence[Row]) -> None:
    """Insert the rows of one batch."""
    if connection.dialect.name == "postgresql":
        _copy(connection, table, rows)
    else:
        insert_rows(connection, table.table, table.names, rows)


def _copy(connection: Connection, table: CopiedTable, rows: Sequence[Row]) -> None:
    if not connection.in_transaction():
        connection.begin()  # what the driver does by itself, SQLAlchemy would not commit
    quote = connection.dialect.identifier_preparer.quote
    driver: Any = connection.connection.dbapi_connection
    columns = ", ".join(map(quote, table.names))
    statement = f"COPY {quote(table.table.name)} ({columns}) FROM STDIN"
    with driver_errors(connection), driver.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)
