"""``itopd backup``: what the task BackupExec does, now."""

from __future__ import annotations

from pathlib import Path

import click

from itopd.backups import Pace
from itopd.backups.naming import SUFFIX
from itopd.cli.edge import settings_files, settings_of
from itopd.cli.progress import terminal_progress
from itopd.wiring import back_up, open_application


@click.command("backup")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where it goes; nothing is deleted there.  [default: the folder of scheduled backups, of which those beyond "
    "itop-backup.retention_count are then deleted]",
)
@click.pass_obj
def backup_command(config: str | None, folder: Path | None) -> None:
    """Make a backup of the database and the files of the installation, while everybody goes on working.

    Settings, schedule and what is in an archive: docs/backup.md. Exit code 75 when a backup or a restore is at work.
    """
    settings = settings_of(config).settings
    with open_application(settings) as application, terminal_progress("backup") as progress:
        pace = Pace(progress=progress)
        message = back_up(
            settings, settings_files(config), application.database, application.clock, pace, folder=folder
        )
    click.echo(f"{message}{SUFFIX}")
