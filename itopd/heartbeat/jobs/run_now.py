"""One job now, whatever is planned (``itopd job run``)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from itopd.errors import ConflictError, RefusedError, SettingsError
from itopd.heartbeat import looking
from itopd.heartbeat.entries import Entry, entries_of
from itopd.heartbeat.executing.side_by_side import supervised
from itopd.heartbeat.jobs.job import Job, Jobs
from itopd.heartbeat.looking import Due, Held
from itopd.heartbeat.rounds import TickReport, in_loop, require_open, work_off
from itopd.heartbeat.row_keeping import synchronise_rows
from itopd.heartbeat.world import Heartbeat


def run_now(
    heartbeat: Heartbeat, job: str, *, instead: Job | None = None, tell: Callable[[str], None] | None = None
) -> TickReport:
    """Run one job now, whatever is planned; a planned date that is still to come stays.

    ``instead`` is the same job with other keys for this once; ``tell`` hears of its progress.

    It is recorded like any other run, and never runs twice at once: when another process works on it, the report says
    who. Raises :class:`SettingsError` when there is no such job, it is disabled or its file is wrong,
    :class:`RefusedError` when it may not begin, :class:`DatabaseError` when the database is away.
    """
    require_open(heartbeat)
    return in_loop(_run_now(heartbeat, job, instead, tell))


async def _run_now(
    heartbeat: Heartbeat, job: str, instead: Job | None, tell: Callable[[str], None] | None
) -> TickReport:
    jobs = heartbeat.load_jobs()
    entry = _entry_of(heartbeat, jobs, job, instead)
    refusal = await asyncio.to_thread(heartbeat.writes_refused) if entry.writes else ""
    if refusal:
        raise RefusedError(refusal)
    await asyncio.to_thread(synchronise_rows, heartbeat, jobs)
    found = await asyncio.to_thread(looking.look_at, heartbeat, entry)
    if found is None:
        raise ConflictError(f"the job {job} has no row yet, another process is making it; try again")
    if isinstance(found, Held):
        return TickReport((), (found,), ())
    if entry.job is not None and entry.job.hot_folder is not None:
        return TickReport(await work_off(heartbeat, [entry], partial(_due_here, heartbeat, entry), tell), (), ())
    runs, lost = await supervised(heartbeat, (found,), tell)
    return TickReport(runs, lost, ())


def _due_here(heartbeat: Heartbeat, entry: Entry) -> Sequence[Due]:
    """Return the run of one such job, whatever is planned, as long as there is a file."""
    if entry.job is None or not looking.has_work(heartbeat, entry.job):
        return ()
    found = looking.look_at(heartbeat, entry)
    return (found,) if isinstance(found, Due) else ()


def _entry_of(heartbeat: Heartbeat, jobs: Jobs, job: str, instead: Job | None) -> Entry:
    broken = next((one for one in jobs.broken if one.name == job), None)
    if broken is not None:
        raise SettingsError(broken.problem)
    entries = {entry.job.name: entry for entry in entries_of(heartbeat, jobs) if entry.job is not None}
    entry = entries.get(job)
    if entry is None or entry.job is None:
        raise SettingsError(f"there is no job '{job}'; the jobs are: {', '.join(sorted(entries)) or 'none'}")
    if instead is not None:
        entry = replace(entry, job=instead, lane=instead.lane, max_seconds=instead.max_seconds)
    if entry.job is not None and not entry.job.enabled:
        raise SettingsError(f"{entry.job.path}: the job is disabled; write enabled = yes to run it")
    return entry
