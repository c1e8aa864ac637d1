"""``itopd adopt``: a database that moved, or a copy of one, may work where it is now."""

from __future__ import annotations

import sys
from contextlib import closing

import click

from itopd.cli.edge import settings_of
from itopd.cli.tables import print_table
from itopd.errors import RefusedError
from itopd.mail import counts, names_of, redirection_of
from itopd.state import fingerprints, open_state
from itopd.wiring import Application, Standing, open_application, standing, this_person


@click.command("adopt")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--beside", is_flag=True, help="What was adopted before stays right too: the other nodes of a cluster.")
@click.pass_obj
def adopt_command(config: str | None, yes: bool, beside: bool) -> None:
    """Let itopd send mail and write by itself where the database is now.

    itopd remembers on which server, under which name and application URL it was started. When one of them changes it
    takes the database for a copy and only reads, until this command says otherwise.
    """
    settings = settings_of(config).settings
    with open_application(settings) as application, closing(open_state(settings.effective_state_url)) as state:
        seen = standing(settings, application.database, state)
        if seen.adoptions and not seen.differences:
            click.echo("nothing to adopt: the database is where itopd was started on it")
            return
        _show(seen)
        _show_queue(application)
        if not yes:
            _ask()
        fingerprints.adopt(state, seen.present, this_person(), beside=beside)
    click.echo(f"adopted: itopd works on {application.database.where} from now on")


def _show(seen: Standing) -> None:
    if not seen.adoptions:
        click.echo("itopd was never started on this database")
        return
    rows = [(one.what, one.old, one.new) for one in seen.differences]
    print_table(("", "adopted", "now"), rows)


def _show_queue(application: Application) -> None:
    """Tell what goes out as soon as the answer is yes."""
    with application.database.read() as connection:
        waiting = [one for one in counts(connection, application.database) if one.status == "planned"]
    mails = sum(one.rows for one in waiting)
    since = min((one.oldest for one in waiting if one.oldest), default="")
    redirect_to = redirection_of(application.settings)
    where = f"to {names_of(redirect_to)} only (mail_redirect_to)" if redirect_to else "to the recipients they name"
    click.echo(f"{mails} mails wait, the oldest since {since}: they go {where}" if mails else "no mail waits")


def _ask() -> None:
    if not sys.stdin.isatty():
        raise RefusedError("adopt asks before it changes anything, and nobody is there to answer: say --yes")
    if not click.confirm("Let itopd send mail and write by itself here?"):
        raise RefusedError("not adopted: everything stays as it was")
