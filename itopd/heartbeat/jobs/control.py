"""Jobs as operators see and steer them: their state, their coming times, pause and resume."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from itopd.errors import ConflictError, SettingsError
from itopd.heartbeat import looking, set_aside
from itopd.heartbeat.entries import Entry, entries_of
from itopd.heartbeat.jobs.job import Job, Jobs
from itopd.heartbeat.jobs.plan import Plan
from itopd.heartbeat.row_keeping import synchronise_rows
from itopd.heartbeat.schedules.cron_text import CronText
from itopd.heartbeat.schedules.weekly import Weekly
from itopd.heartbeat.world import Heartbeat
from itopd.state import Head, Run, RunState, Subject, SubjectKind, TaskRow, TaskStatus, ledger
from itopd.state.tasks import OwnTaskRows


class JobCondition(StrEnum):
    """How a job is, in one word."""

    DISABLED = "disabled"
    PAUSED = "paused"
    SET_ASIDE = "set aside"
    RUNNING = "running"
    FAILING = "failing"
    FINE = "fine"


@dataclass(frozen=True, slots=True)
class JobView:
    """One job, its row and its newest run."""

    job: Job
    row: TaskRow | None
    last_run: Run | None
    condition: JobCondition

    @property
    def next_run(self) -> datetime | None:
        """Return when it is due; ``None``: by itself never, or not planned yet."""
        if self.row is None or self.condition in _RESTING:
            return None
        return self.row.next_run_date


_GAP_SECONDS = 3 * 3600
"""Longer than the gaps of summer time, and than what a skipped time is moved on by."""
_NOTHING = timedelta(0)
_RESTING = (JobCondition.DISABLED, JobCondition.PAUSED, JobCondition.SET_ASIDE)


@dataclass(frozen=True, slots=True)
class Coming:
    """One time at which a job is going to run."""

    name: str
    at: datetime
    plan: Plan
    note: str
    """What the clock does there, for people; empty on ordinary days."""

    @property
    def local(self) -> datetime:
        """Return the time on the clock of the job's zone."""
        return self.at.astimezone(self.plan.zone)


def views(heartbeat: Heartbeat, jobs: Jobs) -> list[JobView]:
    """Return all jobs that can be used, by name: one query for rows, one for runs."""
    rows = {row.class_name: row for row in OwnTaskRows(heartbeat.state, SubjectKind.JOB).read()}
    heads = ledger.heads(heartbeat.state)
    found = []
    for entry in entries_of(heartbeat, jobs):
        if entry.job is not None:
            row, head = rows.get(entry.job.name), heads.get(entry.subject)
            condition = _condition(heartbeat, entry, entry.job, row, head)
            found.append(JobView(entry.job, row, head.run if head else None, condition))
    return found


def find(jobs: Jobs, name: str) -> Job:
    """Return one job; :class:`SettingsError` when its file is wrong or there is none."""
    broken = next((one for one in jobs.broken if one.name == name), None)
    if broken is not None:
        raise SettingsError(broken.problem)
    found = next((job for job in jobs.jobs if job.name == name), None)
    if found is None:
        known = ", ".join(sorted(job.name for job in jobs.jobs)) or "none"
        raise SettingsError(f"there is no job '{name}'; the jobs are: {known}")
    return found


def pause(heartbeat: Heartbeat, name: str) -> bool:
    """Keep a job from running by itself until it is resumed; return whether it was not paused before.

    Raises :class:`SettingsError` for a job that does not exist or is disabled in its file.
    """
    job, row, rows = _row(heartbeat, name)
    if row.status is TaskStatus.PAUSED:
        return False
    rows.update(job.name, {"status": TaskStatus.PAUSED})
    return True


def resume(heartbeat: Heartbeat, name: str) -> bool:
    """Let a job run again that was paused or set aside; return whether it was. What it missed meanwhile is not run."""
    job, row, rows = _row(heartbeat, name)
    released = set_aside.release(heartbeat, Subject(SubjectKind.JOB, name))
    if row.status is TaskStatus.PAUSED:
        now, planned = heartbeat.clock.now(), row.next_run_date
        if planned is None or planned <= now:
            planned = job.schedule.next(planned or now, now)
        rows.update(job.name, {"status": TaskStatus.ACTIVE, "next_run_date": planned})
        return True
    return released


