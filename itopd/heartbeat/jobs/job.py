"""Jobs: parameters files with a schedule (``design.md``, "a scheduled job IS a parameters file").

What such a file may hold and how it is read: :mod:`itopd.heartbeat.jobs.files`. A file that is wrong disables only its
own job.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from itopd.clock import Clock
from itopd.errors import InputError
from itopd.heartbeat.jobs.hot_folder import HotFolder
from itopd.heartbeat.jobs.plan import Misfire, Plan, Retries
from itopd.heartbeat.jobs.results import Results
from itopd.settings import ParameterFile
from itopd.state import RowChange, TaskRow, TaskStatus

_LOOK_MARGIN = 0.1
"""Seconds by which the second look at a file is late, so that it never comes too early."""


@dataclass(frozen=True, slots=True)
class JobService:
    """What the heartbeat must know about a service that jobs can run."""

    lane: str
    check: Callable[[ParameterFile], None]
    """Raises :class:`SettingsError` when the service's own keys are wrong; its message names the key."""
    keys: frozenset[str] = frozenset()
    """Names of its keys; those of a family end in ``*``."""
    writes: bool = True
    """Whether it changes anything; what only reads runs even where the heartbeat may not write."""
    feeds: str = ""
    """The key that a watched folder gives each of its files to; empty: the service reads none."""
    made: tuple[str, ...] = ()
    """Keys that name files which the service writes besides its output."""
    missing: str = ""
    """Why it cannot run in this version; empty: it can."""


@dataclass(frozen=True, slots=True)
class Job:
    """One scheduled job."""

    name: str
    path: Path
    service: str
    schedule: Plan
    enabled: bool
    lane: str
    parameters: Mapping[str, str]
    """The service's own keys."""
    results: Results
    max_seconds: float | None = None
    writes: bool = True
    retries: Retries = field(default_factory=Retries)
    misfire: Misfire = field(default_factory=Misfire)
    hot_folder: HotFolder | None = None
    """Of a job that files make run."""

    def output_path(self, started: datetime) -> str:
        """Return where the result of a run goes that started at an instant."""
        return self.results.path(started, self.schedule.zone)

    def has_work(self, clock: Clock) -> bool:
        """Return whether a run that is due has something to do: a file, where a folder is watched."""
        if self.hot_folder is None:
            return True
        return self.hot_folder.look(clock.monotonic()) and self.schedule.is_open(clock.now())

    def settles_in(self, now: datetime) -> float | None:
        """Return in how many seconds to look again at files that may still be written; ``None``: there are none."""
        if self.hot_folder is None or not self.hot_folder.unsettled or not self.schedule.is_open(now):
            return None
        return self.hot_folder.settle_seconds + _LOOK_MARGIN

    def missed(self, planned: datetime, now: datetime) -> str:
        """Return why a run planned for ``planned`` is missed now; empty: it may begin."""
        return self.misfire.missed(planned, now, self.schedule)

    def after_failure(self, planned: datetime, failures: int, exit_code: int, now: datetime) -> datetime:
        """Return when to run after so many failures in a row; ``planned`` is the schedule's next date."""
        if self.hot_folder is None:
            return self.retries.after_failure(planned, failures, now, self.schedule)
        # A file that is no good is out of the way: the next one need not wait for it.
        return planned if exit_code == InputError.exit_code else self.retries.pause_after(failures, now)

    def child_keys(self) -> Mapping[str, str]:
        """Return what the child process must know beside the service's keys."""
        if self.hot_folder is not None:
            return {**self.hot_folder.child_keys(), "retries": str(self.retries.times)}
        results = self.results
        return {"output_template": results.template, "keep": str(results.keep), "output_name": results.called}

    def writing_to(self, path: Path) -> Job:
        """Return the same job with its result going to one file, from which its caller gets it."""
        literal = str(path).replace("{", "{{").replace("}", "}}")
        return replace(self, results=Results(self.name, literal, called="the caller"))


@dataclass(frozen=True, slots=True)
class BrokenJob:
    """A job file that cannot be used."""

    name: str
    path: Path
    problem: str
    """What, where (file and line), what to do."""


@dataclass(frozen=True, slots=True)
class Jobs:
    """What a jobs folder holds."""

    jobs: tuple[Job, ...] = ()
    broken: tuple[BrokenJob, ...] = ()
    warnings: tuple[str, ...] = ()


def synchronise_jobs(
    jobs: Jobs, rows: Sequence[TaskRow], now: datetime
) -> tuple[list[TaskRow], list[tuple[str, RowChange]]]:
    """Return the rows to add and the changes to make so that every job has its row.

    A changed schedule is planned anew; so is a job that comes back. A disabled one is removed; ``paused`` is what
    people make of a row, and stays. A broken file leaves its row alone.
    """
    by_name = {row.class_name: row for row in rows}
    created = []
    changed: list[tuple[str, RowChange]] = []
    for job in jobs.jobs:
        row, text = by_name.get(job.name), job.schedule.text
        if row is None:
            status = TaskStatus.ACTIVE if job.enabled else TaskStatus.REMOVED
            created.append(TaskRow(job.name, next_run_date=job.schedule.first(now), status=status, schedule=text))
        elif not job.enabled:
            changed += [] if row.status is TaskStatus.REMOVED else [(job.name, {"status": TaskStatus.REMOVED})]
        elif row.status is TaskStatus.REMOVED or row.schedule != text:
            change: RowChange = {"next_run_date": job.schedule.first(now), "schedule": text}
            if row.status is TaskStatus.REMOVED:
                change["status"] = TaskStatus.ACTIVE
            changed.append((job.name, change))
    known = {job.name for job in jobs.jobs} | {job.name for job in jobs.broken}
    changed += [
        (name, {"status": TaskStatus.REMOVED})
        for name, row in by_name.items()
        if name not in known and row.status is not TaskStatus.REMOVED
    ]
    return created, changed
