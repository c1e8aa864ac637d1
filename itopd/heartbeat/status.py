"""What ``itopd status`` shows: rows, jobs, what runs now, what ran last, what is wrong."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from itopd.clock import to_itop
from itopd.heartbeat.dispatch import entries_of
from itopd.heartbeat.table import by_class_name, status_table
from itopd.heartbeat.tick import problems_of
from itopd.heartbeat.world import Heartbeat
from itopd.state import Owner, Run, Subject, SubjectKind, TaskRow, TaskStatus, ledger
from itopd.state.tasks import OwnTaskRows

_RECENT = 10


@dataclass(frozen=True, slots=True)
class RunningNow:
    """A run that is not finished."""

    run: Run
    owner: str
    """Empty: handed back, it waits for the next heartbeat."""
    since: datetime
    lease_expires: datetime
    is_alive: bool
    """Its lease holds and its owner was not found dead."""


@dataclass(frozen=True, slots=True)
class JobState:
    """A job and its row."""

    name: str
    service: str
    schedule: str
    enabled: bool
    row: TaskRow | None
    last_run: Run | None


@dataclass(frozen=True, slots=True)
class Status:
    """The heartbeat, seen from outside."""

    tasks: tuple[TaskRow, ...]
    """Rows of ``priv_backgroundtask`` and of itopd's own tasks, by class name."""
    jobs: tuple[JobState, ...]
    running: tuple[RunningNow, ...]
    last_runs: tuple[Run, ...]
    """Newest first."""
    owners: tuple[tuple[str, str], ...]
    """Attached: each of iTop's processes, and who runs it."""
    problems: tuple[str, ...]
    """What keeps a task or job from running; the command that shows this ends with 1 when there are any."""
    remarks: tuple[str, ...]
    """What there is to know beside them."""
    now: datetime


def status(heartbeat: Heartbeat, *, recent: int = _RECENT) -> Status:
    """Look at everything once; no lock, nothing is written, also while heartbeats run."""
    jobs = heartbeat.load_jobs()
    heads = ledger.heads(heartbeat.state)
    own_rows = OwnTaskRows(heartbeat.state, SubjectKind.TASK).read()
    job_rows = {row.class_name: row for row in OwnTaskRows(heartbeat.state, SubjectKind.JOB).read()}
    known = {entry.subject for entry in entries_of(heartbeat, jobs)}
    running = []
    for head in heads.values():
        owner = Owner.parse(head.owner)
        is_alive = owner is not None and not head.is_expired and not owner.is_dead()
        if head.run.state.is_open and (is_alive or head.run.subject in known):
            running.append(RunningNow(head.run, head.owner, head.acquired, head.expires, is_alive))
    states = []
    for job in jobs.jobs:
        job_head = heads.get(Subject(SubjectKind.JOB, job.name))
        last_run = job_head.run if job_head is not None else None
        states.append(JobState(job.name, job.service, job.schedule.text, job.enabled, job_rows.get(job.name), last_run))
    task_rows = heartbeat.task_rows.read()
    handed_over = None if heartbeat.handed_over is None else heartbeat.handed_over()
    owners, contested = owners_of(task_rows, handed_over)
    return Status(
        tasks=tuple(by_class_name([*task_rows, *own_rows])),
        jobs=tuple(states),
        running=tuple(running),
        last_runs=tuple(ledger.recent(heartbeat.state, recent)),
        owners=tuple(owners.items()),
        problems=(*filter(None, [heartbeat.writes_refused()]), *problems_of(heartbeat, jobs), *contested),
        remarks=heartbeat.remarks(),
        now=heartbeat.clock.now(),
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


def status_text(seen: Status, heartbeat: Heartbeat) -> str:
    """Return the status as text: iTop's table of tasks, then what iTop does not know."""
    lines = [status_table(seen.tasks, heartbeat.zone)]

    def date(instant: datetime | None) -> str:
        return "never" if instant is None else to_itop(instant, heartbeat.zone)

    if heartbeat.attached:
        lines.append("Who runs iTop's processes:\n")
    lines += [f"  {name}: {owner}\n" for name, owner in seen.owners]
    if seen.jobs:
        lines.append("Jobs:\n")
    for job in seen.jobs:
        planned = date(job.row.next_run_date if job.row else None) if job.enabled else "disabled"
        last = f"{date(job.last_run.started)} {job.last_run.state}" if job.last_run else "never"
        lines.append(f"  {job.name} ({job.service}, {job.schedule}): last {last}, next {planned}\n")
    lines.append("Running now:\n" if seen.running else "Running now: nothing\n")
    for item in seen.running:
        run = item.run
        holder = f"{item.owner} since {date(item.since)}" if item.owner else "handed back, waits for the next heartbeat"
        lost = "" if item.is_alive or not item.owner else ", its owner is gone: the next heartbeat takes it over"
        progress = f", {run.progress}" if run.progress else ""
        lines.append(f"  {run.subject} {run.state}: {holder}, process {run.pid or '-'}{progress}{lost}\n")
    if seen.last_runs:
        lines.append("Last runs:\n")
    for run in seen.last_runs:
        came_of_it = run.error.splitlines()[0] if run.error else run.message.strip()
        lines.append(f"  {run.id} {run.subject} due {date(run.due)}: {run.state} {came_of_it}".rstrip() + "\n")
    lines += [f"{remark}\n" for remark in seen.remarks]
    if seen.problems:
        lines.append("Problems:\n")
    lines += [f"  {problem}\n" for problem in seen.problems]
    return "".join(lines)
