"""What is due, and the claim of it.

``look`` reads the ledger's heads *before* the rows: a claim names the head it looked at, so a decision based on rows
that somebody has meanwhile worked off is refused. The next date is written with the claim, not after the run: of many
heartbeats exactly one gets a due time, and a crash moves no date.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from itopd.clock import to_itop
from itopd.heartbeat.jobs import Job, Jobs, synchronise_jobs
from itopd.heartbeat.queueing import RESEND_SECONDS
from itopd.heartbeat.schedule import Schedule, after_set_back, backed_off
from itopd.heartbeat.set_aside import SetAside, is_set_aside, version_of
from itopd.heartbeat.tasks import Synchronisation, Task, Waiting, first_by_name, synchronise
from itopd.heartbeat.wall_clock import disambiguated, whole_second
from itopd.heartbeat.world import Heartbeat, log_of
from itopd.state import (
    ClaimRefused,
    Head,
    Owner,
    Run,
    RunState,
    Subject,
    SubjectKind,
    TaskRow,
    TaskRows,
    TaskStatus,
    leases,
    ledger,
)
from itopd.state.owners import process_is_alive
from itopd.state.tasks import OwnTaskRows

_ROWS_LEASE = "heartbeat/rows"
_ROWS_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Entry:
    """A task or job that may run, and where its row is."""

    subject: Subject
    schedule: Schedule
    lane: str
    rows: TaskRows
    runs_when: TaskStatus
    """The status of a row that is ours to run."""
    max_seconds: float | None
    job: Job | None = None
    until: datetime | None = None
    """What the run is told as its limit where that comes before its soft one; it is neither stopped nor killed then."""
    waiting: Waiting | None = None
    """Of a task: whether it has anything to do; ``None``: always."""

    @property
    def writes(self) -> bool:
        """Return whether a run changes anything; tasks do."""
        return self.job is None or self.job.writes


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


@dataclass(frozen=True, slots=True)
class Claimed:
    """A run that is ours."""

    entry: Entry
    row: TaskRow
    """As it was before the claim."""
    run: Run
    planned: datetime
    """What the next date is counted from."""

    def next_date(self, now: datetime, zone: ZoneInfo, failures: int, exit_code: int) -> datetime:
        """Return when the task or job is due after this run, the last of so many that failed in a row."""
        planned = _next_date(self.entry, self.planned, now, zone)
        if not failures:
            return planned
        if self.entry.job is not None:
            return self.entry.job.after_failure(planned, failures, exit_code, now)
        return backed_off(planned, failures, now)


def entries_of(heartbeat: Heartbeat, jobs: Jobs) -> tuple[Entry, ...]:
    """Return everything that may run."""
    own_rows = OwnTaskRows(heartbeat.state, SubjectKind.TASK)
    job_rows = OwnTaskRows(heartbeat.state, SubjectKind.JOB)
    itop_status = TaskStatus.PAUSED if heartbeat.attached else TaskStatus.ACTIVE
    tasks = [
        Entry(
            subject=Subject(SubjectKind.TASK, task.name),
            schedule=task.schedule,
            lane=task.lane,
            rows=own_rows if task.own else heartbeat.task_rows,
            runs_when=TaskStatus.ACTIVE if task.own else itop_status,
            max_seconds=task.max_seconds,
            waiting=task.waiting,
        )
        for task in heartbeat.tasks
        if task.schedule is not None
    ]
    return (
        *tasks,
        *(
            Entry(
                subject=Subject(SubjectKind.JOB, job.name),
                schedule=job.schedule,
                lane=job.lane,
                rows=job_rows,
                runs_when=TaskStatus.ACTIVE,
                max_seconds=job.max_seconds,
                job=job,
            )
            for job in jobs.jobs
        ),
    )


def synchronise_rows(heartbeat: Heartbeat, jobs: Jobs) -> bool:
    """Bring the rows in line with tasks and jobs (§4); one process at a time does it.

    Returns ``False`` when another process is doing it at this moment.
    """
    token = leases.acquire(heartbeat.state, _ROWS_LEASE, heartbeat.owner, _ROWS_SECONDS)
    if token is None:
        return False
    try:
        shipped = [task for task in heartbeat.tasks if not task.own and heartbeat.is_ours(task.name)]
        own = [task for task in heartbeat.tasks if task.own]
        _synchronise_tasks(heartbeat, shipped, heartbeat.task_rows, whole_table=not heartbeat.attached)
        _synchronise_tasks(heartbeat, own, OwnTaskRows(heartbeat.state, SubjectKind.TASK), whole_table=True)
        job_rows = OwnTaskRows(heartbeat.state, SubjectKind.JOB)
        created, changed = synchronise_jobs(jobs, job_rows.read(), heartbeat.clock.now())
        _apply(job_rows, Synchronisation(tuple(created), tuple(changed)))
    finally:
        leases.release(heartbeat.state, _ROWS_LEASE, heartbeat.owner, token)
    return True


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


def claim(heartbeat: Heartbeat, due: Due) -> Claimed | None:
    """Claim what is due; ``None`` when another process was faster, the run was missed, or it was given up.

    A process that was given back to iTop since the look is not claimed either.
    """
    run = _claim_for(heartbeat, due, heartbeat.owner, heartbeat.lease_seconds)
    if run is None:
        return None
    late = (heartbeat.clock.now() - (due.asked_at or due.planned)).total_seconds()
    log_of(heartbeat, run).debug(
        "run_claimed", due=to_itop(run.due, heartbeat.zone), attempt=run.attempts, late_seconds=round(late)
    )
    # A run that is taken up again leaves the plan as its first claim made it: it may have been asked for in between.
    return Claimed(due.entry, due.row, run, run.next_due if due.resumes else due.planned)


def place(heartbeat: Heartbeat, due: Due) -> Run | None:
    """Claim what is due for the workers of its lane, and return the run whose message is to be sent.

    ``None`` as :func:`claim`, and when a worker has meanwhile taken a run whose message was to be sent again.
    """
    if due.resumes and due.head is not None and due.head.run.state is RunState.QUEUED:
        run = due.head.run
        return run if ledger.put_off(heartbeat.state, run, RESEND_SECONDS) else None
    return _claim_for(heartbeat, due, None, RESEND_SECONDS)


def _claim_for(heartbeat: Heartbeat, due: Due, owner: Owner | None, seconds: int) -> Run | None:
    if _is_missed(heartbeat, due):
        return None
    if due.entry.rows is heartbeat.task_rows and not heartbeat.is_ours(due.entry.subject.name):
        return None
    if due.resumes:
        return _take_over(heartbeat, due, owner, seconds)
    return _claim_new(heartbeat, due, owner, seconds)


def _claim_new(heartbeat: Heartbeat, due: Due, owner: Owner | None, seconds: int) -> Run | None:
    now = heartbeat.clock.now()

    def attempt(due_time: datetime) -> Run | ClaimRefused:
        return ledger.claim(
            heartbeat.state,
            due.entry.subject,
            due=due_time,
            next_due=_next_date(due.entry, due.planned, now, heartbeat.zone),
            owner=owner,
            seen=due.head,
            now=now,
            lease_seconds=seconds,
            version=version,
        )

    version = version_of(heartbeat, due.entry)
    run = attempt(due.asked_at or due.planned)
    if run is ClaimRefused.ALREADY_RUN and due.asked_at is None:
        # Somebody planned the row by hand for a date that the ledger knows already: it runs, under the present time.
        # If instead another process has just claimed this date, the head has changed and this is refused too.
        run = attempt(now)
    return run if isinstance(run, Run) else None


def _is_missed(heartbeat: Heartbeat, due: Due) -> bool:
    """Return whether a job may not begin any more, and plan it again then; what somebody asks for is never missed."""
    job, now = due.entry.job, heartbeat.clock.now()
    if job is None or due.resumes or due.asked_at is not None:
        return False
    reason = job.missed(due.planned, now)
    if not reason:
        return False
    planned_next = job.schedule.next(due.planned, now)
    due.entry.rows.update(job.name, {"next_run_date": planned_next}, started=due.row.latest_run_date)
    heartbeat.log.warning(
        "job_missed",
        name=job.name,
        due=to_itop(due.planned, heartbeat.zone),
        reason=reason,
        next_due=to_itop(planned_next, heartbeat.zone),
    )
    return True


def _take_over(heartbeat: Heartbeat, due: Due, owner: Owner | None, seconds: int) -> Run | None:
    """Claim the open run of a head again; give it up when its owners died too often."""
    head = due.head
    if head is None:
        raise ValueError(f"{due.entry.subject}: there is no run to take over")
    # A claim of our own whose answer a cut connection swallowed is no death: nobody ever worked on it.
    never_known = head.run.state is RunState.CLAIMED and head.owner == str(heartbeat.owner)
    was_lost = head.run.state in (RunState.CLAIMED, RunState.RUNNING) and not never_known
    gives_up = was_lost and head.run.attempts >= heartbeat.max_attempts
    run = ledger.take_over(
        heartbeat.state,
        head,
        owner=heartbeat.owner if gives_up else owner,
        now=heartbeat.clock.now(),
        lease_seconds=heartbeat.lease_seconds if gives_up else seconds,
        owner_is_dead=_died(head),
        died_at_work=was_lost and head.run.state is RunState.RUNNING,
    )
    if run is None or not was_lost:
        return run
    log_of(heartbeat, run).warning("run_lost", owner=head.owner, attempts=head.run.attempts)
    if not gives_up:
        return run
    ledger.finish(
        heartbeat.state,
        run,
        succeeded=False,
        exit_code=70,
        now=heartbeat.clock.now(),
        next_due=run.next_due,
        error=f"given up: {head.run.attempts} processes died while working on it, the last was {head.owner}",
        deaths=run.deaths,
    )
    log_of(heartbeat, run).error("run_given_up", attempts=head.run.attempts)
    if run.deaths >= heartbeat.max_attempts:
        log_of(heartbeat, run).error("set_aside", deaths=run.deaths)
    return None


def _next_date(entry: Entry, planned: datetime, now: datetime, zone: ZoneInfo) -> datetime:
    """Return the date after a run; a run that somebody asked for leaves a date to come as it is."""
    return planned if planned > now else entry.schedule.next(planned, now, zone)


def waits_for_worker(heartbeat: Heartbeat, entry: Entry, head: Head) -> bool:
    """Return whether a run is in the queue of its lane, and its message need not be sent again yet."""
    in_queue = head.run.state is RunState.QUEUED and heartbeat.lanes[entry.lane].queue is not None
    return in_queue and not head.is_expired


def is_abandoned(head: Head) -> bool:
    """Return whether nobody works any more on the open run of a head."""
    return not head.owner or head.is_expired or _died(head)


def _died(head: Head) -> bool:
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


def _synchronise_tasks(heartbeat: Heartbeat, tasks: Sequence[Task], rows: TaskRows, *, whole_table: bool) -> None:
    if tasks or whole_table:
        now, zone = heartbeat.clock.now(), heartbeat.zone
        _apply(rows, synchronise(tasks, rows.read(), now, zone, whole_table=whole_table))


def _apply(rows: TaskRows, changes: Synchronisation) -> None:
    if changes.created:
        rows.insert(changes.created)
    for name, change in changes.changed:
        rows.update(name, change)
