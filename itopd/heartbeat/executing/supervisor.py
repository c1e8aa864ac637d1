"""The life of claimed runs: start, limits, leases, outcome, record.

One supervisor per process of itopd, used by ``tick`` and by the daemon alike. It works inside an asyncio loop and does
nothing itself: runs execute in their lane's executor, statements go to a thread.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from itopd.clock import to_itop
from itopd.heartbeat.claiming import Claimed
from itopd.heartbeat.executing.executor import Execution
from itopd.heartbeat.executing.records import RunReport, report_of, row_at_end, row_at_start, spec_of
from itopd.heartbeat.executing.runs import RunOutcome
from itopd.heartbeat.lanes import Lane
from itopd.heartbeat.schedules.wall_clock import whole_second
from itopd.heartbeat.seeing.run_log import LOGS
from itopd.heartbeat.world import AWAY, Heartbeat, log_of, pauses, reason_of
from itopd.state import LeaseLost, RowChange, interventions, leases, ledger, run_logs

T = TypeVar("T")

STOPPED = "itopd stops"


@dataclass(slots=True)
class _Active:
    """A run of ours that is under way."""

    claimed: Claimed
    execution: Execution | None = None
    reported_progress: str = ""
    killed_because: str = ""
    soft_limit_passed: bool = False
    stop_asked: bool = False
    """By an operator."""
    lease_lost: bool = False
    held_until: float = field(default=0.0)
    """``time.monotonic`` up to which our lease is proven."""


class Supervisor:
    """Carries out claimed runs."""

    def __init__(self, heartbeat: Heartbeat, patience: float = math.inf) -> None:
        """Carry out runs of ``heartbeat``; an outcome waits ``patience`` seconds for a database that is away."""
        self._heartbeat = heartbeat
        self._patience = patience
        self._active: dict[str, _Active] = {}
        self._stopping = False
        self._pause = pauses()

    def follow(self, heartbeat: Heartbeat) -> None:
        """Carry out what is claimed from now on with the settings of ``heartbeat``."""
        self._heartbeat = heartbeat

    @property
    def running(self) -> int:
        """Return how many runs are under way."""
        return len(self._active)

    def progress(self) -> list[str]:
        """Return how far the runs are that told so, for people."""
        running = [active.execution for active in self._active.values() if active.execution is not None]
        return [execution.progress for execution in running if execution.progress]

    def free(self, lane: str) -> int:
        """Return how many more runs a lane takes now."""
        busy = sum(active.claimed.entry.lane == lane for active in self._active.values())
        return self._lane(lane).limit - busy

    async def carry_out(self, claimed: Claimed) -> RunReport:
        """Do a claimed run to its end and record it; errors of the run are in the report, never raised."""
        # The claim was made a moment ago; counting from now would promise the child more than the ledger does.
        margin = self._heartbeat.lease_seconds * 0.9
        active = _Active(claimed, held_until=time.monotonic() + margin)
        self._active[claimed.run.id] = active
        LOGS.open(claimed.run.id)
        try:
            return await self._do_and_keep_log(active)
        except BaseException:  # nobody watches the process any more, and leaving itopd would wait for its end
            self._kill(active, "its heartbeat gave it up")
            raise
        finally:
            del self._active[claimed.run.id]
            LOGS.close(claimed.run.id)

    async def _do_and_keep_log(self, active: _Active) -> RunReport:
        report = await self._do(active)
        await self._keep_log(active.claimed.run.id)
        return report

    def ask_to_stop(self) -> None:
        """Ask all runs to stop between two chunks; what is unfinished is handed back."""
        self._stopping = True
        for active in self._active.values():
            if active.execution is not None:
                active.execution.stop()

    def kill(self, reason: str) -> None:
        """End all runs at once."""
        for active in self._active.values():
            self._kill(active, reason)

    async def renew(self) -> None:
        """Renew the leases of all our runs, and record their progress. A run that was taken over is killed."""
        heartbeat, asked = self._heartbeat, time.monotonic()
        names = {active.claimed.run.subject.lease: active for active in self._active.values()}
        ours = await asyncio.to_thread(
            leases.renew, heartbeat.state, heartbeat.owner, list(names), heartbeat.lease_seconds
        )
        for name, active in names.items():
            if name not in ours:
                if active.claimed.run.id in self._active:
                    active.lease_lost = True
                    self._kill(active, "another process took it over")
                continue
            active.held_until = asked + heartbeat.lease_seconds * 0.9
            if active.execution is not None:
                active.execution.hold_until(active.held_until)
                await self._record_progress(active, active.execution.progress)
        if self._active:
            self._stop_asked(await asyncio.to_thread(interventions.asked_to_stop, heartbeat.state, heartbeat.owner))

    def _stop_asked(self, run_ids: Collection[str]) -> None:
        """Pass on what operators asked through the ledger."""
        for active in self._active.values():
            if active.claimed.run.id in run_ids and not active.stop_asked and active.execution is not None:
                active.stop_asked = True
                log_of(self._heartbeat, active.claimed.run).info("run_stop_asked")
                active.execution.stop()

    async def _do(self, active: _Active) -> RunReport:
        heartbeat, claimed = self._heartbeat, active.claimed
        run, entry, lane = claimed.run, claimed.entry, self._lane(claimed.entry.lane)
        started, began = whole_second(heartbeat.clock.now()), heartbeat.clock.monotonic()
        soft_seconds = entry.max_seconds if entry.max_seconds is not None else lane.soft_seconds
        try:
            await asyncio.to_thread(entry.rows.update, entry.subject.name, row_at_start(heartbeat, claimed, started))
            spec = spec_of(heartbeat, claimed, started, soft_seconds)
            active.execution = lane.executor.start(spec)
            active.execution.hold_until(active.held_until)
            await asyncio.to_thread(
                ledger.start, heartbeat.state, run, pid=active.execution.pid, now=heartbeat.clock.now()
            )
        except LeaseLost:
            active.lease_lost = True
            self._kill(active, "another process took it over")
        except AWAY as error:
            self._kill(active, f"the database went away: {reason_of(error)}")
        except OSError as error:  # no process could be made: memory, process numbers, file descriptors
            outcome = RunOutcome(succeeded=False, exit_code=70, error=f"no process could be started: {error}")
            return await self._finish(active, outcome, started, heartbeat.clock.monotonic() - began)
        if active.execution is None:
            return await self._hand_back(active, active.killed_because, started, 0.0)
        log_of(heartbeat, run).info("run_started", pid=active.execution.pid, lane=lane.name)
        if self._stopping:
            active.execution.stop()
        outcome = await self._outcome(active, active.execution, soft_seconds, lane.hard_seconds)
        seconds = heartbeat.clock.monotonic() - began
        if active.lease_lost:
            return self._not_recorded(active, seconds)
        was_cut_off = (outcome.unfinished and self._stopping) or (active.killed_because and not outcome.succeeded)
        if was_cut_off and not (active.soft_limit_passed or active.stop_asked):
            return await self._hand_back(active, active.killed_because or STOPPED, started, seconds)
        if was_cut_off or outcome.unfinished:
            reason = active.killed_because or _why_unfinished(active, soft_seconds)
            outcome = RunOutcome(False, 70, outcome.message, outcome.counters, reason)
        return await self._finish(active, outcome, started, seconds)

    async def _outcome(
        self, active: _Active, execution: Execution, soft_seconds: float, hard_seconds: float
    ) -> RunOutcome:
        """Wait for the end; at the soft limit ask to stop, at the hard limit kill."""
        waiting = asyncio.ensure_future(execution.outcome())
        done, _ = await asyncio.wait({waiting}, timeout=soft_seconds)
        if not done:
            active.soft_limit_passed = True
            log = log_of(self._heartbeat, active.claimed.run)
            log.warning("run_limit_reached", seconds=soft_seconds, stack=await execution.stack())
            execution.stop()
            done, _ = await asyncio.wait({waiting}, timeout=hard_seconds)
            if not done:
                log.warning("run_stuck", seconds=soft_seconds + hard_seconds, stack=await execution.stack())
        if not done:
            self._kill(active, f"it did not stop within {hard_seconds:g} seconds of its limit of {soft_seconds:g}")
        return await waiting

    async def _finish(self, active: _Active, outcome: RunOutcome, started: datetime, seconds: float) -> RunReport:
        heartbeat, claimed = self._heartbeat, active.claimed
        run, entry = claimed.run, claimed.entry
        ended = heartbeat.clock.now()
        failures = 0 if outcome.succeeded else run.failures + 1
        deaths = run.deaths + 1 if outcome.died else run.deaths if active.killed_because else 0
        next_due = claimed.next_date(ended, heartbeat.zone, failures, outcome.exit_code)
        change = row_at_end(claimed, started, ended, seconds, next_due, outcome)

        def record() -> None:
            ledger.finish(
                heartbeat.state,
                run,
                succeeded=outcome.succeeded,
                exit_code=outcome.exit_code,
                now=ended,
                next_due=next_due,
                message=outcome.message,
                counters=outcome.counters,
                error=outcome.error,
                deaths=deaths,
            )

        try:
            await self._persist(record)
        except LeaseLost:
            return self._not_recorded(active, seconds)
        # The lease is free again: if somebody has started the next run since, the row is theirs.
        await self._persist(lambda: entry.rows.update(entry.subject.name, change, started=started))
        log, shown = log_of(heartbeat, run), to_itop(next_due, heartbeat.zone)
        if outcome.succeeded:
            counters = dict(outcome.counters)
            log.info(
                "run_finished", seconds=round(seconds, 3), message=outcome.message, counters=counters, next_due=shown
            )
        else:
            log.error("run_failed", error=outcome.error, exit_code=outcome.exit_code, failures=failures, next_due=shown)
        if outcome.died and deaths >= heartbeat.max_attempts:
            log.error("set_aside", deaths=deaths)
        return report_of(claimed, outcome, seconds)

    async def _hand_back(self, active: _Active, reason: str, started: datetime, seconds: float) -> RunReport:
        """Give the run back: it is due again at once, and this attempt does not count."""
        heartbeat, claimed = self._heartbeat, active.claimed
        run, entry = claimed.run, claimed.entry
        change: RowChange = {
            "running": False,
            "next_run_date": run.due,
            "latest_run_date": claimed.row.latest_run_date,
        }
        try:
            # The row first: once the ledger has it back, another process may already be working on it.
            await self._persist(lambda: entry.rows.update(entry.subject.name, change, started=started))
            await self._persist(lambda: ledger.hand_back(heartbeat.state, run, reason=reason))
        except LeaseLost:
            return self._not_recorded(active, seconds)
        log_of(heartbeat, run).info("run_handed_back", reason=reason, seconds=round(seconds, 3))
        outcome = RunOutcome(succeeded=False, exit_code=75, error=reason, unfinished=True)
        return report_of(claimed, outcome, seconds)

    async def _keep_log(self, run_id: str) -> None:
        """Put what the run logged beside it in the ledger; without it nothing but the log file is the poorer."""
        lines = LOGS.close(run_id)
        if not lines:
            return
        try:
            await asyncio.to_thread(run_logs.append, self._heartbeat.state, run_id, lines)
        except AWAY as error:
            self._heartbeat.log.warning("run_log_lost", run=run_id, error=reason_of(error))

    def _not_recorded(self, active: _Active, seconds: float) -> RunReport:
        log_of(self._heartbeat, active.claimed.run).error("lease_lost", token=active.claimed.run.token)
        error = "another process took the run over; what this one did is not recorded"
        return report_of(active.claimed, RunOutcome(succeeded=False, exit_code=75, error=error), seconds)

    async def _persist(self, write: Callable[[], T]) -> T:
        """Write an outcome; a database that is away is waited for, since the work is done and must not be lost."""
        attempt, give_up = 0, time.monotonic() + self._patience
        while True:
            try:
                result = await asyncio.to_thread(write)
            except AWAY as error:
                pause = self._pause(attempt)
                if time.monotonic() + pause > give_up:
                    raise
                self._heartbeat.log.warning("database_away", error=reason_of(error), retry_in=round(pause, 1))
                await asyncio.sleep(pause)
                attempt += 1
                continue
            if attempt:
                self._heartbeat.log.info("database_back")
            return result

    async def _record_progress(self, active: _Active, progress: str) -> None:
        if progress == active.reported_progress:
            return
        active.reported_progress = progress
        try:
            await asyncio.to_thread(ledger.report_progress, self._heartbeat.state, active.claimed.run, progress)
        except LeaseLost:  # it ended while we asked, or was taken over, which the next renewal tells
            return

    def _kill(self, active: _Active, reason: str) -> None:
        active.killed_because = reason
        if active.execution is not None:
            log_of(self._heartbeat, active.claimed.run).warning("run_killed", reason=reason)
            active.execution.kill()

    def _lane(self, name: str) -> Lane:
        return self._heartbeat.lanes[name]


def _why_unfinished(active: _Active, soft_seconds: float) -> str:
    if active.soft_limit_passed:
        return f"stopped at its limit of {soft_seconds:g} seconds"
    return "stopped by an operator" if active.stop_asked else "stopped before its end, though nobody asked for it"
