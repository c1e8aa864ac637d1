"""Lanes whose runs are worked off by workers elsewhere: the daemon (or a tick) claims for them and sends a message.

The message is the run's id and nothing else; the ledger stays the truth. A run that waits is *queued*: nobody holds its
lease, whose expiry says when its message is sent again, since a broker may lose what it took. A worker that hears of a
run takes it over as it would take over one that was handed back; a message that comes twice, or late, finds nothing to
take. While the broker is away runs wait, and the status says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import timedelta

from itopd.clock import to_itop
from itopd.errors import DatabaseError
from itopd.heartbeat.entries import Entry
from itopd.heartbeat.run_queue import RESEND_SECONDS, QueueAway
from itopd.heartbeat.world import Heartbeat
from itopd.state import Head, Run, RunState, Subject, ledger

RETRY_SECONDS = 5
"""One that the broker did not take."""
_LONG = timedelta(minutes=10)
"""A run that waits longer for a worker is a problem to show."""


async def send(heartbeat: Heartbeat, run: Run, lane: str) -> str:
    """Send the message of a queued run; when the broker is away it is sent again soon. Return why it did not go out."""
    queue = heartbeat.lanes[lane].queue
    if queue is None:
        raise ValueError(f"lane {lane} has no queue")
    log = heartbeat.log.bind(run=run.id, kind=run.kind.value, name=run.name)
    try:
        await asyncio.to_thread(queue.send, run.id, lane)
    except QueueAway as error:
        try:
            await asyncio.to_thread(ledger.put_off, heartbeat.state, run, RETRY_SECONDS)
        except DatabaseError as away:  # it is sent again later then
            log.warning("database_away", error=away.message, retry_in=RESEND_SECONDS)
        log.warning("queue_away", error=error.message, retry_in=RETRY_SECONDS)
        return error.message
    log.info("run_queued", lane=lane)
    return ""


def queue_problems(heartbeat: Heartbeat, entries: Iterable[Entry], heads: Mapping[Subject, Head]) -> dict[str, str]:
    """Return what keeps runs waiting, by lane: a broker that is away, workers that do not come."""
    brokers = {id(lane.queue): lane.queue.problem() for lane in heartbeat.lanes.values() if lane.queue is not None}
    problems = {lane.name: problem for lane in heartbeat.lanes.values() if (problem := brokers.get(id(lane.queue)))}
    lanes = {entry.subject: entry.lane for entry in entries}
    waiting: dict[str, list[Run]] = {}
    for subject, head in heads.items():
        if head.run.state is RunState.QUEUED and subject in lanes:
            waiting.setdefault(lanes[subject], []).append(head.run)
    for lane, runs in sorted(waiting.items()):
        oldest = min(run.claimed for run in runs)
        if lane not in problems and heartbeat.clock.now() - oldest > _LONG:
            problems[lane] = (
                f"lane {lane}: {len(runs)} runs wait for a worker, the oldest since {to_itop(oldest, heartbeat.zone)}: "
                f"let more workers serve it (itopd worker --lane={lane}), or see in their logs why they do not"
            )
    return problems
