"""One round: everything that is due, once, side by side by lane (``itopd tick``)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from itopd.heartbeat import claiming, looking
from itopd.heartbeat.entries import Entry, entries_of
from itopd.heartbeat.executing.side_by_side import supervised
from itopd.heartbeat.forgetting import forget_old_runs
from itopd.heartbeat.looking import Due
from itopd.heartbeat.problems import problems_of, report_problems
from itopd.heartbeat.queueing import send
from itopd.heartbeat.rounds import TickReport, in_loop, require_open, work_off
from itopd.heartbeat.row_keeping import synchronise_rows
from itopd.heartbeat.set_aside import problem_of
from itopd.heartbeat.world import Heartbeat
from itopd.state import Subject


def tick(heartbeat: Heartbeat, *, only: str | None = None) -> TickReport:
    """Do everything that is due, once, and return when it is done.

    ``only`` limits the round to one task or job by name. SIGTERM and SIGINT stop it as they stop the daemon. Raises
    :class:`DatabaseError` when the database is away, :class:`RefusedError` while nothing may begin. Where only what
    reads may begin, that is done and the report says what keeps the rest.
    """
    require_open(heartbeat)
    return in_loop(_tick(heartbeat, only))


async def _tick(heartbeat: Heartbeat, only: str | None) -> TickReport:
    jobs = heartbeat.load_jobs()
    report_problems(heartbeat, jobs)
    await asyncio.to_thread(synchronise_rows, heartbeat, jobs)
    asked = [entry for entry in entries_of(heartbeat, jobs) if only in (None, entry.subject.name)]
    refusal = await asyncio.to_thread(heartbeat.writes_refused)
    allowed = [entry for entry in asked if not (refusal and entry.writes)]
    picture = await asyncio.to_thread(looking.look, heartbeat, allowed)
    here = [entry for entry in allowed if heartbeat.lanes[entry.lane].queue is None]
    queued, waiting = await _queue(heartbeat, [item for item in picture.due if item.entry not in here])
    runs, lost = await supervised(heartbeat, [item for item in picture.due if item.entry in here])
    runs += await work_off(heartbeat, here, partial(_due_in_folders, heartbeat, here))
    if runs:
        await asyncio.to_thread(forget_old_runs, heartbeat)
    refused = refusal if len(allowed) < len(asked) else ""
    set_aside = (problem_of(one, heartbeat) for one in picture.set_aside)
    problems = (*problems_of(heartbeat, jobs, only), *set_aside, *waiting)
    return TickReport(runs, (*picture.held, *lost), problems, queued, refused)


async def _queue(heartbeat: Heartbeat, due: Sequence[Due]) -> tuple[tuple[Subject, ...], tuple[str, ...]]:
    """Send what workers elsewhere are to do; return what, and what keeps it waiting."""
    queued, problems = [], {}
    for item in due:
        run = await asyncio.to_thread(claiming.place, heartbeat, item)
        if run is not None:
            queued.append(run.subject)
            problem = await send(heartbeat, run, item.entry.lane)
            problems[problem] = problem
    return tuple(queued), tuple(filter(None, problems))


def _due_in_folders(heartbeat: Heartbeat, entries: Sequence[Entry]) -> Sequence[Due]:
    """Return what is due of the jobs that watch folders."""
    watching = [entry for entry in entries if entry.job is not None and entry.job.hot_folder is not None]
    return looking.look(heartbeat, watching).due
