"""Which iTop database a state store is for.

Ledger, leases, jobs and mail claims know tasks, jobs and queue rows by name and number only. Two iTops on one server
would find the same default store, ``itopd``, and take each other's due times for done: the second one is refused.
"""

from __future__ import annotations

import sqlalchemy as sa

from itopd.errors import RefusedError
from itopd.state.store import StateStore
from itopd.state.tables import metadata

SERVED = sa.Table(
    "itopd_served",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False, doc="1: there is one row at most"),
    sa.Column("name", sa.String(255), nullable=False, doc="name and table prefix of the iTop database"),
)


def require(store: StateStore, name: str) -> None:
    """Let the store serve the database ``name`` from now on; :class:`RefusedError` when it serves another one."""
    known = _known(store)
    if known is None:
        try:
            store.transact(lambda connection: connection.execute(SERVED.insert().values(id=1, name=name)))
        except sa.exc.IntegrityError:  # another process was faster
            known = _known(store)
        else:
            return
    if known != name:
        raise RefusedError(
            f"the state store {store.url} belongs to the iTop database '{known}', not to '{name}': no mail is sent and "
            f"nothing runs by itself. If '{name}' is another iTop, give it a store of its own: name another database "
            f"or file in state_url. If '{known}' was renamed, or copied together with its store: 'itopd adopt'"
        )


def _known(store: StateStore) -> str | None:
    with store.read() as connection:
        found: str | None = connection.execute(sa.select(SERVED.c.name)).scalar()
        return found
