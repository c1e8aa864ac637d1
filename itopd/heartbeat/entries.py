"""Everything that may run, tasks and jobs alike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from itopd.heartbeat.jobs.job import Job, Jobs
from itopd.heartbeat.schedules.schedule import Schedule
from itopd.heartbeat.tasks import Waiting
from itopd.heartbeat.world import Heartbeat
from itopd.state import (
    Subject,
    SubjectKind,
    TaskRows,
    TaskStatus,
)
from itopd.state.tasks import OwnTaskRows


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
