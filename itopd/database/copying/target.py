"""The database that is filled: empty before, marked while it is half done, complete or empty again afterwards."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from itopd.database.database import Database
from itopd.errors import RefusedError

MARKER: Final = "itopd_unfinished_copy"
"""Table that is there as long as a copy, or a restore on MariaDB, is not complete; its rows name the tables to come."""

_MARKER_TABLE: Final = sa.Table(MARKER, sa.MetaData(), sa.Column("name", sa.String(255), primary_key=True))


def is_unfinished(database: Database) -> bool:
    """Return whether a copy into this database was interrupted, or is at work."""
    with database.read() as connection:
        # Not has_table: an account with rights on single tables may not ask about this one.
        return MARKER in sa.inspect(connection).get_table_names()


def require_finished(database: Database) -> None:
    """Raise :class:`RefusedError` for a database that holds half a copy."""
    if is_unfinished(database):
        raise RefusedError(
            f"{database.where} holds an unfinished copy (its table {MARKER} says so): if no 'itopd db copy' or 'itopd "
            "restore' is at work there, copy again with --restart, or restore again with --replace"
        )


def require_empty(database: Database) -> None:
    """Raise :class:`RefusedError` for a database that holds any table or view."""
    held = _names_held(database)
    if MARKER in held:
        require_finished(database)
    if held:
        raise RefusedError(
            f"{database.where} is not empty (it holds {', '.join(held[:3])}{', ...' if len(held) > 3 else ''}): "
            "copy into an empty database"
        )


def _names_held(database: Database) -> list[str]:
    with database.read() as connection:
        inspector = sa.inspect(connection)
        return sorted([*inspector.get_table_names(), *inspector.get_view_names()])


def mark(database: Database, names: Iterable[str]) -> None:
    """Mark the empty database as holding half a copy, before it does."""
    with database.write() as connection:
        _MARKER_TABLE.create(connection)
        connection.execute(_MARKER_TABLE.insert(), [{"name": name} for name in names])


def unmark(connection: Connection) -> None:
    """Say that the copy is complete."""
    _MARKER_TABLE.drop(connection)


def take_back(database: Database) -> None:
    """Drop the tables that an unfinished copy made, and no other; the mark goes last."""
    with database.write() as connection:
        for name in connection.scalars(sa.select(_MARKER_TABLE.c.name)).all():
            connection.execute(sa.schema.DropTable(sa.Table(name, sa.MetaData()), if_exists=True))
        _MARKER_TABLE.drop(connection)
