"""The status as text: iTop's table of tasks, then what iTop does not know."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from itopd.clock import to_itop
from itopd.heartbeat.seeing.seen import RunSeen, Standing, Status, SubjectSeen
from itopd.heartbeat.seeing.table import status_table
from itopd.state import Run, SubjectKind


def status_text(seen: Status, zone: ZoneInfo) -> str:
    """Return the status, each line ended by a line feed; instants in ``zone``."""
    date = partial(_date, zone=zone)
    lines = [
        *_section("Who runs iTop's processes", [f"{name}: {owner}" for name, owner in seen.owners.items()]),
        *_section("Jobs", [_job(one, zone) for one in seen.subjects if one.subject.kind is SubjectKind.JOB]),
        *_section("Lanes", list(_lanes(seen))),
        *_section("Queues", list(_queues(seen))),
        *_section(
            "Processes of itopd",
            [
                f"{one.kind} {one.owner}: {'gone' if one.is_dead else one.state} since {date(one.started)}, "
                f"last sign of life {one.silent_seconds:.0f} s ago"
                for one in seen.instances
            ],
        ),
        *(_section("Running now", [_running(one, zone) for one in seen.running]) or ["Running now: nothing"]),
        *_section("Last runs", [_last_run(run, zone) for run in seen.last_runs]),
        *([f"Nothing begins: {seen.closed}"] if seen.closed else []),
        *seen.remarks,
        *_section("Problems", list(seen.problems)),
    ]
    return status_table(seen.task_rows, zone) + "".join(f"{line}\n" for line in lines)


def what_came_of_it(run: Run) -> str:
    """Return the message or the error of a run in one line."""
    return (run.error.strip() or run.message.strip()).partition("\n")[0]


def seconds_text(seconds: float) -> str:
    """Return a duration for people: ``3 s``, ``4 min``, ``2 h 5 min``, ``3 d 4 h``."""
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if hours < 1:
        return f"{minutes} min"
    return f"{hours} h {minutes % 60} min" if days < 1 else f"{days} d {hours % 24} h"


def run_facts(run: Run, zone: ZoneInfo) -> list[tuple[str, str]]:
    """Return what the ledger knows of one run, as names and texts; what there is nothing of is left out."""
    date = partial(_date, zone=zone)
    end = run.finished or None
    took = seconds_text((end - run.started).total_seconds()) if end is not None and run.started is not None else ""
    facts = {
        "run": run.id,
        "what": str(run.subject),
        "state": run.state.value,
        "due": date(run.due),
        "started": date(run.started),
        "finished": date(end) if end is not None else "",
        "took": took,
        "next due": date(run.next_due),
        "last success": date(run.last_success),
        "exit code": "" if run.exit_code is None else str(run.exit_code),
        "attempts": str(run.attempts),
        "failures": f"{run.failures} in a row" if run.failures else "",
        "deaths": f"{run.deaths} in a row" if run.deaths else "",
        "owner": run.owner,
        "process": str(run.pid or ""),
        "progress": run.progress,
        "counters": ", ".join(f"{name} {number}" for name, number in run.counters.items()),
        "message": run.message.strip(),
        "error": run.error.strip(),
    }
    return [(name, value) for name, value in facts.items() if value]


def _section(title: str, lines: list[str]) -> list[str]:
    return [f"{title}:", *(f"  {line}" for line in lines)] if lines else []


def _date(instant: datetime | None, zone: ZoneInfo) -> str:
    return "never" if instant is None else to_itop(instant, zone)


def _job(job: SubjectSeen, zone: ZoneInfo) -> str:
    if job.standing is Standing.BROKEN:
        return f"{job.subject.name}: its file is wrong"
    planned = _date(job.next_date, zone) if job.next_date is not None else job.standing.value.replace("_", " ")
    run = job.last_run
    last = f"{_date(run.started or run.claimed, zone)} {run.state}" if run is not None else "never"
    return f"{job.subject.name} ({job.service}, {job.schedule}): last {last}, next {planned}"


def _lanes(seen: Status) -> Iterator[str]:
    for lane in seen.lanes:
        waiting = f", {lane.waiting} waiting" if lane.waiting else ""
        problem = f": {lane.problem}" if lane.problem else ""
        yield f"{lane.name}: {lane.running} of {lane.limit} at work{waiting} ({lane.executor}){problem}"


def _queues(seen: Status) -> Iterator[str]:
    for queue in seen.queues:
        age = (seen.now - queue.oldest_ready).total_seconds() if queue.oldest_ready is not None else None
        oldest = f", {queue.ready} of them due, the oldest for {seconds_text(age)}" if age is not None else ""
        yield f"{queue.name}: {queue.waiting} waiting{oldest}; {queue.in_hand} in hand; {queue.failed} given up"


def _running(one: RunSeen, zone: ZoneInfo) -> str:
    run = one.run
    if not one.owner:
        holder = "waits for a worker" if run.state.value == "queued" else "handed back, waits for the next heartbeat"
    else:
        holder = f"{one.owner} since {_date(one.since, zone)}, process {run.pid or '-'}"
    progress = f", {run.progress}" if run.progress else ""
    lost = "" if one.is_alive or not one.owner else ", its owner is gone: the next heartbeat takes it over"
    return f"{run.subject} {run.state}: {holder}{progress}{lost}"


def _last_run(run: Run, zone: ZoneInfo) -> str:
    return f"{run.id} {run.subject} due {_date(run.due, zone)}: {run.state} {what_came_of_it(run)}".rstrip()
