"""The run ledger: what a claim promises, whoever else claims."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context

import pytest
import sqlalchemy as sa

from itopd.state import (
    ClaimRefused,
    Head,
    LeaseLost,
    Owner,
    Run,
    RunState,
    StateStore,
    Subject,
    SubjectKind,
    leases,
    ledger,
    open_state,
    this_process,
)
from itopd.state.run_ids import lowest_run_id, new_run_id
from itopd.state.tables import LEASE, RUN

DUE = datetime(2027, 2, 10, 9, tzinfo=UTC)
TASK = Subject(SubjectKind.TASK, r"Combodo\iTop\Example")
OTHER = Owner("elsewhere", 1, "1")


def claim(
    store: StateStore, due: datetime = DUE, *, subject: Subject = TASK, owner: Owner | None = None, seconds: int = 60
) -> Run | ClaimRefused:
    return claim_seeing(store, ledger.heads(store).get(subject), due, subject=subject, owner=owner, seconds=seconds)


def claim_seeing(
    store: StateStore,
    seen: Head | None,
    due: datetime,
    *,
    subject: Subject = TASK,
    owner: Owner | None = None,
    seconds: int = 60,
) -> Run | ClaimRefused:
    return ledger.claim(
        store,
        subject,
        due=due,
        next_due=due + timedelta(minutes=5),
        owner=owner or this_process(),
        seen=seen,
        now=due,
        lease_seconds=seconds,
    )


def claimed(store: StateStore, due: datetime = DUE, **options: object) -> Run:
    run = claim(store, due, **options)  # type: ignore[arg-type]
    assert isinstance(run, Run)
    return run


def finish(store: StateStore, run: Run, *, succeeded: bool = True) -> None:
    ledger.finish(store, run, succeeded=succeeded, exit_code=0, now=DUE, next_due=DUE + timedelta(minutes=5))


def head(store: StateStore) -> Head:
    return ledger.heads(store)[TASK]


def take_over(store: StateStore, seen: Head, **options: bool) -> Run | None:
    return ledger.take_over(store, seen, owner=this_process(), now=DUE, lease_seconds=60, **options)


def test_a_run_goes_from_claimed_to_done_and_keeps_what_it_told(store: StateStore) -> None:
    run = claimed(store)
    ledger.start(store, run, pid=4711, now=DUE)
    ledger.report_progress(store, run, "5 of 10 rows")
    assert head(store).owner == str(this_process())
    ledger.finish(
        store, run, succeeded=True, exit_code=1, now=DUE, next_due=DUE, message="é ☃ 10 rows", counters={"rows": 10}
    )
    (found,) = ledger.recent(store)
    assert (found.state, found.exit_code, found.message, found.counters) == (
        RunState.DONE,
        1,
        "é ☃ 10 rows",
        {"rows": 10},
    )
    assert (found.pid, found.progress, found.attempts, found.due) == (4711, "5 of 10 rows", 1, DUE)
    assert head(store).owner == ""


def test_what_names_a_file_that_is_no_utf8_is_recorded_all_the_same(store: StateStore) -> None:
    run, name = claimed(store), os.fsdecode(b"lat\xe9n.csv")
    ledger.start(store, run, pid=4711, now=DUE)
    ledger.report_progress(store, run, name)
    ledger.finish(store, run, succeeded=False, exit_code=70, now=DUE, next_due=DUE, message=name, error=name)
    (found,) = ledger.recent(store)
    assert {found.progress, found.message, found.error} == {r"lat\udce9n.csv"}


def test_a_due_time_is_claimed_once(store: StateStore) -> None:
    finish(store, claimed(store))
    assert claim(store) is ClaimRefused.ALREADY_RUN
    assert isinstance(claim(store, DUE + timedelta(seconds=1)), Run)


def test_a_task_and_a_job_of_one_name_are_two_things(store: StateStore) -> None:
    claimed(store)
    claimed(store, subject=Subject(SubjectKind.JOB, TASK.name))


def test_a_decision_on_an_old_picture_is_refused(store: StateStore) -> None:
    finish(store, claimed(store))
    old = head(store)
    finish(store, claimed(store, DUE + timedelta(minutes=5)))
    late = ledger.claim(
        store,
        TASK,
        due=DUE + timedelta(minutes=10),
        next_due=DUE,
        owner=OTHER,
        seen=old,
        now=DUE,
        lease_seconds=60,
    )
    assert late is ClaimRefused.BUSY


def test_no_new_run_while_one_is_open(store: StateStore) -> None:
    claimed(store)
    with pytest.raises(ValueError, match="still open"):
        claim(store, DUE + timedelta(minutes=5))


def test_a_run_handed_back_is_claimed_again_without_costing_an_attempt(store: StateStore) -> None:
    ledger.hand_back(store, claimed(store), reason="itopd stops")
    seen = head(store)
    assert (seen.run.state, seen.run.attempts, seen.owner) == (RunState.HANDED_BACK, 0, "")
    again = take_over(store, seen)
    assert again is not None
    assert (again.id, again.attempts, again.token) == (seen.run.id, 1, seen.token + 1)
    assert take_over(store, seen) is None


def test_a_run_that_ended_since_somebody_looked_is_not_taken_over(store: StateStore) -> None:
    """Its owner seemed dead, or its lease had expired, and it ended all the same before the take-over."""
    run = claimed(store, owner=OTHER)
    expire(store)
    seen = head(store)
    finish(store, run)
    assert take_over(store, seen) is None
    assert take_over(store, seen, owner_is_dead=True) is None
    assert head(store).run.state is RunState.DONE


def test_a_living_owner_keeps_its_run_until_the_lease_expires(store: StateStore) -> None:
    claimed(store, owner=OTHER)
    assert take_over(store, head(store)) is None
    expire(store)
    seen = head(store)
    assert seen.is_expired
    again = take_over(store, seen)
    assert again is not None
    assert again.attempts == 2


def test_a_dead_owner_does_not_keep_its_lease(store: StateStore) -> None:
    claimed(store, owner=OTHER)
    assert take_over(store, head(store), owner_is_dead=True) is not None


def test_who_lost_the_lease_records_nothing(store: StateStore) -> None:
    old = claimed(store, owner=OTHER)
    expire(store)
    new = take_over(store, head(store))
    assert new is not None
    writes: list[Callable[[], None]] = [
        lambda: ledger.start(store, old, pid=1, now=DUE),
        lambda: finish(store, old),
        lambda: ledger.hand_back(store, old, reason="late"),
        lambda: ledger.report_progress(store, old, "late"),
    ]
    for write in writes:
        with pytest.raises(LeaseLost, match="taken over"):
            write()
    finish(store, new)
    assert head(store).run.state is RunState.DONE


def test_a_finished_run_cannot_be_finished_again(store: StateStore) -> None:
    run = claimed(store)
    finish(store, run)
    with pytest.raises(LeaseLost):
        finish(store, run, succeeded=False)


def test_failures_in_a_row_are_counted(store: StateStore) -> None:
    for minutes, succeeded, failures in ((0, False, 1), (5, False, 2), (10, True, 0), (15, False, 1)):
        finish(store, claimed(store, DUE + timedelta(minutes=minutes)), succeeded=succeeded)
        assert head(store).run.failures == failures


def test_renewing_keeps_what_is_ours_and_tells_what_is_not(store: StateStore) -> None:
    mine = claimed(store, seconds=5)
    before = head(store).expires
    assert leases.renew(store, this_process(), [TASK.lease, "task/Unknown"], 600) == {TASK.lease}
    assert head(store).expires > before + timedelta(seconds=500)
    assert leases.renew(store, OTHER, [TASK.lease], 600) == frozenset()
    finish(store, mine)


def test_a_long_message_is_cut_not_refused(store: StateStore) -> None:
    run = claimed(store)
    ledger.finish(store, run, succeeded=False, exit_code=70, now=DUE, next_due=DUE, error="☃" * 100_000)
    assert head(store).run.error.endswith(" ...")


def test_pruning_forgets_old_closed_runs_but_never_the_newest(store: StateStore) -> None:
    for day in range(5):
        finish(store, claimed(store, DUE + timedelta(days=day)), succeeded=day != 1)
    before = DUE + timedelta(days=30)
    assert ledger.prune(store, before=before, states=[RunState.DONE], limit=2) == 2
    assert ledger.prune(store, before=before, states=[RunState.DONE]) == 1
    assert [run.state for run in ledger.recent(store)] == [RunState.DONE, RunState.FAILED]


def test_run_ids_sort_by_time() -> None:
    earlier, later = DUE, DUE + timedelta(milliseconds=1)
    assert lowest_run_id(earlier) <= new_run_id(earlier) < lowest_run_id(later) <= new_run_id(later)
    assert len(new_run_id(earlier)) == 26


def test_a_lease_is_acquired_once_and_its_token_grows(store: StateStore) -> None:
    first = leases.acquire(store, "heartbeat/rows", this_process(), 60)
    assert first == 1
    assert leases.acquire(store, "heartbeat/rows", OTHER, 60) is None
    leases.release(store, "heartbeat/rows", this_process(), first)
    assert leases.acquire(store, "heartbeat/rows", OTHER, 60) == 2
    held = leases.read(store, "heartbeat/rows")
    assert held is not None
    assert held.owner == str(OTHER)


def test_eight_processes_race_and_each_due_time_runs_once(state_url: str) -> None:
    open_state(state_url).close()
    dues = [DUE + timedelta(seconds=second) for second in range(25)]
    with ProcessPoolExecutor(8, mp_context=get_context("forkserver")) as pool:
        won = [due for dues_won in pool.map(_race, [state_url] * 8, [dues] * 8) for due in dues_won]
    assert sorted(won) == dues
    store = open_state(state_url)
    try:
        with store.read() as connection:
            assert connection.execute(sa.select(sa.func.count()).select_from(RUN)).scalar() == len(dues)
            assert set(connection.execute(sa.select(RUN.c.state)).scalars()) == {RunState.DONE}
    finally:
        store.close()


def _race(url: str, dues: Sequence[datetime]) -> list[datetime]:
    """Claim every due time that nobody has yet, in order; return those that were ours."""
    store = open_state(url)
    won = []
    try:
        for due in dues:
            while True:
                seen = ledger.heads(store).get(TASK)
                if seen is not None and seen.run.state.is_open:
                    if seen.run.due >= due:
                        break
                    continue
                run = claim_seeing(store, seen, due)
                if isinstance(run, Run):
                    finish(store, run)
                    won.append(due)
                if run is not ClaimRefused.BUSY:
                    break
    finally:
        store.close()
    return won


def test_the_owner_of_a_run_is_told_from_a_later_process_with_its_number() -> None:
    me = this_process()
    assert Owner.parse(str(me)) == me
    assert not me.is_dead()
    assert replace(me, started="1").is_dead()
    assert not replace(me, place="elsewhere", started="1").is_dead()
    assert Owner.parse("nonsense") is None


def expire(store: StateStore) -> None:
    """Let all leases expire: by the database's clock, since nothing else counts."""
    with store.write() as connection:
        connection.execute(LEASE.update().values(expires=datetime(2020, 1, 1, tzinfo=UTC)))


