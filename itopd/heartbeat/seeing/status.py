"""One look at everything: what runs, waits, ran and is wrong. It takes no lock and writes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from itopd.heartbeat import looking
from itopd.heartbeat.entries import Entry, entries_of
from itopd.heartbeat.executing.executor import Executor
from itopd.heartbeat.jobs.job import Jobs
from itopd.heartbeat.looking import Due, Picture
from itopd.heartbeat.problems import problems_of
from itopd.heartbeat.queueing import queue_problems
from itopd.heartbeat.seeing.seen import LaneSeen, RunSeen, Standing, Status, SubjectSeen
from itopd.heartbeat.seeing.table import by_class_name
from itopd.heartbeat.set_aside import problem_of, set_aside_among
from itopd.heartbeat.tasks import Task
from itopd.heartbeat.world import Heartbeat
from itopd.state import Head, Owner, RunState, Subject, SubjectKind, TaskRow, TaskStatus, instances, ledger
from itopd.state.tasks import OwnTaskRows

_RECENT = 10
_ASLEEP_SECONDS = 120.0
"""The row of a task that has nothing to do is moved on once a minute only (:mod:`itopd.heartbeat.daemon.quiet`)."""


def status(heartbeat: Heartbeat, *, recent: int = _RECENT) -> Status:
    """Look at everything once: a fixed number of queries, whatever there is."""
    jobs = heartbeat.load_jobs()
    heads = ledger.heads(heartbeat.state)
    entries = entries_of(heartbeat, jobs)
    rows = looking.rows_of(heartbeat, entries)
    now = heartbeat.clock.now()
    picture = looking.picture_of(heartbeat, entries, heads, rows)
    waiting = {item.entry.subject: item.planned for item in picture.due if not _may_sleep(item, now)}
    task_rows = heartbeat.task_rows.read()
    handed_over = None if heartbeat.handed_over is None else heartbeat.handed_over()
    owners, contested = owners_of(task_rows, handed_over)
    set_aside = tuple(problem_of(one, heartbeat) for one in set_aside_among(heartbeat, entries, heads))
    queued = queue_problems(heartbeat, entries, heads)
    running = _running(heartbeat, entries, heads, now)
    return Status(
        now=now,
        closed=heartbeat.closed(),
        task_rows=tuple(by_class_name([*task_rows, *OwnTaskRows(heartbeat.state, SubjectKind.TASK).read()])),
        subjects=(*_known(heartbeat, entries, rows, picture, heads, waiting), *_broken(heartbeat.tasks, jobs, heads)),
        running=running,
        lanes=_lanes(heartbeat, entries, _waits(entries, waiting, running, now), running, queued),
        queues=heartbeat.queues(),
        instances=tuple(instances.listed(heartbeat.state)),
        last_runs=tuple(ledger.recent(heartbeat.state, recent)),
        owners=owners,
        problems=(
            *filter(None, [heartbeat.writes_refused()]),
            *problems_of(heartbeat, jobs),
            *set_aside,
            *dict.fromkeys(queued.values()),
            *contested,
        ),
        remarks=heartbeat.remarks(),
    )


def owners_of(rows: Sequence[TaskRow], handed_over: Collection[str] | None) -> tuple[dict[str, str], list[str]]:
    """Return who runs each of iTop's processes, by name, and what is wrong with that; stand-alone all are ours."""
    if handed_over is None:
        return {}, []
    owners = {
        row.class_name: _owner(row.status, handed_over=row.class_name in handed_over) for row in by_class_name(rows)
    }
    contested = [
        f"{row.class_name} was handed over to itopd, but somebody has set its row in priv_backgroundtask to "
        f"{row.status.value}, so it does not run here: call 'itopd attach --take_over' again, or 'itopd detach'"
        for row in by_class_name(rows)
        if row.class_name in handed_over and row.status is not TaskStatus.PAUSED
    ]
    return owners, contested


def _owner(status: TaskStatus, *, handed_over: bool) -> str:
    if status is TaskStatus.ACTIVE:
        return "iTop's cron.php"
    if status is TaskStatus.PAUSED and handed_over:
        return "itopd"
    return f"nobody: its row is {status.value}"


def _may_sleep(due: Due, now: datetime) -> bool:
    """Return whether a daemon may have found that a task which is due has nothing to do."""
    return due.entry.waiting is not None and not due.resumes and (now - due.planned).total_seconds() < _ASLEEP_SECONDS


