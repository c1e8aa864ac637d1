"""``itopd user``: the accounts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import click

from itopd import users
from itopd.cli.acting import acting, first_line
from itopd.cli.edge import settings_of
from itopd.cli.progress import no_progress
from itopd.cli.tables import print_table
from itopd.errors import SettingsError
from itopd.service import Context
from itopd.users import NewUser, Status, User
from itopd.wiring import open_application, require_open


@click.group("user")
def user_command() -> None:
    """Keep the accounts: add, list, show, set a password, disable, enable.

    Passwords come from a file, from standard input or from a prompt, never from the command line, where everybody on
    the machine can read them.
    """


_password_file = click.option(
    "--password_file",
    type=click.Path(path_type=Path),
    help="File whose first line is the password, - for standard input; without it the terminal is asked.",
)


@contextmanager
def _context(config: str | None, auth_user: str, auth_pwd_file: Path | None, *, writes: bool) -> Iterator[Context]:
    settings = settings_of(config).settings
    require_open(settings, writes=writes)
    auth_pwd = "" if auth_pwd_file is None else first_line(auth_pwd_file)
    with open_application(settings) as application:
        account = application.account(auth_user, auth_pwd)
        yield application.context(account, output=sys.stdout.buffer, progress=no_progress, performed=users.PERFORMED)


@user_command.command("add", short_help="create a local account")
@click.argument("login")
@click.option("--profile", "profiles", multiple=True, metavar="NAME", help="A profile: name or id. Repeatable.")
@click.option("--contact", default="", metavar="ID|EMAIL", help="The person behind it.")
@click.option(
    "--org",
    "organizations",
    multiple=True,
    metavar="NAME",
    help="An organization that it may see with all below: name or id. Repeatable.  [default: all]",
)
@click.option("--language", default="", help="Like 'FR FR'.  [default: the setting default_language]")
@_password_file
@acting
@click.pass_obj
def add(
    config: str | None,
    login: str,
    profiles: tuple[str, ...],
    contact: str,
    organizations: tuple[str, ...],
    language: str,
    password_file: Path | None,
    auth_user: str,
    auth_pwd_file: Path | None,
) -> None:
    """Create the account LOGIN with at least one profile; iTop's password policy holds."""
    with _context(config, auth_user, auth_pwd_file, writes=True) as context:
        password = _password(login, password_file)
        new = NewUser(login, password, profiles, contact, organizations, language)
        id_, remarks = users.add(context, new)
    click.echo(f"account '{login}' has the id {id_}")
    for remark in remarks:
        click.echo(f"itopd: note: {remark}", err=True)


@user_command.command("passwd", short_help="set a password")
@click.argument("login")
@_password_file
@acting
@click.pass_obj
def passwd(
    config: str | None, login: str, password_file: Path | None, auth_user: str, auth_pwd_file: Path | None
) -> None:
    """Give the account LOGIN another password; iTop's password policy holds."""
    with _context(config, auth_user, auth_pwd_file, writes=True) as context:
        changed = users.set_password(context, login, _password(login, password_file))
    click.echo(f"account '{changed.login}' has another password")


@user_command.command("list", short_help="the accounts: profiles, organizations, status")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@acting
@click.pass_obj
def list_(config: str | None, as_json: bool, auth_user: str, auth_pwd_file: Path | None) -> None:
    """List the accounts that the acting one may see."""
    with _context(config, auth_user, auth_pwd_file, writes=False) as context:
        found = users.users(context)
    if as_json:
        for one in found:
            click.echo(_json(one))
        return
    print_table(
        ("login", "class", "status", "contact", "profiles", "organizations"),
        [(one.login, one.cls, one.status, one.contact, ", ".join(one.profiles), _organizations(one)) for one in found],
    )


@user_command.command("show", short_help="one account")
@click.argument("login")
@click.option("--json", "as_json", is_flag=True, help="As a JSON object.")
@acting
@click.pass_obj
def show(config: str | None, login: str, as_json: bool, auth_user: str, auth_pwd_file: Path | None) -> None:
    """Show the account LOGIN."""
    with _context(config, auth_user, auth_pwd_file, writes=False) as context:
        one = users.user(context, login)
    if as_json:
        click.echo(_json(one))
        return
    contact = f"{one.contact} <{one.email}> (id {one.contact_id})" if one.contact_id else "nobody"
    for name, value in (
        ("login", one.login),
        ("id", one.id),
        ("class", one.cls),
        ("status", one.status),
        ("language", one.language),
        ("contact", contact),
        ("profiles", ", ".join(one.profiles) or "none"),
        ("organizations", _organizations(one)),
    ):
        click.echo(f"{name:14}{value}")


@user_command.command("disable", short_help="let an account log in no more")
@click.argument("login")
@acting
@click.pass_obj
def disable(config: str | None, login: str, auth_user: str, auth_pwd_file: Path | None) -> None:
    """Disable the account LOGIN: it is refused everywhere."""
    _set_status(config, login, "disabled", auth_user, auth_pwd_file)


@user_command.command("enable", short_help="let an account log in again")
@click.argument("login")
@acting
@click.pass_obj
def enable(config: str | None, login: str, auth_user: str, auth_pwd_file: Path | None) -> None:
    """Enable the account LOGIN."""
    _set_status(config, login, "enabled", auth_user, auth_pwd_file)


def _set_status(config: str | None, login: str, status: Status, auth_user: str, auth_pwd_file: Path | None) -> None:
    with _context(config, auth_user, auth_pwd_file, writes=True) as context:
        changed = users.set_status(context, login, status)
    click.echo(f"account '{login}' is {status}" + ("" if changed else ", as it was before"))


def _organizations(one: User) -> str:
    return ", ".join(one.organizations) or "all"


def _json(one: User) -> str:
    values = asdict(one)
    values["class"] = values.pop("cls")
    return json.dumps(values, ensure_ascii=False)


def _password(login: str, file: Path | None) -> str:
    """Return the password to set: of a file, of standard input, or typed twice."""
    if file is not None:
        return first_line(file)
    if not sys.stdin.isatty():
        raise SettingsError("no terminal to ask for the password: give --password_file=FILE, or - for standard input")
    password: str = click.prompt(f"Password of '{login}'", hide_input=True, confirmation_prompt=True, err=True)
    return password
