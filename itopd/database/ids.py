"""Ids of new objects, reserved in bulk before the rows are inserted (``spec/model.md``, speed facts)."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from itopd.errors import DatabaseError

_AT_ONCE = 1000
_PASSED_OVER = 100_000
"""Numbers of a sequence that one statement lets go."""


def allocate(connection: Connection, root: sa.Table, count: int) -> Sequence[int]:
    """Return ``count`` new ids of a root table, ascending. What a rolled-back transaction reserved may leave a gap."""
    if count <= 0:
        return []
    if connection.dialect.name == "sqlite":
        return _from_sequence_table(connection, root, count)
    if connection.dialect.name == "postgresql":
        return _from_sequence(connection, root, count)
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


def _from_sequence(connection: Connection, root: sa.Table, count: int) -> list[int]:
    """Take the next numbers of PostgreSQL's sequence; others may take some between.

    Rows that came with ids of their own, from a copy or from somebody's hand, do not move the sequence, so numbers up
    to the greatest id are let go. A sequence that only goes forward gives no number twice, whoever does this at once.
    """
    numbers = _next_numbers(connection, root, count)
    greatest = connection.scalar(sa.select(sa.func.max(next(iter(root.primary_key))))) or 0
    if numbers[0] > greatest:
        return numbers
    while numbers[-1] < greatest:
        numbers = _next_numbers(connection, root, min(greatest - numbers[-1], _PASSED_OVER))
    return _next_numbers(connection, root, count)


def _next_numbers(connection: Connection, root: sa.Table, count: int) -> list[int]:
    statement = "SELECT nextval(%s::regclass) FROM generate_series(1, %s)"
    return list(connection.exec_driver_sql(statement, (_sequence(connection, root), count)).scalars())


def _sequence(connection: Connection, root: sa.Table) -> str:
    """Return the name of the sequence that numbers a root table, quoted, as the server knows it."""
    known: dict[str, str] = connection.info.setdefault("sequences", {})
    name = known.get(root.name)
    if name is None:
        quoted = connection.dialect.identifier_preparer.quote(root.name)
        found = connection.exec_driver_sql(
            "SELECT pg_get_serial_sequence(%s, %s)", (quoted, next(iter(root.primary_key)).name)
        ).scalar()
        if found is None:
            raise DatabaseError(f"table {root.name} has no sequence for its ids; make its key column an IDENTITY")
        name = known[root.name] = str(found)
    return name


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
