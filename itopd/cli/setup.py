"""``itopd init`` and ``itopd check``."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import click

from itopd.cli.acting import first_line
from itopd.cli.edge import settings_of
from itopd.clock import SystemClock, to_itop
from itopd.database import Database
from itopd.datamodel import LeftOut
from itopd.dictionary import ENGLISH
from itopd.errors import EXIT_DONE, EXIT_ISSUES, AccessDenied, ItopdError, RefusedError, SettingsError
from itopd.heartbeat.seeing.status import owners_of
from itopd.installation import Administrator, install, new_password
from itopd.mail import names_of, redirection_of
from itopd.settings import Settings
from itopd.state import TaskStatus, open_state, taken_over
from itopd.tasks.background_rows import BackgroundTaskRows
from itopd.wiring import (
    attached_texts,
    is_attached,
    jobs_of,
    model_of,
    open_application,
    open_configured_database,
    open_own_state,
    record_start,
    standing,
    tasks_of,
    writer_of,
)

_SHOWN = 3


@click.command("init")
@click.option("--admin_login", default="admin", show_default=True, help="Login of the administrator.")
@click.option(
    "--admin_password_file",
    type=click.Path(path_type=Path),
    help="File whose first line is the administrator's password; without it one is made and printed once.",
)
@click.pass_obj
def init_command(config: str | None, admin_login: str, admin_password_file: Path | None) -> None:
    """Create iTop's tables, its profiles and an administrator in an empty database."""
    settings = settings_of(config).settings
    password = new_password() if admin_password_file is None else first_line(admin_password_file)
    _make_folder(settings.data_folder)
    database, clock = open_configured_database(settings), SystemClock()
    try:
        writer = writer_of(database, settings.rules, clock)
        database.connect().close()
        # First what can be refused: once the account exists, its password must be shown.
        with closing(open_state(settings.effective_state_url, serves=database.identity)) as state:
            tables = install(database, writer, clock, Administrator(admin_login, password))
            record_start(settings, database, state)
    finally:
        database.close()
    click.echo(f"created {tables} tables in {database.where}")
    if admin_password_file is None:
        click.echo(f"administrator '{admin_login}', password (shown this once): {password}")
    else:
        click.echo(f"administrator '{admin_login}', password from {admin_password_file}")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"data_folder {folder} cannot be made ({error.strerror}): correct data_folder") from error


@click.command("check")
@click.pass_context
def check_command(ctx: click.Context) -> None:
    """Look at everything that itopd needs; each line says ok, or what to do. Exit code 1 when something is to do.

    The state store is made if it is missing: that is how one knows that it can be.
    """
    settings = settings_of(ctx.obj).settings
    good = [_line(name, check, settings) for name, check in _CHECKS]
    ctx.exit(EXIT_DONE if all(good) else EXIT_ISSUES)


def _line(name: str, check: Callable[[Settings], str], settings: Settings) -> bool:
    """Print the line of one check; return whether all is well."""
    try:
        click.echo(f"ok     {name}: {check(settings)}")
    except ItopdError as error:
        click.echo(f"TO DO  {name}: {error.message}")
        return False
    return True


def _check_folder(settings: Settings) -> str:
    folder = settings.data_folder
    if not folder.is_dir():
        raise SettingsError(f"{folder} is no folder: create it, or correct data_folder")
    if not os.access(folder, os.W_OK):
        raise SettingsError(f"{folder} is not writable for this account: change its owner, or correct data_folder")
    return str(folder.absolute())


def _check_model(settings: Settings) -> str:
    return f"{len(model_of(settings))} classes, {settings.data_model or 'bundled'}"


def _check_labels(settings: Settings) -> str:
    texts = attached_texts(settings)
    if texts is None:
        return "bundled"
    if not texts.folder.is_dir():
        raise SettingsError(f"{texts.folder} is no folder: correct itop_root or itop_environment")
    needed = dict.fromkeys((settings.default_language, ENGLISH))
    problems = [problem for language in needed if (problem := texts.problem(language))]
    problems += [f"there is no dictionary of {language}" for language in needed if language not in list(texts)]
    if problems:
        raise SettingsError("; ".join(problems))
    return f"{len(texts)} languages in {texts.folder}"


def _check_database(settings: Settings) -> str:
    try:
        model_of(settings)
    except ItopdError as error:
        raise SettingsError("it can be looked at once the data model is right") from error
    with open_application(settings, reads=True) as application:
        database, source = application.database, application.source
        _require_fitting(database)
        fits = f"{database.where}, tables as in the data model{_older(database.model.left_out)}"
        if source is not database:
            _require_fitting(source)
            return f"{fits}; exports and queries read {source.where}"
        return fits


