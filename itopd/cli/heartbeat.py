"""``itopd tick`` and ``itopd run``."""

from __future__ import annotations

import logging
import os
from functools import partial

import click
import structlog

from itopd import heartbeat
from itopd.cli.edge import settings_files, settings_of
from itopd.cli.reports import print_report
from itopd.errors import SettingsError
from itopd.wiring import open_heartbeat, work_off


@click.command("tick")
@click.option("--only", metavar="NAME", help="Only this task or job.")
@click.pass_context
def tick_command(ctx: click.Context, only: str | None) -> None:
    """Do everything that is due, once, and say what became of it.

    Exit code 0 nothing was due or all is done, 1 something failed, 69 what writes was refused (itopd status says why),
    75 others are at work on all that was due.
    """
    settings = settings_of(ctx.obj, log_to_file=True).settings
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
    """Run every task and job at its time, until SIGTERM; SIGHUP reads settings and jobs anew.

    A database that is away is waited for.
    """
    manager = heartbeat.ServiceManager.of(os.environ)
    settings = settings_of(ctx.obj, log_level=logging.INFO, log_to_file=True).settings
    opening = partial(open_heartbeat, settings, settings_files(ctx.obj), logging.INFO, starts=True)
    ctx.exit(heartbeat.run_when_open(opening, structlog.get_logger(), manager))


@click.command("worker")
@click.option("--lane", "lanes", metavar="NAME", multiple=True, help="Only this lane; may be repeated.")
@click.pass_context
def worker_command(ctx: click.Context, lanes: tuple[str, ...]) -> None:
    """Work off the runs of the lanes whose executor is celery, until SIGTERM.

    Workers and daemons share the settings, the jobs folder and the state store; any number of workers may run, here and
    on other hosts. Exit code 70 when something broke.
    """
    settings = settings_of(ctx.obj, log_level=logging.INFO, log_to_file=True).settings
    with open_heartbeat(settings, settings_files(ctx.obj), logging.INFO, starts=True) as beat:
        code = work_off(beat, settings, lanes)
    ctx.exit(code)
