"""Who has which row of iTop's mail queue in hand.

iTop's ``priv_async_task`` has no column for an owner, so a row left ``running`` by somebody who died looks like one
that a PHP process is sending this very moment. A claim is written here before the queue row is touched, and says what
the row will look like; a row without a claim is never anybody's but iTop's.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from itopd.state.columns import Instant, database_now
from itopd.state.owners import Owner
from itopd.state.store import StateStore
from itopd.state.tables import metadata

MAIL_CLAIM = sa.Table(
    "itopd_mail_claim",
    metadata,
    sa.Column("task_id", sa.Integer, primary_key=True, autoincrement=False, doc="id of priv_async_task"),
    sa.Column("owner", sa.String(255), nullable=False, doc="empty: nobody; the tries are remembered"),
    sa.Column("started", sa.String(19), nullable=False, doc="what the claim wrote into the queue row"),
    sa.Column("stage", sa.String(8), nullable=False, doc="claimed, in_hand or sent"),
    sa.Column("tries", sa.Integer, nullable=False, doc="how often it was taken in hand"),
    sa.Column("seen", Instant, nullable=False, doc="when its owner last gave a sign of life"),
)


class Stage(StrEnum):
    """How far a claimed mail is."""

    CLAIMED = "claimed"
    """Nobody began to send it: a server cannot have it."""
    IN_HAND = "in_hand"
    """Being sent: a server may have it."""
    SENT = "sent"
    """A server has it, but the queue could not be told."""


# What is run for every single mail is built once.
_OURS = (MAIL_CLAIM.c.task_id == sa.bindparam("id"), MAIL_CLAIM.c.owner == sa.bindparam("us"))
_TAKE_IN_HAND = (
    MAIL_CLAIM.update().where(*_OURS).values(stage=Stage.IN_HAND, tries=MAIL_CLAIM.c.tries + 1, seen=database_now())
)
_FORGET = MAIL_CLAIM.delete().where(*_OURS)
_CLAIM = tuple(column for column in MAIL_CLAIM.c if column.name != "seen")


@dataclass(frozen=True, slots=True)
class MailClaim:
    """One claimed row of the queue."""

    task_id: int
    owner: str
    started: str
    stage: Stage
    tries: int


def claim(store: StateStore, owner: Owner, started: str, task_ids: Collection[int]) -> None:
    """Record that ``owner`` is about to claim these rows; how often they were tried before is kept."""
    if not task_ids:
        return

    def work(connection: sa.Connection) -> None:
        these = MAIL_CLAIM.c.task_id.in_(task_ids)
        known = connection.execute(sa.select(MAIL_CLAIM.c.task_id, MAIL_CLAIM.c.tries).where(these))
        tries: dict[int, int] = {row.task_id: row.tries for row in known}
        if tries:
            connection.execute(MAIL_CLAIM.delete().where(these))
        values = {"owner": str(owner), "started": started, "stage": Stage.CLAIMED, "seen": database_now()}
        rows = [{"task_id": task_id, "tries": tries.get(task_id, 0)} for task_id in task_ids]
        connection.execute(MAIL_CLAIM.insert().values(**values), rows)

    store.transact(work)


def take_in_hand(store: StateStore, owner: Owner, task_id: int, settled: Sequence[int] = ()) -> bool:
    """Record that the mail is about to be sent, and forget the claims of those that are settled.

    Returns ``False`` when the claim is no longer ours: somebody took us for dead, and the mail must be left to them.
    """

    def work(connection: sa.Connection) -> bool:
        _forget(connection, owner, settled)
        return connection.execute(_TAKE_IN_HAND, {"id": task_id, "us": str(owner)}).rowcount == 1

    return store.transact(work)


def mark_sent(store: StateStore, owner: Owner, task_id: int) -> None:
    """Record that a server has the mail, because the queue itself cannot be told now."""
    ours = (MAIL_CLAIM.c.task_id == task_id, MAIL_CLAIM.c.owner == str(owner))
    store.transact(lambda connection: connection.execute(MAIL_CLAIM.update().where(*ours).values(stage=Stage.SENT)))


def stay_alive(store: StateStore, owner: Owner) -> None:
    """Give a sign of life for all claims of ``owner``."""
    change = MAIL_CLAIM.update().where(MAIL_CLAIM.c.owner == str(owner)).values(seen=database_now())
    store.transact(lambda connection: connection.execute(change))


def forget(store: StateStore, owner: Owner, task_ids: Collection[int]) -> None:
    """Remove our claims of rows that are settled; somebody else may already have claimed one that is planned again."""
    if task_ids:
        store.transact(lambda connection: _forget(connection, owner, task_ids))


def let_go(store: StateStore, owner: Owner, task_ids: Collection[int], *, tried: bool) -> None:
    """Leave our rows to whoever claims them next; ``tried`` says whether being in hand counts against them."""
    if not task_ids:
        return
    ours = (MAIL_CLAIM.c.task_id.in_(task_ids), MAIL_CLAIM.c.owner == str(owner))
    less = sa.case((MAIL_CLAIM.c.stage == Stage.IN_HAND, MAIL_CLAIM.c.tries - 1), else_=MAIL_CLAIM.c.tries)

    def work(connection: sa.Connection) -> None:
        if not tried:
            connection.execute(MAIL_CLAIM.update().where(*ours).values(tries=less))
            connection.execute(MAIL_CLAIM.delete().where(*ours, MAIL_CLAIM.c.tries == 0))
        connection.execute(MAIL_CLAIM.update().where(*ours).values(owner="", stage=Stage.CLAIMED))

    store.transact(work)


def abandoned(store: StateStore, patience: int) -> list[MailClaim]:
    """Return the claims whose owner is dead, or gave no sign of life for ``patience`` seconds."""
    silent = (MAIL_CLAIM.c.seen < database_now(-patience)).label("silent")
    query = sa.select(*_CLAIM, silent).where(MAIL_CLAIM.c.owner != "").order_by(MAIL_CLAIM.c.task_id)
    with store.read() as connection:
        rows = connection.execute(query).all()
    dead = {owner: _is_dead(owner) for owner in {row.owner for row in rows}}
    return [_claim(row) for row in rows if row.silent or dead[row.owner]]


def take_over(store: StateStore, owner: Owner, claims: Sequence[MailClaim]) -> list[MailClaim]:
    """Make ``owner`` the owner of abandoned claims; return those that nobody else took over meanwhile.

    They are returned as they are by then: who seemed dead may have come a step further before it ended.
    """
    if not claims:
        return []
    change = MAIL_CLAIM.update().values(owner=str(owner), seen=database_now())

    def work(connection: sa.Connection) -> list[MailClaim]:
        taken = [
            claim.task_id
            for claim in claims
            if connection.execute(
                change.where(
                    MAIL_CLAIM.c.task_id == claim.task_id,
                    MAIL_CLAIM.c.owner == claim.owner,
                    MAIL_CLAIM.c.started == claim.started,
                )
            ).rowcount
            == 1
        ]
        these = sa.select(*_CLAIM).where(MAIL_CLAIM.c.task_id.in_(taken)).order_by(MAIL_CLAIM.c.task_id)
        return [_claim(row) for row in connection.execute(these)]

    return store.transact(work)


def _claim(row: sa.Row[*tuple[Any, ...]]) -> MailClaim:
    return MailClaim(row.task_id, row.owner, row.started, Stage(row.stage), row.tries)


def _is_dead(owner: str) -> bool:
    process = Owner.parse(owner)
    return process is None or process.is_dead()


def _forget(connection: sa.Connection, owner: Owner, task_ids: Collection[int]) -> None:
    if task_ids:
        connection.execute(_FORGET, [{"id": task_id, "us": str(owner)} for task_id in task_ids])
