"""The resident heartbeat (``itopd run``).

Named loops live side by side (:mod:`itopd.heartbeat.daemon.loops`): *dispatch* claims what is due whenever it is poked
and asks quiet tasks whether they have anything to do, *leases* renews what runs, *presence* gives signs of life in the
state store, *watchdog* tells the service manager that all go on; APScheduler is the clock that pokes at the next
planned second. Every few seconds dispatch looks by itself, for what people changed: those seconds are elapsed time, so
a wall clock that is set back stops nothing, and the next second is planned anew each time. What is due is never in
memory, only in the database. If a loop dies, the daemon says so and ends with exit code 70.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from typing import Any

from structlog.typing import FilteringBoundLogger

from itopd.errors import EXIT_DONE, DatabaseError, ItopdError
from itopd.heartbeat import claiming, looking
from itopd.heartbeat.daemon.gate import Gate
from itopd.heartbeat.daemon.last_resort import LastResort
from itopd.heartbeat.daemon.loops import Loops
from itopd.heartbeat.daemon.notify import ServiceManager
from itopd.heartbeat.daemon.quiet import QuietTasks
from itopd.heartbeat.daemon.readiness import Readiness
from itopd.heartbeat.daemon.signals import Signals
from itopd.heartbeat.entries import Entry, entries_of
from itopd.heartbeat.executing.side_by_side import keep_leases
from itopd.heartbeat.executing.supervisor import STOPPED, Supervisor
from itopd.heartbeat.forgetting import forget_old_runs
from itopd.heartbeat.looking import Due, Picture
from itopd.heartbeat.problems import report_problems
from itopd.heartbeat.queueing import send
from itopd.heartbeat.row_keeping import synchronise_rows
from itopd.heartbeat.seeing.presence import SIGN_SECONDS, keep_presence, leave
from itopd.heartbeat.world import AWAY, Heartbeat, pauses, reason_of
from itopd.state import Run
from itopd.state.instances import Work

_DRAIN_SHARE = 0.5
"""Part of ``stop_timeout`` in which runs may end by themselves."""
_STOP_SHARE = 0.4
"""Part of it that runs have to stop after being asked; then they are killed and handed back."""
_LAST_SECONDS = 3.0
"""Beyond ``stop_timeout``: then the process ends, whatever hangs."""
_PRUNE_SECONDS = 3600.0

Opening = Callable[[], AbstractContextManager[Heartbeat]]
"""Opens a heartbeat; raises :class:`DatabaseError` while a database is away."""


def run(heartbeat: Heartbeat, manager: ServiceManager | None = None) -> int:
    """Run until SIGTERM or SIGINT; return the exit code: 0 after a clean stop, 70 when a loop died."""
    return run_when_open(lambda: nullcontext(heartbeat), heartbeat.log, manager or ServiceManager())


def run_when_open(opening: Opening, log: FilteringBoundLogger, manager: ServiceManager) -> int:
    """Open a heartbeat and run it like :func:`run`; databases that are away at the start are waited for."""
    last_resort = LastResort(log)
    try:
        return asyncio.run(_run_when_open(opening, log, manager, last_resort))
    finally:
        last_resort.disarm()


async def _run_when_open(
    opening: Opening, log: FilteringBoundLogger, manager: ServiceManager, last_resort: LastResort
) -> int:
    with Signals() as signals:
        attempt, pause_before = 0, pauses()
        while not signals.stop.is_set():
            opened = opening()
            try:
                heartbeat = await asyncio.to_thread(opened.__enter__)
            except DatabaseError as error:
                pause = pause_before(attempt)
                attempt += 1
                log.warning("database_away", error=error.message, retry_in=round(pause, 1))
                manager.status(f"waiting for the database: {error.message}")
                manager.alive()
                await signals.sleep(pause)
                continue
            with contextlib.ExitStack() as stack:
                stack.push(opened.__exit__)
                return await _Daemon(heartbeat, manager, signals, last_resort).run()
    log.info("daemon_stopped", exit_code=EXIT_DONE)
    return EXIT_DONE


class _Daemon:
    """One running daemon."""

    def __init__(
        self, heartbeat: Heartbeat, manager: ServiceManager, signals: Signals, last_resort: LastResort
    ) -> None:
        self._last_resort = last_resort
        self._heartbeat = heartbeat
        self._manager = manager
        self._signals = signals
        self._supervisor = Supervisor(heartbeat)
        self._loops = Loops(heartbeat.log, manager)
        self._quiet = QuietTasks(heartbeat)
        self._entries: tuple[Entry, ...] = ()
        self._runs: set[asyncio.Task[object]] = set()
        from apscheduler.schedulers.asyncio import AsyncIOScheduler  # noqa: PLC0415 - 60 ms that only a daemon needs

        self._clock = AsyncIOScheduler(timezone=UTC)
        self._started = False
        self._ready = False
        """Whether the service manager knows that we work, since the start or the last reload."""
        self._told = ""
        """What it was told last."""
        self._load_jobs = True
        self._run_died = False
        self._gate = Gate()
        self._readiness = Readiness()
        self._kept = ""
        """Why the settings in force are not those of the files."""
        self._pruned_at = -_PRUNE_SECONDS

    async def run(self) -> int:
        """Start, work, stop."""
        heartbeat, loops, stop = self._heartbeat, self._loops, self._signals.stop
        await self._readiness.begin(heartbeat)
        self._clock.start()
        dispatching = loops.start("dispatch", self._dispatch(), heartbeat.poll_seconds)
        # Leases are renewed to the very end, while runs drain too.
        leases = keep_leases(heartbeat, self._supervisor, lambda seconds: loops.back_in("leases", seconds))
        loops.start("leases", leases, heartbeat.lease_seconds)
        signs = keep_presence(heartbeat, "daemon", self._word, lambda seconds: loops.back_in("presence", seconds))
        loops.start("presence", signs, SIGN_SECONDS)
        loops.start("watchdog", loops.watch(), float("inf"))
        stopping = asyncio.create_task(stop.wait(), name="stop")
        await asyncio.wait({*loops.all, stopping}, return_when=asyncio.FIRST_COMPLETED)
        loops.report_dead(stopping=stop.is_set())
        self._signals.ask_to_stop()
        self._manager.stopping(f"stopping: {len(self._runs)} runs under way", self._heartbeat.stop_timeout)
        self._last_resort.arm(self._heartbeat.stop_timeout + _LAST_SECONDS)
        await self._drain(dispatching)
        self._clock.shutdown(wait=False)
        stopping.cancel()
        await loops.end()
        await leave(heartbeat)
        died = loops.died or self._run_died
        exit_code = ItopdError.exit_code if died else EXIT_DONE
        heartbeat.log.info("daemon_stopped", exit_code=exit_code)
        return exit_code

    async def _dispatch(self) -> None:
        """Claim what is due whenever poked, and every few seconds, until the daemon stops."""
        attempt, pause_before, look_at = 0, pauses(), time.monotonic()
        while not self._signals.stop.is_set():
            self._loops.back_in("dispatch", 0.0)
            try:
                if self._signals.poked.is_set() or time.monotonic() >= look_at or await self._somebody_woke():
                    self._signals.poked.clear()
                    await self._round()
                    look_at = time.monotonic() + self._heartbeat.poll_seconds
            except AWAY as error:
                pause = pause_before(attempt)
                attempt += 1
                self._heartbeat.log.warning("database_away", error=reason_of(error), retry_in=round(pause, 1))
                self._told = f"the database is away: {reason_of(error)}"
                self._manager.status(self._told)
                self._loops.back_in("dispatch", pause)
                await self._signals.sleep(pause)
                self._signals.poke()
                continue
            if attempt:
                self._heartbeat.log.info("database_back", attempts=attempt)
                attempt = 0
            seconds = self._seconds_until(look_at)
            self._loops.back_in("dispatch", seconds)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._signals.poked.wait(), seconds)
        self._loops.over("dispatch")

    def _seconds_until(self, look_at: float) -> float:
        """Return how long to sleep: to the next look, or until a quiet task is to be asked."""
        seconds = look_at - time.monotonic()
        if self._quiet.next_at is not None:
            seconds = min(seconds, (self._quiet.next_at - self._heartbeat.clock.now()).total_seconds())
        return max(seconds, 0.0)

    async def _somebody_woke(self) -> bool:
        """Return whether a quiet task has something to do now."""
        if self._gate.closed or self._gate.refused or self._quiet.next_at is None:
            return False
        return not self._heartbeat.closed() and await asyncio.to_thread(self._quiet.somebody_woke)

    async def _round(self) -> None:
        """Look, claim, start; then set the clock to the next planned second."""
        if self._signals.reload:
            await self._reload()
        if await self._gate.is_closed(self._heartbeat):
            self._tell_ready()
            return
        if self._load_jobs:
            await self._load()
        if await self._readiness.follow(self._heartbeat, idle=not self._runs):
            self._gate.doubt()  # whether the new model can be used is part of that look
        if self._gate.in_doubt:
            await self._look_at_gate()
        picture = await asyncio.to_thread(looking.look, self._heartbeat, self._gate.allowed(self._entries))
        due = await asyncio.to_thread(self._quiet.awake, picture.due, picture.later)
        if any(item.entry.writes for item in due):
            await self._look_at_gate()
            due = self._gate.admitted(due)
        for item in due:
            if self._signals.stop.is_set():
                break
            if self._heartbeat.lanes[item.entry.lane].queue is not None:
                await self._queue(item)
            elif self._supervisor.free(item.entry.lane) > 0:
                await self._start(item)
                await asyncio.sleep(0)  # let it count in its lane
        self._set_clock(picture)
        self._tell_ready()
        if self._heartbeat.clock.monotonic() - self._pruned_at >= _PRUNE_SECONDS:
            await asyncio.to_thread(forget_old_runs, self._heartbeat)
            self._pruned_at = self._heartbeat.clock.monotonic()

    async def _look_at_gate(self) -> None:
        """Look whether anything that writes may begin now.

        Who allows a copy to work has often just changed its settings, so that its mails go nowhere: they are read
        again before anything begins.
        """
        if await self._gate.opens(self._heartbeat):
            await self._reload()

    async def _reload(self) -> None:
        """Take over what the settings files say now, if they are right, and read the jobs with the next look."""
        self._signals.reload = False
        self._manager.reloading()
        reloaded = await asyncio.to_thread(self._heartbeat.reload)
        log = self._heartbeat.log
        self._kept = reloaded.problem
        if reloaded.problem:
            log.error("settings_kept", problem=reloaded.problem)
        elif reloaded.heartbeat is not None:
            self._heartbeat = reloaded.heartbeat
            self._supervisor.follow(reloaded.heartbeat)
            self._quiet = QuietTasks(reloaded.heartbeat)
            log.info("settings_loaded", restart_for=list(reloaded.restart_for))
            for name in reloaded.restart_for:
                log.warning("restart_needed", setting=name)
        self._load_jobs = True
        self._ready = False
        self._signals.poke()

    async def _load(self) -> None:
        """Read the jobs and bring the rows in line, at the start and after SIGHUP."""
        jobs = await asyncio.to_thread(self._heartbeat.load_jobs)
        report_problems(self._heartbeat, jobs)
        done = await asyncio.to_thread(synchronise_rows, self._heartbeat, jobs)
        self._entries = entries_of(self._heartbeat, jobs)
        self._load_jobs = not done  # another process was at it; its rows may be older than our jobs

    def _tell_ready(self) -> None:
        """Tell the service manager, and at the start the log, that a whole round has gone well."""
        if not self._started:
            heartbeat = self._heartbeat
            heartbeat.log.info("daemon_started", owner=str(heartbeat.owner), tasks=len(heartbeat.tasks))
            self._started = True
        status = self._status()
        if not self._ready:
            self._manager.ready(status)
        elif status != self._told:
            self._manager.status(status)
        self._ready, self._told = True, status

    def _word(self) -> tuple[Work, list[str]]:
        """Return what the list of processes says of this one."""
        problems = [f"its loop {name} hangs" for name in self._loops.hanging()]
        if self._kept:
            problems.append(f"it keeps its settings, the files are wrong: {self._kept}")
        return "stopping" if self._signals.stop.is_set() else "working", problems

    def _status(self) -> str:
        running = f"{len(self._runs)} runs under way" if self._runs else "idle"
        if self._gate.closed:
            return f"nothing begins: {self._gate.closed}"
        if self._gate.refused:
            return f"{running}; nothing that writes begins: {self._gate.refused}"
        return f"{running}; settings kept, the files are wrong: {self._kept}" if self._kept else running

    async def _start(self, due: Due) -> None:
        claimed = await asyncio.to_thread(claiming.claim, self._heartbeat, due)
        if claimed is not None:
            self._watch(self._supervisor.carry_out(claimed), claimed.run)

    async def _queue(self, due: Due) -> None:
        run = await asyncio.to_thread(claiming.place, self._heartbeat, due)
        if run is not None:
            self._watch(send(self._heartbeat, run, due.entry.lane), run)

    def _watch(self, work: Coroutine[Any, Any, object], run: Run) -> None:
        task = asyncio.create_task(work, name=f"run {run.id}")
        self._runs.add(task)
        task.add_done_callback(self._on_run_end)

    def _set_clock(self, picture: Picture) -> None:
        next_at = self._quiet.next_of_others(picture.later)
        if next_at is not None:
            at = max(next_at, datetime.now(UTC))
            self._clock.add_job(
                self._poke, "date", run_date=at, id="next", replace_existing=True, misfire_grace_time=None
            )

    async def _poke(self) -> None:
        """Wake dispatch: all that the clock ever does."""
        self._signals.poke()

    async def _drain(self, dispatching: asyncio.Task[None]) -> None:
        """Finish what runs or hand it back, within ``stop_timeout``; a second signal skips the waiting."""
        timeout = self._heartbeat.stop_timeout
        self._heartbeat.log.info("daemon_stopping", running=len(self._runs), stop_timeout=timeout)
        hurry = asyncio.create_task(self._signals.hurry.wait())
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

    def _on_run_end(self, task: asyncio.Task[object]) -> None:
        self._runs.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._heartbeat.log.error("loop_died", loop=task.get_name(), exc_info=task.exception())
            self._run_died = True
            self._signals.ask_to_stop()
        self._signals.poke()
