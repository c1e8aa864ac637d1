"""Which processes carry out runs at the moment: each leaves a sign of life here, and says what is wrong with it.

The instants are those of the database's clock, so that ``itopd health`` on any host tells how long one was silent. A
process that was killed stays listed until another of its kind starts, or a day has passed; its leases tell the rest.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa

from itopd.state.columns import database_now
from itopd.state.owners import Owner
from itopd.state.store import StateStore
from itopd.state.tables import INSTANCE

Kind = Literal["daemon", "worker"]
Work = Literal["working", "stopping"]

_FORGET_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class Instance:
    """One process that carries out runs."""

    owner: str
    """``str(Owner)``."""
    kind: Kind
    version: str
    """Of itopd."""
    state: Work
    started: datetime
    seen: datetime
    silent_seconds: float
    """Since its last sign of life, by the database's clock."""
    problems: tuple[str, ...]
    """What it says is wrong: a settings file it could not read again, a broker that is away."""

    @property
    def is_dead(self) -> bool:
        """Return whether its process surely has ended; of other hosts nobody can know."""
        owner = Owner.parse(self.owner)
        return owner is not None and owner.is_dead()


def enter(store: StateStore, owner: Owner, kind: Kind, version: str) -> None:
    """List this process; forget those of its kind that surely have ended, and all that were silent for a day."""
    gone = [one.owner for one in listed(store) if one.kind == kind and one.is_dead]
    silent = INSTANCE.c.seen < database_now(-_FORGET_SECONDS)

    def work(connection: sa.Connection) -> None:
        connection.execute(INSTANCE.delete().where(sa.or_(silent, INSTANCE.c.owner.in_([*gone, str(owner)]))))
        values = {"kind": kind, "version": version, "state": "working", "problems": "[]"}
        times = {"started": database_now(), "seen": database_now()}
        connection.execute(INSTANCE.insert().values(owner=str(owner), **values, **times))

    store.transact(work)


def beat(store: StateStore, owner: Owner, *, state: Work = "working", problems: Sequence[str] = ()) -> bool:
    """Give a sign of life; return ``False`` when this process is not listed (any more): it should enter again."""
    values = {"state": state, "problems": json.dumps(list(problems)), "seen": database_now()}
    change = INSTANCE.update().where(INSTANCE.c.owner == str(owner)).values(**values)
    return store.transact(lambda connection: connection.execute(change).rowcount == 1)


def leave(store: StateStore, owner: Owner) -> None:
    """Take this process off the list: it stops in good order."""
    store.transact(lambda connection: connection.execute(INSTANCE.delete().where(INSTANCE.c.owner == str(owner))))


def listed(store: StateStore) -> list[Instance]:
    """Return the processes that are listed, the one that started first first."""
    columns = (INSTANCE.c[name] for name in ("owner", "kind", "version", "state", "started", "seen", "problems"))
    statement = sa.select(*columns, database_now().label("now")).order_by(INSTANCE.c.started, INSTANCE.c.owner)
    with store.read() as connection:
        rows = connection.execute(statement).all()
    return [
        Instance(
            owner=row.owner,
            kind=row.kind,
            version=row.version,
            state=row.state,
            started=row.started,
            seen=row.seen,
            silent_seconds=max((row.now - row.seen).total_seconds(), 0.0),
            problems=tuple(json.loads(row.problems)),
        )
        for row in rows
    ]
