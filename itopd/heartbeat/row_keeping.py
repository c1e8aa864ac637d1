"""The rows of tasks and jobs are brought in line with what exists (``spec/heartbeat.md`` §4)."""

from __future__ import annotations

from collections.abc import Sequence

from itopd.heartbeat.jobs.job import Jobs, synchronise_jobs
from itopd.heartbeat.tasks import Synchronisation, Task, synchronise
from itopd.heartbeat.world import Heartbeat
from itopd.state import (
    SubjectKind,
    TaskRows,
    leases,
)
from itopd.state.tasks import OwnTaskRows

_ROWS_LEASE = "heartbeat/rows"


_ROWS_SECONDS = 60


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


def _synchronise_tasks(heartbeat: Heartbeat, tasks: Sequence[Task], rows: TaskRows, *, whole_table: bool) -> None:
    if tasks or whole_table:
        now, zone = heartbeat.clock.now(), heartbeat.zone
        _apply(rows, synchronise(tasks, rows.read(), now, zone, whole_table=whole_table))


def _apply(rows: TaskRows, changes: Synchronisation) -> None:
    if changes.created:
        rows.insert(changes.created)
    for name, change in changes.changed:
        rows.update(name, change)
