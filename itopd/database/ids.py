"""Ids of new objects, reserved in bulk before the rows are inserted (``spec/model.md``, speed facts)."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

_AT_ONCE = 1000


def allocate(connection: Connection, root: sa.Table, count: int) -> Sequence[int]:
    """Return ``count`` new ids of a root table, ascending. What a rolled-back transaction reserved may leave a gap."""
    if count <= 0:
        return []
    if connection.dialect.name == "sqlite":
        return _from_sequence_table(connection, root, count)
    allocated: list[int] = []
    while len(allocated) < count:
        allocated += _from_auto_increment(connection, root, min(_AT_ONCE, count - len(allocated)))
    return allocated


def _from_sequence_table(connection: Connection, root: sa.Table, count: int) -> range:
    """Move SQLite's own counter on; the transaction holds the write lock, so nobody else can."""
    sequence = connection.exec_driver_sql("SELECT seq FROM sqlite_sequence WHERE name = ?", (root.name,)).scalar()
    last = int(sequence or 0)
    if sequence is None:
        connection.exec_driver_sql("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (root.name, last + count))
    else:
        connection.exec_driver_sql("UPDATE sqlite_sequence SET seq = ? WHERE name = ?", (last + count, root.name))
    return range(last + 1, last + count + 1)


def _from_auto_increment(connection: Connection, root: sa.Table, count: int) -> list[int]:
    """Insert bare rows and take them back: the server's counter does not go back with them.

    All ids of one statement are handed out together, a fixed step apart, so the first one tells the others.
    """
    key = next(iter(root.primary_key)).name
    quoted = connection.dialect.identifier_preparer.quote(root.name)
    savepoint = connection.begin_nested()
    result = connection.exec_driver_sql(f"INSERT INTO {quoted} (`{key}`) VALUES " + ",".join(["(NULL)"] * count))  # noqa: S608
    first = int(result.lastrowid)
    savepoint.rollback()
    step = 1 if count == 1 else _step(connection)
    return list(range(first, first + count * step, step))


def _step(connection: Connection) -> int:
    options = connection.info
    if "auto_increment_increment" not in options:
        options["auto_increment_increment"] = int(
            connection.exec_driver_sql("SELECT @@auto_increment_increment").scalar_one()
        )
    return int(options["auto_increment_increment"])
