"""Where the database is that itopd was started on, and who said so: what the clone guard compares.

The first start records the fingerprint it finds. From then on only an adoption changes it; adoptions that are no
longer in force stay, so that one can see who moved what and when. Several may be in force: the nodes of a cluster.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlsplit, urlunsplit

import sqlalchemy as sa

from itopd.errors import ConflictError
from itopd.state.columns import Instant, database_now
from itopd.state.served import SERVED
from itopd.state.store import StateStore
from itopd.state.tables import LEASE, metadata

FINGERPRINT = sa.Table(
    "itopd_fingerprint",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False, doc="1: the first start; counts the adoptions"),
    sa.Column("database_name", sa.String(255), nullable=False, doc="name and table prefix"),
    sa.Column("server", sa.Text, nullable=False, doc="JSON object: the facts of database.server_identity"),
    sa.Column("app_root_url", sa.Text, nullable=False),
    sa.Column("database_uuid", sa.String(255), nullable=False, doc="iTop's own id of the data; empty: it has none"),
    sa.Column("in_force", sa.Integer, nullable=False),
    sa.Column("adopted", Instant, nullable=False),
    sa.Column("adopted_by", sa.String(255), nullable=False),
)

_IN_USE_SECONDS = 120
"""A store whose leases moved so lately has a living itopd; its tasks run every few seconds."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What must stay the same. Texts may be empty, facts missing: unknown."""

    database_name: str
    server: Mapping[str, str]
    app_root_url: str
    database_uuid: str

    @classmethod
    def of(cls, database_name: str, server: Mapping[str, str], app_root_url: str, database_uuid: str) -> Fingerprint:
        """Return the fingerprint of these facts; ways to write the same URL count as one."""
        parts = urlsplit(app_root_url.strip())
        url = urlunsplit(parts._replace(scheme=parts.scheme.lower(), netloc=parts.netloc.lower())).rstrip("/")
        return cls(database_name, dict(server), url, database_uuid)

    def differences(self, now: Fingerprint) -> tuple[Difference, ...]:
        """Return what was otherwise when this one was recorded; what was unknown then is no difference."""
        texts = (
            Difference("database", self.database_name, now.database_name),
            Difference("app_root_url", self.app_root_url, now.app_root_url),
            Difference("database_uuid", self.database_uuid, now.database_uuid),
        )
        found = [one for one in texts if one.old and one.old != one.new]
        common = self.server.keys() & now.server.keys()
        if not common or any(self.server[fact] != now.server[fact] for fact in common):
            found.append(Difference("server", described(self.server), described(now.server)))
        return tuple(found)

    def completed_by(self, now: Fingerprint) -> Fingerprint:
        """Return this one with what was unknown so far."""
        return replace(
            self,
            server={**now.server, **self.server},
            app_root_url=self.app_root_url or now.app_root_url,
            database_uuid=self.database_uuid or now.database_uuid,
        )


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that changed, for people."""

    what: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Adoption:
    """A fingerprint in force, with who said so."""

    id: int
    fingerprint: Fingerprint
    adopted: datetime
    by: str


def described(server: Mapping[str, str]) -> str:
    """Return the facts about a server in one line."""
    return ", ".join(f"{fact} {value}" for fact, value in server.items())


def in_force(store: StateStore) -> tuple[Adoption, ...]:
    """Return the adoptions in force, the oldest first; empty before the first start."""
    query = sa.select(FINGERPRINT).where(FINGERPRINT.c.in_force == 1).order_by(FINGERPRINT.c.id)
    with store.read() as connection:
        return tuple(_adoption(row) for row in connection.execute(query))


def record_first(store: StateStore, fingerprint: Fingerprint, by: str) -> None:
    """Record the fingerprint of a start while none is in force; of several processes that start at once, one does."""

    def work(connection: sa.Connection) -> None:
        if connection.execute(sa.select(FINGERPRINT.c.id).where(FINGERPRINT.c.in_force == 1).limit(1)).first() is None:
            newest = connection.execute(sa.select(sa.func.max(FINGERPRINT.c.id))).scalar() or 0
            connection.execute(_insert(newest + 1, fingerprint, by))

    try:
        store.transact(work)
    except sa.exc.IntegrityError:  # another process was faster: what it recorded holds for us too
        return


def complete(store: StateStore, adoption: Adoption, now: Fingerprint) -> None:
    """Add what was unknown when the fingerprint was recorded (a server that got an id, an URL that was set)."""
    full = adoption.fingerprint.completed_by(now)
    if full != adoption.fingerprint:
        change = FINGERPRINT.update().where(FINGERPRINT.c.id == adoption.id).values(**_values(full))
        store.transact(lambda connection: connection.execute(change))


def adopt(store: StateStore, fingerprint: Fingerprint, by: str, *, beside: bool) -> None:
    """Put a fingerprint in force, in place of the others or ``beside`` them.

    Raises :class:`ConflictError` when somebody else adopts at this moment, or when the store serves another database
    name and an itopd works with it.
    """

    def work(connection: sa.Connection) -> None:
        served = connection.execute(sa.select(SERVED.c.name)).scalar()
        if served is None:
            connection.execute(SERVED.insert().values(id=1, name=fingerprint.database_name))
        elif served != fingerprint.database_name:
            _require_idle(connection, store, served)
            connection.execute(SERVED.update().values(name=fingerprint.database_name))
        if not beside:
            connection.execute(FINGERPRINT.update().values(in_force=0))
        newest = connection.execute(sa.select(sa.func.max(FINGERPRINT.c.id))).scalar() or 0
        connection.execute(_insert(newest + 1, fingerprint, by))

    try:
        store.transact(work)
    except sa.exc.IntegrityError as error:
        raise ConflictError(
            "another process adopts at this moment: look with 'itopd status', then try again"
        ) from error


def withdraw(store: StateStore) -> None:
    """Let no adoption be in force: what is in the database is not what it was, so a start is a first one again."""
    store.transact(lambda connection: connection.execute(FINGERPRINT.update().values(in_force=0)))


def _require_idle(connection: sa.Connection, store: StateStore, served: str) -> None:
    lately = sa.select(LEASE.c.name).where(LEASE.c.expires > database_now(-_IN_USE_SECONDS)).limit(1)
    if connection.execute(lately).first() is not None:
        raise ConflictError(
            f"an itopd works with the state store {store.url} for the database '{served}': name a store of its own in "
            f"state_url for this one; or stop that itopd, wait {_IN_USE_SECONDS} seconds and adopt again"
        )


def _insert(number: int, fingerprint: Fingerprint, by: str) -> sa.Insert:
    return FINGERPRINT.insert().values(
        id=number, in_force=1, adopted=database_now(), adopted_by=by[:255], **_values(fingerprint)
    )


def _values(fingerprint: Fingerprint) -> dict[str, str]:
    return {
        "database_name": fingerprint.database_name,
        "server": json.dumps(dict(fingerprint.server)),
        "app_root_url": fingerprint.app_root_url,
        "database_uuid": fingerprint.database_uuid,
    }


def _adoption(row: sa.Row[tuple[object, ...]]) -> Adoption:
    stored = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for it
    fingerprint = Fingerprint(
        stored["database_name"], json.loads(stored["server"]), stored["app_root_url"], stored["database_uuid"]
    )
    return Adoption(stored["id"], fingerprint, stored["adopted"], stored["adopted_by"])
