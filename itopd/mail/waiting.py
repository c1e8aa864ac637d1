"""Whether a delivery would find anything to do: one cheap query, asked every two seconds by an idle daemon."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from itopd.clock import Clock, to_itop
from itopd.database import Database
from itopd.mail.claims import PATIENCE
from itopd.mail.retries import QUEUED_MAIL
from itopd.state import StateStore, mail_claims

_RESCUE_SECONDS: Final = 60.0
"""How often to look for mails that a dead process left behind. The heartbeat notices by itself when a run of its own
dies, and runs the task again: this look is for what it does not know."""


class MailsWaiting:
    """Called: whether a mail is due, or was left behind by a process that died."""

    def __init__(self, database: Database, state: StateStore, clock: Clock) -> None:
        self._database: Final = database
        self._state: Final = state
        self._clock: Final = clock
        self._rescue_at = clock.monotonic()
        task = database.table("AsyncTask")
        self._due: Final = (
            sa.select(sa.literal(1))
            .select_from(task)
            .where(task.c.status == "planned", task.c.realclass == QUEUED_MAIL)
            .where(sa.or_(task.c.planned.is_(None), task.c.planned < sa.bindparam("now")))
            .limit(1)
        )

    def __call__(self) -> bool:
        """Look; raises what a database raises that is away."""
        now = to_itop(self._clock.now(), self._database.timezone)
        with self._database.look() as connection:
            if connection.execute(self._due, {"now": now}).first() is not None:
                return True
        if self._clock.monotonic() < self._rescue_at:
            return False
        self._rescue_at = self._clock.monotonic() + _RESCUE_SECONDS
        return bool(mail_claims.abandoned(self._state, PATIENCE))
