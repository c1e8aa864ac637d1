"""``itopd task``: what operators do to background tasks."""

from __future__ import annotations

import click

from itopd import heartbeat
from itopd.cli.edge import settings_files, settings_of
from itopd.errors import EXIT_ISSUES, SettingsError
from itopd.state import Subject, SubjectKind
from itopd.wiring import open_heartbeat


@click.group("task")
def task_command() -> None:
    """Release a background task that was set aside, stop one that runs. (itopd status shows them all.)"""


@task_command.command("release", short_help="let a task that was set aside run again")
@click.argument("name")
@click.pass_context
def release(ctx: click.Context, name: str) -> None:
    """Let the task NAME run again, which was set aside because its processes died three times in a row.

    It runs at its next date. Exit code 1 when it was not set aside.
    """
    with open_heartbeat(settings_of(ctx.obj).settings, settings_files(ctx.obj)) as beat:
        if heartbeat.release(beat, _subject(beat, name)):
            click.echo(f"{name} is released: it runs at its next date")
            return
    click.echo(f"{name} was not set aside")
    ctx.exit(EXIT_ISSUES)


@task_command.command("stop", short_help="ask a running task to end early")
@click.argument("name")
@click.pass_context
def stop(ctx: click.Context, name: str) -> None:
    """Ask the run of the task NAME, wherever it is under way, to stop at its next chance; it then counts as failed.

    It hears of it when its lease is renewed, within 20 seconds. Exit code 1 when it does not run.
    """
    with open_heartbeat(settings_of(ctx.obj).settings, settings_files(ctx.obj)) as beat:
        run_id = heartbeat.stop(beat, _subject(beat, name))
    if run_id is None:
        click.echo(f"{name} does not run")
        ctx.exit(EXIT_ISSUES)
    click.echo(f"run {run_id} of {name} was asked to stop")


def _subject(beat: heartbeat.Heartbeat, name: str) -> Subject:
    names = [task.name for task in beat.tasks]
    if name not in names:
        raise SettingsError(f"there is no task '{name}'; there are: {', '.join(names)}")
    return Subject(SubjectKind.TASK, name)
