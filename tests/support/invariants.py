"""What must hold in a state store after whatever happened: used at the end of every test that breaks something."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from itopd.database import Database
from itopd.state import Owner, Run, RunState, StateStore, ledger
from itopd.state.mail_claims import MAIL_CLAIM
from itopd.state.owners import process_is_alive
from itopd.state.runs import UNDER_WAY
from itopd.state.tables import LEASE, RUN

ALL = 1_000_000


def assert_sound(store: StateStore) -> None:
    """Say what is wrong between runs and leases, whether or not heartbeats are at work: each look is one statement."""
    for head in ledger.heads(store).values():
        run, name = head.run, head.run.subject
        if run.state.value in UNDER_WAY:
            held = (head.owner, head.token)
            assert held == (run.owner, run.token), f"{name} is {run.state} for {run.owner} without its lease: {held}"
        else:
            assert head.owner == "", f"{head.owner} holds the lease of {name}, whose run is {run.state}"
    heads = sa.select(LEASE.c.run_id).where(LEASE.c.run_id.is_not(None))
    lost = sa.select(RUN.c.id).where(RUN.c.state.in_(UNDER_WAY), RUN.c.id.not_in(heads))
    with store.read() as connection:
        assert not connection.execute(lost).all(), "a run is under way though a newer one has its lease"
    for run in ledger.recent(store, ALL):
        _assert_run_sound(run)


def _assert_run_sound(run: Run) -> None:
    if run.state.value in UNDER_WAY:
        assert run.attempts >= 1, f"{run.subject}: an attempt that was not counted"
    elif not run.state.is_open:
        assert run.finished is not None, f"{run.subject} is {run.state} but has no end"
        assert run.exit_code is not None, f"{run.subject} is {run.state} but has no exit code"
    assert run.attempts >= 0, f"{run.subject}: a hand-back gave back more than was taken"


def assert_at_rest(store: StateStore) -> None:
    """As :func:`assert_sound`, when nobody works any more: nothing is under way, nothing is owned, no child is left."""
    assert_sound(store)
    for run in ledger.recent(store, ALL):
        assert run.state.value not in UNDER_WAY, f"{run.subject} is still {run.state}, owned by {run.owner}"
        gone = run.pid in (None, os.getpid()) or not process_is_alive(run.pid or 0)
        assert gone, f"{run.subject}: its process {run.pid} still lives"
    for name, lease in _leases(store).items():  # of what is no run: a cut connection may leave it to its expiry
        assert lease["owner"] == "" or not lease["run_id"], f"{name} is owned by {lease['owner']}"


def assert_none_owned_by_the_dead(store: StateStore) -> None:
    """What the dead owned has been taken over, wherever living heartbeats look."""
    for name, lease in _leases(store).items():
        owner = Owner.parse(lease["owner"])
        assert owner is None or not owner.is_dead(), f"{name} is owned by a dead process: {lease['owner']}"


def assert_counts_add_up(store: StateStore, log: Iterable[Mapping[str, Any]]) -> None:
    """Every claim in the log ended in one way: finished, failed, handed back, lost to a successor, or given up."""
    events = Counter(entry["event"] for entry in log)
    claims = events["run_claimed"]
    ends = events["run_finished"] + events["run_failed"] + events["run_handed_back"] + events["lease_lost"]
    with store.read() as connection:
        rows = connection.execute(sa.select(RUN.c.state, sa.func.count()).group_by(RUN.c.state))
        stored = {str(row[0]): int(row[1]) for row in rows}
    assert claims == ends, f"{claims} claims, {ends} ends: {dict(events)}"
    done, failed = stored.get(RunState.DONE, 0), stored.get(RunState.FAILED, 0)
    assert done == events["run_finished"], f"{done} runs are done, {events['run_finished']} were told to be"
    assert failed == events["run_failed"] + events["run_given_up"], f"{failed} runs failed: {dict(events)}"


def _leases(store: StateStore) -> dict[str, dict[str, Any]]:
    with store.read() as connection:
        return {
            str(row["name"]): {str(key): value for key, value in row.items()}
            for row in connection.execute(sa.select(LEASE)).mappings()
        }


def assert_mails_at_rest(database: Database, state: StateStore) -> None:
    """Nobody sends any more: each mail is in one state and whole, none is in hand, none is claimed."""
    task, mail = database.table("AsyncTask"), database.table("AsyncSendEmail")
    query = sa.select(task.c.id, task.c.status, task.c.started, mail.c.id.label("mail_id"))
    with database.read() as connection:
        rows = connection.execute(query.select_from(task.outerjoin(mail, mail.c.id == task.c.id))).all()
        mails = set(connection.execute(sa.select(mail.c.id)).scalars())
    for row in rows:
        assert row.status in ("planned", "error"), f"mail {row.id} is {row.status} though nobody sends it"
        assert row.started is None, f"mail {row.id} is {row.status}, and started {row.started}"
        assert row.mail_id is not None, f"mail {row.id} has lost its content"
    known = {row.id for row in rows}
    assert mails <= known, f"mails without their task: {mails - known}"
    with state.read() as connection:
        claims = connection.execute(sa.select(MAIL_CLAIM)).all()
    for claim in claims:
        assert claim.owner == "", f"mail {claim.task_id} is claimed by {claim.owner}"
        assert claim.task_id in known, f"a claim of mail {claim.task_id}, which is gone"