def _require_fitting(database: Database) -> None:
    differences = database.missing()
    if differences:
        rest = f"; and {len(differences) - 3} more" if len(differences) > 3 else ""
        raise SettingsError(
            f"{database.where} does not fit the data model: {'; '.join(differences[:3])}{rest}. "
            "Name iTop's own datamodel-production.xml in data_model, or let iTop's set-up bring its tables "
            "up to date"
        )


def _older(left_out: Sequence[LeftOut]) -> str:
    """Return what an older iTop has no room for, as the end of a sentence."""
    if not left_out:
        return ""
    shown = "; ".join(str(one) for one in left_out[:_SHOWN]) + ("; ..." if len(left_out) > _SHOWN else "")
    return f"; left out, as in an older iTop, are {len(left_out)} parts of core classes: {shown}"


def _check_mode(settings: Settings) -> str:
    if is_attached(settings):
        return "attached to a running iTop"
    with open_application(settings) as application:
        rows = BackgroundTaskRows(application.database).read()
    ours = {task.name for task in tasks_of(settings)}
    foreign = [row.class_name for row in rows if row.status == TaskStatus.ACTIVE and row.class_name not in ours]
    if foreign:
        raise SettingsError(
            f"priv_backgroundtask holds active processes that are none of itopd's ({', '.join(foreign[:3])}): if this "
            "is the database of a running iTop, let 'itopd attach' write the settings, or ticks run beside its cron"
        )
    return "stand-alone: every process of this database runs here"


def _check_processes(settings: Settings) -> str:
    if not is_attached(settings):
        return "all of them run here"
    try:
        with open_application(settings) as one, closing(open_own_state(settings, one.database)) as state:
            rows = BackgroundTaskRows(one.database).read()
            owners, contested = owners_of(rows, taken_over.names(state))
    except ItopdError as error:
        raise SettingsError("they can be looked at once the database and the state store are right") from error
    if contested:
        raise SettingsError("; ".join(contested))
    ours = [name for name, owner in owners.items() if owner == "itopd"]
    if not ours:
        return "iTop's cron.php runs all of them: 'itopd attach --take_over' changes that"
    return f"itopd runs {', '.join(ours)}; iTop's cron.php runs the others"


def _check_account(settings: Settings) -> str:
    try:
        with open_application(settings) as application:
            account = application.account("", "")
    except AccessDenied:
        raise
    except ItopdError as error:
        raise SettingsError("it can be looked at once the database is right") from error
    return f"{account.login} acts where no auth_user is given (run_as)"


def _check_state(settings: Settings) -> str:
    if settings.effective_state_url.startswith("sqlite") and not settings.data_folder.is_dir():
        raise SettingsError("it can be made once the data folder is there")
    store = open_state(settings.effective_state_url)
    store.close()
    return store.url


def _check_guard(settings: Settings) -> str:
    try:
        with (
            open_application(settings) as application,
            closing(open_own_state(settings, application.database)) as state,
        ):
            seen = standing(settings, application.database, state)
    except RefusedError:
        raise
    except ItopdError as error:
        raise SettingsError("it can be looked at once database and state store are right") from error
    if seen.refusal:
        raise RefusedError(seen.refusal)
    if seen.matching is None:
        return "nothing adopted yet: the first start of a heartbeat makes this database the one that itopd works on"
    return (
        f"the database is where it was adopted, {to_itop(seen.matching.adopted, settings.zone)}, by {seen.matching.by}"
    )


def _check_jobs(settings: Settings) -> str:
    folder = settings.jobs_folder
    if "jobs_folder" in settings.model_fields_set and not folder.is_dir():
        raise SettingsError(f"{folder} is no folder: create it, or correct jobs_folder")
    jobs = jobs_of(settings)
    if jobs.broken:
        raise SettingsError("; ".join(job.problem for job in jobs.broken))
    return "; ".join((f"{len(jobs.jobs) or 'none'} in {folder}", *jobs.warnings))


def _check_mail(settings: Settings) -> str:
    redirect_to = redirection_of(settings)
    redirected = f"; every mail goes to {names_of(redirect_to)} only (mail_redirect_to)" if redirect_to else ""
    if not settings.email_transport.startswith("SMTP"):
        return f"transport {settings.email_transport}{redirected}"
    host, port = settings.email_transport_smtp_host, settings.email_transport_smtp_port
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError as error:
        raise SettingsError(
            f"no SMTP server answers at {host}:{port} ({error}): correct email_transport_smtp.host and .port, "
            "or start the server; mails wait in the queue until then"
        ) from error
    return f"SMTP server {host}:{port} answers{redirected}"


_CHECKS: tuple[tuple[str, Callable[[Settings], str]], ...] = (
    ("data folder", _check_folder),
    ("data model", _check_model),
    ("labels", _check_labels),
    ("database", _check_database),
    ("mode", _check_mode),
    ("account", _check_account),
    ("state store", _check_state),
    ("clone guard", _check_guard),
    ("processes", _check_processes),
    ("jobs", _check_jobs),
    ("mail", _check_mail),
)
