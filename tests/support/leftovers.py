"""Databases on the servers whose test session was killed before it could drop them.

A name tells the process that it belongs to (``servers.new_name``). What belongs to a process that lives is never
touched: several sessions may run on a machine at the same time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from tests.support.servers import (
    MARIADB_PORT,
    OURS,
    POSTGRESQL_PORT,
    admin_connection,
    drop_postgresql,
    is_up,
    postgresql_admin,
)


def drop_leftovers() -> None:
    """Drop the databases of dead processes on the servers that are there."""
    if is_up(MARIADB_PORT):
        with admin_connection() as connection, connection.cursor() as cursor:
            cursor.execute("SHOW DATABASES")
            for name in abandoned(name for (name,) in cursor.fetchall()):
                cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")
    if is_up(POSTGRESQL_PORT):
        with closing(postgresql_admin()) as admin:
            names = admin.execute("SELECT datname FROM pg_database").fetchall()
            for name in abandoned(name for (name,) in names):
                drop_postgresql(admin, name)


def abandoned(names: Iterable[str]) -> Iterator[str]:
    """Yield the names of tests' databases whose process is gone."""
    for name in names:
        pid, _, rest = name.removeprefix(OURS).partition("_")
        if name.startswith(OURS) and rest and pid.isdecimal() and not Path("/proc", pid).exists():
            yield name
