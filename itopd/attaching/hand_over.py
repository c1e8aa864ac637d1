"""Background processes change hands between iTop's cron.php and itopd (``spec/heartbeat.md`` §7).

A process that was taken over has a ``paused`` row in ``priv_backgroundtask``, which iTop's cron.php leaves alone, and a
record in the state store of what the row was. Records are written before rows are paused and deleted after rows are
restored, so either of the two commands completes what a dead one has begun. They hold a lock against each other: one
that deletes records and one that writes them at the same moment would leave rows paused that nobody runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Final

from itopd.clock import Clock
from itopd.database import Database, HeldLock
from itopd.errors import ConflictError
from itopd.heartbeat.looking import is_abandoned
from itopd.state import StateStore, Subject, SubjectKind, TaskStatus, ledger, taken_over
from itopd.state.taken_over import TakenOver
from itopd.tasks.background_rows import BackgroundTaskRows, Process

CRON: Final = "cron"
"""The mutex that iTop's cron.php holds while it runs."""
_HAND_OVER: Final = "itopd_hand_over"
"""The lock that both commands hold."""
_LOOK_SECONDS: Final = 0.2

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one process."""

    process: str
    text: str
    done: bool = True
    """``False``: somebody has to do something."""


def take_over(
    database: Database,
    state: StateStore,
    clock: Clock,
    processes: Sequence[str],
    *,
    named: bool,
    wait: float,
    say: Say,
) -> list[Outcome]:
    """Make these processes run here, and return what became of each.

    Waits until iTop's cron.php has ended its round, ``wait`` seconds at most; then all rows are paused together. A
    process that somebody else has paused is taken only when it was ``named``. Raises :class:`ConflictError`, with
    nothing changed, when the wait was in vain or another hand-over is at work.
    """
    rows = BackgroundTaskRows(database)
    with _hand_over(database), _cron_mutex(database, wait, say) as mutex:
        found = rows.processes()
        known = {record.row_id: record for record in taken_over.read(state)}
        outcomes: list[Outcome] = []
        records: list[TakenOver] = []
        for name in processes:
            own = [row for row in found if row.class_name == name]
            outcome, wanted = _judge(name, own, known, named=named)
            outcomes.append(outcome)
            records += [_record(row, known.get(row.row_id), clock) for row in wanted]
        taken_over.record(state, records)
        mutex.check()
        rows.change_status([record.row_id for record in records], old=TaskStatus.ACTIVE, new=TaskStatus.PAUSED)
    return outcomes


def give_back(
    database: Database, state: StateStore, processes: Collection[str] | None, *, wait: float, say: Say
) -> list[Outcome]:
    """Give processes back to iTop, all of them without ``processes``; return what became of each row.

    No run of them begins here any more; those under way are awaited, ``wait`` seconds at most. Rows that are still
    as the hand-over left them get back the status they had. Raises :class:`ConflictError`, with no row changed, when a
    run does not end in time, or another hand-over is at work: calling this again goes on.
    """
    with _hand_over(database):
        return _give_back(database, state, processes, wait, say)


def _give_back(
    database: Database, state: StateStore, processes: Collection[str] | None, wait: float, say: Say
) -> list[Outcome]:
    records = [one for one in taken_over.read(state) if processes is None or one.class_name in processes]
    names = {record.class_name for record in records}
    taken_over.give_back(state, names)
    _await_runs(state, names, wait, say)
    rows = BackgroundTaskRows(database)
    found = {row.row_id: row for row in rows.processes()}
    restored = [record.row_id for record in records if _is_as_left(record, found)]
    rows.change_status(restored, old=TaskStatus.PAUSED, new=TaskStatus.ACTIVE)
    taken_over.forget(state, [record.row_id for record in records])
    outcomes = [_given_back(record, found.get(record.row_id)) for record in records]
    unknown = () if processes is None else sorted(set(processes) - names)
    return [*outcomes, *(Outcome(name, "was not taken over: nothing to do") for name in unknown)]


@contextmanager
def _hand_over(database: Database) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(database.named_lock(_HAND_OVER))
        except ConflictError as error:
            raise ConflictError(
                f"another 'itopd attach --take_over' or 'itopd detach' is at work ({error.message}): nothing was "
                "changed. Call this again when it has ended"
            ) from error
        yield


@contextmanager
def _cron_mutex(database: Database, wait: float, say: Say) -> Iterator[HeldLock]:
    with ExitStack() as stack:
        try:
            mutex = stack.enter_context(database.named_lock(CRON))
        except ConflictError:
            say(f"iTop's cron.php is at work: waiting until its round ends, {wait:.0f} seconds at most")
            mutex = _patiently(stack, database, wait)
        yield mutex


def _patiently(stack: ExitStack, database: Database, wait: float) -> HeldLock:
    try:
        return stack.enter_context(database.named_lock(CRON, wait))
    except ConflictError as error:
        raise ConflictError(
            f"iTop's cron.php still holds its lock after {wait:.0f} seconds ({error.message}): nothing was changed. "
            "Its rounds last cron_max_execution_time seconds; call this again, or wait longer with --wait SECONDS"
        ) from error


def _judge(
    name: str, own: Sequence[Process], known: Mapping[int, TakenOver], *, named: bool
) -> tuple[Outcome, Sequence[Process]]:
    """Return what will have become of a process, and which of its rows are to be taken over."""
    if not own:
        text = "has no row in priv_backgroundtask yet: let iTop's cron.php run once, then call this again"
        return Outcome(name, text, done=False), ()
    alive = [row for row in own if row.status is not TaskStatus.REMOVED]
    if not alive:
        text = "iTop has set its row to removed, it does not know it any more: bring back its module, or leave it out"
        return Outcome(name, text, done=False), ()
    ours = [row for row in alive if _is_ours(row, known.get(row.row_id))]
    if len(ours) == len(alive):
        since = min(known[row.row_id].since for row in ours)
        return Outcome(name, f"runs here already, since {since:%Y-%m-%d %H:%M} UTC"), ()
    if not named and not ours and all(row.status is TaskStatus.PAUSED and row.row_id not in known for row in alive):
        text = f"is left alone: somebody has paused it in iTop; to run it here say --processes {name}"
        return Outcome(name, text, done=False), ()
    were = ", ".join(dict.fromkeys(row.status.value for row in alive))
    return Outcome(name, f"runs here now (its row was {were})"), alive


def _is_ours(row: Process, record: TakenOver | None) -> bool:
    return (
        record is not None
        and record.class_name == row.class_name
        and not record.giving_back
        and row.status is TaskStatus.PAUSED
    )


def _record(row: Process, known: TakenOver | None, clock: Clock) -> TakenOver:
    """Return what to remember of a row that is taken over; of one that is ours already, what was remembered."""
    if known is not None and known.class_name == row.class_name and row.status is TaskStatus.PAUSED:
        return replace(known, giving_back=False)
    return TakenOver(row.row_id, row.class_name, row.status, clock.now())


def _await_runs(state: StateStore, names: Collection[str], wait: float, say: Say) -> None:
    """Wait until no run of these processes is under way here."""
    deadline, told = time.monotonic() + wait, False
    while busy := _at_work(state, names):
        if time.monotonic() >= deadline:
            raise ConflictError(
                f"after {wait:.0f} seconds {busy} still run(s) here: no new run begins, and no row was restored. "
                "Stop the daemon or let it end its work, then call this again"
            )
        if not told:
            say(f"waiting until {busy} has ended here, {wait:.0f} seconds at most")
            told = True
        time.sleep(_LOOK_SECONDS)


def _at_work(state: StateStore, names: Collection[str]) -> str:
    heads = ledger.heads(state)
    found = {name: heads.get(Subject(SubjectKind.TASK, name)) for name in sorted(names)}
    return ", ".join(name for name, head in found.items() if head and head.run.state.is_open and not is_abandoned(head))


def _is_as_left(record: TakenOver, found: Mapping[int, Process]) -> bool:
    """Return whether a row is still as the hand-over left it, and was active before."""
    row = found.get(record.row_id)
    return row == Process(record.row_id, record.class_name, TaskStatus.PAUSED) and record.previous is TaskStatus.ACTIVE


def _given_back(record: TakenOver, row: Process | None) -> Outcome:
    """Return what became of a row, given how it was found."""
    name = record.class_name
    if row is None or row.class_name != name:
        return Outcome(name, "its row is gone from priv_backgroundtask: there was nothing to restore", done=False)
    match row.status:
        case TaskStatus.PAUSED if record.previous is TaskStatus.ACTIVE:
            return Outcome(name, "is back with iTop: its row is active again")
        case TaskStatus.PAUSED:
            return Outcome(name, "is back with iTop: its row stays paused, as it was before")
        case TaskStatus.ACTIVE:
            return Outcome(name, "is back with iTop: somebody had set its row to active already")
    return Outcome(name, "iTop has set its row to removed since; it was left so", done=False)
