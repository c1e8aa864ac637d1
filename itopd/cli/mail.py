"""``itopd mail``: the queue of e-mails."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from itopd.cli.edge import settings_of
from itopd.cli.tables import print_table
from itopd.clock import to_itop
from itopd.errors import MissingFile, SettingsError
from itopd.mail import Address, Message, counts, listing, names_of, put, redirection_of, valid_address
from itopd.settings import Settings
from itopd.wiring import open_application, require_parts

STATUSES = ("planned", "running", "idle", "error")


@click.group("mail")
def mail_command() -> None:
    """Look at the queue of e-mails, put one in."""


@mail_command.command("enqueue", short_help="put one e-mail into the queue")
@click.option("--to", required=True, metavar="ADDRESS[,ADDRESS...]", help="Recipients.")
@click.option("--cc", default="", metavar="ADDRESS[,ADDRESS...]", help="Recipients of a copy.")
@click.option("--bcc", default="", metavar="ADDRESS[,ADDRESS...]", help="Recipients nobody else sees.")
@click.option("--from", "sender", default="", metavar="ADDRESS", help="Sender; default: email_default_sender_address.")
@click.option("--subject", default="", help="One line.")
@click.option("--body", default="", help="The text; '-' reads standard input.")
@click.option("--body_file", type=click.Path(path_type=Path), help="File holding the text.")
@click.option("--html", is_flag=True, help="The text is HTML.")
@click.pass_obj
def enqueue(
    config: str | None,
    to: str,
    cc: str,
    bcc: str,
    sender: str,
    subject: str,
    body: str,
    body_file: Path | None,
    html: bool,
) -> None:
    """Put one e-mail into the queue; the task ExecAsyncTask delivers it."""
    settings = settings_of(config).settings
    if not to.strip(", "):
        raise SettingsError("--to: name at least one recipient")
    redirected = _redirected(settings)
    if "\n" in subject or "\r" in subject:
        raise SettingsError("--subject: write it on one line")
    message = Message(
        sender=_sender(settings, sender),
        to=_checked("to", to),
        cc=_checked("cc", cc),
        bcc=_checked("bcc", bcc),
        subject=subject,
        body=_body(body, body_file),
        mime_type="text/html" if html else "text/plain",
    )
    with open_application(settings) as application, application.database.write() as connection:
        require_parts(application.database.model, "mails")
        now = to_itop(application.clock.now(), application.database.timezone)
        number = put(connection, application.database, message, now)
    click.echo(f"queued as #{number}{redirected}")


@mail_command.command("list", short_help="the queue, oldest first")
@click.option("--status", type=click.Choice(STATUSES), help="Only these.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="At most so many.")
@click.pass_obj
def list_(config: str | None, status: str | None, limit: int) -> None:
    """List the queue, oldest first; a mail that was delivered is no longer in it."""
    settings = settings_of(config).settings
    redirected = _redirected(settings)
    with open_application(settings) as application, application.database.read() as connection:
        require_parts(application.database.model, "mails")
        rows = list(listing(connection, application.database, status=status, limit=limit))
        numbers = counts(connection, application.database)
    if rows:
        print_table(
            ("id", "status", "created", "planned", "tries left", "to", "subject", "last error"),
            [
                (
                    row.id,
                    row.status,
                    row.created,
                    row.planned or "",
                    row.remaining_retries,
                    row.to,
                    row.subject,
                    row.last_error,
                )
                for row in rows
            ],
        )
    total = ", ".join(f"{count.rows} {count.status} ({count.realclass})" for count in numbers)
    click.echo((total or "the queue is empty") + redirected)


def _redirected(settings: Settings) -> str:
    redirect_to = redirection_of(settings)
    return f"; every mail goes to {names_of(redirect_to)} only (mail_redirect_to)" if redirect_to else ""


def _sender(settings: Settings, given: str) -> Address:
    if given:
        return Address(_checked("from", given))
    if not settings.email_default_sender_address:
        raise SettingsError("no sender: give --from, or set email_default_sender_address")
    return Address(settings.email_default_sender_address, settings.email_default_sender_label)


def _checked(name: str, addresses: str) -> str:
    for address in filter(None, (item.strip() for item in addresses.split(","))):
        if valid_address(address) is None:
            raise SettingsError(f"--{name}: '{address}' is no e-mail address; separate several by commas")
    return addresses


def _body(text: str, path: Path | None) -> str:
    if path is not None:
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise MissingFile(f"cannot read --body_file {path}: {error}") from error
    return sys.stdin.read() if text == "-" else text
