"""Lanes: named limits on how many runs go side by side, each with its executor and its patience."""

from __future__ import annotations

from dataclasses import dataclass

from itopd.heartbeat.executing.executor import Executor
from itopd.heartbeat.run_queue import RunQueue

LANES = ("mail", "tasks", "synchro", "transfer")


@dataclass(frozen=True, slots=True)
class Lane:
    """One lane."""

    name: str
    executor: Executor
    """What runs execute in, here or at a worker."""
    limit: int = 1
    """Runs at the same time, per process of itopd."""
    soft_seconds: float = 3600.0
    """After so long a run is asked to stop between two chunks; a task may set its own."""
    hard_seconds: float = 300.0
    """So long after that its process is killed."""
    niceness: int = 0
    """How much its processes give way when processors are scarce (nice(2)): 10 takes a tenth of what 0 does."""
    queue: RunQueue | None = None
    """Where runs wait for workers; ``None``: whoever claims them carries them out."""
