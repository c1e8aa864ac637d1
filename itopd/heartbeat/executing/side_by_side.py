"""Claimed and carried out side by side by lane: what a round, once begun, does with what is due."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from itopd.heartbeat import claiming, looking
from itopd.heartbeat.executing.records import RunReport
from itopd.heartbeat.executing.supervisor import Supervisor
from itopd.heartbeat.looking import Due, Held
from itopd.heartbeat.world import AWAY, Heartbeat, reason_of

_RENEWALS_PER_LEASE = 3


_TELL_SECONDS = 0.2


_PATIENCE = 30.0
"""Seconds a tick waits for a database that went away before it gives up."""


async def keep_leases(
    heartbeat: Heartbeat, supervisor: Supervisor, back_in: Callable[[float], None] = lambda _seconds: None
) -> None:
    """Renew the leases of the supervisor's runs until cancelled; a database that is away is tried again.

    ``back_in`` is told at every turn by when the next one begins.
    """
    interval = heartbeat.lease_seconds / _RENEWALS_PER_LEASE
    while True:
        back_in(interval)
        await asyncio.sleep(interval)
        try:
            await supervisor.renew()
        except AWAY as error:
            # The children know until when their leases are proven, and stop by themselves after that.
            heartbeat.log.warning("database_away", error=reason_of(error), retry_in=interval)


async def supervised(
    heartbeat: Heartbeat, due: Sequence[Due], tell: Callable[[str], None] | None = None
) -> tuple[tuple[RunReport, ...], tuple[Held, ...]]:
    """Claim and carry out what is due, with leases renewed and signals heard; ``tell`` hears of the progress."""
    supervisor, stop = Supervisor(heartbeat, _PATIENCE), asyncio.Event()
    beside = [asyncio.create_task(keep_leases(heartbeat, supervisor), name="leases")]
    if tell is not None:
        beside.append(asyncio.create_task(_tell(supervisor, tell), name="progress"))
    try:
        with _signals(stop, supervisor):
            return await _do_all(heartbeat, supervisor, due, stop)
    finally:
        supervisor.kill("the tick was aborted")
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)


async def _tell(supervisor: Supervisor, tell: Callable[[str], None]) -> None:
    """Tell the progress of what runs until cancelled."""
    while True:
        tell(", ".join(supervisor.progress()))
        await asyncio.sleep(_TELL_SECONDS)


async def _do_all(
    heartbeat: Heartbeat, supervisor: Supervisor, due: Sequence[Due], stop: asyncio.Event
) -> tuple[tuple[RunReport, ...], tuple[Held, ...]]:
    """Claim and carry out what is due, oldest first, as many at a time as the lanes allow."""
    rooms = {name: asyncio.Semaphore(lane.limit) for name, lane in heartbeat.lanes.items()}
    runs: list[RunReport] = []
    lost: list[Held] = []

    async def one(item: Due) -> None:
        async with rooms[item.entry.lane]:
            if stop.is_set():
                return
            claimed = await asyncio.to_thread(claiming.claim, heartbeat, item)
            if claimed is None:  # between the look and the claim another process was faster
                seen = await asyncio.to_thread(looking.look, heartbeat, [item.entry])
                lost.extend(seen.held)
                return
            runs.append(await supervisor.carry_out(claimed))

    waiting = {asyncio.create_task(one(item), name=str(item.entry.subject)) for item in due}
    try:
        if waiting:
            await asyncio.wait(waiting)  # what nobody foresaw in one run must not hurt the others
        for task in waiting:
            await task
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    return tuple(runs), tuple(lost)


@contextmanager
def _signals(stop: asyncio.Event, supervisor: Supervisor) -> Iterator[None]:
    """Let SIGTERM and SIGINT stop the round: nothing more is claimed, what runs is asked to stop."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread can have signal handlers; a caller in another thread stops by its own means
        return
    loop = asyncio.get_running_loop()

    def halt() -> None:
        stop.set()
        supervisor.ask_to_stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, halt)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
