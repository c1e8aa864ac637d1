"""What the ledger tells of a run: plain facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class SubjectKind(StrEnum):
    """What can run."""

    TASK = "task"
    JOB = "job"


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """One task or job."""

    kind: SubjectKind
    name: str

    @property
    def lease(self) -> str:
        """Return the name of its lease."""
        return f"{self.kind}/{self.name}"

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class RunState(StrEnum):
    """Where a run is in its life."""

    QUEUED = "queued"
    """It waits for a worker; nobody holds its lease, whose expiry says when to send its message again."""
    CLAIMED = "claimed"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    HANDED_BACK = "handed_back"

    @property
    def is_open(self) -> bool:
        """Return whether somebody still has to work on the run."""
        return self not in (RunState.DONE, RunState.FAILED)


UNDER_WAY = (RunState.CLAIMED.value, RunState.RUNNING.value)
"""States in which somebody holds the lease and works."""


@dataclass(frozen=True, slots=True)
class Run:
    """One row of the ledger. Instants are aware, in UTC."""

    id: str
    kind: SubjectKind
    name: str
    due: datetime
    next_due: datetime
    state: RunState
    owner: str
    token: int
    attempts: int
    failures: int
    """Runs of this task or job that failed in a row, this one included once it has failed."""
    deaths: int
    """Processes that died in a row while they worked on this task or job, in this run and those before."""
    version: str
    """What the task or job was when the run was claimed; a changed one deserves a new trial."""
    stop_asked: bool
    """An operator wants it to end at the next chance."""
    pid: int | None
    claimed: datetime
    started: datetime | None
    finished: datetime | None
    exit_code: int | None
    progress: str
    message: str
    counters: Mapping[str, int]
    error: str
    last_success: datetime | None
    """When the newest run of this task or job that succeeded ended, this one included."""

    @property
    def subject(self) -> Subject:
        """Return what ran."""
        return Subject(self.kind, self.name)


@dataclass(frozen=True, slots=True)
class Head:
    """The newest run of a task or job, and who holds its lease."""

    token: int
    owner: str
    """Empty when nobody holds the lease."""
    acquired: datetime
    expires: datetime
    is_expired: bool
    """By the database's clock."""
    seconds_left: float
    """Until the lease expires, by the database's clock; negative since it has."""
    run: Run


class ClaimRefused(StrEnum):
    """Why a run was not claimed."""

    BUSY = "busy"
    """Somebody holds the lease, or claimed since the head was read."""
    ALREADY_RUN = "already_run"
    """The ledger has a run of this task or job for this due time."""
