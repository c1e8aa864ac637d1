"""The state store itself: an engine and its two kinds of transaction."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import sqlalchemy as sa

from itopd.errors import DatabaseError

T = TypeVar("T")

_WRITE = {"itopd_begin": "BEGIN IMMEDIATE"}
_BUSY_MYSQL = frozenset({1205, 1213})
_BUSY_POSTGRESQL = frozenset({"55P03", "40P01", "40001"})
"""Lock wait time-out and deadlock: the server undid the transaction and asks to repeat it."""
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class StateStore:
    """An open state store; thread-safe. ``close`` it at the end."""

    engine: sa.Engine
    url: str
    """Without the password: for messages."""

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Give a connection for one or a few tiny queries; :class:`DatabaseError` when the store is away."""
        with self._named(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """Give a connection in a transaction that may write; SQLite takes its write lock at once.

        Raises :class:`DatabaseError` when the store is away or refuses; a broken unique key stays SQLAlchemy's
        ``IntegrityError``, which says that somebody else was faster.
        """
        with self._named(), self._begin() as connection:
            yield connection

    def transact(self, work: Callable[[sa.Connection], T]) -> T:
        """Run ``work`` in a write transaction; repeat it when the server broke a deadlock at our cost.

        Raises what :meth:`write` raises.
        """
        with self._named():
            for attempt in range(1, _ATTEMPTS):
                try:
                    with self._begin() as connection:
                        return work(connection)
                except sa.exc.OperationalError as error:
                    if not _was_undone(error):
                        raise
                    time.sleep(0.01 * attempt)
            with self._begin() as connection:
                return work(connection)

    @contextmanager
    def _begin(self) -> Iterator[sa.Connection]:
        with self.engine.connect().execution_options(**_WRITE) as connection, connection.begin():
            yield connection

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Turn the driver's errors into one that says which store it is and what to do."""
        try:
            yield
        except sa.exc.IntegrityError:
            raise
        except sa.exc.DBAPIError as error:
            raise DatabaseError(
                f"the state store {self.url} does not answer or refuses: {reason_of(error)}; what was due stays due: "
                "let its server or file be there again, or correct state_url"
            ) from error

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def reason_of(error: sa.exc.DBAPIError) -> str:
    """Return what the driver says, in one line and without the statement."""
    arguments = error.orig.args if error.orig is not None else ()
    return " ".join(str(arguments[-1] if arguments else error.orig or error).split())


def _was_undone(error: sa.exc.OperationalError) -> bool:
    if getattr(error.orig, "sqlstate", None) in _BUSY_POSTGRESQL:
        return True
    arguments = error.orig.args if error.orig is not None else ()
    return bool(arguments) and arguments[0] in _BUSY_MYSQL
