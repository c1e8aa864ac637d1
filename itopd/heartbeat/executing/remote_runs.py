"""What a worker does with a run's id: it takes the run over if somebody still has to, and carries it out."""

from __future__ import annotations

import asyncio
import contextlib

from itopd.heartbeat import claiming, looking
from itopd.heartbeat.claiming import Claimed
from itopd.heartbeat.entries import entries_of
from itopd.heartbeat.looking import Due
from itopd.heartbeat.tasks import first_by_name
from itopd.heartbeat.world import AWAY, Heartbeat, log_of, pauses, reason_of
from itopd.state import Head, ledger


def claim_by_id(heartbeat: Heartbeat, run_id: str) -> Claimed | str:
    """Claim the run that a message names, or return why there is nothing to do.

    What this process does not know, or may not begin now, stays queued: its message is sent again.
    """
    head = ledger.head_of(heartbeat.state, run_id)
    if head is None:
        return "the ledger has a newer run in its place, or none"
    if not head.run.state.is_open:
        return f"it is {head.run.state.value} already"
    if not looking.is_abandoned(head):
        return f"{head.owner} works on it"
    reason = heartbeat.closed()
    if reason:
        return reason
    found = _due(heartbeat, head)
    if isinstance(found, str):
        return found
    claimed = claiming.claim(heartbeat, found)
    return claimed if claimed is not None else "another process was faster, or it was given up"


def _due(heartbeat: Heartbeat, head: Head) -> Due | str:
    jobs = heartbeat.load_jobs()
    entry = next((one for one in entries_of(heartbeat, jobs) if one.subject == head.run.subject), None)
    if entry is None:
        log_of(heartbeat, head.run).error("run_unknown")
        return f"there is no {head.run.subject} here: give every worker the same settings and jobs folder"
    refusal = heartbeat.writes_refused() if entry.writes else ""
    if refusal:
        return refusal
    row = first_by_name(entry.rows.read()).get(entry.subject.name)
    if row is None or row.status != entry.runs_when:
        return f"the row of {entry.subject} is {'missing' if row is None else row.status.value}"
    return Due(entry, row, head.run.due, head, resumes=True)


async def claim_patiently(heartbeat: Heartbeat, run_id: str, stopping: asyncio.Event) -> Claimed | str:
    """Claim as :func:`claim_by_id` does; wait for a database that is away until the worker stops."""
    attempt, pause_before = 0, pauses()
    while True:
        try:
            return await asyncio.to_thread(claim_by_id, heartbeat, run_id)
        except AWAY as error:
            pause = pause_before(attempt)
            attempt += 1
            heartbeat.log.warning("database_away", error=reason_of(error), retry_in=round(pause, 1))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), pause)
            if stopping.is_set():
                return "this worker stops"
