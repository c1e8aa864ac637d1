"""The run ledger: one row per run, unique by what ran and when it was due.

The life of a run: ``claim`` (claimed) -> ``start`` (running) -> ``finish`` (done or failed), or ``hand_back``
(handed_back) when it has to stop early, or nothing more when its owner dies: then ``take_over`` gives it to another.
A run for the workers of a queue is claimed for nobody (queued) until one of them takes it over.
Every task or job has one *head*: its lease and its newest run. A new run is claimed only on the head that was looked
at (its token), so a decision based on an old picture is refused, and a task never overlaps itself.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from itopd.state import leases
from itopd.state.columns import database_now
from itopd.state.leases import LeaseLost
from itopd.state.owners import Owner
from itopd.state.run_ids import lowest_run_id, new_run_id
from itopd.state.runs import UNDER_WAY, ClaimRefused, Head, Run, RunState, Subject, SubjectKind
from itopd.state.store import StateStore
from itopd.state.tables import LEASE, RUN, RUN_LOG


def heads(store: StateStore) -> dict[Subject, Head]:
    """Return the head of every task and job that ever ran: one query, one row each."""
    with store.read() as connection:
        found = [_head(row) for row in connection.execute(_HEADS)]
    return {head.run.subject: head for head in found}


def claim(
    store: StateStore,
    subject: Subject,
    *,
    due: datetime,
    next_due: datetime,
    owner: Owner | None,
    seen: Head | None,
    now: datetime,
    lease_seconds: int,
    version: str = "",
) -> Run | ClaimRefused:
    """Claim a new run in one transaction: the lease, the unique row, and when the next one is due.

    ``seen`` is the head that the caller looked at; its run must be closed. ``owner`` ``None`` claims it for the workers
    of a queue: the attempt is counted when one takes it over, and ``lease_seconds`` is when to send its message again.
    Returns the run, or why there is none.
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
            state=RunState.QUEUED if owner is None else RunState.CLAIMED,
            owner="" if owner is None else str(owner),
            token=token,
            attempts=0 if owner is None else 1,
            failures=seen.run.failures if seen else 0,
            deaths=seen.run.deaths if seen else 0,
            version=version,
            stop_asked=False,
            pid=None,
            claimed=now,
            started=None,
            finished=None,
            exit_code=None,
            progress="",
            message="",
            counters={},
            error="",
            last_success=seen.run.last_success if seen else None,
        )
        values = {field.name: getattr(run, field.name) for field in fields(run)}
        connection.execute(RUN.insert().values(**values | {"counters": "{}", "stop_asked": 0}))
        return run

    try:
        return store.transact(work)
    except sa.exc.IntegrityError:  # the unique key spoke: another process inserted the same due time meanwhile
        return ClaimRefused.ALREADY_RUN


def take_over(
    store: StateStore,
    head: Head,
    *,
    owner: Owner | None,
    now: datetime,
    lease_seconds: int,
    owner_is_dead: bool = False,
    died_at_work: bool = False,
) -> Run | None:
    """Claim the open run of ``head`` again: it was handed back, or its owner let the lease expire or is known dead.

    The attempt is counted, and a death when the owner ``died_at_work``. ``owner`` ``None`` puts it into the queue of
    the workers (see :func:`claim`). Returns ``None`` when somebody else was faster or the owner still holds the lease.
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
            "state": RunState.QUEUED if owner is None else RunState.CLAIMED,
            "owner": "" if owner is None else str(owner),
            "token": token,
            "attempts": RUN.c.attempts + (0 if owner is None else 1),
            "deaths": RUN.c.deaths + int(died_at_work),
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
    deaths: int = 0,
) -> None:
    """Record how a run ended and give its lease back, in one transaction.

    ``deaths`` is how many processes in a row have died over this task or job. Raises :class:`LeaseLost`, and records
    nothing, when the run was taken over meanwhile. Calling it again, when the server's answer was lost, is harmless.
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
        "deaths": deaths,
    }
    if succeeded:
        values["last_success"] = now
    _change(store, run, release=True, values=values)


def hand_back(store: StateStore, run: Run, *, reason: str) -> None:
    """Give an unfinished run back: it is due at once for anybody, and the attempt is not counted.

    Raises :class:`LeaseLost` when it was taken over meanwhile.
    """
    values = {"state": RunState.HANDED_BACK, "attempts": RUN.c.attempts - 1, "pid": None, "message": _fitting(reason)}
    _change(store, run, release=True, values=values)


def head_of(store: StateStore, run_id: str) -> Head | None:
    """Return the head whose run has this id; ``None`` when a newer run has taken its place, or it is forgotten."""
    with store.read() as connection:
        row = connection.execute(_HEADS.where(RUN.c.id == run_id)).first()
    return _head(row) if row is not None else None


