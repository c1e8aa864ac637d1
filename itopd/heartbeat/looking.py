"""What is due: one look at the ledger and the rows, in that order.

The ledger's heads are read *before* the rows: a claim names the head it looked at (:mod:`itopd.heartbeat.claiming`), so
a decision based on rows that somebody has meanwhile worked off is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from itopd.heartbeat.entries import Entry
from itopd.heartbeat.jobs.job import Job
from itopd.heartbeat.schedules.schedule import after_set_back
from itopd.heartbeat.schedules.wall_clock import disambiguated, whole_second
from itopd.heartbeat.set_aside import SetAside, is_set_aside, version_of
from itopd.heartbeat.tasks import first_by_name
from itopd.heartbeat.world import Heartbeat
from itopd.state import (
    Head,
    Owner,
    RunState,
    Subject,
    TaskRow,
    ledger,
)
from itopd.state.owners import process_is_alive


@dataclass(frozen=True, slots=True)
class Due:
    """One thing to do now."""

    entry: Entry
    row: TaskRow
    planned: datetime
    """What the next date is counted from."""
    head: Head | None
    resumes: bool
    """The head's run is open and nobody works on it any more."""
    asked_at: datetime | None = None
    """Somebody asked for a run now, whatever is planned: the ledger knows it under this time."""


@dataclass(frozen=True, slots=True)
class Held:
    """Something due that another process works on."""

    subject: Subject
    owner: str
    since: datetime
    run_id: str


@dataclass(frozen=True, slots=True)
class Picture:
    """What one look saw."""

    due: tuple[Due, ...]
    """Oldest planned date first."""
    held: tuple[Held, ...]
    later: Mapping[Subject, datetime]
    """When the others become due."""
    set_aside: tuple[SetAside, ...] = ()
    """What does not run any more, since it killed its process too often."""


def look(heartbeat: Heartbeat, entries: Sequence[Entry]) -> Picture:
    """Return what is due now: one query for the ledger's heads, one per table of rows."""
    heads = ledger.heads(heartbeat.state)
    return picture_of(heartbeat, entries, heads, rows_of(heartbeat, entries))


def rows_of(heartbeat: Heartbeat, entries: Sequence[Entry]) -> list[TaskRow | None]:
    """Return the row of each entry, ``None`` where there is none or it is not ours: one query per table of rows."""
    tables = {id(entry.rows): entry.rows for entry in entries}
    rows = {key: first_by_name(table.read()) for key, table in tables.items()}
    handed_over = None if heartbeat.handed_over is None else heartbeat.handed_over()
    return [
        None
        if handed_over is not None and entry.rows is heartbeat.task_rows and entry.subject.name not in handed_over
        else rows[id(entry.rows)].get(entry.subject.name)
        for entry in entries
    ]


def look_at(heartbeat: Heartbeat, entry: Entry) -> Due | Held | None:
    """Return what a run now would be, whatever is planned; ``None`` when the task or job has no row."""
    head = ledger.heads(heartbeat.state).get(entry.subject)
    row = first_by_name(entry.rows.read()).get(entry.subject.name)
    if row is None:
        return None
    if head is not None and head.run.state.is_open:
        if is_abandoned(head):
            return Due(entry, row, head.run.due, head, resumes=True)
        return Held(entry.subject, head.owner, head.acquired, head.run.id)
    now = heartbeat.clock.now()
    return Due(
        entry, row, _planned(entry, row, head, heartbeat) or whole_second(now), head, resumes=False, asked_at=now
    )


def picture_of(
    heartbeat: Heartbeat, entries: Sequence[Entry], heads: Mapping[Subject, Head], rows: Sequence[TaskRow | None]
) -> Picture:
    """Return what is due, given the row of each entry."""
    now = heartbeat.clock.now()
    due: list[Due] = []
    held: list[Held] = []
    later: dict[Subject, datetime] = {}
    aside: list[SetAside] = []
    for entry, row in zip(entries, rows, strict=True):
        if row is None or row.status != entry.runs_when:
            continue
        head = heads.get(entry.subject)
        planned = _planned(entry, row, head, heartbeat)
        if head is not None and head.run.state.is_open:
            if waits_for_worker(heartbeat, entry, head):
                continue
            if is_abandoned(head):
                due.append(Due(entry, row, head.run.due, head, resumes=True))
            elif planned is not None and planned <= now and head.owner != str(heartbeat.owner):
                held.append(Held(entry.subject, head.owner, head.acquired, head.run.id))
        elif head is not None and is_set_aside(heartbeat, entry, head.run, version_of):
            aside.append(SetAside(entry.subject, head.run))
        elif planned is not None and planned <= now:
            if entry.job is None or has_work(heartbeat, entry.job):
                due.append(Due(entry, row, planned, head, resumes=False))
            elif (seconds := entry.job.settles_in(now)) is not None:
                later[entry.subject] = now + timedelta(seconds=seconds)
        elif planned is not None:
            later[entry.subject] = planned
    due.sort(key=lambda item: item.planned)  # stable: ties keep the order of the entries
    return Picture(tuple(due), tuple(held), later, tuple(aside))


def has_work(heartbeat: Heartbeat, job: Job) -> bool:
    """Return whether a job has something to do; say so when its folder goes away or comes back."""
    before = job.hot_folder.problem if job.hot_folder is not None else ""
    found = job.has_work(heartbeat.clock)
    problem = job.hot_folder.problem if job.hot_folder is not None else ""
    if problem and not before:
        heartbeat.log.warning("folder_away", name=job.name, problem=problem)
    elif before and not problem:
        heartbeat.log.info("folder_back", name=job.name)
    return found


def waits_for_worker(heartbeat: Heartbeat, entry: Entry, head: Head) -> bool:
    """Return whether a run is in the queue of its lane, and its message need not be sent again yet."""
    in_queue = head.run.state is RunState.QUEUED and heartbeat.lanes[entry.lane].queue is not None
    return in_queue and not head.is_expired


def is_abandoned(head: Head) -> bool:
    """Return whether nobody works any more on the open run of a head."""
    return not head.owner or head.is_expired or has_died(head)


def has_died(head: Head) -> bool:
    """Return whether the owner surely has ended, and its child too: until then its work is not over."""
    owner = Owner.parse(head.owner)
    if owner is None or not owner.is_dead():
        return False
    return head.run.pid is None or not process_is_alive(head.run.pid)


def _planned(entry: Entry, row: TaskRow, head: Head | None, heartbeat: Heartbeat) -> datetime | None:
    if row.next_run_date is None:
        return None
    planned = disambiguated(row.next_run_date, head.run.next_due if head else None, heartbeat.zone)
    return after_set_back(entry.schedule, planned, row.latest_run_date, heartbeat.clock.now())
