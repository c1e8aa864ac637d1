"""The queue of mails in iTop's own tables: putting mails in, and looking at what is there (``spec/email.md`` §1).

What a delivery does with the rows is in :mod:`itopd.mail.claims`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from itopd.database import Database
from itopd.mail.addresses import mailbox, split_list
from itopd.mail.message import Message
from itopd.mail.payload import VERSION, write_payload
from itopd.mail.retries import QUEUED_MAIL

_TEXT_BYTES = 65_535
"""What a TEXT column holds; the two columns cut to it are for display only."""


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One mail of the queue, as a list shows it. Instants are stored text, local time of iTop's zone."""

    id: int
    status: str | None
    created: str | None
    planned: str | None
    """Not before; ``None`` = as soon as possible."""
    started: str | None
    to: str
    subject: str
    remaining_retries: int
    last_error: str
    last_attempt: str | None


@dataclass(frozen=True, slots=True)
class QueueCount:
    """How many rows of a class are in a status, and since when the oldest waits."""

    realclass: str
    status: str | None
    rows: int
    oldest: str | None


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """How many mails there are, by what becomes of them."""

    waiting: int
    ready: int
    """Of those, how many are not held back until later."""
    in_hand: int
    failed: int
    oldest_ready: str | None
    """Since when the one waits that was ready first; stored text, local time of iTop's zone."""


def new_message_id(message: Message) -> str:
    """Return an id, without angle brackets, for a message that has none; its domain is the sender's."""
    sender = mailbox(message.sender.address) or next(filter(None, map(mailbox, split_list(message.to))), None)
    domain = sender.address.rpartition("@")[2] if sender else "itopd.invalid"
    return f"{uuid.uuid4().hex}@{domain}"


def put(
    connection: sa.Connection,
    database: Database,
    message: Message,
    now: str,
    *,
    event_id: int = 0,
    planned: str | None = None,
) -> int:
    """Queue one mail in the caller's transaction and return the id of its row.

    ``now`` is the stored form of the present. ``event_id`` is the row of ``priv_event`` that will tell what became of
    the mail. ``planned`` holds it back until that instant. A message without an id is given its id here, once.
    """
    return put_all(connection, database, [(message, event_id)], now, planned=planned)[0]


def put_all(
    connection: sa.Connection,
    database: Database,
    messages: Sequence[tuple[Message, int]],
    now: str,
    *,
    planned: str | None = None,
) -> Sequence[int]:
    """Queue many mails, each with its event id, by a constant number of statements; return their ids in order."""
    if not messages:
        return ()
    ids = database.allocate_ids(connection, "AsyncTask", len(messages))
    tasks: list[dict[str, object]] = []
    mails: list[dict[str, object]] = []
    for task_id, (message, event_id) in zip(ids, messages, strict=True):
        identified = message if message.message_id else replace(message, message_id=new_message_id(message))
        tasks.append({"id": task_id, "event_id": event_id})
        shown = {"to": _cut(message.to), "subject": _cut(message.subject)}
        mails.append({"id": task_id, "version": VERSION, "message": write_payload(identified)} | shown)
    fixed: dict[str, object] = {
        "status": "planned",
        "created": now,
        "started": None,
        "planned": planned,
        "remaining_retries": 0,
        "last_error_code": 0,
        "last_error": "",
        "last_attempt": None,
        "realclass": QUEUED_MAIL,
    }
    connection.execute(sa.insert(database.table("AsyncTask")), [task | fixed for task in tasks])
    connection.execute(sa.insert(database.table(QUEUED_MAIL)), mails)
    return ids


def listing(
    connection: sa.Connection, database: Database, *, status: str | None = None, limit: int | None = None
) -> Iterator[QueueRow]:
    """Yield the mails of the queue, oldest first, all or those in one ``status``."""
    task, mail = database.table("AsyncTask"), database.table(QUEUED_MAIL)
    query = (
        sa.select(
            *(task.c[name] for name in ("id", "status", "created", "planned", "started")),
            *(task.c[name] for name in ("remaining_retries", "last_error", "last_attempt")),
            mail.c.to,
            mail.c.subject,
        )
        .select_from(task.outerjoin(mail, mail.c.id == task.c.id))
        .where(task.c.realclass == QUEUED_MAIL)
        .order_by(database.order(task.c.created), task.c.id)
        .limit(limit)
    )
    if status is not None:
        query = query.where(task.c.status == status)
    for row in connection.execute(query).mappings():
        yield QueueRow(
            id=row["id"],
            status=row["status"],
            created=row["created"],
            planned=row["planned"],
            started=row["started"],
            to=row["to"] or "",
            subject=row["subject"] or "",
            remaining_retries=row["remaining_retries"] or 0,
            last_error=row["last_error"] or "",
            last_attempt=row["last_attempt"],
        )


def counts(connection: sa.Connection, database: Database) -> list[QueueCount]:
    """Return what the queue holds per class and status; classes other than mails are counted too."""
    task = database.table("AsyncTask")
    query = (
        sa.select(task.c.realclass, task.c.status, sa.func.count(), sa.func.min(task.c.created))
        .group_by(task.c.realclass, task.c.status)
        .order_by(task.c.realclass, task.c.status)
    )
    return [
        QueueCount(realclass or "", status, rows, oldest)
        for realclass, status, rows, oldest in connection.execute(query)
    ]


def depth(connection: sa.Connection, database: Database, now: str) -> QueueDepth:
    """Return how deep the queue is at ``now`` (stored form): one query over the index of the mails' class."""
    task = database.table("AsyncTask")
    waits = task.c.status == "planned"
    is_ready = waits & (task.c.planned.is_(None) | (task.c.planned <= now))

    def number(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
        return sa.func.count(sa.case((condition, 1)))

    query = sa.select(
        number(waits),
        number(is_ready),
        number(task.c.status == "running"),
        number(task.c.status == "error"),
        sa.func.min(sa.case((is_ready, sa.func.coalesce(task.c.planned, task.c.created)))),
    ).where(task.c.realclass == QUEUED_MAIL)
    waiting, ready, in_hand, failed, oldest = connection.execute(query).one()
    return QueueDepth(waiting, ready, in_hand, failed, oldest)


def _cut(text: str) -> str:
    return text.encode("utf-8", "replace")[:_TEXT_BYTES].decode("utf-8", "ignore")
