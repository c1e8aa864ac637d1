"""What operators change in the ledger: they stop a run under way, and pardon what was set aside."""

from __future__ import annotations

import sqlalchemy as sa

from itopd.state.owners import Owner
from itopd.state.runs import UNDER_WAY, RunState, Subject
from itopd.state.store import StateStore
from itopd.state.tables import LEASE, RUN

_CLOSED = (RunState.DONE.value, RunState.FAILED.value)


def pardon(store: StateStore, subject: Subject) -> bool:
    """Forget the deaths of a task or job whose newest run is closed; return whether there were any."""
    newest = sa.select(LEASE.c.run_id).where(LEASE.c.name == subject.lease).scalar_subquery()
    closed = (RUN.c.id == newest, RUN.c.deaths > 0, RUN.c.state.in_(_CLOSED))
    change = RUN.update().where(*closed).values(deaths=0)
    return store.transact(lambda connection: connection.execute(change).rowcount == 1)


def ask_to_stop(store: StateStore, run_id: str) -> bool:
    """Ask a run, wherever it is under way, to stop at the next chance; return whether it is still open."""
    change = RUN.update().where(RUN.c.id == run_id, RUN.c.state.not_in(_CLOSED)).values(stop_asked=1)
    return store.transact(lambda connection: connection.execute(change).rowcount == 1)


def asked_to_stop(store: StateStore, owner: Owner) -> frozenset[str]:
    """Return the ids of the runs of ``owner`` under way that somebody asked to stop."""
    statement = sa.select(RUN.c.id).where(RUN.c.owner == str(owner), RUN.c.state.in_(UNDER_WAY), RUN.c.stop_asked == 1)
    with store.read() as connection:
        return frozenset(connection.execute(statement).scalars())
