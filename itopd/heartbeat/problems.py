"""What keeps tasks and jobs from running."""

from __future__ import annotations

from itopd.heartbeat.jobs.job import Jobs
from itopd.heartbeat.world import Heartbeat


def problems_of(heartbeat: Heartbeat, jobs: Jobs, only: str | None = None) -> tuple[str, ...]:
    """Return what keeps a task or job from running, of all or of ``only`` the one of that name."""
    tasks = [task.problem for task in heartbeat.tasks if task.problem and only in (None, task.name)]
    broken = [job.problem for job in jobs.broken if only in (None, job.name)]
    watching = [job for job in jobs.jobs if job.enabled and job.hot_folder is not None and only in (None, job.name)]
    away = [
        f"{job.path}: {job.hot_folder.problem}" for job in watching if job.hot_folder and not job.hot_folder.reach()
    ]
    return (*tasks, *broken, *away)


def report_problems(heartbeat: Heartbeat, jobs: Jobs) -> None:
    """Log what keeps a task or job from running, and what looks wrong."""
    for task in heartbeat.tasks:
        if task.problem:
            heartbeat.log.error("task_disabled", name=task.name, problem=task.problem)
    for broken in jobs.broken:
        heartbeat.log.error("job_broken", name=broken.name, problem=broken.problem)
    for warning in jobs.warnings:
        heartbeat.log.warning("job_warning", warning=warning)
    heartbeat.log.info("jobs_loaded", jobs=len(jobs.jobs), broken=len(jobs.broken))
