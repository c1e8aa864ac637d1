"""What every background task is handed: where it works, as whom, and until when."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, TypeVar

from itopd.clock import ITOP_DATETIME, Clock
from itopd.database import Database
from itopd.writing import Change

BATCH: Final = 1000
"""Rows that are changed with one statement, and committed together."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Work:
    """One run of one task."""

    task: str
    """The name of its class in iTop."""
    database: Database
    clock: Clock
    user_id: int = 0
    """The account of the heartbeat, which the change history names."""
    until: datetime | None = None
    """UTC: what the task has not begun by then, it leaves for its next run."""
    should_stop: Callable[[], bool] = field(default=lambda: False)

    def is_over(self) -> bool:
        """Return whether to begin nothing more: the limit has passed, or somebody asks to stop."""
        return self.should_stop() or (self.until is not None and self.clock.now() >= self.until)

    @property
    def wall(self) -> datetime:
        """Return what clocks in iTop's time zone show, without zone."""
        return self.clock.now().astimezone(self.database.timezone).replace(tzinfo=None)

    @property
    def now(self) -> str:
        """Return the present instant as iTop stores it."""
        return self.wall.strftime(ITOP_DATETIME)

    def ago(self, span: timedelta) -> str:
        """Return what the clocks showed a span ago, as iTop stores it; days are days of the calendar."""
        return (self.wall - span).strftime(ITOP_DATETIME)

    def change(self) -> Change:
        """Return the unit of work that the history names; its row is written with the first thing that changes."""
        return Change(f"Background task ({self.task})", self.user_id, tags=self.tags)

    @property
    def tags(self) -> frozenset[str]:
        """Return the context tags: triggers may be limited to what happens in one of these contexts."""
        return frozenset({"CRON", f"CRON:Task:{self.task}"})


def batches(work: Work, next_batch: Callable[[], list[T]]) -> Iterator[list[T]]:
    """Yield batches until one is not full or the task's time is over; the first is always asked for.

    Each must be dealt with before the next is asked for: what remains is looked up anew.
    """
    while True:
        batch = next_batch()
        if batch:
            yield batch
        if len(batch) < BATCH or work.is_over():
            return