def _known(
    heartbeat: Heartbeat,
    entries: Sequence[Entry],
    rows: Sequence[TaskRow | None],
    picture: Picture,
    heads: Mapping[Subject, Head],
    waiting: Mapping[Subject, datetime],
) -> list[SubjectSeen]:
    """Return every task and job that could run; ``waiting``: what is due, and since when."""
    aside = {item.subject for item in picture.set_aside}
    now = heartbeat.clock.now()
    found = []
    for entry, row in zip(entries, rows, strict=True):
        head = heads.get(entry.subject)
        standing = _standing(heartbeat, entry, row, head, due=entry.subject in waiting, aside=entry.subject in aside)
        planned = waiting.get(entry.subject) or (row.next_run_date if row is not None else None)
        found.append(
            SubjectSeen(
                subject=entry.subject,
                lane=entry.lane,
                service=entry.job.service if entry.job is not None else "",
                schedule=entry.schedule.text,
                standing=standing,
                next_date=planned if standing in (Standing.PLANNED, Standing.WAITING, Standing.RUNNING) else None,
                late_seconds=(now - waiting[entry.subject]).total_seconds() if standing is Standing.WAITING else 0.0,
                row=row,
                last_run=head.run if head is not None else None,
                last_success=head.run.last_success if head is not None else None,
                failures=head.run.failures if head is not None else 0,
            )
        )
    return found


def _standing(
    heartbeat: Heartbeat, entry: Entry, row: TaskRow | None, head: Head | None, *, due: bool, aside: bool
) -> Standing:
    if entry.job is not None and not entry.job.enabled:
        return Standing.DISABLED
    if row is None:
        ours = entry.job is not None or heartbeat.is_ours(entry.subject.name)
        return Standing.UNKNOWN if ours else Standing.NOT_OURS
    if head is not None and head.run.state.is_open and not due:
        return Standing.RUNNING
    if aside:
        return Standing.SET_ASIDE
    if due:
        return Standing.WAITING
    return Standing.PLANNED if row.status is entry.runs_when else Standing.PAUSED


def _broken(tasks: Sequence[Task], jobs: Jobs, heads: Mapping[Subject, Head]) -> list[SubjectSeen]:
    """Return the tasks and jobs that cannot run; the problems say why."""
    names = [Subject(SubjectKind.TASK, task.name) for task in tasks if task.schedule is None]
    names += [Subject(SubjectKind.JOB, job.name) for job in jobs.broken]
    found = []
    for subject in names:
        run = heads[subject].run if subject in heads else None
        success, failures = (run.last_success, run.failures) if run is not None else (None, 0)
        found.append(SubjectSeen(subject, "", "", "", Standing.BROKEN, None, 0.0, None, run, success, failures))
    return found


def _running(
    heartbeat: Heartbeat, entries: Sequence[Entry], heads: Mapping[Subject, Head], now: datetime
) -> tuple[RunSeen, ...]:
    """Return the runs that are not finished, of what is known here and of what others at work know."""
    known = {entry.subject: entry for entry in entries}
    found = []
    for head in heads.values():
        owner, run, entry = Owner.parse(head.owner), head.run, known.get(head.run.subject)
        is_alive = owner is not None and not head.is_expired and not owner.is_dead()
        if not run.state.is_open or not (is_alive or entry is not None):
            continue
        lane = heartbeat.lanes.get(entry.lane) if entry is not None else None
        soft = (entry.max_seconds if entry is not None else None) or (lane.soft_seconds if lane is not None else None)
        found.append(
            RunSeen(
                run=run,
                lane=entry.lane if entry is not None else "",
                owner=head.owner,
                since=head.acquired,
                lease_expires=head.expires,
                heartbeat_age=max(heartbeat.lease_seconds - head.seconds_left, 0.0) if head.owner else 0.0,
                is_alive=is_alive,
                seconds=(now - run.started).total_seconds() if run.started is not None else 0.0,
                limit_seconds=soft + lane.hard_seconds if soft is not None and lane is not None else None,
            )
        )
    return tuple(sorted(found, key=lambda seen: seen.run.id))


def _waits(
    entries: Sequence[Entry], waiting: Mapping[Subject, datetime], running: Sequence[RunSeen], now: datetime
) -> Mapping[str, Sequence[float]]:
    """Return by lane for how many seconds each thing that could be at work has been waiting."""
    waits: dict[str, list[float]] = defaultdict(list)
    for entry in entries:
        if entry.subject in waiting:
            waits[entry.lane].append((now - waiting[entry.subject]).total_seconds())
    for seen in running:
        if seen.run.state is RunState.QUEUED:
            waits[seen.lane].append((now - seen.run.claimed).total_seconds())
    return waits


def _lanes(
    heartbeat: Heartbeat,
    entries: Sequence[Entry],
    waits: Mapping[str, Sequence[float]],
    running: Sequence[RunSeen],
    problems: Mapping[str, str],
) -> tuple[LaneSeen, ...]:
    at_work = [seen.lane for seen in running if seen.is_alive]
    used = {entry.lane for entry in entries}
    return tuple(
        LaneSeen(
            name=lane.name,
            executor="celery" if lane.queue is not None else _name_of(lane.executor),
            limit=lane.limit,
            running=at_work.count(lane.name),
            waiting=len(waits.get(lane.name, ())),
            longest_wait=max(waits.get(lane.name, ()), default=0.0),
            problem=problems.get(lane.name, ""),
        )
        for lane in heartbeat.lanes.values()
        if lane.name in used or lane.name in at_work
    )


def _name_of(executor: Executor) -> str:
    return type(executor).__name__.removesuffix("Executor").lower()
