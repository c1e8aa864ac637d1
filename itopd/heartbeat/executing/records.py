"""What is told and written of a run: to its process, in its row, in the report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from itopd.heartbeat.claiming import Claimed
from itopd.heartbeat.executing.runs import RunOutcome, RunSpec
from itopd.heartbeat.schedules.wall_clock import whole_second
from itopd.heartbeat.tasks import statistics_after
from itopd.heartbeat.world import Heartbeat
from itopd.state import RowChange, Subject


@dataclass(frozen=True, slots=True)
class RunReport:
    """How one run went, for ``tick``, the log and the status."""

    run_id: str
    subject: Subject
    due: datetime
    succeeded: bool
    exit_code: int
    message: str
    error: str
    seconds: float
    handed_back: bool = False


def spec_of(heartbeat: Heartbeat, claimed: Claimed, started: datetime, soft_seconds: float) -> RunSpec:
    """Return what the process that does the run is told."""
    run, job = claimed.run, claimed.entry.job
    until = started + timedelta(seconds=soft_seconds)
    return RunSpec(
        run_id=run.id,
        kind=run.kind,
        name=run.name,
        due=run.due,
        started=started,
        until=min(until, claimed.entry.until or until),
        token=run.token,
        attempt=run.attempts,
        niceness=heartbeat.lanes[claimed.entry.lane].niceness,
        settings=dict(heartbeat.settings),
        service=job.service if job else "",
        parameters=dict(job.parameters) if job else {},
        output_file=job.output_path(started) if job else "",
        job_keys=dict(job.child_keys()) if job else {},
    )


def row_at_start(heartbeat: Heartbeat, claimed: Claimed, started: datetime) -> RowChange:
    """Return what iTop writes before a run."""
    return {
        "latest_run_date": started,
        "next_run_date": claimed.run.next_due,
        "running": True,
        "system_user": heartbeat.system_user,
    }


def row_at_end(
    claimed: Claimed,
    started: datetime,
    ended: datetime,
    seconds: float,
    next_due: datetime,
    outcome: RunOutcome,
) -> RowChange:
    """Return what iTop writes after a run; ``running`` stays set after a failure, as there."""
    change = statistics_after(claimed.row, seconds)
    change["latest_run_date"] = whole_second(ended)
    change["next_run_date"] = next_due
    if claimed.row.total_exec_count == 0:
        change["first_run_date"] = started
    if outcome.succeeded:
        change["running"] = False
    return change


def report_of(claimed: Claimed, outcome: RunOutcome, seconds: float) -> RunReport:
    """Return the report of a run that is over."""
    run = claimed.run
    return RunReport(
        run_id=run.id,
        subject=run.subject,
        due=run.due,
        succeeded=outcome.succeeded,
        exit_code=outcome.exit_code,
        message=outcome.message,
        error=outcome.error,
        seconds=seconds,
        handed_back=outcome.unfinished,
    )
