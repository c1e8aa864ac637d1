"""Lanes: named limits on how many runs go side by side, each with its executor and its patience."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from itopd.heartbeat.executors import Executor


@dataclass(frozen=True, slots=True)
class Lane:
    """One lane."""

    name: str
    executor: Executor
    limit: int = 1
    """Runs at the same time, per process of itopd."""
    soft_seconds: float = 3600.0
    """After so long a run is asked to stop between two chunks; a task may set its own."""
    hard_seconds: float = 300.0
    """So long after that its process is killed."""


def default_lanes(executor: Executor) -> Mapping[str, Lane]:
    """Return the lanes of ``design.md``: mail, tasks, synchro, transfer."""
    lanes = (
        Lane("mail", executor, limit=1, soft_seconds=600),
        Lane("tasks", executor, limit=2, soft_seconds=600),
        Lane("synchro", executor, limit=1, soft_seconds=6 * 3600),
        Lane("transfer", executor, limit=2, soft_seconds=6 * 3600),
    )
    return {lane.name: lane for lane in lanes}
