"""``itopd restore``: a backup in the place of the database."""

from __future__ import annotations

from pathlib import Path

import click

from itopd.backups import Pace
from itopd.cli.edge import settings_of
from itopd.cli.progress import terminal_progress
from itopd.clock import to_itop
from itopd.errors import EXIT_DONE, EXIT_ISSUES
from itopd.wiring import restore


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="Let go all that the database holds (under its table prefix).")
@click.option("--other_model", is_flag=True, help="The data model need not be the backup's.")
@click.option("--while_running", is_flag=True, help="Do it although a daemon or iTop's cron.php is at work.")
@click.pass_context
def restore_command(ctx: click.Context, file: Path, replace: bool, other_model: bool, while_running: bool) -> None:
    """Restore the backup FILE into the database of the settings, which must be empty or is let go with --replace.

    The archive is read and compared with its checksums before anything is touched. Where a failure leaves what: see
    docs/backup.md. Exit code 65 for an archive that is damaged, 69 when something forbids it, 75 while something is at
    work, 1 when the database then differs from the data model.
    """
    settings = settings_of(ctx.obj).settings
    with terminal_progress("restore") as progress:
        pace = Pace(progress=progress)
        done = restore(settings, file, pace, replace=replace, other_model=other_model, while_running=while_running)
    made = to_itop(done.manifest.created, settings.zone)
    click.echo(f"restored {file} of {made} (itopd {done.manifest.itopd}) into {done.where}")
    for difference in done.differences:
        click.echo(f"DIFFERS  {difference}")
    if done.waiting:
        click.echo(
            f"{done.waiting} mails wait in it, which may have been sent since the backup: none is sent, and nothing "
            "that writes runs by itself, until 'itopd adopt'. Look with 'itopd mail list'; on a test system set "
            "mail_redirect_to first"
        )
    click.echo("next: itopd check; it says when 'itopd adopt' is needed, as after a restore to another place")
    ctx.exit(EXIT_ISSUES if done.differences else EXIT_DONE)
