"""The run ledger: one row per run, unique by what ran and when it was due.

The life of a run: ``claim`` (claimed) -> ``start`` (running) -> ``finish`` (done or failed), or ``hand_back``
(handed_back) when it has to stop early, or nothing more when its owner dies: then ``take_over`` gives it to another.
Every task or job has one *head*: its lease and its newest run. A new run is claimed only on the head that was looked
at (its token), so a decision based on an old picture is refused, and a task never overlaps itself.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa

from itopd.state import leases
from itopd.state.columns import database_now
from itopd.state.leases import LeaseLost
from itopd.state.owners import Owner
from itopd.state.run_ids import lowest_run_id, new_run_id
from itopd.state.store import StateStore
from itopd.state.tables import LEASE, RUN


class SubjectKind(StrEnum):
    """What can run."""

    TASK = "task"
    JOB = "job"


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """One task or job."""

    kind: SubjectKind
    name: str

    @property
    def lease(self) -> str:
        """Return the name of its lease."""
        return f"{self.kind}/{self.name}"

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class RunState(StrEnum):
    """Where a run is in its life."""

    CLAIMED = "claimed"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    HANDED_BACK = "handed_back"

    @property
    def is_open(self) -> bool:
        """Return whether somebody still has to work on the run."""
        return self not in (RunState.DONE, RunState.FAILED)


_UNDER_WAY = (RunState.CLAIMED.value, RunState.RUNNING.value)


@dataclass(frozen=True, slots=True)
class Run:
    """One row of the ledger. Instants are aware, in UTC."""

    id: str
    kind: SubjectKind
    name: str
    due: datetime
    next_due: datetime
    state: RunState
    owner: str
    token: int
    attempts: int
    failures: int
    """Runs of this task or job that failed in a row, this one included once it has failed."""
    pid: int | None
    claimed: datetime
    started: datetime | None
    finished: datetime | None
    exit_code: int | None
    progress: str
    message: str
    counters: Mapping[str, int]
    error: str

    @property
    def subject(self) -> Subject:
        """Return what ran."""
        return Subject(self.kind, self.name)


@dataclass(frozen=True, slots=True)
class Head:
    """The newest run of a task or job, and who holds its lease."""

    token: int
    owner: str
    """Empty when nobody holds the lease."""
    acquired: datetime
    expires: datetime
    is_expired: bool
    """By the database's clock."""
    run: Run


class ClaimRefused(StrEnum):
    """Why a run was not claimed."""

    BUSY = "busy"
    """Somebody holds the lease, or claimed since the head was read."""
    ALREADY_RUN = "already_run"
    """The ledger has a run of this task or job for this due time."""


def heads(store: StateStore) -> dict[Subject, Head]:
    """Return the head of every task and job that ever ran: one query, one row each."""
    expired = (LEASE.c.expires < database_now()).label("is_expired")
    statement = sa.select(
        LEASE.c.token, LEASE.c.owner, LEASE.c.acquired, LEASE.c.expires, expired, *_COLUMNS
    ).join_from(LEASE, RUN, RUN.c.id == LEASE.c.run_id)
    with store.read() as connection:
        rows = connection.execute(statement).all()
    found = [Head(row[0], row[1], row[2], row[3], bool(row[4]), _run(row[5:])) for row in rows]
    return {head.run.subject: head for head in found}


def claim(
    store: StateStore,
    subject: Subject,
    *,
    due: datetime,
    next_due: datetime,
    owner: Owner,
    seen: Head | None,
    now: datetime,
    lease_seconds: int,
) -> Run | ClaimRefused:
    """Claim a new run in one transaction: the lease, the unique row, and when the next one is due.

    ``seen`` is the head that the caller looked at; its run must be closed. Returns the run, or why there is none.
    """
    if seen is not None and seen.run.state.is_open:
        raise ValueError(f"{subject}: its run {seen.run.id} is still open; take it over instead of claiming a new one")
    run_id = new_run_id(now)

    def work(connection: sa.Connection) -> Run | ClaimRefused:
        once = sa.select(RUN.c.id).where(RUN.c.kind == subject.kind, RUN.c.name == subject.name, RUN.c.due == due)
        if connection.execute(once).first() is not None:
            return ClaimRefused.ALREADY_RUN
        token = leases.take(
            connection, subject.lease, owner, lease_seconds, seen=seen.token if seen else 0, run_id=run_id
        )
        if token is None:
            return ClaimRefused.BUSY
        run = Run(
            id=run_id,
            kind=subject.kind,
            name=subject.name,
            due=due,
            next_due=next_due,
            state=RunState.CLAIMED,
            owner=str(owner),
            token=token,
            attempts=1,
            failures=seen.run.failures if seen else 0,
            pid=None,
            claimed=now,
            started=None,
            finished=None,
            exit_code=None,
            progress="",
            message="",
            counters={},
            error="",
        )
        values = {field.name: getattr(run, field.name) for field in fields(run)}
        connection.execute(RUN.insert().values(**values | {"counters": "{}"}))
        return run

    try:
        return store.transact(work)
    except sa.exc.IntegrityError:  # the unique key spoke: another process inserted the same due time meanwhile
        return ClaimRefused.ALREADY_RUN


def take_over(
    store: StateStore,
    head: Head,
    *,
    owner: Owner,
    now: datetime,
    lease_seconds: int,
    owner_is_dead: bool = False,
) -> Run | None:
    """Claim the open run of ``head`` again: it was handed back, or its owner let the lease expire or is known dead.

    The attempt is counted. Returns ``None`` when somebody else was faster or the owner still holds the lease.
    """
    run = head.run

    def work(connection: sa.Connection) -> Run | None:
        token = leases.take(
            connection,
            run.subject.lease,
            owner,
            lease_seconds,
            seen=head.token,
            dead_owner=head.owner if owner_is_dead else None,
        )
        if token is None:
            return None
        values = {
            "state": RunState.CLAIMED,
            "owner": str(owner),
            "token": token,
            "attempts": RUN.c.attempts + 1,
            "pid": None,
            "claimed": now,
            "started": None,
            "progress": "",
        }
        connection.execute(RUN.update().where(RUN.c.id == run.id).values(**values))
        return get(connection, run.id)

    return store.transact(work)


