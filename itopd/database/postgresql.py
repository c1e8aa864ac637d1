"""Opening a PostgreSQL database, so that it gives and takes values as the other engines do (psycopg 3)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine, ExceptionContext
from sqlalchemy.engine.interfaces import DBAPIConnection

from itopd.database.pools import pooled_engine
from itopd.errors import DatabaseError, RefusedError

OLDEST_SERVER: Final = 14
"""The oldest major version with everything that is used."""

_CONNECT_SECONDS: Final = 10
_WRITTEN_TABLE: Final = re.compile(r'(?:INSERT INTO|UPDATE) "?(\w+)')
_SESSION: Final = "SET datestyle = 'ISO, YMD'; SET lock_timeout = '50s'; SET jit = off"
"""Locks are waited for as long as MariaDB waits for them. Compiling a query costs more than the queries of iTop do."""


class Unstorable(RefusedError):
    """A value that its column cannot hold."""

    kind = "unstorable"


def nul_in(table: str, column: str) -> Unstorable:
    """Return the error of a text with a NUL byte for a column."""
    return Unstorable(
        f"column {table}.{column} cannot hold the NUL byte of a text on PostgreSQL; remove it, or keep this data on "
        "MariaDB or SQLite"
    )


def open_postgresql(url: URL, purpose_option: str) -> Engine:
    """Return an engine for a ``postgresql+psycopg`` URL; nothing is connected yet.

    A transaction for reading sees one snapshot and may not write. One for writing reads what is committed, statement
    by statement, as what MariaDB locks is read; what must not change meanwhile is locked (``FOR UPDATE``).
    """
    engine = postgresql_engine(url, _SESSION)
    sa.event.listen(engine, "connect", _read_as_elsewhere)
    sa.event.listen(engine, "handle_error", _name_column_of_nul)

    @sa.event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        _set_characteristics(
            connection.connection.dbapi_connection,
            reading=connection.get_execution_options().get(purpose_option) == "read",
        )

    return engine


def postgresql_engine(url: URL, session: str) -> Engine:
    """Return an engine whose connections have run the statements of ``session``, which set them up."""
    arguments: dict[str, Any] = {"connect_timeout": _CONNECT_SECONDS, "application_name": "itopd"}
    engine = pooled_engine(
        url,
        {name: value for name, value in arguments.items() if name not in url.query},
        without_driver="install it: pip install 'itopd[postgresql]'",
    )

    @sa.event.listens_for(engine, "connect", insert=True)  # before SQLAlchemy asks, which another encoding confuses
    def prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 - psycopg is no requirement
        _require_server(connection)
        connection.autocommit = True
        connection.execute(session)
        connection.autocommit = False

    return engine


def _require_server(connection: Any) -> None:  # noqa: ANN401
    """Raise :class:`DatabaseError` for a server that is too old and for a database that cannot hold every text."""
    info = connection.info
    if info.server_version < OLDEST_SERVER * 10_000:
        raise DatabaseError(
            f"the server at {info.host} is PostgreSQL {info.server_version // 10_000}; "
            f"itopd needs {OLDEST_SERVER} or later"
        )
    encoding = info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise DatabaseError(
            f"the database '{info.dbname}' at {info.host} is encoded in {encoding}, which cannot hold every text; "
            "create it with ENCODING 'UTF8' (and TEMPLATE template0)"
        )


def _read_as_elsewhere(connection: Any, _record: object) -> None:  # noqa: ANN401
    """Have dates read as the text that they are in iTop, and truth as 0 and 1."""
    from psycopg.adapt import Loader  # noqa: PLC0415 - psycopg is only there when it is used
    from psycopg.types.string import TextLoader  # noqa: PLC0415

    class TruthLoader(Loader):
        def load(self, data: Any) -> int:  # noqa: ANN401 - bytes, bytearray or memoryview
            return int(bytes(data) == b"t")

    for name in ("date", "timestamp"):
        connection.adapters.register_loader(name, TextLoader)
    connection.adapters.register_loader("bool", TruthLoader)


def _name_column_of_nul(context: ExceptionContext) -> Unstorable | None:
    """Return the error that names the column of a text with a NUL byte; psycopg does not say which one it is."""
    written = _WRITTEN_TABLE.match(context.statement or "")
    if written is None or "NUL (0x00)" not in str(context.original_exception):
        return None
    given = context.parameters
    for values in given if isinstance(given, Sequence) else [given]:
        for column, value in values.items() if isinstance(values, Mapping) else ():
            if isinstance(value, str) and "\0" in value:
                return nul_in(written[1], str(column))
    return None


def _set_characteristics(connection: DBAPIConnection | None, *, reading: bool) -> None:
    """Say what the transaction that starts with the next statement is for."""
    from psycopg import IsolationLevel  # noqa: PLC0415

    raw: Any = connection
    raw.read_only = reading
    raw.isolation_level = IsolationLevel.REPEATABLE_READ if reading else IsolationLevel.READ_COMMITTED
