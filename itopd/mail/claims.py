"""What a delivery does with the rows of the queue: claim, settle, hand back, rescue (``spec/email.md`` §2 and §10).

A row is claimed in three steps that survive a crash between any two of them: it is locked, the claim is recorded in
the state store, the row becomes ``running``. Each outcome is committed alone, right after the server's answer. Whoever
settles a row says what the row must still look like, so a delivery that was taken for dead changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa
import structlog

from itopd.clock import ITOP_DATETIME, to_itop
from itopd.database import Database
from itopd.mail.crash_points import crash_point
from itopd.mail.headers import bare_id
from itopd.mail.message import Message
from itopd.mail.payload import VERSION, PayloadError, amend_payload, read_payload
from itopd.mail.queue import new_message_id
from itopd.mail.retries import QUEUED_MAIL, RetryPolicy
from itopd.state import Owner, StateStore, mail_claims
from itopd.state.mail_claims import MailClaim, Stage

_log = structlog.get_logger(__name__)

_BATCH_CHARACTERS = 32 * 2**20
"""Payload that one claim takes into memory; a single larger mail is still taken."""
_LAST_ERROR = 255
"""Characters of the column ``last_error``."""
_EVENT_BYTES = 65_535
"""Bytes of the column ``message`` of ``priv_event``."""
_TRIES = 2
"""Times that a mail may be in hand when its process dies: once, and once more after the rescue."""
PATIENCE = 15 * 60
"""Seconds without a sign of life after which an owner that cannot be looked at is taken for dead."""


@dataclass(frozen=True, slots=True)
class QueuedMail:
    """One claimed row."""

    id: int
    started: str
    event_id: int
    attempted: bool
    """Whether an attempt failed before."""
    remaining_retries: int
    payload: str
    version: int
    content: Message | PayloadError
    """The message, with its id, or why there is none."""


@dataclass(frozen=True, slots=True)
class Rescued:
    """What became of the rows that dead processes left behind."""

    planned: int = 0
    """Back in the queue."""
    failed: int = 0
    """Put aside: their process died with them in hand for the second time."""
    sent: int = 0
    """A server had them already."""


@dataclass(frozen=True, slots=True)
class Setback:
    """How a failed attempt was recorded."""

    delay: int | None
    """Seconds until the next one; ``None``: there will be none."""


class MailQueue:
    """The queue as one delivery sees it."""

    def __init__(self, database: Database, state: StateStore, owner: Owner, policy: RetryPolicy) -> None:
        self._database: Final = database
        self._state: Final = state
        self._owner: Final = owner
        self._policy: Final = policy
        task, mail, event = (database.table(name) for name in ("AsyncTask", QUEUED_MAIL, "Event"))
        self._task: Final = task
        self._mail: Final = mail
        # The statements of every single mail are built once.
        still_ours = (
            task.c.id == sa.bindparam("task_id"),
            task.c.status == "running",
            task.c.started == sa.bindparam("since"),
        )
        self._delete_task: Final = sa.delete(task).where(*still_ours)
        self._delete_mail: Final = sa.delete(mail).where(mail.c.id == sa.bindparam("task_id"))
        self._change_task: Final = sa.update(task).where(*still_ours)
        self._change_event: Final = (
            sa.update(event).where(event.c.id == sa.bindparam("event")).values(message=sa.bindparam("text"))
        )

    def claim(self, now: str, before: str, limit: int) -> list[QueuedMail]:
        """Claim up to ``limit`` mails that are due, the oldest first.

        Due is what is planned strictly before ``before``, which a delivery fixes at its start so that no mail is taken
        twice; ``now`` becomes ``started``. Both are stored form.
        """
        with self._database.write() as connection:
            ids = self._lock_due(connection, before, limit)
            if not ids:
                return []
            mail_claims.claim(self._state, self._owner, now, ids)
            crash_point("mail.claim_recorded")
            taken = sa.update(self._task).where(self._task.c.id.in_(ids)).values(status="running", started=now)
            connection.execute(taken)
            mails = self._fix_ids(connection, [self._read(row, now) for row in self._rows(connection, ids)])
        crash_point("mail.claimed")
        return mails

    def take_in_hand(self, mail: QueuedMail, settled: Sequence[int]) -> bool:
        """Note that the mail is about to be sent, forget claims that are ``settled``; ``False``: it is ours no more."""
        return mail_claims.take_in_hand(self._state, self._owner, mail.id, settled)

    def sent(self, mail: QueuedMail, message: str = "Sent") -> bool:
        """Remove a mail that a server took; ``message`` is for its event. ``False``: the row is ours no more."""
        with self._database.write() as connection:
            return self._remove(connection, mail.id, mail.started, mail.event_id, message)

    def mark_sent(self, mail: QueuedMail) -> None:
        """Note in the state store that a server took the mail, when the queue itself cannot be told."""
        mail_claims.mark_sent(self._state, self._owner, mail.id)

    def failed(
        self,
        mail: QueuedMail,
        text: str,
        now: datetime,
        *,
        permanent: bool = False,
        hopeless: bool = False,
        only_to: Sequence[str] = (),
    ) -> Setback | None:
        """Record a failed attempt: planned again after the policy's delay, or ``error`` for good.

        ``permanent`` is a refusal that a server will repeat, ``hopeless`` what nobody ever could send. ``only_to`` are
        the recipients a later attempt is for, when the others were served. ``None``: the row is ours no more.
        """
        policy = self._policy
        remaining = mail.remaining_retries if mail.attempted else policy.max_retries
        final = remaining <= 0 or hopeless or (permanent and not policy.permanent_too)
        delay = None if final else policy.delay(remaining)
        zone = self._database.timezone
        values = {
            "status": "error" if delay is None else "planned",
            "started": None,
            "planned": None if delay is None else _later(now, delay, zone),
            "remaining_retries": 0 if delay is None else remaining - 1,
            "last_error_code": 0,
            "last_error": shorten(text),
            "last_attempt": to_itop(now, zone),
        }
        outcome = "Failed to process async task."
        if delay is not None:
            outcome += f" Remaining retries: {remaining}. Next retry in {delay}s"
        with self._database.write() as connection:
            if not self._change(connection, mail.id, mail.started, values):
                return None
            if only_to:
                payload = amend_payload(mail.payload, mail.version, only_to=only_to)
                change = sa.update(self._mail).where(self._mail.c.id == mail.id)
                connection.execute(change.values(message=payload, version=VERSION))
            self._tell(connection, mail.event_id, text, outcome)
        return Setback(delay)

    def forget(self, task_ids: Collection[int]) -> None:
        """Remove the claims of mails that are settled."""
        mail_claims.forget(self._state, self._owner, task_ids)

    def hand_back(self, mails: Sequence[QueuedMail]) -> int:
        """Put mails that were not sent back into the queue; this costs them no attempt. Return how many."""
        if not mails:
            return 0
        ids = [mail.id for mail in mails]
        ours = (self._task.c.id.in_(ids), self._task.c.status == "running", self._task.c.started == mails[0].started)
        with self._database.write() as connection:
            change = sa.update(self._task).where(*ours).values(status="planned", started=None)
            returned = connection.execute(change).rowcount
        mail_claims.let_go(self._state, self._owner, ids, tried=False)
        return returned

    def stay_alive(self) -> None:
        """Give a sign of life for everything this process has claimed."""
        mail_claims.stay_alive(self._state, self._owner)

    def rescue(self, now: str) -> Rescued:
        """Take care of the rows that dead processes of itopd left ``running``; rows of anybody else are not touched.

        A mail that nobody had begun to send goes back as if nothing had happened. One that was in hand may have been
        delivered: it goes back once, with a note, and is repeated with the same Message-ID; the second time it is put
        aside, since it may be what kills the process.
        """
        claims = mail_claims.take_over(self._state, self._owner, mail_claims.abandoned(self._state, PATIENCE))
        if not claims:
            return Rescued()
        by_id = {claim.task_id: claim for claim in claims}
        with self._database.write() as connection:
            columns = (self._task.c.id, self._task.c.status, self._task.c.started, self._task.c.event_id)
            rows = connection.execute(sa.select(*columns).where(self._task.c.id.in_(list(by_id)))).all()
            left = {row.id: row for row in rows if row.status == "running" and row.started == by_id[row.id].started}
            sent, failed, planned, again = _sorted_out([by_id[task_id] for task_id in left])
            for claim in sent:
                self._remove(connection, claim.task_id, claim.started, left[claim.task_id].event_id or 0, "Sent")
            for claim in failed:
                text = f"itopd died {claim.tries} times while it sent this mail, which may have been delivered."
                values = {"status": "error", "started": None, "last_error": text, "last_attempt": now}
                self._change(connection, claim.task_id, claim.started, values | {"remaining_retries": 0})
                event_id = left[claim.task_id].event_id or 0
                self._tell(connection, event_id, text, "Failed to process async task.")
            note = "itopd died while it sent this mail, which may have been delivered: sent again, same Message-ID."
            self._plan_again(connection, again, {"last_error": note})
            self._plan_again(connection, planned, {})
        crash_point("mail.rescued")
        kept = {claim.task_id for claim in (*planned, *again)}
        mail_claims.let_go(self._state, self._owner, [claim.task_id for claim in again], tried=True)
        mail_claims.let_go(self._state, self._owner, [claim.task_id for claim in planned], tried=False)
        mail_claims.forget(self._state, self._owner, by_id.keys() - kept)
        rescued = Rescued(planned=len(kept), failed=len(failed), sent=len(sent))
        _log.warning("mail.rescued", planned=rescued.planned, failed=rescued.failed, sent=rescued.sent)
        return rescued

    def _lock_due(self, connection: sa.Connection, before: str, limit: int) -> list[int]:
        """Return the ids of mails that are due and that no other delivery is claiming right now; lock them."""
        task = self._task
        due = (
            task.c.status == "planned",
            task.c.realclass == QUEUED_MAIL,
            sa.or_(task.c.planned.is_(None), task.c.planned < before),
        )
        oldest = sa.select(task.c.id).where(*due).order_by(self._database.order(task.c.created), task.c.id)
        if connection.dialect.name == "sqlite":  # this transaction holds the write lock
            return self._within_budget(connection, list(connection.execute(oldest.limit(limit)).scalars()))
        # Looked for without locks, then locked one by one through the primary key: no gap is ever locked, so whoever
        # queues a mail does not wait for us.
        window, locked = limit * 2, list[int]()
        for offset in range(0, 1_000 * window, window):
            found = list(connection.execute(oldest.limit(window).offset(offset)).scalars())
            if not found:
                break
            free = sa.select(task.c.id).where(task.c.id.in_(found), task.c.status == "planned")
            chosen = set(connection.execute(free.with_for_update(skip_locked=_can_skip(connection))).scalars())
            locked += [task_id for task_id in found if task_id in chosen]
            if len(locked) >= limit:
                break
        return self._within_budget(connection, locked[:limit])

    def _within_budget(self, connection: sa.Connection, ids: list[int]) -> list[int]:
        if len(ids) < 2:
            return ids
        mail = self._mail
        query = sa.select(mail.c.id, sa.func.length(mail.c.message)).where(mail.c.id.in_(ids))
        sizes: dict[int, int | None] = {row[0]: row[1] for row in connection.execute(query)}
        total = 0
        for count, task_id in enumerate(ids):
            total += sizes.get(task_id) or 0
            if count and total > _BATCH_CHARACTERS:
                return ids[:count]
        return ids

    def _rows(self, connection: sa.Connection, ids: Sequence[int]) -> list[sa.RowMapping]:
        task, mail = self._task, self._mail
        query = (
            sa.select(task.c.id, task.c.event_id, task.c.last_attempt, task.c.remaining_retries)
            .add_columns(mail.c.id.label("mail_id"), mail.c.version, mail.c.message)
            .select_from(task.outerjoin(mail, mail.c.id == task.c.id))
            .where(task.c.id.in_(ids))
            .order_by(self._database.order(task.c.created), task.c.id)
        )
        return list(connection.execute(query).mappings())

    def _read(self, row: sa.RowMapping, started: str) -> QueuedMail:
        payload, version = row["message"] or "", row["version"] or 0
        content: Message | PayloadError
        if row["mail_id"] is None:
            content = PayloadError("Failed, corrupted data: the queue has no mail for this task.")
        else:
            try:
                content = read_payload(payload, version)
            except PayloadError as error:
                content = error
        return QueuedMail(
            id=row["id"],
            started=started,
            event_id=row["event_id"] or 0,
            attempted=row["last_attempt"] is not None,
            remaining_retries=row["remaining_retries"] or 0,
            payload=payload,
            version=version,
            content=content,
        )

    def _fix_ids(self, connection: sa.Connection, mails: list[QueuedMail]) -> list[QueuedMail]:
        """Give an id to each message that lacks one, and store it: every attempt then carries the same."""
        changes: list[dict[str, Any]] = []
        fixed: list[QueuedMail] = []
        for mail in mails:
            if isinstance(mail.content, Message) and not bare_id(mail.content.message_id):
                identifier = new_message_id(mail.content)
                payload = amend_payload(mail.payload, mail.version, message_id=identifier)
                changes.append({"task_id": mail.id, "payload": payload})
                content = replace(mail.content, message_id=identifier)
                fixed.append(replace(mail, payload=payload, version=VERSION, content=content))
            else:
                fixed.append(mail)
        if changes:
            store = sa.update(self._mail).where(self._mail.c.id == sa.bindparam("task_id"))
            connection.execute(store.values(message=sa.bindparam("payload"), version=VERSION), changes)
        return fixed

    def _remove(self, connection: sa.Connection, task_id: int, started: str, event_id: int, message: str) -> bool:
        if connection.execute(self._delete_task, {"task_id": task_id, "since": started}).rowcount != 1:
            return False
        connection.execute(self._delete_mail, {"task_id": task_id})
        self._tell(connection, event_id, "", message)
        return True

    def _change(self, connection: sa.Connection, task_id: int, started: str, values: Mapping[str, object]) -> bool:
        change = self._change_task.values(**values)
        return connection.execute(change, {"task_id": task_id, "since": started}).rowcount == 1

    def _plan_again(self, connection: sa.Connection, claims: Sequence[MailClaim], values: dict[str, object]) -> None:
        for claim in claims:
            back = {"status": "planned", "started": None, "planned": None} | values
            self._change(connection, claim.task_id, claim.started, back)

    def _tell(self, connection: sa.Connection, event_id: int, text: str, outcome: str) -> None:
        """Write what became of a mail into its event, if it has one; a text that does not fit is left out."""
        if not event_id:
            return
        message = f"{text}\n{outcome}" if text else outcome
        if len(message.encode("utf-8", "replace")) > _EVENT_BYTES:
            message = outcome if text else outcome[: _EVENT_BYTES // 4]
        connection.execute(self._change_event, {"event": event_id, "text": message})


def _later(now: datetime, seconds: int, zone: ZoneInfo) -> str:
    """Return the stored form of an instant to come, which is never one that the column takes for past.

    When the clock goes back, an instant may be stored as a time that was already shown: what waited ten minutes would
    be due at once, again and again until its retries are used up. It waits for that time of the wall clock instead.
    """
    wall = now.astimezone(zone).replace(tzinfo=None) + timedelta(seconds=seconds)
    return max(to_itop(now + timedelta(seconds=seconds), zone), wall.strftime(ITOP_DATETIME))


def shorten(text: str) -> str:
    """Return an error text that fits the column: a longer one is cut and tells its length, as iTop does."""
    if len(text) <= _LAST_ERROR:
        return text
    mark = f" -truncated ({len(text)} chars)"
    return text[: _LAST_ERROR - len(mark)] + mark


def _sorted_out(
    claims: Sequence[MailClaim],
) -> tuple[list[MailClaim], list[MailClaim], list[MailClaim], list[MailClaim]]:
    """Return the claims as: sent, to put aside, to plan as if nothing had happened, to plan once more."""
    sent = [claim for claim in claims if claim.stage is Stage.SENT]
    in_hand = [claim for claim in claims if claim.stage is Stage.IN_HAND]
    failed = [claim for claim in in_hand if claim.tries >= _TRIES]
    again = [claim for claim in in_hand if claim.tries < _TRIES]
    planned = [claim for claim in claims if claim.stage is Stage.CLAIMED]
    return sent, failed, planned, again


def _can_skip(connection: sa.Connection) -> bool:
    """Return whether the server knows SKIP LOCKED; without it two deliveries merely wait for each other's claim."""
    dialect = connection.dialect
    version = dialect.server_version_info or ()
    if dialect.name == "mysql":
        return version >= ((10, 6) if getattr(dialect, "is_mariadb", False) else (8, 0, 1))
    return dialect.name == "postgresql"
