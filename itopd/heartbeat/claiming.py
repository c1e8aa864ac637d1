"""The claim of what is due: of many heartbeats exactly one gets a due time, and a crash moves no date.

The next date is written with the claim, not after the run. What a look saw decides nothing by itself: a claim names the
head that it looked at, so one based on rows that somebody has meanwhile worked off is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from itopd.clock import to_itop
from itopd.heartbeat.entries import Entry
from itopd.heartbeat.looking import Due, has_died
from itopd.heartbeat.run_queue import RESEND_SECONDS
from itopd.heartbeat.schedules.schedule import backed_off
from itopd.heartbeat.set_aside import version_of
from itopd.heartbeat.world import Heartbeat, log_of
from itopd.state import (
    ClaimRefused,
    Owner,
    Run,
    RunState,
    TaskRow,
    ledger,
)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A run that is ours."""

    entry: Entry
    row: TaskRow
    """As it was before the claim."""
    run: Run
    planned: datetime
    """What the next date is counted from."""

    def next_date(self, now: datetime, zone: ZoneInfo, failures: int, exit_code: int) -> datetime:
        """Return when the task or job is due after this run, the last of so many that failed in a row."""
        planned = _next_date(self.entry, self.planned, now, zone)
        if not failures:
            return planned
        if self.entry.job is not None:
            return self.entry.job.after_failure(planned, failures, exit_code, now)
        return backed_off(planned, failures, now)


def claim(heartbeat: Heartbeat, due: Due) -> Claimed | None:
    """Claim what is due; ``None`` when another process was faster, the run was missed, or it was given up.

    A process that was given back to iTop since the look is not claimed either.
    """
    run = _claim_for(heartbeat, due, heartbeat.owner, heartbeat.lease_seconds)
    if run is None:
        return None
    late = (heartbeat.clock.now() - (due.asked_at or due.planned)).total_seconds()
    log_of(heartbeat, run).debug(
        "run_claimed", due=to_itop(run.due, heartbeat.zone), attempt=run.attempts, late_seconds=round(late)
    )
    # A run that is taken up again leaves the plan as its first claim made it: it may have been asked for in between.
    return Claimed(due.entry, due.row, run, run.next_due if due.resumes else due.planned)


def place(heartbeat: Heartbeat, due: Due) -> Run | None:
    """Claim what is due for the workers of its lane, and return the run whose message is to be sent.

    ``None`` as :func:`claim`, and when a worker has meanwhile taken a run whose message was to be sent again.
    """
    if due.resumes and due.head is not None and due.head.run.state is RunState.QUEUED:
        run = due.head.run
        return run if ledger.put_off(heartbeat.state, run, RESEND_SECONDS) else None
    return _claim_for(heartbeat, due, None, RESEND_SECONDS)


def _claim_for(heartbeat: Heartbeat, due: Due, owner: Owner | None, seconds: int) -> Run | None:
    if _is_missed(heartbeat, due):
        return None
    if due.entry.rows is heartbeat.task_rows and not heartbeat.is_ours(due.entry.subject.name):
        return None
    if due.resumes:
        return _take_over(heartbeat, due, owner, seconds)
    return _claim_new(heartbeat, due, owner, seconds)


def _claim_new(heartbeat: Heartbeat, due: Due, owner: Owner | None, seconds: int) -> Run | None:
    now = heartbeat.clock.now()

    def attempt(due_time: datetime) -> Run | ClaimRefused:
        return ledger.claim(
            heartbeat.state,
            due.entry.subject,
            due=due_time,
            next_due=_next_date(due.entry, due.planned, now, heartbeat.zone),
            owner=owner,
            seen=due.head,
            now=now,
            lease_seconds=seconds,
            version=version,
        )

    version = version_of(heartbeat, due.entry)
    run = attempt(due.asked_at or due.planned)
    if run is ClaimRefused.ALREADY_RUN and due.asked_at is None:
        # Somebody planned the row by hand for a date that the ledger knows already: it runs, under the present time.
        # If instead another process has just claimed this date, the head has changed and this is refused too.
        run = attempt(now)
    return run if isinstance(run, Run) else None


def _is_missed(heartbeat: Heartbeat, due: Due) -> bool:
    """Return whether a job may not begin any more, and plan it again then; what somebody asks for is never missed."""
    job, now = due.entry.job, heartbeat.clock.now()
    if job is None or due.resumes or due.asked_at is not None:
        return False
    reason = job.missed(due.planned, now)
    if not reason:
        return False
    planned_next = job.schedule.next(due.planned, now)
    due.entry.rows.update(job.name, {"next_run_date": planned_next}, started=due.row.latest_run_date)
    heartbeat.log.warning(
        "job_missed",
        name=job.name,
        due=to_itop(due.planned, heartbeat.zone),
        reason=reason,
        next_due=to_itop(planned_next, heartbeat.zone),
    )
    return True


def _take_over(heartbeat: Heartbeat, due: Due, owner: Owner | None, seconds: int) -> Run | None:
    """Claim the open run of a head again; give it up when its owners died too often."""
    head = due.head
    if head is None:
        raise ValueError(f"{due.entry.subject}: there is no run to take over")
    # A claim of our own whose answer a cut connection swallowed is no death: nobody ever worked on it.
    never_known = head.run.state is RunState.CLAIMED and head.owner == str(heartbeat.owner)
    was_lost = head.run.state in (RunState.CLAIMED, RunState.RUNNING) and not never_known
    gives_up = was_lost and head.run.attempts >= heartbeat.max_attempts
    run = ledger.take_over(
        heartbeat.state,
        head,
        owner=heartbeat.owner if gives_up else owner,
        now=heartbeat.clock.now(),
        lease_seconds=heartbeat.lease_seconds if gives_up else seconds,
        owner_is_dead=has_died(head),
        died_at_work=was_lost and head.run.state is RunState.RUNNING,
    )
    if run is None or not was_lost:
        return run
    log_of(heartbeat, run).warning("run_lost", owner=head.owner, attempts=head.run.attempts)
    if not gives_up:
        return run
    ledger.finish(
        heartbeat.state,
        run,
        succeeded=False,
        exit_code=70,
        now=heartbeat.clock.now(),
        next_due=run.next_due,
        error=f"given up: {head.run.attempts} processes died while working on it, the last was {head.owner}",
        deaths=run.deaths,
    )
    log_of(heartbeat, run).error("run_given_up", attempts=head.run.attempts)
    if run.deaths >= heartbeat.max_attempts:
        log_of(heartbeat, run).error("set_aside", deaths=run.deaths)
    return None


def _next_date(entry: Entry, planned: datetime, now: datetime, zone: ZoneInfo) -> datetime:
    """Return the date after a run; a run that somebody asked for leaves a date to come as it is."""
    return planned if planned > now else entry.schedule.next(planned, now, zone)
