"""What passes between the heartbeat and the process that does the work of one run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from itopd.state import SubjectKind


@dataclass(frozen=True, slots=True)
class RunSpec:
    """What a child process must know about its run. Plain data: it crosses the border between processes."""

    run_id: str
    kind: SubjectKind
    name: str
    due: datetime
    started: datetime
    until: datetime
    """Soft limit, UTC."""
    token: int
    """Fencing: results are recorded only while the run still has this token."""
    attempt: int
    """1 the first time; more when earlier owners died."""
    niceness: int = 0
    """What its process adds to its own (nice(2)): the greater, the less it takes of a scarce processor."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Opaque to the heartbeat: what the child entry needs to build its world. Crosses the border, too."""
    service: str = ""
    """Of a job: the service to run."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Of a job: the service's own keys, as text."""
    output_file: str = ""
    """Of a job: where the result goes, placeholders filled in; empty: nowhere."""
    job_keys: Mapping[str, str] = field(default_factory=dict)
    """Of a job: what else its own keys tell the child (``Job.child_keys``)."""


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How a run ended, as the child tells it."""

    succeeded: bool
    exit_code: int
    """Of ``errors.py``."""
    message: str = ""
    counters: Mapping[str, int] = field(default_factory=dict)
    error: str = ""
    """For people: the reason of a failure, with its place in the code when nobody foresaw it."""
    unfinished: bool = False
    """It obeyed a stop between two chunks and wants to be continued."""
    died: bool = False
    """Its process ended without telling a result: killed, out of memory, a crash in C code."""


class Control(Protocol):
    """The child's line to the heartbeat."""

    def should_stop(self) -> bool:
        """Return whether to stop at the next chance: asked to, past the limit, or no longer the owner."""
        ...

    def is_ours(self) -> bool:
        """Return whether nobody else can have taken the run over: asked before a result is put where others see it."""
        ...

    def progress(self, done: int, total: int | None, unit: str) -> None:
        """Say how far the run is."""
        ...

    def log(self, run_id: str, line: str) -> None:
        """Keep a line of the log of the run."""
        ...


ChildEntry = Callable[[RunSpec, Control], RunOutcome]
"""What does the work: ``wiring`` names it as ``module:function``."""


def progress_text(done: int, total: int | None, unit: str) -> str:
    """Return progress for people: ``1200 of 5000 rows``."""
    return f"{done} {unit}" if total is None else f"{done} of {total} {unit}"
