"""What a heartbeat is made of: everything it needs is handed to it by ``wiring``."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from structlog.typing import FilteringBoundLogger

from itopd.clock import Clock
from itopd.errors import DatabaseError
from itopd.heartbeat.jobs.job import Jobs
from itopd.heartbeat.lanes import Lane
from itopd.heartbeat.seeing.seen import QueueSeen
from itopd.heartbeat.tasks import Task
from itopd.state import Owner, Run, StateStore, TaskRows, this_process

AWAY = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.InternalError, DatabaseError)
"""What a database that is away, restarts or refuses raises: reason to wait, never to die."""


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What came of reading the settings files again."""

    heartbeat: Heartbeat | None = None
    """With the new settings; ``None``: nothing changes."""
    problem: str = ""
    """Why the old ones stay: what, where, what to do."""
    restart_for: tuple[str, ...] = ()
    """Settings that changed and stay as they were until the daemon is started anew."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """One heartbeat: what may run, where it is recorded, and how it is executed."""

    state: StateStore
    task_rows: TaskRows
    """``priv_backgroundtask``."""
    tasks: tuple[Task, ...]
    """All tasks that exist here."""
    load_jobs: Callable[[], Jobs]
    """Reads the jobs folder; called at the start and on SIGHUP."""
    lanes: Mapping[str, Lane]
    clock: Clock
    zone: ZoneInfo
    log: FilteringBoundLogger
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Handed to every child in its ``RunSpec``; the heartbeat does not look at it."""
    handed_over: Callable[[], Collection[str]] | None = None
    """Attached, where the rows belong to a running iTop: the processes that were handed over to us. Of those, the
    ``paused`` rows are ours to run (``heartbeat.md`` §7). ``None``: stand-alone, all rows are ours."""
    closed: Callable[[], str] = lambda: ""
    """Why nothing may begin now (iTop's maintenance, a read-only database); empty: go on."""
    writes_refused: Callable[[], str] = lambda: ""
    """Why nothing that writes may begin by itself (a clone that nobody adopted); empty: go on. What reads runs."""
    generation: Callable[[], str] = lambda: ""
    """Which version of what runs load is in force (iTop's data model); another text: executors get ready anew."""
    reload: Callable[[], Reloaded] = Reloaded
    """Reads the settings files again, on SIGHUP."""
    remarks: Callable[[], tuple[str, ...]] = lambda: ()
    """What the status tells beside tasks and jobs, one line each."""
    queues: Callable[[], tuple[QueueSeen, ...]] = tuple
    """The queues that tasks work off, as they are now."""
    owner: Owner = field(default_factory=this_process)
    system_user: str = ""
    """Operating-system account, recorded in the rows."""
    stop_timeout: float = 60.0
    """Seconds a stopping daemon has to finish or hand back."""
    lease_seconds: int = 60
    """A lease that was not renewed for so long may be taken over; it is renewed three times as often."""
    poll_seconds: float = 10.0
    """How often to look for rows that people changed; planned dates are kept to the second."""
    max_attempts: int = 3
    """Owners a run may lose before it is given up as poison; processes that may die in a row over a task or job before
    it is set aside."""

    @property
    def attached(self) -> bool:
        """Return whether the rows belong to a running iTop."""
        return self.handed_over is not None

    def is_ours(self, task: str) -> bool:
        """Return whether one of iTop's processes is ours to run."""
        return self.handed_over is None or task in self.handed_over()


def log_of(heartbeat: Heartbeat, run: Run) -> FilteringBoundLogger:
    """Return the log bound to a run."""
    bound: FilteringBoundLogger = heartbeat.log.bind(run=run.id, kind=run.kind.value, name=run.name)
    return bound


def pauses(random_number: Callable[[], float] = random.random) -> Callable[[int], float]:
    """Return the pause in seconds before each try (1, 2, ...) to reach a database: doubling to 30, with jitter."""
    return lambda attempt: min(0.5 * 2 ** min(attempt, 6), 30.0) * (0.75 + random_number() / 2)


def reason_of(error: BaseException) -> str:
    """Return why a database was not reached, in one line and without the statement."""
    origin = getattr(error, "orig", None) or error
    return " ".join(str(part) for part in origin.args) or type(origin).__name__
