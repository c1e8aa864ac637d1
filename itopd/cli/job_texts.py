"""What ``itopd job`` shows of jobs: rows of tables, and plain data for JSON."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from itopd.clock import to_itop
from itopd.heartbeat import Heartbeat, Job
from itopd.heartbeat.jobs import control
from itopd.heartbeat.jobs.control import Coming, JobCondition, JobView
from itopd.settings.files import is_secret_name
from itopd.state import Run, Subject, SubjectKind, ledger

COMING_HEADER = ("job", "time", "zone", "remark")
_SHOWN_RUNS = 5
_SHOWN_TIMES = 3


def list_row(view: JobView, zone: ZoneInfo) -> tuple[str, ...]:
    """Return one row of the list; times are on the clock of iTop's zone."""
    job, run = view.job, view.last_run
    if view.condition in (JobCondition.DISABLED, JobCondition.PAUSED, JobCondition.SET_ASIDE):
        following = str(view.condition)
    elif job.hot_folder is not None:
        following = "when a file appears"
    else:
        following = to_itop(view.next_run, zone) if view.next_run else "not planned yet"
    last = f"{to_itop(run.due, zone)} {run.state}" if run else "never"
    return (job.name, job.service, job.schedule.text, following, last)


def listed(view: JobView) -> dict[str, object]:
    """Return one job of the list as data."""
    job, row = view.job, view.row
    watching = job.hot_folder is not None
    return {
        "name": job.name,
        "file": str(job.path),
        "service": job.service,
        "schedule": job.schedule.text,
        "zone": job.schedule.zone.key,
        "condition": str(view.condition),
        "enabled": job.enabled,
        "next_run": None if watching else _instant(view.next_run, job.schedule.zone),
        "runs": row.total_exec_count if row else 0,
        "average_seconds": float(row.average_run_duration) if row else 0.0,
        "last_run": _run(view.last_run, job.schedule.zone) if view.last_run else None,
    }


def described(view: JobView, heartbeat: Heartbeat) -> dict[str, object]:
    """Return all that is known about a job."""
    job, zone = view.job, view.job.schedule.zone
    runs = ledger.recent(heartbeat.state, _SHOWN_RUNS, subjects=[Subject(SubjectKind.JOB, job.name)])
    times = control.coming(view, heartbeat.clock.now(), _SHOWN_TIMES)
    seen: dict[str, object] = {
        "job": job.name,
        "file": str(job.path),
        "condition": str(view.condition),
        "service": job.service,
        "schedule": job.schedule.text,
        "zone": zone.key,
        "misfire": _misfire(job),
        "retries": f"{job.retries.times}, the first after {job.retries.delay}",
        "lane": job.lane,
    }
    if job.max_seconds is not None:
        seen["max_seconds"] = job.max_seconds
    if job.results.template:
        seen["output_file"] = job.results.template + (f" (keep {job.results.keep})" if job.results.keep else "")
    if job.hot_folder is not None:
        seen["waiting"] = _waiting(job)
    seen["keys"] = [f"{key} = {'***' if is_secret_name(key) else text}" for key, text in job.parameters.items()]
    seen["next"] = [" ".join(coming_row(one)[1:]).rstrip() for one in times]
    seen["last runs"] = [_run_text(run, zone) for run in runs]
    return seen


def coming_row(one: Coming) -> tuple[str, str, str, str]:
    """Return one coming time as a row: job, time with its offset, zone, remark."""
    offset = one.local.strftime("%z")
    return (one.name, f"{one.local:%a %Y-%m-%d %H:%M:%S} {offset[:3]}:{offset[3:5]}", one.plan.zone.key, one.note)


def _misfire(job: Job) -> str:
    if job.hot_folder is not None:
        return "files wait"
    grace = job.misfire.grace
    return "a late run runs once" if grace is None else f"a run more than {grace} late is skipped"


def _waiting(job: Job) -> str:
    folder = job.hot_folder
    if folder is None or not folder.reach():
        return "" if folder is None else folder.problem
    return f"{len(folder.watch.candidates())} files in {folder.watch.folder}"


def _run(run: Run, zone: ZoneInfo) -> dict[str, object]:
    return {
        "id": run.id,
        "due": _instant(run.due, zone),
        "started": _instant(run.started, zone),
        "finished": _instant(run.finished, zone),
        "state": run.state.value,
        "exit_code": run.exit_code,
        "message": run.message,
        "error": run.error,
        "failures": run.failures,
        "progress": run.progress,
    }


def _run_text(run: Run, zone: ZoneInfo) -> str:
    told = (run.error.splitlines() or [""])[0] if run.error else run.message or run.progress
    return f"{to_itop(run.due, zone)} {run.state} {told}".rstrip()


def _instant(instant: datetime | None, zone: ZoneInfo) -> str | None:
    return None if instant is None else instant.astimezone(zone).isoformat()
