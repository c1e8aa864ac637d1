"""The resident heartbeat (``itopd run``).

Three named loops live side by side: *dispatch* claims what is due whenever it is poked, *leases* renews what runs, and
APScheduler is the clock that pokes at the next planned second. Every few seconds dispatch looks by itself, for what
people changed: those seconds are elapsed time, so a wall clock that is set back stops nothing, and the next second is
planned anew each time. What is due is never in memory, only in the database. If a loop dies, the daemon says so and
ends with exit code 70.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from itopd.errors import EXIT_DONE, ItopdError
from itopd.heartbeat import dispatch
from itopd.heartbeat.dispatch import Due, Entry, Picture
from itopd.heartbeat.supervisor import STOPPED, RunReport, Supervisor
from itopd.heartbeat.tick import keep_leases, report_problems
from itopd.heartbeat.world import AWAY, Heartbeat, pauses, reason_of
from itopd.state import RunState, ledger

_DRAIN_SHARE = 0.5
"""Part of ``stop_timeout`` in which runs may end by themselves."""
_STOP_SHARE = 0.4
"""Part of it that runs have to stop after being asked; then they are killed and handed back."""
_PRUNE_SECONDS = 3600.0
_KEPT = {RunState.DONE: timedelta(days=2), RunState.FAILED: timedelta(days=30)}
"""How long the ledger remembers: a task that runs every two seconds makes 43,200 rows a day."""


def run(heartbeat: Heartbeat) -> int:
    """Run until SIGTERM or SIGINT; return the exit code: 0 after a clean stop, 70 when a loop died."""
    return asyncio.run(_Daemon(heartbeat).run())


class _Daemon:
    """One running daemon."""

    def __init__(self, heartbeat: Heartbeat) -> None:
        self._heartbeat = heartbeat
        self._supervisor = Supervisor(heartbeat)
        self._entries: tuple[Entry, ...] = ()
        self._runs: set[asyncio.Task[RunReport]] = set()
        self._clock = AsyncIOScheduler(timezone=UTC)
        self._poked = asyncio.Event()
        self._reload = True
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._died = False
        self._closed = ""
        """Why nothing begins at the moment."""
        self._refused = ""
        """Why nothing that writes begins at the moment."""
        self._generation: str | None = None
        """What the executors are ready for."""
        self._outdated = False
        """Whether they have to get ready anew, when no run is under way."""
        self._pruned_at = -_PRUNE_SECONDS

    async def run(self) -> int:
        """Start, work, stop."""
        heartbeat, loop = self._heartbeat, asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._on_stop)
        loop.add_signal_handler(signal.SIGINT, self._on_stop)
        loop.add_signal_handler(signal.SIGHUP, self._on_reload)
        for executor in {lane.executor for lane in heartbeat.lanes.values()}:
            await executor.warm_up()
        self._clock.start()
        self._poked.set()
        dispatching = asyncio.create_task(self._dispatch(), name="dispatch")
        # Leases are renewed to the very end, while runs drain too.
        loops = {dispatching, asyncio.create_task(keep_leases(heartbeat, self._supervisor), name="leases")}
        stopping = asyncio.create_task(self._stop.wait(), name="stop")
        heartbeat.log.info("daemon_started", owner=str(heartbeat.owner), tasks=len(heartbeat.tasks))
        await asyncio.wait({*loops, stopping}, return_when=asyncio.FIRST_COMPLETED)
        self._report_dead(loops)
        self._stop.set()
        self._poked.set()
        await self._drain(dispatching)
        self._clock.shutdown(wait=False)
        for task in {*loops, stopping}:
            task.cancel()
        await asyncio.gather(*loops, stopping, return_exceptions=True)
        exit_code = ItopdError.exit_code if self._died else EXIT_DONE
        heartbeat.log.info("daemon_stopped", exit_code=exit_code)
        return exit_code

    async def _dispatch(self) -> None:
        """Claim what is due whenever poked, and every few seconds, until the daemon stops."""
        attempt, pause_before = 0, pauses()
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._poked.wait(), self._heartbeat.poll_seconds)
            self._poked.clear()
            if self._stop.is_set():
                return
            try:
                await self._round()
            except AWAY as error:
                pause = pause_before(attempt)
                attempt += 1
                self._heartbeat.log.warning("database_away", error=reason_of(error), retry_in=round(pause, 1))
                await self._sleep(pause)
                self._poked.set()
                continue
            if attempt:
                self._heartbeat.log.info("database_back", attempts=attempt)
                attempt = 0

    async def _round(self) -> None:
        """Look, claim, start; then set the clock to the next planned second."""
        heartbeat = self._heartbeat
        if await self._is_closed():
            return
        if self._reload:
            await self._load()
        await self._follow_generation()
        refused = await self._writes_refused()
        entries = [entry for entry in self._entries if not (refused and entry.writes)]
        picture = await asyncio.to_thread(dispatch.look, heartbeat, entries)
        for due in picture.due:
            if self._supervisor.free(due.entry.lane) > 0 and not self._stop.is_set():
                await self._start(due)
        self._set_clock(picture)
        if heartbeat.clock.monotonic() - self._pruned_at >= _PRUNE_SECONDS:
            await self._prune()

    async def _is_closed(self) -> bool:
        """Return whether nothing may begin now; say so when that changes."""
        reason = await asyncio.to_thread(self._heartbeat.closed)
        if reason and not self._closed:
            self._heartbeat.log.warning("heartbeat_closed", reason=reason)
        elif self._closed and not reason:
            self._heartbeat.log.info("heartbeat_open")
        self._closed = reason
        return bool(reason)

    async def _follow_generation(self) -> None:
        """Notice a new data model, and have it ready before the next run; runs under way keep theirs.

        Until no run is under way a new one loads the model itself: slower, never wrong.
        """
        heartbeat = self._heartbeat
        generation = await asyncio.to_thread(heartbeat.generation)
        if self._generation not in (None, generation):
            heartbeat.log.info("model_changed", model=generation)
            self._outdated = True
        self._generation = generation
        if self._outdated and not self._runs:
            try:
                for executor in {lane.executor for lane in heartbeat.lanes.values()}:
                    await executor.renew()
            except OSError as error:  # no process could be made: the next round tries again
                heartbeat.log.warning("model_not_ready", reason=str(error))
                return
            self._outdated = False
            heartbeat.log.info("model_ready", model=generation)

    async def _writes_refused(self) -> str:
        """Return why nothing that writes may begin now; say so when that changes."""
        reason = await asyncio.to_thread(self._heartbeat.writes_refused)
        if reason and reason != self._refused:
            self._heartbeat.log.error("writes_refused", reason=reason)
        elif self._refused and not reason:
            self._heartbeat.log.info("writes_allowed")
        self._refused = reason
        return reason

    async def _load(self) -> None:
        """Read the jobs and bring the rows in line, at the start and after SIGHUP."""
        jobs = await asyncio.to_thread(self._heartbeat.load_jobs)
        report_problems(self._heartbeat, jobs)
        done = await asyncio.to_thread(dispatch.synchronise_rows, self._heartbeat, jobs)
        self._entries = dispatch.entries_of(self._heartbeat, jobs)
        self._reload = not done  # another process was at it; its rows may be older than our jobs

    async def _start(self, due: Due) -> None:
        claimed = await asyncio.to_thread(dispatch.claim, self._heartbeat, due)
        if claimed is not None:
            task = asyncio.create_task(self._supervisor.carry_out(claimed), name=f"run {claimed.run.id}")
            self._runs.add(task)
            task.add_done_callback(self._on_run_end)
            await asyncio.sleep(0)  # let it count in its lane

    def _set_clock(self, picture: Picture) -> None:
        if picture.next_at is not None:
            at = max(picture.next_at, datetime.now(UTC))
            self._clock.add_job(
                self._poke, "date", run_date=at, id="next", replace_existing=True, misfire_grace_time=None
            )

    async def _poke(self) -> None:
        """Wake dispatch: all that the clock ever does."""
        self._poked.set()

    async def _prune(self) -> None:
        """Forget old runs, a bounded number at a time."""
        heartbeat = self._heartbeat
        pruned = 0
        for state, age in _KEPT.items():
            before = heartbeat.clock.now() - age
            pruned += await asyncio.to_thread(ledger.prune, heartbeat.state, before=before, states=[state], limit=5000)
        if pruned:
            heartbeat.log.info("ledger_pruned", runs=pruned)
        self._pruned_at = heartbeat.clock.monotonic()

    async def _drain(self, dispatching: asyncio.Task[None]) -> None:
        """Finish what runs or hand it back, within ``stop_timeout``; a second signal skips the waiting."""
        timeout = self._heartbeat.stop_timeout
        self._heartbeat.log.info("daemon_stopping", running=len(self._runs), stop_timeout=timeout)
        hurry = asyncio.create_task(self._hurry.wait())
        # A claim that was under way when the signal came is carried out like the others.
        await asyncio.wait({dispatching}, timeout=timeout * _DRAIN_SHARE)
        await self._wait_for_runs(timeout * _DRAIN_SHARE, hurry)
        self._supervisor.ask_to_stop()
        await self._wait_for_runs(timeout * _STOP_SHARE)
        self._supervisor.kill(STOPPED)
        await self._wait_for_runs(timeout * (1 - _DRAIN_SHARE - _STOP_SHARE))
        hurry.cancel()
        for task in self._runs:  # only a database that is away keeps one so long: its lease will expire
            task.cancel()
        await asyncio.gather(hurry, *self._runs, return_exceptions=True)

    async def _wait_for_runs(self, seconds: float, hurry: asyncio.Task[bool] | None = None) -> None:
        if not self._runs:
            return
        everything = asyncio.create_task(asyncio.wait(set(self._runs)))
        waiting: set[asyncio.Task[Any]] = {everything} if hurry is None else {everything, hurry}
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        everything.cancel()

    async def _sleep(self, seconds: float) -> None:
        """Wait, but not longer than until the daemon stops."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)

    def _report_dead(self, loops: set[asyncio.Task[None]]) -> None:
        for task in loops:
            if task.done() and (not self._stop.is_set() or task.exception() is not None):
                self._heartbeat.log.error("loop_died", loop=task.get_name(), exc_info=task.exception())
                self._died = True

    def _on_run_end(self, task: asyncio.Task[RunReport]) -> None:
        self._runs.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._heartbeat.log.error("loop_died", loop=task.get_name(), exc_info=task.exception())
            self._died = True
            self._stop.set()
        self._poked.set()

    def _on_stop(self) -> None:
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    def _on_reload(self) -> None:
        self._reload = True
        self._poked.set()
