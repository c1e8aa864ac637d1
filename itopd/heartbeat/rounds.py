"""What a round of work is: its report, its loop, the watched folders that it empties."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from itopd.errors import EXIT_DONE, EXIT_ISSUES, ConflictError, DatabaseError, RefusedError
from itopd.heartbeat.entries import Entry
from itopd.heartbeat.executing.records import RunReport
from itopd.heartbeat.executing.side_by_side import supervised
from itopd.heartbeat.looking import Due, Held
from itopd.heartbeat.world import AWAY, Heartbeat, reason_of
from itopd.state import Subject


@dataclass(frozen=True, slots=True)
class TickReport:
    """What one round did."""

    runs: tuple[RunReport, ...]
    """In the order they ended."""
    held: tuple[Held, ...]
    """Due, but another process works on them."""
    problems: tuple[str, ...]
    """Tasks and job files that are wrong: what, where, what to do."""
    queued: tuple[Subject, ...] = ()
    """What waits for workers elsewhere now."""
    refused: str = ""
    """Why nothing that writes was begun; empty: nothing was left out."""

    @property
    def exit_code(self) -> int:
        """Return 0 nothing was due or all is done, 1 something failed or is wrong, 75 others held all that was due.

        69 wins over all: what writes was left out.
        """
        if self.refused:
            return RefusedError.exit_code
        failed = any(not run.succeeded for run in self.runs)
        if failed or self.problems:
            return EXIT_ISSUES
        return ConflictError.exit_code if self.held and not self.runs else EXIT_DONE


def require_open(heartbeat: Heartbeat) -> None:
    """Raise :class:`RefusedError` while nothing may begin."""
    reason = heartbeat.closed()
    if reason:
        raise RefusedError(reason)


def in_loop(work: Coroutine[Any, Any, TickReport]) -> TickReport:
    """Do the work in a loop of its own; raise :class:`DatabaseError` when the database goes away for too long."""
    try:
        return asyncio.run(work)
    except AWAY as error:
        if isinstance(error, DatabaseError):
            raise
        raise DatabaseError(f"the database went away: {reason_of(error)}; what was due stays due") from error


async def work_off(
    heartbeat: Heartbeat,
    entries: Sequence[Entry],
    due: Callable[[], Sequence[Due]],
    tell: Callable[[str], None] | None = None,
) -> tuple[RunReport, ...]:
    """Do what lies in watched folders, a run for each file, until nothing is left or the round is stopped.

    A file that is too fresh for the first look is looked at once more.
    """
    folders = [one.job.hot_folder for one in entries if one.job is not None and one.job.hot_folder is not None]
    runs: list[RunReport] = []
    waited = False
    while folders:
        found = await asyncio.to_thread(due)
        if found:
            done, _ = await supervised(heartbeat, found, tell)
            runs += done
            if not done or any(run.handed_back for run in done):
                break
        elif waited or not any(folder.unsettled for folder in folders):
            break
        else:
            await asyncio.sleep(max(folder.settle_seconds for folder in folders if folder.unsettled))
            waited = True
    return tuple(runs)
