"""Leases: one form for all engines (``design.md``, Claims).

A lease is a row with an owner, a token and an expiry by the database's clock. It is taken by one conditional UPDATE
(or the first INSERT), so of many who try exactly one succeeds. The token grows whenever the lease changes hands; who
writes a result must still hold the token it was given (fencing).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from itopd.errors import ConflictError
from itopd.state.columns import database_now
from itopd.state.owners import Owner
from itopd.state.store import StateStore
from itopd.state.tables import LEASE


class LeaseLost(ConflictError):
    """The lease changed hands meanwhile: somebody took over, and what was done since must not be recorded."""

    kind = "lease_lost"


@dataclass(frozen=True, slots=True)
class Lease:
    """Who holds a name."""

    name: str
    owner: str
    """Empty when nobody does."""
    token: int
    acquired: datetime
    expires: datetime


def acquire(store: StateStore, name: str, owner: Owner, seconds: int) -> int | None:
    """Take the lease ``name`` if nobody holds it or its holder let it expire; return its token, else ``None``."""

    def work(connection: sa.Connection) -> int | None:
        token = connection.execute(sa.select(LEASE.c.token).where(LEASE.c.name == name)).scalar()
        return take(connection, name, owner, seconds, seen=token or 0)

    return store.transact(work)


def release(store: StateStore, name: str, owner: Owner, token: int) -> None:
    """Give the lease back; does nothing when it is no longer ours. The row stays, so that its token keeps growing."""
    store.transact(lambda connection: let_go(connection, name, owner, token))


def renew(store: StateStore, owner: Owner, names: Collection[str], seconds: int) -> frozenset[str]:
    """Move the expiry of our leases on; return the names that are still ours (the others were taken over)."""
    if not names:
        return frozenset()
    ours = (LEASE.c.owner == str(owner), LEASE.c.name.in_(names))

    def work(connection: sa.Connection) -> frozenset[str]:
        renewed = connection.execute(LEASE.update().where(*ours).values(expires=database_now(seconds))).rowcount
        if renewed == len(names):
            return frozenset(names)
        return frozenset(connection.execute(sa.select(LEASE.c.name).where(*ours)).scalars())

    return store.transact(work)


def read(store: StateStore, name: str) -> Lease | None:
    """Return the lease ``name``, or ``None`` when nobody ever took it."""
    columns = (LEASE.c.name, LEASE.c.owner, LEASE.c.token, LEASE.c.acquired, LEASE.c.expires)
    with store.read() as connection:
        row = connection.execute(sa.select(*columns).where(LEASE.c.name == name)).first()
    return Lease(*row) if row is not None else None


def take(
    connection: sa.Connection,
    name: str,
    owner: Owner | None,
    seconds: int,
    *,
    seen: int,
    run_id: str | None = None,
    dead_owner: str | None = None,
) -> int | None:
    """Take a lease inside a transaction; return the new token, or ``None`` when somebody was faster.

    ``seen`` is the token the decision was based on (0: there was no row): any change since refuses the claim.
    ``dead_owner`` is a holder known to have died, whose lease need not expire first. ``owner`` ``None``: whoever held
    it before no longer does, and nobody holds it until somebody else takes it.
    """
    values: dict[str, object] = {
        "owner": "" if owner is None else str(owner),
        "token": seen + 1,
        "acquired": database_now(),
        "expires": database_now(seconds),
    }
    if run_id is not None:
        values["run_id"] = run_id
    if seen == 0:
        try:
            with connection.begin_nested():
                connection.execute(LEASE.insert().values(name=name, **values))
        except sa.exc.IntegrityError:  # another process inserted it between our look and now
            return None
        return 1
    free = [LEASE.c.owner == "", LEASE.c.expires < database_now()]
    if dead_owner:
        free.append(LEASE.c.owner == dead_owner)
    statement = LEASE.update().where(LEASE.c.name == name, LEASE.c.token == seen, sa.or_(*free)).values(**values)
    return seen + 1 if connection.execute(statement).rowcount == 1 else None


def let_go(connection: sa.Connection, name: str, owner: Owner, token: int) -> bool:
    """Give a lease back inside a transaction; return whether it was still ours."""
    ours = (LEASE.c.name == name, LEASE.c.owner == str(owner), LEASE.c.token == token)
    return connection.execute(LEASE.update().where(*ours).values(owner="", expires=database_now())).rowcount == 1
