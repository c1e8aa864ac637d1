"""iTop's named locks: what ``GET_LOCK`` holds on a connection of its own (``spec/heartbeat.md`` §7).

On PostgreSQL they are advisory locks of the session, whose two numbers are the start of the name's MD5. SQLite has
none, so there a locked file beside the database stands for it; like the server's, it dies with its holder.
"""

from __future__ import annotations

import fcntl
import hashlib
import math
import os
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from itopd.database.engines import reason
from itopd.errors import ConflictError, DatabaseError

_IDLE_SECONDS: Final = 86_400
"""iTop raises ``wait_timeout`` to this, lest the server closes an idle holder."""
_RETRY_SECONDS: Final = 0.05
_LOCK_TIMEOUT: Final = "55P03"
"""PostgreSQL's ``lock_not_available``."""


def mutex_name(base: str, db_name: str, db_subname: str = "") -> str:
    """Return the server-wide name of iTop's mutex ``base`` for a database and its table prefix."""
    suffix = db_name + db_subname
    full = base if base.endswith(suffix) else base + suffix
    return "itop." + hashlib.md5(full.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class HeldLock:
    """A named lock while it is held."""

    base: str
    name: str
    """The server-wide name."""
    is_held: Callable[[], bool]

    def check(self) -> None:
        """Raise :class:`ConflictError` when the lock was lost, as with a broken connection."""
        if not self.is_held():
            raise ConflictError(f"the lock '{self.base}' ({self.name}) was lost; stop, and run again")


@contextmanager
def hold_on_mariadb(engine: Engine, base: str, name: str, wait: float) -> Iterator[HeldLock]:
    """Hold a lock of MariaDB or MySQL; ``wait`` seconds at most, else :class:`ConflictError`."""
    with _lock_connection(engine, base) as connection:
        try:
            mine = _take_on_mariadb(connection, base, name, wait)
        except DBAPIError as error:
            raise DatabaseError(f"the server could not take the lock '{base}' ({name}): {reason(error)}") from error

        try:
            yield HeldLock(base, name, _holds(connection, _HOLDER_ON_MARIADB, {"name": name}, mine))
        finally:
            _release(connection, sa.text("DO RELEASE_LOCK(:name)"), {"name": name})


@contextmanager
def hold_on_postgresql(engine: Engine, base: str, name: str, wait: float) -> Iterator[HeldLock]:
    """Hold an advisory lock of PostgreSQL; ``wait`` seconds at most, else :class:`ConflictError`."""
    numbers = advisory_numbers(name)
    with _lock_connection(engine, base) as connection:
        try:
            mine = _take_on_postgresql(connection, base, name, wait)
        except DBAPIError as error:
            raise DatabaseError(f"the server could not take the lock '{base}' ({name}): {reason(error)}") from error

        try:
            yield HeldLock(base, name, _holds(connection, _HOLDER_ON_POSTGRESQL, numbers, mine))
        finally:
            _release(connection, sa.text("SELECT pg_advisory_unlock(:high, :low)"), numbers)


_HELD: Final = "itopd_held_locks"
_HOLDER_ON_MARIADB: Final = sa.text("SELECT IS_USED_LOCK(:name)")
_HOLDER_ON_POSTGRESQL: Final = sa.text(
    "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2 "
    "AND classid::bigint = :high & 4294967295 AND objid::bigint = :low & 4294967295 "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


def _holds(
    connection: sa.Connection, holder: sa.TextClause, names: Mapping[str, object], mine: int
) -> Callable[[], bool]:
    """Return what tells whether a connection, known to the server by a number, still holds its lock."""

    def is_held() -> bool:
        if connection.invalidated:  # found broken by an earlier look: a new connection would not hold it
            return False
        try:
            return bool(connection.scalar(holder, names) == mine)
        except DBAPIError:
            return False

    return is_held


def advisory_numbers(name: str) -> dict[str, int]:
    """Return the two numbers that an advisory lock is known by, for the server-wide name of a mutex."""
    high, low = struct.unpack(">ii", bytes.fromhex(name.removeprefix("itop."))[:8])
    return {"high": high, "low": low}


def _take_on_postgresql(connection: sa.Connection, base: str, name: str, wait: float) -> int:
    """Take a lock and return the process of the server that holds it from now on: this connection's."""
    numbers = advisory_numbers(name)
    connection.exec_driver_sql("SET idle_session_timeout = 0")
    if wait > 0:
        connection.exec_driver_sql(f"SET lock_timeout = {math.ceil(wait * 1000)}")
        try:
            connection.execute(sa.text("SELECT pg_advisory_lock(:high, :low)"), numbers)
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", "") != _LOCK_TIMEOUT:
                raise
            taken = False
        else:
            taken = True
    else:
        taken = bool(connection.scalar(sa.text("SELECT pg_try_advisory_lock(:high, :low)"), numbers))
    if not taken:
        holder = connection.scalar(_HOLDER_ON_POSTGRESQL, numbers)
        by = f" by process {holder} of the server" if holder else ""
        raise ConflictError(f"'{base}' is already running: its lock {name} is held{by}")
    return int(connection.scalar(sa.text("SELECT pg_backend_pid()")))


def hold_in_transaction(connection: sa.Connection, name: str) -> None:
    """Hold an advisory lock of PostgreSQL until the transaction ends; wait as long as for the lock of a row."""
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:high, :low)"), advisory_numbers(name))


def hold_until_released(connection: sa.Connection, name: str) -> bool:
    """Hold a named lock of MariaDB beside the transaction, until :func:`release_held`; return whether it was got.

    It waits as long as for the lock of a row.
    """
    held = connection.info.setdefault(_HELD, set())
    if name not in held:
        got = connection.scalar(sa.text("SELECT GET_LOCK(:name, @@innodb_lock_wait_timeout)"), {"name": name})
        if got != 1:
            return False
        held.add(name)
    return True


def release_held(connection: sa.Connection) -> None:
    """Give back what :func:`hold_until_released` holds; the server does it where the connection is broken."""
    if connection.closed or connection.invalidated:
        return
    for name in connection.info.pop(_HELD, ()):
        _release(connection, sa.text("DO RELEASE_LOCK(:name)"), {"name": name})


@contextmanager
def _lock_connection(engine: Engine, base: str) -> Iterator[sa.Connection]:
    """Give a connection that a lock is held on, outside any transaction; nobody gets it afterwards.

    Its session is no longer like the others: it waits in another way.
    """
    try:
        connection = engine.connect()
    except DBAPIError as error:
        raise DatabaseError(f"cannot reach the server for the lock '{base}': {reason(error)}") from error
    with connection.execution_options(isolation_level="AUTOCOMMIT"):
        try:
            yield connection
        finally:
            connection.invalidate()


def _take_on_mariadb(connection: sa.Connection, base: str, name: str, wait: float) -> int:
    """Take a lock and return the number of the connection, which holds it from now on."""
    connection.exec_driver_sql(f"SET SESSION wait_timeout = GREATEST(@@wait_timeout, {_IDLE_SECONDS})")
    taken = connection.scalar(sa.text("SELECT GET_LOCK(:name, :wait)"), {"name": name, "wait": wait})
    if taken is None:
        raise DatabaseError(f"the server could not take the lock '{base}' ({name}); see its log")
    if not taken:
        holder = connection.scalar(_HOLDER_ON_MARIADB, {"name": name})
        by = f" by connection {holder} of the server" if holder else ""
        raise ConflictError(f"'{base}' is already running: its lock {name} is held{by}")
    return int(connection.scalar(sa.text("SELECT CONNECTION_ID()")))


def _release(connection: sa.Connection, release: sa.TextClause, names: Mapping[str, object]) -> None:
    """Give the lock back; with a broken connection the server has done so."""
    try:
        if not connection.invalidated:
            connection.execute(release, names)
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise


@contextmanager
def hold_in_folder(folder: Path, base: str, name: str, wait: float) -> Iterator[HeldLock]:
    """Hold a lock that is a file of ``folder``; ``wait`` seconds at most, else :class:`ConflictError`."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + wait
        while not _try_lock(descriptor):
            if time.monotonic() >= deadline:
                holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
                by = f" by process {holder}" if holder else ""
                raise ConflictError(f"'{base}' is already running: its lock {path} is held{by}")
            time.sleep(_RETRY_SECONDS)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield HeldLock(base, name, lambda: True)
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