def coming(view: JobView, now: datetime, count: int) -> list[Coming]:
    """Return the next times of a job, its row's date first; none of a job that rests or that files make run."""
    job = view.job
    if view.condition in _RESTING or job.hot_folder is not None:
        return []
    planned = view.next_run if view.row is not None and view.row.schedule == job.schedule.text else None
    dates = [planned if planned is not None else job.schedule.first(now)]
    while len(dates) <= count:
        dates.append(job.schedule.next(dates[-1], max(dates[-1], now)))
    before = [now, *dates]
    return [Coming(job.name, at, job.schedule, _note(job.schedule, earlier, at)) for earlier, at in pairwise(before)][
        :count
    ]


def _condition(heartbeat: Heartbeat, entry: Entry, job: Job, row: TaskRow | None, head: Head | None) -> JobCondition:
    if not job.enabled:
        return JobCondition.DISABLED
    if head is not None and head.run.state.is_open and not looking.is_abandoned(head):
        return JobCondition.RUNNING
    if row is not None and row.status is TaskStatus.PAUSED:
        return JobCondition.PAUSED
    if head is not None and set_aside.is_set_aside(heartbeat, entry, head.run, set_aside.version_of):
        return JobCondition.SET_ASIDE
    if head is not None and head.run.state is RunState.FAILED:
        return JobCondition.FAILING
    return JobCondition.FINE


def _row(heartbeat: Heartbeat, name: str) -> tuple[Job, TaskRow, OwnTaskRows]:
    jobs = heartbeat.load_jobs()
    job = find(jobs, name)
    if not job.enabled:
        raise SettingsError(f"{job.path}: the job is disabled in its file; write enabled = yes there")
    synchronise_rows(heartbeat, jobs)
    rows = OwnTaskRows(heartbeat.state, SubjectKind.JOB)
    row = next((one for one in rows.read() if one.class_name == name), None)
    if row is None:
        raise ConflictError(f"the job {name} has no row yet, another process is making it; try again")
    return job, row, rows


def _note(plan: Plan, earlier: datetime, at: datetime) -> str:
    """Return what is special about a time because the clock changes."""
    local, notes = at.astimezone(plan.zone), []
    if _is_moved(plan, local):
        notes.append("the planned time does not exist that day: right after the clock went forward")
    other = local.replace(fold=1 - local.fold)
    if other.utcoffset() != local.utcoffset() and _is_shown_twice(local, plan):
        notes.append(f"this time comes twice that day: {'second' if local.fold else 'first'} pass")
    offset, before = local.utcoffset(), earlier.astimezone(plan.zone).utcoffset()
    if offset is not None and before is not None and offset != before:
        notes.append(f"the clock went {'forward' if offset > before else 'back'} since the time before")
    return "; ".join(notes)


def _is_moved(plan: Plan, local: datetime) -> bool:
    """Return whether a time is not the schedule's own, and the clock went forward just before it."""
    earlier = datetime.fromtimestamp(local.timestamp() - _GAP_SECONDS, plan.zone)
    if (earlier.utcoffset() or _NOTHING) >= (local.utcoffset() or _NOTHING):
        return False
    match plan.base:
        case CronText():
            return local.minute not in plan.base.minutes or local.hour not in plan.base.hours
        case Weekly():
            return f"{local:%H:%M}" != plan.base.time
        case _:
            return False


def _is_shown_twice(local: datetime, plan: Plan) -> bool:
    """Return whether the clock shows a time twice; both readings of a skipped one lie outside it."""
    first, second = (local.replace(fold=fold).timestamp() for fold in (0, 1))
    return first < second and datetime.fromtimestamp(second, plan.zone).replace(tzinfo=None) == local.replace(
        tzinfo=None
    )
