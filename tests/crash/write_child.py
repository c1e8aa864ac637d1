"""The process that the crash tests of writes kill: one call of the writer in one transaction."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from datetime import UTC, datetime

import sqlalchemy as sa

from itopd.behaviours import BEHAVIOURS, DELETIONS
from itopd.clock import FixedClock
from itopd.database import Database
from itopd.datamodel import bundled_model
from itopd.rules import ITOPD
from itopd.writing import Change, Intent, Outcome, Writer
from tests.support.servers import opened

COMMITTED_TWICE = 3
CLOCK = FixedClock(datetime(2026, 7, 1, 12, 0, tzinfo=UTC))

bundled_model()  # once, in the fork server: what every child would load


def write(database: Database, intents: Sequence[Intent]) -> list[Outcome]:
    """Write in one transaction, with all that the default classes do by themselves."""
    writer = Writer(database, CLOCK, ITOPD, behaviours=BEHAVIOURS, deletions=DELETIONS)
    return database.transact(lambda connection: writer.write(connection, intents, Change("me", 1)))


def write_until_killed(database_url: str, intents: Sequence[Intent], statements: int) -> None:
    """Write; die by SIGKILL once so many statements were sent, before the next one, which may be the commit.

    What is sent after the commit (on MariaDB the turn is given back) is too late to die before; a second commit, which
    would tear the write in two, ends the process with exit code ``COMMITTED_TWICE``.
    """
    with opened(database_url) as database:
        left, commits = statements, 0

        def step(*_: object) -> None:
            nonlocal left
            if left == 0 and commits == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

        def commit(*_: object) -> None:
            nonlocal commits
            step()
            commits += 1
            if commits == 2:
                os._exit(COMMITTED_TWICE)

        sa.event.listen(database.engine, "before_cursor_execute", step)
        sa.event.listen(database.engine, "commit", commit)
        write(database, intents)
