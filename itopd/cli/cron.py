"""``itopd cron``: the one-shot heartbeat that takes iTop's parameters."""

from __future__ import annotations

import sys
from functools import partial

import click

from itopd.cli.edge import parameters_help, settings_files, settings_of, settings_with
from itopd.errors import MissingFile
from itopd.settings import parse_arguments
from itopd.wiring import CallParameters, CronEdge, CronParameters, run_cron

_NOT_INSTALLED = 255
"""iTop's exit code without a configuration file."""


class CronCommand(click.Command):
    """A command with iTop's parameters: ``--name=value``."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the parameters."""
        with formatter.section("Parameters"):
            formatter.write_dl(parameters_help([CronParameters, CallParameters]))
        super().format_options(ctx, formatter)


@click.command("cron", cls=CronCommand, context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[--NAME=VALUE]...")
@click.pass_context
def cron_command(ctx: click.Context, words: tuple[str, ...]) -> None:
    """Run background tasks as iTop's cron.php does: what is due, one after the other, for cron_max_execution_time.

    With compat = itop its output, its exit codes, its lock, and an administrator's auth_user and auth_pwd. Otherwise
    the local operator acts as run_as, unless an account is given; exit code 0 all went well, 1 a task failed, 64 a
    parameter is wrong, 66 a parameters file is missing, 69 marker file, access mode or database, 70 ended by an error,
    75 already running, 77 not an administrator.
    """
    try:
        settings = settings_of(ctx.obj).settings
    except MissingFile as error:
        if parse_arguments(words)[0].get("compat") != "itop":
            raise
        click.echo(f"not yet installed: {error.message}")
        ctx.exit(_NOT_INSTALLED)
    edge = CronEdge(_write, _warn, partial(settings_with, ctx.obj), settings_files(ctx.obj))
    ctx.exit(run_cron(settings, words, edge))


def _write(text: str) -> None:
    """Write and let it be seen: a heartbeat lasts minutes."""
    sys.stdout.write(text)
    sys.stdout.flush()


def _warn(text: str) -> None:
    click.echo(f"itopd: {text}", err=True)
