"""One heartbeat as iTop's cron.php does it: due tasks one after the other, until its time is over (§2, §5).

What it prints is iTop's, line by line; what it runs are runs like any other, each with a lease of its own.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from itopd.errors import DatabaseError, ItopdError
from itopd.heartbeat import claiming, looking, row_keeping
from itopd.heartbeat.cron_lines import CronLines
from itopd.heartbeat.daemon.signals import Signals
from itopd.heartbeat.entries import Entry, entries_of
from itopd.heartbeat.executing.records import RunReport
from itopd.heartbeat.executing.side_by_side import keep_leases
from itopd.heartbeat.executing.supervisor import Supervisor
from itopd.heartbeat.forgetting import forget_old_runs
from itopd.heartbeat.jobs.job import Jobs
from itopd.heartbeat.looking import Due
from itopd.heartbeat.problems import problems_of
from itopd.heartbeat.schedules.schedule import Periodic
from itopd.heartbeat.world import AWAY, Heartbeat, reason_of
from itopd.state import SubjectKind, TaskRow
from itopd.state.tasks import OwnTaskRows

_PATIENCE = 30.0
"""Seconds an outcome waits for a database that went away."""


class CronEnd(StrEnum):
    """How a heartbeat ended."""

    DONE = "done"
    STOPPED = "stopped"
    """Asked to: what was under way has ended or was handed back."""
    CLOSED = "closed"
    """A marker file has appeared, or writing was closed."""
    AWAY = "away"
    """The database went away."""


@dataclass(frozen=True, slots=True)
class CronLimits:
    """How long it goes on."""

    seconds: int
    """``cron_max_execution_time``; 0: rows are brought in line, nothing runs."""
    pause: int
    """``cron_sleep``."""
    periods: int = 0
    """``cron_task_max_execution_time``: a periodic task is given so many of its periods at most; 0: no such limit."""


@dataclass(frozen=True, slots=True)
class CronReport:
    """What it did."""

    end: CronEnd
    runs: tuple[RunReport, ...]
    problems: tuple[str, ...]
    """Tasks that do not run because their settings are wrong."""


Pause = Callable[[float], Awaitable[None]]


def cron(heartbeat: Heartbeat, limits: CronLimits, lines: CronLines, pause: Pause | None = None) -> CronReport:
    """Run what is due, again and again, until the time is over; ``lines`` are told what happens.

    SIGTERM and SIGINT end it after the task under way was asked to stop. Raises :class:`DatabaseError` when the
    database is away before a task has begun.
    """
    try:
        return asyncio.run(_Cron(heartbeat, limits, lines).run(pause))
    except AWAY as error:
        if isinstance(error, ItopdError):
            raise
        raise DatabaseError(f"the database went away: {reason_of(error)}; what was due stays due") from error


def _heard(signals: Signals) -> AbstractContextManager[Signals]:
    """Return what hears signals inside its block; only the main thread can."""
    return signals if threading.current_thread() is threading.main_thread() else nullcontext(signals)


class _Cron:
    def __init__(self, heartbeat: Heartbeat, limits: CronLimits, lines: CronLines) -> None:
        self._heartbeat = heartbeat
        self._limits = limits
        self._lines = lines
        self._supervisor = Supervisor(heartbeat, _PATIENCE)
        self._began = heartbeat.clock.monotonic()
        self._runs: list[RunReport] = []
        tasks = [task for task in heartbeat.tasks if task.own or heartbeat.is_ours(task.name)]
        self._problems = problems_of(replace(heartbeat, tasks=tuple(tasks)), Jobs())
        self._names = [task.name for task in tasks if task.schedule is not None]
        everything = entries_of(heartbeat, Jobs())
        self._entries = [entry for entry in everything if entry.subject.name in self._names]

    async def run(self, pause: Pause | None) -> CronReport:
        renewing = asyncio.create_task(keep_leases(self._heartbeat, self._supervisor), name="leases")
        try:
            with _heard(Signals()) as signals:
                stopping = asyncio.create_task(self._stop_when_asked(signals), name="stop")
                try:
                    end = await self._loop(signals, pause or signals.sleep)
                finally:
                    stopping.cancel()
        finally:
            self._supervisor.kill("the heartbeat was aborted")
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
        return CronReport(end, tuple(self._runs), self._problems)

    async def _stop_when_asked(self, signals: Signals) -> None:
        await signals.stop.wait()
        self._supervisor.ask_to_stop()

    async def _loop(self, signals: Signals, pause: Pause) -> CronEnd:
        lines = self._lines
        lines.begin(self._limits.seconds, self._limits.pause)
        before = {row.class_name for row in await self._rows()}
        await asyncio.to_thread(row_keeping.synchronise_rows, self._heartbeat, Jobs())
        lines.created([row for row in await self._rows() if row.class_name not in before])
        lines.processes(self._names)
        for problem in self._problems:
            lines.problem(problem)
        while self._left() > 0 and not signals.stop.is_set():
            if self._heartbeat.closed():
                return CronEnd.CLOSED
            end = await self._turn(signals)
            if end is not None:
                return end
            if self._left() < 0 or signals.stop.is_set():
                break
            await pause(self._limits.pause)
        lines.end(await self._rows(), int(-self._left()))
        if self._runs:
            await asyncio.to_thread(forget_old_runs, self._heartbeat)
        return CronEnd.STOPPED if signals.stop.is_set() else CronEnd.DONE

    async def _turn(self, signals: Signals) -> CronEnd | None:
        """Run what is due now, by date; return how the heartbeat ends, if it does."""
        lines, clock = self._lines, self._heartbeat.clock
        rows = await self._rows()
        picture = await asyncio.to_thread(looking.look, self._heartbeat, self._entries)
        order = {row.class_name: place for place, row in reversed(list(enumerate(rows)))}
        due = sorted(picture.due, key=lambda item: (item.planned, order[item.row.class_name]))
        if not due:
            return None
        lines.planned([item.row for item in due], clock.now())
        for item in due:
            end = await self._one(item)
            if end is not None or signals.stop.is_set() or self._left() < 0:
                return end
            if self._heartbeat.closed():
                return CronEnd.CLOSED
        running = {item.row.class_name for item in due}
        active = {entry.runs_when for entry in self._entries}
        lines.skipped([row for row in rows if row.status in active and row.class_name not in running])
        return None

    async def _one(self, item: Due) -> CronEnd | None:
        """Run one task; return how the heartbeat ends, if it does."""
        name, lines, clock = item.entry.subject.name, self._lines, self._heartbeat.clock
        lines.starting(name, clock.now())
        limited = replace(item, entry=replace(item.entry, until=self._until(item.entry)))
        try:
            claimed = await asyncio.to_thread(claiming.claim, self._heartbeat, limited)
            if claimed is None:
                lines.elsewhere(name)
                return None
            report = await self._supervisor.carry_out(claimed)
            self._runs.append(report)
            lines.message(name, report)
            (row,) = [row for row in await asyncio.to_thread(item.entry.rows.read) if row.class_name == name][:1]
        except AWAY as error:
            lines.away(name, reason_of(error))
            return CronEnd.AWAY
        lines.ended(name, clock.now(), row.next_run_date)
        return None

    def _left(self) -> float:
        """Return the seconds until the time of this heartbeat is over; less than none afterwards."""
        return self._began + self._limits.seconds - self._heartbeat.clock.monotonic()

    def _until(self, entry: Entry) -> datetime:
        """Return until when a task is told that it may work."""
        seconds = self._left()
        if self._limits.periods and isinstance(entry.schedule, Periodic):
            seconds = min(seconds, self._limits.periods * entry.schedule.seconds)
        return self._heartbeat.clock.now() + timedelta(seconds=seconds)

    async def _rows(self) -> Sequence[TaskRow]:
        """Return the rows of all tasks, itopd's own last."""
        own = OwnTaskRows(self._heartbeat.state, SubjectKind.TASK)
        rows = await asyncio.to_thread(self._heartbeat.task_rows.read)
        return [*rows, *await asyncio.to_thread(own.read)]
