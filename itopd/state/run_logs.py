"""What runs logged: the last lines of each, kept as long as the run is remembered."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from itopd.state.store import StateStore
from itopd.state.tables import RUN_LOG

LINES = 500
"""Lines kept of one run, over all its attempts: the newest."""


def append(store: StateStore, run_id: str, lines: Sequence[str]) -> None:
    """Add lines to the log of a run; the oldest of more than :data:`LINES` are forgotten."""

    def work(connection: sa.Connection) -> None:
        before = _lines(connection, run_id)
        text = "\n".join([*(before or ()), *(line.replace("\0", "\N{SYMBOL FOR NULL}") for line in lines)][-LINES:])
        if before is None:
            connection.execute(RUN_LOG.insert().values(run_id=run_id, lines=text))
        else:
            connection.execute(RUN_LOG.update().where(RUN_LOG.c.run_id == run_id).values(lines=text))

    store.transact(work)


def read(store: StateStore, run_id: str) -> list[str]:
    """Return the log of a run, oldest line first; nothing when it logged nothing."""
    with store.read() as connection:
        return _lines(connection, run_id) or []


def _lines(connection: sa.Connection, run_id: str) -> list[str] | None:
    text = connection.scalar(sa.select(RUN_LOG.c.lines).where(RUN_LOG.c.run_id == run_id))
    return None if text is None else str(text).split("\n")
