"""What killed its process too often is set aside: it does not run by itself any more, and the status says so.

Nothing is stored for that but the deaths in the newest run and what the task or job was then (its *version*). It runs
again when an operator releases it, when somebody calls for a run of it, or once for trial when it has changed: the file
of a job, the data model, itopd itself. A run that ends with its process alive, well or not, clears the account.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from itopd import __version__
from itopd.clock import to_itop
from itopd.heartbeat.entries import Entry
from itopd.heartbeat.world import Heartbeat
from itopd.state import Head, Run, Subject, SubjectKind, interventions, ledger


@dataclass(frozen=True, slots=True)
class SetAside:
    """A task or job that does not run any more."""

    subject: Subject
    run: Run
    """The last one."""


def version_of(heartbeat: Heartbeat, entry: Entry) -> str:
    """Return what stands for everything that a run depends on: itopd, the data model, the file of a job."""
    job = entry.job
    told = job and [job.service, job.schedule.text, dict(job.parameters), job.results.template, job.max_seconds]
    text = json.dumps([__version__, heartbeat.generation(), told], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def is_set_aside(heartbeat: Heartbeat, entry: Entry, run: Run, version: Callable[[Heartbeat, Entry], str]) -> bool:
    """Return whether nothing new may begin after ``run``; ``version`` is asked only when it matters."""
    killed_often = not run.state.is_open and run.deaths >= heartbeat.max_attempts
    return killed_often and run.version == version(heartbeat, entry)


def set_aside_among(
    heartbeat: Heartbeat, entries: Iterable[Entry], heads: Mapping[Subject, Head]
) -> tuple[SetAside, ...]:
    """Return those of ``entries`` that are set aside."""
    return tuple(
        SetAside(entry.subject, head.run)
        for entry in entries
        if (head := heads.get(entry.subject)) is not None and is_set_aside(heartbeat, entry, head.run, version_of)
    )


def release(heartbeat: Heartbeat, subject: Subject) -> bool:
    """Let a task or job that was set aside run again at its next date; return whether there was anything to forgive."""
    return interventions.pardon(heartbeat.state, subject)


def stop(heartbeat: Heartbeat, subject: Subject) -> str | None:
    """Ask the run of a task or job that is under way, here or elsewhere, to stop; return its id, or ``None``."""
    head = ledger.heads(heartbeat.state).get(subject)
    asked = head is not None and interventions.ask_to_stop(heartbeat.state, head.run.id)
    return head.run.id if head is not None and asked else None


def problem_of(aside: SetAside, heartbeat: Heartbeat) -> str:
    """Return what happened and what to do, in one line."""
    run, reason = aside.run, (aside.run.error.splitlines() or ["its process died"])[0]
    since = to_itop(run.finished or run.claimed, heartbeat.zone)
    verb = "itopd job resume" if run.kind is SubjectKind.JOB else "itopd task release"
    return (
        f"{run.subject} is set aside since {since}: {run.deaths} processes in a row died over it "
        f"(run {run.id}: {reason}); find out why, then: {verb} '{run.name}'"
    )
