"""``itopd attach`` and ``itopd detach``: itopd beside a running iTop."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

import click

from itopd.attaching import Outcome, give_back, take_over
from itopd.cli.edge import settings_of
from itopd.clock import SystemClock
from itopd.errors import EXIT_DONE, EXIT_ISSUES, SettingsError
from itopd.settings import Settings
from itopd.wiring import is_attached, open_application, open_own_state, require_open, tasks_of

_ROUND_SECONDS = 60
"""What a round of iTop's cron.php may last beyond cron_max_execution_time: it ends after the process at work."""


@click.command("attach")
@click.option("--take_over", "takes_over", is_flag=True, help="Run processes here that iTop's cron.php runs so far.")
@click.option(
    "--processes", metavar="NAME,NAME...", help="With --take_over: these only.  [default: all that itopd can run]"
)
@click.option(
    "--wait",
    type=click.IntRange(min=0),
    metavar="SECONDS",
    help="How long to wait for iTop's cron.php.  [default: cron_max_execution_time + 60]",
)
@click.pass_context
def attach_command(ctx: click.Context, takes_over: bool, processes: str | None, wait: int | None) -> None:
    """Attach to a running iTop."""
    if not takes_over:
        raise SettingsError("nothing to do: give --take_over")
    ctx.exit(_take_over(settings_of(ctx.obj).settings, processes, wait))


@click.command("detach")
@click.option("--processes", metavar="NAME,NAME...", help="These only.  [default: all that run here]")
@click.option(
    "--wait",
    type=click.IntRange(min=0),
    metavar="SECONDS",
    help="How long to wait for what runs here.  [default: stop_timeout]",
)
@click.pass_context
def detach_command(ctx: click.Context, processes: str | None, wait: int | None) -> None:
    """Give background processes back to iTop's cron.php: their rows get the status that they had.

    Exit code 1 when iTop or somebody else has changed a row so that it could not be restored, 75 when a run does not
    end in time: call it again.
    """
    settings = _attached(settings_of(ctx.obj).settings)
    names = None if processes is None else _names(processes)
    with open_application(settings) as application, closing(open_own_state(settings, application)) as state:
        outcomes = give_back(
            application.database, state, names, wait=settings.stop_timeout if wait is None else wait, say=_say
        )
    if not outcomes:
        click.echo("no process was taken over: nothing to do")
    ctx.exit(_print(outcomes))


def _take_over(settings: Settings, processes: str | None, wait: int | None) -> int:
    """Take processes over and return the exit code."""
    _attached(settings)
    require_open(settings, writes=True)
    known = [task.name for task in tasks_of(settings) if not task.own]
    names = known if processes is None else _names(processes)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SettingsError(f"itopd cannot run {', '.join(unknown)}; it can run: {', '.join(known)}")
    with open_application(settings) as application, closing(open_own_state(settings, application)) as state:
        outcomes = take_over(
            application.database,
            state,
            SystemClock(),
            names,
            named=processes is not None,
            wait=settings.cron_max_execution_time + _ROUND_SECONDS if wait is None else wait,
            say=_say,
        )
    return _print(outcomes)


def _attached(settings: Settings) -> Settings:
    if not is_attached(settings):
        raise SettingsError(
            "these settings are no attached itopd's: name the parameters file that 'itopd attach --itop DIR' "
            "has written with --config FILE"
        )
    return settings


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise SettingsError("--processes names no process: write --processes NAME,NAME")
    return names


def _print(outcomes: Sequence[Outcome]) -> int:
    for outcome in outcomes:
        click.echo(f"{'ok    ' if outcome.done else 'TO DO '} {outcome.process}: {outcome.text}")
    return EXIT_DONE if all(outcome.done for outcome in outcomes) else EXIT_ISSUES


def _say(text: str) -> None:
    click.echo(f"itopd: {text}", err=True)
