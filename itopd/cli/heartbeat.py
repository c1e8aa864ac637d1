"""``itopd tick``, ``itopd run`` and ``itopd status``."""

from __future__ import annotations

import logging

import click

from itopd import heartbeat
from itopd.cli.edge import settings_files, settings_of
from itopd.cli.reports import print_report
from itopd.wiring import open_heartbeat


@click.command("tick")
@click.option("--only", metavar="NAME", help="Only this task or job.")
@click.pass_context
def tick_command(ctx: click.Context, only: str | None) -> None:
    """Do everything that is due, once, and say what became of it.

    Exit code 0 nothing was due or all is done, 1 something failed, 75 others are at work on all that was due.
    """
    settings = settings_of(ctx.obj).settings
    with open_heartbeat(settings, settings_files(ctx.obj)) as beat:
        report = heartbeat.tick(beat, only=only)
    print_report(report)
    ctx.exit(report.exit_code)


@click.command("run")
@click.pass_context
def run_command(ctx: click.Context) -> None:
    """Run every task and job at its time, until SIGTERM; SIGHUP reads the jobs anew."""
    settings = settings_of(ctx.obj, log_level=logging.INFO).settings
    with open_heartbeat(settings, settings_files(ctx.obj), logging.INFO) as beat:
        code = heartbeat.run(beat)
    ctx.exit(code)


@click.command("status")
@click.pass_obj
def status_command(config: str | None) -> None:
    """Show tasks, jobs, what runs now and what ran last; nothing is written."""
    settings = settings_of(config).settings
    with open_heartbeat(settings, settings_files(config)) as beat:
        click.echo(heartbeat.status_text(heartbeat.status(beat), beat))
