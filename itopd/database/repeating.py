"""Transactions that the server undid so that others could go on: what tells them, and when to try again.

Whoever writes while iTop or another process does may lose a dead lock, or wait too long for a row. Nothing of such a
transaction stays, so it can be done again as a whole (``db_core_transactions_retry_*``, ``spec/params.md``).
"""

from __future__ import annotations

import random
import sqlite3
from dataclasses import dataclass
from typing import Final

from sqlalchemy.exc import DBAPIError

from itopd.errors import DatabaseError

_MYSQL: Final = frozenset({1020, 1205, 1213})
"""A row changed since the snapshot (MariaDB 11), a lock waited for too long, a dead lock (or a commit that the other
nodes of a Galera cluster refuse)."""
_POSTGRESQL: Final = frozenset({"40001", "40P01", "55P03"})
"""Serialization failure, dead lock, a lock waited for too long."""
_SQLITE: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_LONGEST_FACTOR: Final = 5


class TransactionUndone(DatabaseError):
    """The server undid a transaction for the sake of others; the same transaction may succeed the next time."""

    kind = "transaction_undone"


@dataclass(frozen=True, slots=True)
class Repeats:
    """How often an undone transaction is done again, and after what pauses."""

    count: int = 3
    """How often after the first time."""
    pause_ms: int = 500
    """Base of the pauses, in milliseconds."""

    def pause(self, attempt: int) -> float:
        """Return the seconds to wait after the failure of an attempt, counted from 1.

        It grows with the attempts, and chance keeps two that fought from meeting again.
        """
        return self.pause_ms / 1000 * attempt * random.randint(1, _LONGEST_FACTOR)


def was_undone(error: DBAPIError) -> bool:
    """Return whether an error means that the transaction is to be done again as a whole.

    Nothing of it may stay: a connection that breaks while it commits is none of these.
    """
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        return (getattr(cause, "sqlite_errorcode", 0) & 0xFF) in _SQLITE
    if getattr(cause, "sqlstate", None) in _POSTGRESQL:
        return True
    return cause is not None and not _MYSQL.isdisjoint(cause.args[:1])
