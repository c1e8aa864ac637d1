"""``itopd worker``: a Celery worker whose tasks are runs.

Celery receives the messages, in its own thread; the runs are carried out as the daemon carries out its own, by a
supervisor in an asyncio loop of another thread: a child process each, limits, stacks, leases renewed by this process.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import threading
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any, TypeVar

from celery import Celery
from celery.worker import state as celery_state

from itopd.errors import EXIT_DONE, ItopdError
from itopd.heartbeat.executing.celery_queue import TASK, queue_name
from itopd.heartbeat.executing.remote_runs import claim_patiently
from itopd.heartbeat.executing.side_by_side import keep_leases
from itopd.heartbeat.executing.supervisor import Supervisor
from itopd.heartbeat.seeing.presence import keep_presence, leave
from itopd.heartbeat.world import Heartbeat
from itopd.state.instances import Work

T = TypeVar("T")

_DRAIN_SHARE = 0.5
"""Part of ``stop_timeout`` in which runs may end by themselves."""
_STOP_SHARE = 0.4
"""Part of it that they have to stop after being asked; then they are killed and handed back."""


def serve(heartbeat: Heartbeat, app: Celery, prefix: str, lanes: Sequence[str]) -> int:
    """Work off the runs of lanes until SIGTERM or SIGINT; return the exit code: 70 when something broke."""
    host = _Host(heartbeat, lanes)

    def run(task: Any, run_id: str) -> None:  # noqa: ANN401 - a bound Celery task
        host.execute(run_id, lanes_by_queue[task.request.delivery_info["routing_key"]])

    lanes_by_queue = {queue_name(prefix, lane): lane for lane in lanes}
    app.task(run, name=TASK, bind=True)
    with host.working(), _logged(heartbeat):
        controller = app.WorkController(
            hostname=f"itopd@{socket.gethostname()}-{heartbeat.owner.pid}",
            pool="threads",
            concurrency=sum(heartbeat.lanes[lane].limit for lane in lanes),
            queues=list(lanes_by_queue),
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
        )
        with _signals(host):
            heartbeat.log.info("worker_started", owner=str(heartbeat.owner), lanes=list(lanes))
            controller.start()
    exit_code = ItopdError.exit_code if host.broken else int(controller.exitcode or EXIT_DONE)
    heartbeat.log.info("worker_stopped", exit_code=exit_code)
    return exit_code


class _Host:
    """The loop in which a worker's runs are supervised."""

    def __init__(self, heartbeat: Heartbeat, lanes: Sequence[str]) -> None:
        self.broken = False
        self._heartbeat = heartbeat
        self._executors = {heartbeat.lanes[lane].executor for lane in lanes}
        self._supervisor = Supervisor(heartbeat)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="runs")
        self._stopping = asyncio.Event()
        self._rooms = {lane: asyncio.Semaphore(heartbeat.lanes[lane].limit) for lane in lanes}
        self._generation = ""
        self._getting_ready = asyncio.Lock()
        self._drained: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Keep the loop, with leases renewed, while Celery works."""
        self._thread.start()
        loops = self._await(self._begin())
        try:
            yield
        finally:
            self._await(self._end(loops))
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def execute(self, run_id: str, lane: str) -> None:
        """Do the run of a message: Celery calls this in a thread of its pool."""
        self._await(self._execute(run_id, lane))

    def stop(self) -> None:
        """Take nothing more; finish what runs or hand it back, within ``stop_timeout``. For signal handlers."""
        celery_state.should_stop = EXIT_DONE
        self._loop.call_soon_threadsafe(self._drain)

    def _await(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _begin(self) -> tuple[asyncio.Task[None], ...]:
        self._generation = await asyncio.to_thread(self._heartbeat.generation)
        for executor in self._executors:
            await executor.warm_up()
        loops = (
            asyncio.create_task(keep_leases(self._heartbeat, self._supervisor), name="leases"),
            asyncio.create_task(keep_presence(self._heartbeat, "worker", self._word), name="presence"),
        )
        for loop in loops:
            loop.add_done_callback(self._on_dead_loop)
        return loops

    async def _end(self, loops: tuple[asyncio.Task[None], ...]) -> None:
        self._supervisor.kill("the worker ends")
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, *([self._drained] if self._drained else []), return_exceptions=True)
        await leave(self._heartbeat)

    def _word(self) -> tuple[Work, list[str]]:
        return "stopping" if self._stopping.is_set() else "working", []

    async def _execute(self, run_id: str, lane: str) -> None:
        async with self._rooms[lane]:
            claimed = await claim_patiently(self._heartbeat, run_id, self._stopping)
            if isinstance(claimed, str):
                self._heartbeat.log.info("message_ignored", run=run_id, reason=claimed)
                return
            await self._follow_generation()
            await self._supervisor.carry_out(claimed)

    async def _follow_generation(self) -> None:
        """Let children come from a server that has the data model in force, when none of the old is under way."""
        async with self._getting_ready:
            generation = await asyncio.to_thread(self._heartbeat.generation)
            if generation != self._generation and not self._supervisor.running:
                for executor in self._executors:
                    await executor.renew()
                self._generation = generation

    def _drain(self) -> None:
        if self._drained is None:
            self._stopping.set()
            self._drained = self._loop.create_task(self._drain_slowly(), name="drain")
        else:
            self._supervisor.ask_to_stop()  # a second signal does not wait for runs to end by themselves

    async def _drain_slowly(self) -> None:
        timeout = self._heartbeat.stop_timeout
        self._heartbeat.log.info("worker_stopping", running=self._supervisor.running, stop_timeout=timeout)
        await self._wait_for_runs(timeout * _DRAIN_SHARE)
        self._supervisor.ask_to_stop()
        await self._wait_for_runs(timeout * _STOP_SHARE)
        self._supervisor.kill("the worker stops")

    async def _wait_for_runs(self, seconds: float) -> None:
        until = self._loop.time() + seconds
        while self._supervisor.running and self._loop.time() < until:
            await asyncio.sleep(0.05)

    def _on_dead_loop(self, loop: asyncio.Task[None]) -> None:
        if not loop.cancelled():
            self._heartbeat.log.error("loop_died", loop=loop.get_name(), exc_info=loop.exception())
            self.broken = True
            self.stop()


@contextlib.contextmanager
def _signals(host: _Host) -> Iterator[None]:
    """Let SIGTERM and SIGINT stop the worker. SIGHUP has nothing to do: jobs are read for every run."""

    def stop(_number: int, _frame: object) -> None:
        host.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    before[signal.SIGHUP] = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _logged(heartbeat: Heartbeat) -> Iterator[None]:
    """Bring what Celery and its parts warn of into our log."""

    class Forward(logging.Handler):
        """Into structlog."""

        def emit(self, record: logging.LogRecord) -> None:
            heartbeat.log.warning("celery", part=record.name, message=record.getMessage(), exc_info=record.exc_info)

    forward, loggers = Forward(logging.WARNING), [logging.getLogger(name) for name in ("celery", "kombu", "amqp")]
    for logger in loggers:
        logger.addHandler(forward)
        logger.propagate = False
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(forward)
            logger.propagate = True
