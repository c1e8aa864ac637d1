"""What there is to see of a heartbeat from outside: plain facts, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from itopd.state import Instance, Run, Subject, TaskRow


class Standing(StrEnum):
    """How a task or job is at the moment."""

    RUNNING = "running"
    WAITING = "waiting"
    """It is due and not begun yet."""
    PLANNED = "planned"
    PAUSED = "paused"
    DISABLED = "disabled"
    SET_ASIDE = "set_aside"
    """Its processes died too often."""
    BROKEN = "broken"
    """Its file or its settings are wrong."""
    NOT_OURS = "not_ours"
    """Attached: iTop's cron.php runs it, or nobody."""
    UNKNOWN = "unknown"
    """No heartbeat has made its row yet."""


@dataclass(frozen=True, slots=True)
class SubjectSeen:
    """A task or job. Instants are aware, in UTC."""

    subject: Subject
    lane: str
    service: str
    """Of a job."""
    schedule: str
    standing: Standing
    next_date: datetime | None
    late_seconds: float
    """How long it has been due, while it waits; else 0."""
    row: TaskRow | None
    last_run: Run | None
    last_success: datetime | None
    failures: int
    """Runs that failed in a row."""


@dataclass(frozen=True, slots=True)
class RunSeen:
    """A run that is not finished."""

    run: Run
    lane: str
    """Empty when its task or job is not known here."""
    owner: str
    """Empty: handed back or queued, it waits for somebody."""
    since: datetime
    lease_expires: datetime
    heartbeat_age: float
    """Seconds since its owner renewed the lease, by the database's clock."""
    is_alive: bool
    """Its lease holds and its owner was not found dead."""
    seconds: float
    """Since its work began; 0 before."""
    limit_seconds: float | None
    """After so long its process is killed."""


@dataclass(frozen=True, slots=True)
class LaneSeen:
    """A lane."""

    name: str
    executor: str
    limit: int
    """Runs side by side, per process of itopd."""
    running: int
    waiting: int
    longest_wait: float
    """Seconds that the first of the waiting has been waiting; 0 when none is."""
    problem: str
    """Why its executor takes no runs; empty: it does."""


@dataclass(frozen=True, slots=True)
class QueueSeen:
    """A queue of small things that a task works off, such as the mails."""

    name: str
    waiting: int
    ready: int
    """Of those, how many could be sent now."""
    in_hand: int
    failed: int
    oldest_ready: datetime | None
    """Since when the one waits that could have been sent first."""


@dataclass(frozen=True, slots=True)
class Status:
    """The heartbeat, seen from outside."""

    now: datetime
    closed: str
    """Why nothing begins now (iTop's maintenance); empty: it does."""
    task_rows: tuple[TaskRow, ...]
    """Rows of ``priv_backgroundtask`` and of itopd's own tasks, by class name."""
    subjects: tuple[SubjectSeen, ...]
    """Tasks, then jobs, each by name."""
    running: tuple[RunSeen, ...]
    lanes: tuple[LaneSeen, ...]
    queues: tuple[QueueSeen, ...]
    instances: tuple[Instance, ...]
    """The processes that carry out runs."""
    last_runs: tuple[Run, ...]
    """Newest first."""
    owners: Mapping[str, str]
    """Attached: each of iTop's processes, and who runs it."""
    problems: tuple[str, ...]
    """What keeps a task or job from running; the command that shows this ends with 1 when there are any."""
    remarks: tuple[str, ...]
    """What there is to know beside them."""
