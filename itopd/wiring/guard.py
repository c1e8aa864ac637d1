"""The clone guard: a copy of a production system must not act on its own (``docs/clones.md``).

While the database is not where it was when itopd was started on it, no mail is sent and nothing that writes runs by
itself. Reading, exports and what a person starts by hand and only writes here stay possible.

A dump that was loaded beside a fresh state store tells nothing of where it was. What does harm there are the mails that
it brought along: where some wait before the first start, a person has to say that they may go.
"""

from __future__ import annotations

import getpass
import os
import socket
from dataclasses import dataclass

import sqlalchemy as sa

from itopd.database import Database, server_identity
from itopd.errors import RefusedError
from itopd.mail import QueueCount, counts, redirection_of
from itopd.settings import Settings
from itopd.state import Adoption, Difference, Fingerprint, StateStore, fingerprints
from itopd.wiring import needs

_UUID_CLASS = "DBProperty"
_UUID_NAME = "database_uuid"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a database stands to what was adopted."""

    present: Fingerprint
    adoptions: tuple[Adoption, ...]
    """Those in force; empty before the first start."""
    differences: tuple[Difference, ...]
    """From the adoption that is nearest; empty: all is well."""
    waiting: QueueCount | None = None
    """Mails that somebody else queued before the first start and that would go to their recipients."""

    @property
    def matching(self) -> Adoption | None:
        """Return the adoption that covers the present state."""
        return next((one for one in self.adoptions if not one.fingerprint.differences(self.present)), None)

    @property
    def refusal(self) -> str:
        """Return why nothing may act here, and what to do; empty: it may."""
        if self.waiting is not None:
            return (
                f"itopd was never started on this database, and {self.waiting.rows} mails wait in it since "
                f"{self.waiting.oldest}: no mail is sent and nothing that writes runs by itself. If this is a copy, "
                "set mail_redirect_to first; 'itopd adopt' lets them go"
            )
        if not self.differences:
            return ""
        changes = "; ".join(f"{one.what} was '{one.old}', now it is '{one.new}'" for one in self.differences)
        return (
            f"this is not the database that itopd was started on ({changes}): no mail is sent and nothing that writes "
            "runs by itself. If it is a copy, set mail_redirect_to first; then 'itopd adopt' lets it work here"
        )


def standing(settings: Settings, database: Database, state: StateStore) -> Standing:
    """Look at where the database is now and what was adopted; nothing is written."""
    present = fingerprint_of(settings, database)
    adoptions = fingerprints.in_force(state)
    found = [one.fingerprint.differences(present) for one in adoptions]
    waiting = None if adoptions else _waiting(settings, database)
    return Standing(present, adoptions, min(found, key=len, default=()), waiting)


def begin(settings: Settings, database: Database, state: StateStore) -> Standing:
    """Look like :func:`standing`; at the first start record what is found, later complete what was unknown.

    A first start with mails that wait records nothing: a person has to adopt the database.
    """
    seen = standing(settings, database, state)
    if seen.waiting is not None:
        return seen
    if not seen.adoptions:
        record_start(settings, database, state)
        return standing(settings, database, state)  # of several first starts one was recorded: it may not be ours
    if seen.matching is not None:
        fingerprints.complete(state, seen.matching, seen.present)
    return seen


def record_start(settings: Settings, database: Database, state: StateStore) -> None:
    """Record that itopd works where the database is now, unless it was started somewhere before."""
    fingerprints.record_first(state, fingerprint_of(settings, database), this_person())


def _waiting(settings: Settings, database: Database) -> QueueCount | None:
    """Return the mails that a first start would send to people, if there are any."""
    if redirection_of(settings) or needs.lacking(database.model, "mails"):
        return None
    with database.read() as connection:
        rows = counts(connection, database)
    return next((one for one in rows if (one.realclass, one.status) == ("AsyncSendEmail", "planned")), None)


def require_adopted(settings: Settings, database: Database, state: StateStore) -> None:
    """Raise :class:`RefusedError` when nothing may act here."""
    refusal = begin(settings, database, state).refusal
    if refusal:
        raise RefusedError(refusal)


def fingerprint_of(settings: Settings, database: Database) -> Fingerprint:
    """Return what the guard compares, as it is now."""
    server = {"declared": settings.server_identity} if settings.server_identity else server_identity(database)
    return Fingerprint.of(database.identity, server, settings.app_root_url, database_uuid(database))


def database_uuid(database: Database) -> str:
    """Return the id that iTop's set-up gave to the data, which copies carry too; empty when there is none."""
    if _UUID_CLASS not in database.model:
        return ""
    table = database.table(_UUID_CLASS)
    this_one = database.key(table.c.name) == database.key_value(_UUID_NAME)
    with database.read() as connection:
        return connection.execute(sa.select(table.c.value).where(this_one).order_by(table.c.id)).scalar() or ""


def this_account() -> str:
    """Return the operating-system account; ``uid 989`` for one without a name, as containers have."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def this_person() -> str:
    """Return who acts, for the record."""
    return f"{this_account()} at {socket.gethostname()}"
