"""``itopd tick``, ``itopd run`` and ``itopd status``."""

from __future__ import annotations

import logging

import click

from itopd import heartbeat
from itopd.cli.edge import settings_files, settings_of
from itopd.cli.reports import print_report
from itopd.errors import EXIT_DONE, EXIT_ISSUES, SettingsError
from itopd.wiring import open_heartbeat


@click.command("tick")
@click.option("--only", metavar="NAME", help="Only this task or job.")
@click.pass_context
def tick_command(ctx: click.Context, only: str | None) -> None:
    """Do everything that is due, once, and say what became of it.

    Exit code 0 nothing was due or all is done, 1 something failed, 69 what writes was refused (itopd status says why),
    75 others are at work on all that was due.
    """
    settings = settings_of(ctx.obj).settings
    with open_heartbeat(settings, settings_files(ctx.obj), starts=True) as beat:
        if only is not None:
            _require_known(beat, only)
        report = heartbeat.tick(beat, only=only)
    print_report(report)
    ctx.exit(report.exit_code)


def _require_known(beat: heartbeat.Heartbeat, name: str) -> None:
    jobs = beat.load_jobs()
    names = [
        *(task.name for task in beat.tasks),
        *(job.name for job in jobs.jobs),
        *(job.name for job in jobs.broken),
    ]
    if name not in names:
        raise SettingsError(f"there is no task or job '{name}'; there are: {', '.join(names)}")


@click.command("run")
@click.pass_context
def run_command(ctx: click.Context) -> None:
    """Run every task and job at its time, until SIGTERM; SIGHUP reads the jobs anew."""
    settings = settings_of(ctx.obj, log_level=logging.INFO).settings
    with open_heartbeat(settings, settings_files(ctx.obj), logging.INFO, starts=True) as beat:
        code = heartbeat.run(beat)
    ctx.exit(code)


@click.command("status")
@click.pass_context
def status_command(ctx: click.Context) -> None:
    """Show tasks, jobs, what runs now and what ran last. Exit code 1 when something keeps one of them from running."""
    settings = settings_of(ctx.obj).settings
    with open_heartbeat(settings, settings_files(ctx.obj)) as beat:
        seen = heartbeat.status(beat)
        click.echo(heartbeat.status_text(seen, beat), nl=False)
    ctx.exit(EXIT_ISSUES if seen.problems else EXIT_DONE)
