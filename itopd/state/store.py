"""The state store itself: an engine and its two kinds of transaction."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import sqlalchemy as sa

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
        """Give a connection for one or a few tiny queries."""
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """Give a connection in a transaction that may write; SQLite takes its write lock at once."""
        with self.engine.connect().execution_options(**_WRITE) as connection, connection.begin():
            yield connection

    def transact(self, work: Callable[[sa.Connection], T]) -> T:
        """Run ``work`` in a write transaction; repeat it when the server broke a deadlock at our cost."""
        for attempt in range(1, _ATTEMPTS):
            try:
                with self.write() as connection:
                    return work(connection)
            except sa.exc.OperationalError as error:
                if not _was_undone(error):
                    raise
                time.sleep(0.01 * attempt)
        with self.write() as connection:
            return work(connection)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _was_undone(error: sa.exc.OperationalError) -> bool:
    if getattr(error.orig, "sqlstate", None) in _BUSY_POSTGRESQL:
        return True
    arguments = error.orig.args if error.orig is not None else ()
    return bool(arguments) and arguments[0] in _BUSY_MYSQL
