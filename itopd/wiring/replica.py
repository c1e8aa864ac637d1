"""Reading elsewhere: exports and queries read from the database of ``read_url``, everything else from the main one.

Who may read what is always asked of the main database: an account that is disabled there reads nothing, however late
the replica is. Nothing falls back to the main database: where a result comes from must never depend on the weather.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from itopd.database import Database, open_database
from itopd.errors import DatabaseError
from itopd.settings import Settings
from itopd.wiring.guard import database_uuid
from itopd.wiring.maintenance import is_attached
from itopd.wiring.tables import require_tables


@contextmanager
def open_replica(settings: Settings, main: Database) -> Iterator[Database | None]:
    """Give the database of ``read_url``, never written to; ``None`` when the main one is read.

    Raises :class:`DatabaseError` when the replica is away, holds no tables of an iTop, or another iTop's.
    """
    if not settings.read_url:
        yield None
        return
    with _named(main):
        replica = open_database(settings.read_url, main.model, settings.zone, settings.db_subname, read_only=True)
    try:
        with _named(main):
            require_tables(replica, attached=is_attached(settings))
            theirs = database_uuid(replica)
        _require_the_same(main, replica, theirs)
        yield replica
    finally:
        replica.close()


@contextmanager
def _named(main: Database) -> Iterator[None]:
    """Say of what goes wrong with the replica that it is the replica, and that nobody reads elsewhere instead."""
    try:
        yield
    except DatabaseError as error:
        raise DatabaseError(
            f"read_url: {error.message} (exports and queries read there and nowhere else; without read_url they read "
            f"from {main.where})"
        ) from error


def _require_the_same(main: Database, replica: Database, theirs: str) -> None:
    ours = database_uuid(main)
    if not ours or ours != theirs:
        raise DatabaseError(
            f"read_url: {replica.where} is no replica of {main.where}: the database_uuid in priv_db_properties is "
            f"{theirs or 'missing'} there and {ours or 'missing'} here; correct read_url, or leave it out"
        )
