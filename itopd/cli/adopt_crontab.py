"""``itopd adopt_crontab``: job files from the crontab that called iTop's scripts."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from itopd.cli.edge import settings_of
from itopd.errors import EXIT_DONE, EXIT_ISSUES, InputError, MissingFile
from itopd.settings import Settings
from itopd.wiring import job_services
from itopd.wiring.crontabs.job_text import masked
from itopd.wiring.crontabs.jobs import Adopted, Source, adopted, write
from itopd.wiring.crontabs.table import read_crontab

_UNLIKE_CRON = (
    "unlike cron, a job makes up once for what was missed while nothing ran, and tries again what failed: "
    "misfire and retries, docs/jobs.md"
)
_SYSTEM_TABLES = ("/etc/crontab", "/etc/cron.d/")


@click.command("adopt_crontab")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--write", "writes", is_flag=True, help="Write the job files; without it they are only shown.")
@click.option(
    "--accounts/--no_accounts",
    default=None,
    help="Whether each line names the account before its command, as in /etc/crontab.  [default: as the file looks]",
)
@click.pass_context
def adopt_crontab_command(ctx: click.Context, file: Path | None, writes: bool, accounts: bool | None) -> None:
    """Make job files of the lines of a crontab that call iTop's cron.php, import.php, export.php, export-v2.php,
    synchro_import.php and synchro_exec.php, with the parameters files they name.

    FILE is a crontab, /etc/crontab or a file of /etc/cron.d; without it the table comes from standard input:
    crontab -l | itopd adopt_crontab. Nothing is ever overwritten; job files are readable for this account only.
    Remove the lines from the crontab when the jobs run.

    Exit code 1 when something is left to do by hand.
    """
    settings = settings_of(ctx.obj).settings
    text, name = _read(file)
    if accounts is None and file is not None and str(file.absolute()).startswith(_SYSTEM_TABLES):
        accounts = True
    source = Source(name, _system_zone(), settings.zone)
    lines = list(read_crontab(text, accounts=accounts))
    found = list(adopted(lines, source, settings.jobs_folder, job_services(settings)))
    for one in found:
        _tell(one, settings, writes=writes)
    if not found:
        click.echo(f"{name}: no line calls one of iTop's scripts")
    others = sorted({line.number for line in lines} - {one.line for one in found})
    if found and others:
        click.echo(f"passed over, since no script of iTop is named there: line {', '.join(map(str, others))}")
    made = [one for one in found if one.name and one.present is None]
    if made:
        click.echo(_UNLIKE_CRON)
    if made and not writes:
        click.echo(f"{len(made)} job files would be written to {settings.jobs_folder}: call it again with --write")
    ctx.exit(EXIT_DONE if all(one.translated for one in found) else EXIT_ISSUES)


def _read(file: Path | None) -> tuple[str, str]:
    try:
        data = sys.stdin.buffer.read() if file is None else file.read_bytes()
    except OSError as error:
        raise MissingFile(
            f"{file} cannot be read ({error.strerror}): check the path, or pipe 'crontab -l' in"
        ) from error
    try:
        return data.decode("utf-8"), "the crontab" if file is None else str(file)
    except UnicodeDecodeError as error:
        raise InputError(f"{file or 'the crontab'} is not UTF-8: convert it first (iconv -t UTF-8)") from error


def _tell(one: Adopted, settings: Settings, *, writes: bool) -> None:
    path = settings.jobs_folder / f"{one.name}.params"
    what = f"line {one.line}" + (f", {one.script}" if one.script else "")
    if one.present is not None:
        click.echo(f"{what}: {one.present} says it already")
    elif one.name:
        if writes:
            write(one, settings.jobs_folder)
        click.echo(f"{what}: {path}{'' if one.enabled else ' (enabled = no)'}")
    else:
        click.echo(f"{what}: no job")
    for remark in one.remarks:
        click.echo(f"  - {remark}")
    if one.name and one.present is None and not writes:
        click.echo("".join(f"    {line}\n" for line in masked(one.text).splitlines()), nl=False)


def _system_zone() -> ZoneInfo | None:
    """Return the zone of this machine's clock, which cron goes by; ``None`` when it cannot be told."""
    link = os.path.realpath("/etc/localtime").partition("/zoneinfo/")[2].removeprefix("posix/")
    try:
        return ZoneInfo(os.environ.get("TZ", "").lstrip(":") or link)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder of zones
        return None