def put_off(store: StateStore, run: Run, seconds: int) -> bool:
    """Let the message of a queued run be sent again in ``seconds``; return whether it still waits for a worker."""
    waits = (LEASE.c.name == run.subject.lease, LEASE.c.token == run.token, LEASE.c.owner == "")
    change = LEASE.update().where(*waits).values(expires=database_now(seconds))
    return store.transact(lambda connection: connection.execute(change).rowcount == 1)


def recent(
    store: StateStore,
    limit: int = 20,
    *,
    subjects: Collection[Subject] | None = None,
    states: Collection[RunState] = (),
) -> list[Run]:
    """Return the newest runs, newest first: all, or those of some ``subjects``, or those in one of ``states``."""
    statement = sa.select(*_COLUMNS).order_by(RUN.c.id.desc()).limit(limit)
    if subjects is not None:
        of_these = [sa.and_(RUN.c.kind == subject.kind, RUN.c.name == subject.name) for subject in subjects]
        statement = statement.where(sa.or_(sa.false(), *of_these))
    if states:
        statement = statement.where(RUN.c.state.in_([state.value for state in states]))
    with store.read() as connection:
        return [_run(row) for row in connection.execute(statement)]


def find(store: StateStore, run_id: str) -> Run | None:
    """Return one run, or ``None`` when the ledger does not know (any more) that id."""
    with store.read() as connection:
        row = connection.execute(sa.select(*_COLUMNS).where(RUN.c.id == run_id)).first()
    return _run(row) if row is not None else None


def prune(store: StateStore, *, before: datetime, states: Collection[RunState], limit: int = 1000) -> int:
    """Forget closed runs claimed before an instant, and their logs, oldest first, at most ``limit``.

    The newest run of each subject stays.

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
        if not ids:
            return 0
        connection.execute(RUN_LOG.delete().where(RUN_LOG.c.run_id.in_(ids)))
        return connection.execute(RUN.delete().where(RUN.c.id.in_(ids))).rowcount

    return store.transact(work)


def get(connection: sa.Connection, run_id: str) -> Run:
    """Return one run inside a transaction."""
    return _run(connection.execute(sa.select(*_COLUMNS).where(RUN.c.id == run_id)).one())


def _change(store: StateStore, run: Run, *, release: bool, values: Mapping[str, object]) -> None:
    """Write to a run that is still ours, and give its lease back if asked (again, if the answer was lost)."""
    # A take-over writes its token to the run in the transaction that takes the lease: the run's token tells all.
    ours = (RUN.c.id == run.id, RUN.c.token == run.token)

    def work(connection: sa.Connection) -> None:
        if connection.execute(RUN.update().where(*ours, RUN.c.state.in_(UNDER_WAY)).values(**values)).rowcount != 1:
            if release and connection.scalar(sa.select(RUN.c.state).where(*ours)) == values["state"]:
                return  # by us: nobody else has this token
            raise LeaseLost(f"run {run.id} of {run.subject} was taken over; what this process did is not recorded")
        if release:
            # The token grows here, too: whoever looked while we worked must not take over what is over by now.
            free = {"owner": "", "expires": database_now(), "token": LEASE.c.token + 1}
            held = (LEASE.c.name == run.subject.lease, LEASE.c.token == run.token)
            connection.execute(LEASE.update().where(*held).values(**free))

    store.transact(work)


_COLUMNS = tuple(RUN.c[field.name] for field in fields(Run))
_HEADS = sa.select(
    LEASE.c.token,
    LEASE.c.owner,
    LEASE.c.acquired,
    LEASE.c.expires,
    database_now().label("now"),
    (LEASE.c.expires < database_now()).label("is_expired"),
    *_COLUMNS,
).join_from(LEASE, RUN, RUN.c.id == LEASE.c.run_id)
_PLACES = {field.name: place for place, field in enumerate(fields(Run))}
_LONGEST = 16_000
"""Characters kept of a message or error: MariaDB's TEXT holds 65,535 bytes."""


def _head(row: Sequence[Any]) -> Head:
    token, owner, acquired, expires, now, is_expired, *run = row
    return Head(token, owner, acquired, expires, bool(is_expired), (expires - now).total_seconds(), _run(run))


def _run(row: Sequence[object]) -> Run:
    values = list(row)
    values[_PLACES["state"]] = RunState(str(values[_PLACES["state"]]))
    values[_PLACES["kind"]] = SubjectKind(str(values[_PLACES["kind"]]))
    values[_PLACES["stop_asked"]] = bool(values[_PLACES["stop_asked"]])
    values[_PLACES["counters"]] = json.loads(str(values[_PLACES["counters"]]))
    return Run(*values)  # type: ignore[arg-type]  # the columns are the fields, in order


def _fitting(text: str) -> str:
    text = text.replace("\0", "\N{SYMBOL FOR NULL}")  # which PostgreSQL cannot hold
    text = text.encode("utf-8", "backslashreplace").decode()  # the name of a file may be no UTF-8, which none can hold
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 4]} ..."