def start(store: StateStore, run: Run, *, pid: int | None, now: datetime) -> None:
    """Record that work has begun in process ``pid``. Raises :class:`LeaseLost`."""
    _change(store, run, release=False, values={"state": RunState.RUNNING, "pid": pid, "started": now})


def report_progress(store: StateStore, run: Run, progress: str) -> None:
    """Record how far a run is, for people. Raises :class:`LeaseLost`."""
    _change(store, run, release=False, values={"progress": _fitting(progress)[:255]})


def finish(
    store: StateStore,
    run: Run,
    *,
    succeeded: bool,
    exit_code: int,
    now: datetime,
    next_due: datetime,
    message: str = "",
    counters: Mapping[str, int] | None = None,
    error: str = "",
) -> None:
    """Record how a run ended and give its lease back, in one transaction.

    Raises :class:`LeaseLost`, and records nothing, when the run was taken over meanwhile.
    """
    values = {
        "state": RunState.DONE if succeeded else RunState.FAILED,
        "exit_code": exit_code,
        "finished": now,
        "next_due": next_due,
        "message": _fitting(message),
        "counters": json.dumps(dict(counters or {}), sort_keys=True),
        "error": _fitting(error),
        "failures": 0 if succeeded else run.failures + 1,
    }
    _change(store, run, release=True, values=values)


def hand_back(store: StateStore, run: Run, *, reason: str) -> None:
    """Give an unfinished run back: it is due at once for anybody, and the attempt is not counted.

    Raises :class:`LeaseLost` when it was taken over meanwhile.
    """
    values = {"state": RunState.HANDED_BACK, "attempts": RUN.c.attempts - 1, "pid": None, "message": _fitting(reason)}
    _change(store, run, release=True, values=values)


def recent(store: StateStore, limit: int = 20, *, subject: Subject | None = None) -> list[Run]:
    """Return the newest runs, newest first."""
    statement = sa.select(*_COLUMNS).order_by(RUN.c.id.desc()).limit(limit)
    if subject is not None:
        statement = statement.where(RUN.c.kind == subject.kind, RUN.c.name == subject.name)
    with store.read() as connection:
        return [_run(row) for row in connection.execute(statement)]


def find(store: StateStore, run_id: str) -> Run | None:
    """Return one run, or ``None`` when the ledger does not know (any more) that id."""
    with store.read() as connection:
        row = connection.execute(sa.select(*_COLUMNS).where(RUN.c.id == run_id)).first()
    return _run(row) if row is not None else None


def prune(store: StateStore, *, before: datetime, states: Collection[RunState], limit: int = 1000) -> int:
    """Forget closed runs claimed before an instant, oldest first, at most ``limit``; the newest of each subject stays.

    Returns how many were deleted.
    """
    newest = sa.select(LEASE.c.run_id).where(LEASE.c.run_id.is_not(None))
    old = (
        sa.select(RUN.c.id)
        .where(RUN.c.id < lowest_run_id(before), RUN.c.state.in_([state.value for state in states]))
        .where(RUN.c.id.not_in(newest))
        .order_by(RUN.c.id)
        .limit(limit)
    )

    def work(connection: sa.Connection) -> int:
        ids = connection.execute(old).scalars().all()
        return connection.execute(RUN.delete().where(RUN.c.id.in_(ids))).rowcount if ids else 0

    return store.transact(work)


def get(connection: sa.Connection, run_id: str) -> Run:
    """Return one run inside a transaction."""
    return _run(connection.execute(sa.select(*_COLUMNS).where(RUN.c.id == run_id)).one())


def _change(store: StateStore, run: Run, *, release: bool, values: Mapping[str, object]) -> None:
    """Write to a run that is still ours, and give its lease back if asked."""

    def work(connection: sa.Connection) -> None:
        # A take-over writes its token to the run in the transaction that takes the lease: the run's token tells all.
        ours = (RUN.c.id == run.id, RUN.c.token == run.token, RUN.c.state.in_(_UNDER_WAY))
        if connection.execute(RUN.update().where(*ours).values(**values)).rowcount != 1:
            raise LeaseLost(f"run {run.id} of {run.subject} was taken over; what this process did is not recorded")
        if release:
            name, free = run.subject.lease, {"owner": "", "expires": database_now()}
            connection.execute(LEASE.update().where(LEASE.c.name == name, LEASE.c.token == run.token).values(**free))

    store.transact(work)


_COLUMNS = tuple(RUN.c[field.name] for field in fields(Run))
_STATE, _KIND, _COUNTERS = ([field.name for field in fields(Run)].index(name) for name in ("state", "kind", "counters"))
_LONGEST = 16_000
"""Characters kept of a message or error: MariaDB's TEXT holds 65,535 bytes."""


def _run(row: sa.Row[tuple[object, ...]] | tuple[object, ...]) -> Run:
    values = list(row)
    values[_STATE] = RunState(str(values[_STATE]))
    values[_KIND] = SubjectKind(str(values[_KIND]))
    values[_COUNTERS] = json.loads(str(values[_COUNTERS]))
    return Run(*values)  # type: ignore[arg-type]  # the columns are the fields, in order


def _fitting(text: str) -> str:
    text = text.replace("\0", "\N{SYMBOL FOR NULL}")  # which PostgreSQL cannot hold
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 4]} ..."
