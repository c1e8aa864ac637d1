"""``itopd job``: the scheduled jobs."""

from __future__ import annotations

import click

from itopd import heartbeat
from itopd.cli.edge import settings_files, settings_of
from itopd.cli.reports import print_report
from itopd.cli.tables import print_table
from itopd.clock import to_itop
from itopd.heartbeat.status import JobState
from itopd.settings import Settings
from itopd.wiring import open_heartbeat


@click.group("job")
def job_command() -> None:
    """List the jobs, run one now."""


@job_command.command("list", short_help="the jobs: service, schedule, next and last run")
@click.pass_obj
def list_(config: str | None) -> None:
    """List the jobs of the jobs folder: service, schedule, when the next run is due, how the last one ended."""
    settings = settings_of(config).settings
    with open_heartbeat(settings, settings_files(config)) as beat:
        seen = heartbeat.status(beat)
    if not seen.jobs:
        click.echo(f"no jobs in {settings.jobs_folder}")
        return
    print_table(
        ("job", "service", "schedule", "next run", "last run"),
        [(job.name, job.service, job.schedule, _next(job, settings), _last(job, settings)) for job in seen.jobs],
    )
    for problem in seen.problems:
        click.echo(f"TO DO: {problem}")


def _next(job: JobState, settings: Settings) -> str:
    if not job.enabled:
        return "disabled"
    planned = job.row.next_run_date if job.row else None
    return to_itop(planned, settings.zone) if planned else "not planned yet"


def _last(job: JobState, settings: Settings) -> str:
    run = job.last_run
    return f"{to_itop(run.due, settings.zone)} {run.state}" if run else "never"


@job_command.command("run", short_help="run a job now")
@click.argument("name")
@click.pass_context
def run(ctx: click.Context, name: str) -> None:
    """Run the job NAME now, under the same rules as at its time: recorded in the ledger, never twice at once."""
    settings = settings_of(ctx.obj).settings
    with open_heartbeat(settings, settings_files(ctx.obj), starts=True) as beat:
        report = heartbeat.run_now(beat, name)
    print_report(report)
    ctx.exit(report.exit_code)
