"""One round: everything that is due, once, side by side by lane (``itopd tick``)."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from itopd.errors import EXIT_DONE, EXIT_ISSUES, ConflictError, DatabaseError, RefusedError, SettingsError
from itopd.heartbeat import dispatch
from itopd.heartbeat.dispatch import Due, Entry, Held
from itopd.heartbeat.jobs import Job, Jobs
from itopd.heartbeat.queueing import send
from itopd.heartbeat.set_aside import problem_of
from itopd.heartbeat.supervisor import RunReport, Supervisor
from itopd.heartbeat.world import AWAY, Heartbeat, reason_of
from itopd.state import Subject

_RENEWALS_PER_LEASE = 3
_TELL_SECONDS = 0.2
_PATIENCE = 30.0
"""Seconds a tick waits for a database that went away before it gives up."""


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


def tick(heartbeat: Heartbeat, *, only: str | None = None) -> TickReport:
    """Do everything that is due, once, and return when it is done.

    ``only`` limits the round to one task or job by name. SIGTERM and SIGINT stop it as they stop the daemon. Raises
    :class:`DatabaseError` when the database is away, :class:`RefusedError` while nothing may begin. Where only what
    reads may begin, that is done and the report says what keeps the rest.
    """
    _require_open(heartbeat)
    return _in_loop(_tick(heartbeat, only))


def _require_open(heartbeat: Heartbeat) -> None:
    reason = heartbeat.closed()
    if reason:
        raise RefusedError(reason)


def run_now(
    heartbeat: Heartbeat, job: str, *, instead: Job | None = None, tell: Callable[[str], None] | None = None
) -> TickReport:
    """Run one job now, whatever is planned; a planned date that is still to come stays.

    ``instead`` is the same job with other keys for this once; ``tell`` hears of its progress.

    It is recorded like any other run, and never runs twice at once: when another process works on it, the report says
    who. Raises :class:`SettingsError` when there is no such job, it is disabled or its file is wrong,
    :class:`RefusedError` when it may not begin, :class:`DatabaseError` when the database is away.
    """
    _require_open(heartbeat)
    return _in_loop(_run_now(heartbeat, job, instead, tell))


def _in_loop(work: Coroutine[Any, Any, TickReport]) -> TickReport:
    try:
        return asyncio.run(work)
    except AWAY as error:
        if isinstance(error, DatabaseError):
            raise
        raise DatabaseError(f"the database went away: {reason_of(error)}; what was due stays due") from error


def problems_of(heartbeat: Heartbeat, jobs: Jobs, only: str | None = None) -> tuple[str, ...]:
    """Return what keeps a task or job from running, of all or of ``only`` the one of that name."""
    tasks = [task.problem for task in heartbeat.tasks if task.problem and only in (None, task.name)]
    broken = [job.problem for job in jobs.broken if only in (None, job.name)]
    watching = [job for job in jobs.jobs if job.enabled and job.hot_folder is not None and only in (None, job.name)]
    away = [
        f"{job.path}: {job.hot_folder.problem}" for job in watching if job.hot_folder and not job.hot_folder.reach()
    ]
    return (*tasks, *broken, *away)


def report_problems(heartbeat: Heartbeat, jobs: Jobs) -> None:
    """Log what keeps a task or job from running, and what looks wrong."""
    for task in heartbeat.tasks:
        if task.problem:
            heartbeat.log.error("task_disabled", name=task.name, problem=task.problem)
    for broken in jobs.broken:
        heartbeat.log.error("job_broken", name=broken.name, problem=broken.problem)
    for warning in jobs.warnings:
        heartbeat.log.warning("job_warning", warning=warning)
    heartbeat.log.info("jobs_loaded", jobs=len(jobs.jobs), broken=len(jobs.broken))


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


async def _tick(heartbeat: Heartbeat, only: str | None) -> TickReport:
    jobs = heartbeat.load_jobs()
    report_problems(heartbeat, jobs)
    await asyncio.to_thread(dispatch.synchronise_rows, heartbeat, jobs)
    asked = [entry for entry in dispatch.entries_of(heartbeat, jobs) if only in (None, entry.subject.name)]
    refusal = await asyncio.to_thread(heartbeat.writes_refused)
    allowed = [entry for entry in asked if not (refusal and entry.writes)]
    picture = await asyncio.to_thread(dispatch.look, heartbeat, allowed)
    here = [entry for entry in allowed if heartbeat.lanes[entry.lane].queue is None]
    queued, waiting = await _queue(heartbeat, [item for item in picture.due if item.entry not in here])
    runs, lost = await _supervised(heartbeat, [item for item in picture.due if item.entry in here])
    runs += await _work_off(heartbeat, here, partial(_due_in_folders, heartbeat, here))
    refused = refusal if len(allowed) < len(asked) else ""
    set_aside = (problem_of(one, heartbeat) for one in picture.set_aside)
    problems = (*problems_of(heartbeat, jobs, only), *set_aside, *waiting)
    return TickReport(runs, (*picture.held, *lost), problems, queued, refused)


async def _queue(heartbeat: Heartbeat, due: Sequence[Due]) -> tuple[tuple[Subject, ...], tuple[str, ...]]:
    """Send what workers elsewhere are to do; return what, and what keeps it waiting."""
    queued, problems = [], {}
    for item in due:
        run = await asyncio.to_thread(dispatch.place, heartbeat, item)
        if run is not None:
            queued.append(run.subject)
            problem = await send(heartbeat, run, item.entry.lane)
            problems[problem] = problem
    return tuple(queued), tuple(filter(None, problems))


async def _run_now(
    heartbeat: Heartbeat, job: str, instead: Job | None, tell: Callable[[str], None] | None
) -> TickReport:
    jobs = heartbeat.load_jobs()
    entry = _entry_of(heartbeat, jobs, job, instead)
    refusal = await asyncio.to_thread(heartbeat.writes_refused) if entry.writes else ""
    if refusal:
        raise RefusedError(refusal)
    await asyncio.to_thread(dispatch.synchronise_rows, heartbeat, jobs)
    found = await asyncio.to_thread(dispatch.look_at, heartbeat, entry)
    if found is None:
        raise ConflictError(f"the job {job} has no row yet, another process is making it; try again")
    if isinstance(found, Held):
        return TickReport((), (found,), ())
    if entry.job is not None and entry.job.hot_folder is not None:
        return TickReport(await _work_off(heartbeat, [entry], partial(_due_here, heartbeat, entry), tell), (), ())
    runs, lost = await _supervised(heartbeat, (found,), tell)
    return TickReport(runs, lost, ())


async def _work_off(
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
            done, _ = await _supervised(heartbeat, found, tell)
            runs += done
            if not done or any(run.handed_back for run in done):
                break
        elif waited or not any(folder.unsettled for folder in folders):
            break
        else:
            await asyncio.sleep(max(folder.settle_seconds for folder in folders if folder.unsettled))
            waited = True
    return tuple(runs)


def _due_in_folders(heartbeat: Heartbeat, entries: Sequence[Entry]) -> Sequence[Due]:
    """Return what is due of the jobs that watch folders."""
    watching = [entry for entry in entries if entry.job is not None and entry.job.hot_folder is not None]
    return dispatch.look(heartbeat, watching).due


def _due_here(heartbeat: Heartbeat, entry: Entry) -> Sequence[Due]:
    """Return the run of one such job, whatever is planned, as long as there is a file."""
    if entry.job is None or not dispatch.has_work(heartbeat, entry.job):
        return ()
    found = dispatch.look_at(heartbeat, entry)
    return (found,) if isinstance(found, Due) else ()


def _entry_of(heartbeat: Heartbeat, jobs: Jobs, job: str, instead: Job | None) -> Entry:
    broken = next((one for one in jobs.broken if one.name == job), None)
    if broken is not None:
        raise SettingsError(broken.problem)
    entries = {entry.job.name: entry for entry in dispatch.entries_of(heartbeat, jobs) if entry.job is not None}
    entry = entries.get(job)
    if entry is None or entry.job is None:
        raise SettingsError(f"there is no job '{job}'; the jobs are: {', '.join(sorted(entries)) or 'none'}")
    if instead is not None:
        entry = replace(entry, job=instead, lane=instead.lane, max_seconds=instead.max_seconds)
    if entry.job is not None and not entry.job.enabled:
        raise SettingsError(f"{entry.job.path}: the job is disabled; write enabled = yes to run it")
    return entry


async def _supervised(
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
            claimed = await asyncio.to_thread(dispatch.claim, heartbeat, item)
            if claimed is None:  # between the look and the claim another process was faster
                seen = await asyncio.to_thread(dispatch.look, heartbeat, [item.entry])
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
