"""Whether a database is an iTop's at all."""

from __future__ import annotations

from itopd.database import Database
from itopd.database.copying import require_finished
from itopd.errors import DatabaseError


def require_tables(database: Database, *, attached: bool = False) -> None:
    """Raise :class:`DatabaseError` when the database is empty or no iTop's, :class:`RefusedError` for half a copy."""
    if database.is_empty() and attached:
        raise DatabaseError(
            f"{database.where} holds no tables of an iTop with the prefix '{database.prefix}' for this account to see: "
            "correct the database and db_subname in the settings, or give the account its rights"
        )
    if database.is_empty():
        raise DatabaseError(
            f"{database.where} holds no tables of an iTop: run 'itopd init' to create them, "
            "or correct database_url in the settings"
        )
    require_finished(database)
