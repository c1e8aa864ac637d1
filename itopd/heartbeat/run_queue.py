"""What carries the ids of runs to workers elsewhere."""

from __future__ import annotations

from typing import Protocol

from itopd.errors import ItopdError

RESEND_SECONDS = 600
"""A message that no worker has heard for so long is sent again; that it may come twice harms nobody."""


class QueueAway(ItopdError):
    """The broker cannot be reached, or refuses; its message says which and why."""

    exit_code = 69
    kind = "queue_away"


class RunQueue(Protocol):
    """What carries the ids of runs to workers."""

    def send(self, run_id: str, lane: str) -> None:
        """Send a run's id to the workers of a lane. Raises :class:`QueueAway`."""
        ...

    def problem(self) -> str:
        """Try the broker; return what is wrong with it, empty when nothing is."""
        ...
