"""The command line: one edge of three. Commands are imported when they are called, so that starting stays quick."""

from __future__ import annotations

import errno
import gc
import os
import sys
import traceback
from importlib import import_module
from types import ModuleType

import click

from itopd import __version__
from itopd.errors import EXIT_DONE, ItopdError, SettingsError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""

COMMANDS = {
    "adopt": ("itopd.cli.adopt", "let a database that moved, or a copy of one, work where it is now"),
    "adopt_crontab": ("itopd.cli.adopt_crontab", "make job files of the crontab lines that call iTop's scripts"),
    "attach": ("itopd.cli.attach", "settle beside a running iTop, take over its background processes"),
    "backup": ("itopd.cli.backup", "a backup of the database, now"),
    "check": (
        "itopd.cli.setup",
        "look at settings, databases, model and jobs; say what to do where something is wrong",
    ),
    "config": ("itopd.cli.config", "the settings in force, and where each comes from"),
    "cron": ("itopd.cli.cron", "one heartbeat as iTop's cron.php does it"),
    "db": ("itopd.cli.db", "copy a whole database to another engine, compare one with the data model"),
    "demo": ("itopd.cli.demo", "show the main job on a database of its own"),
    "detach": ("itopd.cli.attach", "give background processes back to iTop's cron.php"),
    "export": ("itopd.cli.services", "write what an OQL query selects as a file"),
    "health": ("itopd.cli.status", "whether all is well, for monitoring"),
    "import": ("itopd.cli.services", "create and update objects from a CSV file"),
    "init": ("itopd.cli.setup", "create the tables and an administrator in an empty database"),
    "job": ("itopd.cli.jobs", "list and show the jobs, run one now, pause and resume one"),
    "mail": ("itopd.cli.mail", "the queue of e-mails"),
    "object": ("itopd.cli.objects", "look at single objects, create, update and delete them, see their history"),
    "ps": ("itopd.cli.status", "the runs under way: how far, where, since when"),
    "query": ("itopd.cli.query", "print what an OQL query selects"),
    "restore": ("itopd.cli.restore", "put a backup in the place of the database"),
    "run": ("itopd.cli.heartbeat", "the daemon: every task and job at its time"),
    "runs": ("itopd.cli.runs", "what ran, and what came of it"),
    "status": ("itopd.cli.status", "tasks, jobs, lanes, queues, what runs and what ran last"),
    "task": ("itopd.cli.tasks", "background tasks: release one that was set aside, stop one that runs"),
    "tick": ("itopd.cli.heartbeat", "everything that is due, once"),
    "user": ("itopd.cli.user", "the accounts: add, list, set a password, disable"),
    "worker": ("itopd.cli.heartbeat", "runs of the lanes whose executor is celery"),
}


class Commands(click.Group):
    """The commands by name; ``-`` and ``_`` mean the same in a name."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in alphabetical order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import the module of a command and return it."""
        name = cmd_name.replace("-", "_")
        if name not in COMMANDS:
            return None
        command = getattr(_imported(COMMANDS[name][0]), f"{name}_command")
        if not isinstance(command, click.Command):
            raise TypeError(f"{name} is no command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Write the list of commands without importing one."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in COMMANDS.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, "--version", prog_name="itopd", message="%(prog)s %(version)s")
@click.option(
    "--config",
    "config",
    metavar="FILE[,FILE...]",
    envvar="ITOPD_CONFIG",
    help="The settings: parameters files, later ones over earlier ones.  "
    "[default: ./itopd.params, /etc/itopd/itopd.params]",
)
@click.pass_context
def root(ctx: click.Context, config: str | None) -> None:
    """The batch half of iTop: heartbeat, e-mail queue, CSV import and export."""
    ctx.obj = config


def _imported(module: str) -> ModuleType:
    """Import a module without looking for garbage meanwhile: what is imported stays, and the looks take a tenth."""
    gc.disable()
    try:
        return import_module(module)
    finally:
        gc.enable()


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with a code of ``itopd.errors``, 130 when it was interrupted."""
    try:
        code = _invoke(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        code = SettingsError.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("itopd: interrupted", err=True)
        code = INTERRUPTED
    except ItopdError as error:
        click.echo(f"itopd: {error.message}", err=True)
        code = error.exit_code
    except BrokenPipeError:
        _forget_output()
        code = EXIT_DONE
    except Exception as error:  # noqa: BLE001 - what nobody foresaw: reported in full, under its documented code
        _report(error)
        code = ItopdError.exit_code
    sys.exit(code)


def _report(error: Exception) -> None:
    if isinstance(error, OSError) and error.errno in _FULL:
        _forget_output()
        click.echo(f"itopd: writing failed: {error}: make room, then call it again", err=True)
        return
    traceback.print_exception(error)
    click.echo(f"itopd: internal error ({type(error).__name__}: {error}): report it with the lines above", err=True)


def _invoke(arguments: list[str]) -> int:
    for word in arguments:
        _require_text(word)
    try:
        with root.make_context("itopd", list(arguments)) as context:
            root.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    return EXIT_DONE


def _require_text(word: str) -> None:
    try:
        word.encode()
    except UnicodeEncodeError as error:
        name = word[: error.start].partition("=")[0]  # without the value: it may be a password
        raise SettingsError(
            f"the argument '{name}...' holds bytes that are not UTF-8: write it in UTF-8, or rename the file it names"
        ) from error


def _forget_output() -> None:
    """Send what is left of the output nowhere: it cannot be written any more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