def test_a_run_knows_when_its_task_last_succeeded_however_many_failed_since(store: StateStore) -> None:
    ended = []
    for number, succeeded in enumerate((False, True, False, False)):
        due = DUE + timedelta(minutes=5 * number)
        run = claim(store, due)
        assert isinstance(run, Run)
        ledger.start(store, run, pid=1, now=due)
        ledger.finish(
            store, run, succeeded=succeeded, exit_code=0, now=due + timedelta(seconds=1), next_due=due, error=""
        )
        ended.append(ledger.heads(store)[TASK].run.last_success)
    success = DUE + timedelta(minutes=5, seconds=1)
    assert ended == [None, success, success, success]


def test_recent_runs_can_be_asked_for_by_their_state(store: StateStore) -> None:
    for number, succeeded in enumerate((True, False, True)):
        run = claim(store, DUE + timedelta(minutes=number))
        assert isinstance(run, Run)
        ledger.start(store, run, pid=1, now=DUE)
        ledger.finish(store, run, succeeded=succeeded, exit_code=0, now=DUE, next_due=DUE)
    failed = ledger.recent(store, states=[RunState.FAILED])
    assert [(run.state, run.due) for run in failed] == [(RunState.FAILED, DUE + timedelta(minutes=1))]


def test_a_head_says_how_long_its_lease_still_holds(store: StateStore) -> None:
    claim(store, seconds=60)
    assert 0 < ledger.heads(store)[TASK].seconds_left <= 60
