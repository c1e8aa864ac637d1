"""Where an engine's own numbering of a table stands, read and set: the next id, whatever rows there are."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from itopd.database.copying.reading import CopiedTable


def next_id(connection: Connection, table: CopiedTable) -> int:
    """Return the id that the next new row of a numbered table would have."""
    quoted = connection.dialect.identifier_preparer.quote(table.table.name)
    match connection.dialect.name:
        case "sqlite":
            query = sa.text("SELECT seq + 1 FROM sqlite_sequence WHERE name = :name")
        case "postgresql":
            sequence = connection.scalar(_SEQUENCE, {"table": quoted, "key": table.key})
            return int(
                connection.scalar(sa.text(f"SELECT last_value + CASE WHEN is_called THEN 1 ELSE 0 END FROM {sequence}"))  # noqa: S608
            )
        case _:
            query = sa.text(
                "SELECT auto_increment FROM information_schema.tables "
                "WHERE table_schema = DATABASE() AND table_name = :name"
            )
    return int(connection.scalar(query, {"name": table.table.name}) or 1)


def move_counter(connection: Connection, table: CopiedTable, following: int) -> None:
    """Let the next new row of a numbered table have the id ``following``, or a higher one if rows have it already."""
    quoted = connection.dialect.identifier_preparer.quote(table.table.name)
    name = table.table.name
    highest = sa.select(sa.func.max(table.table.c[table.key]))
    following = max(following, (connection.scalar(highest) or 0) + 1)
    match connection.dialect.name:
        case "sqlite":
            connection.execute(sa.text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": name})
            if following > 1:
                connection.execute(
                    sa.text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :seq)"),
                    {"name": name, "seq": following - 1},
                )
        case "postgresql":
            if following > 1:
                sequence = connection.scalar(_SEQUENCE, {"table": quoted, "key": table.key})
                connection.execute(
                    sa.text("SELECT setval(:sequence, :last)"), {"sequence": sequence, "last": following - 1}
                )
        case _:
            connection.exec_driver_sql(f"ALTER TABLE {quoted} AUTO_INCREMENT = {following}")


_SEQUENCE = sa.text("SELECT pg_get_serial_sequence(:table, :key)")
