"""``itopd object``: look at single objects, write them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from itopd import operating
from itopd.cli.acting import acting, first_line
from itopd.cli.edge import settings_of
from itopd.cli.progress import no_progress
from itopd.cli.tables import print_table
from itopd.errors import EXIT_DONE, EXIT_ISSUES, InputError, MissingFile
from itopd.objects.journal import Operation
from itopd.service import Context
from itopd.wiring import open_application, require_open
from itopd.writing import Outcome

Command = TypeVar("Command", bound=Callable[..., Any])

_LONG: Final = 200
"""Characters of a value that a table shows."""
_WORDS: Final = {"deleted": "goes too", "reset": "is changed", "manual": "must be deleted by hand first"}


@click.group("object")
def object_command() -> None:
    """Look at, create, update and delete single objects, as an account of iTop.

    KEY is an id, a name ('Pablo Picasso') or JSON that says which one: '{"name": "Demo"}'. DATA is JSON, @FILE, or -
    for standard input: '{"name": "Doe", "org_id": {"name": "Demo"}, "public_log": "a new entry"}'.
    """


_as_json = click.option("--json", "as_json", is_flag=True, help="JSON in place of a table.")
_simulate = click.option("--simulate", is_flag=True, help="Do it, tell what came of it, and take it back.")


@contextmanager
def _context(config: str | None, auth_user: str, auth_pwd_file: Path | None, *, writes: bool) -> Iterator[Context]:
    settings = settings_of(config).settings
    require_open(settings, writes=writes)
    password = "" if auth_pwd_file is None else first_line(auth_pwd_file)
    with open_application(settings, reads=not writes) as application:
        account = application.account(auth_user, password)
        yield application.context(account, output=sys.stdout.buffer, progress=no_progress)


@object_command.command("get", short_help="show an object")
@click.argument("cls", metavar="CLASS")
@click.argument("key")
@_as_json
@acting
@click.pass_obj
def get(config: str | None, cls: str, key: str, *, as_json: bool, auth_user: str, auth_pwd_file: Path | None) -> None:
    """Show all stored attributes of the object KEY of CLASS or a subclass."""
    with _context(config, auth_user, auth_pwd_file, writes=False) as context:
        view = operating.look(context, cls, _key(key))
    if as_json:
        _print_json({"class": view.cls, "id": view.id, "friendlyname": view.name, "fields": dict(view.fields)})
        return
    click.echo(f"{view.cls}::{view.id} {view.name}")
    rows = [(code, _cell(value), view.targets.get(code, "")) for code, value in view.fields.items()]
    print_table(("attribute", "value", "is"), rows)


@object_command.command("create", short_help="create an object")
@click.argument("cls", metavar="CLASS")
@click.argument("data")
@_simulate
@_as_json
@acting
@click.pass_context
def create(
    ctx: click.Context,
    cls: str,
    data: str,
    *,
    simulate: bool,
    as_json: bool,
    auth_user: str,
    auth_pwd_file: Path | None,
) -> None:
    """Create an object of exactly CLASS; attributes that DATA does not name take their defaults."""
    with _context(ctx.obj, auth_user, auth_pwd_file, writes=True) as context:
        outcome = operating.create(context, cls, _data(data), simulate=simulate)
    _tell(ctx, outcome, simulate=simulate, as_json=as_json)


@object_command.command("update", short_help="change attributes of an object")
@click.argument("cls", metavar="CLASS")
@click.argument("key")
@click.argument("data")
@_simulate
@_as_json
@acting
@click.pass_context
def update(
    ctx: click.Context,
    cls: str,
    key: str,
    data: str,
    *,
    simulate: bool,
    as_json: bool,
    auth_user: str,
    auth_pwd_file: Path | None,
) -> None:
    """Set the attributes that DATA names of the object KEY of CLASS or a subclass."""
    with _context(ctx.obj, auth_user, auth_pwd_file, writes=True) as context:
        outcome = operating.update(context, cls, _key(key), _data(data), simulate=simulate)
    _tell(ctx, outcome, simulate=simulate, as_json=as_json)


@object_command.command("delete", short_help="delete an object with all that has to go with it")
@click.argument("cls", metavar="CLASS")
@click.argument("key")
@_simulate
@_as_json
@acting
@click.pass_context
def delete(
    ctx: click.Context,
    cls: str,
    key: str,
    *,
    simulate: bool,
    as_json: bool,
    auth_user: str,
    auth_pwd_file: Path | None,
) -> None:
    """Delete the object KEY of CLASS or a subclass with all that cannot be without it, or nothing at all.

    --simulate lists what would go, which keys would be reset, and what would have to be deleted by hand first.
    """
    with _context(ctx.obj, auth_user, auth_pwd_file, writes=True) as context:
        outcome = operating.delete(context, cls, _key(key), simulate=simulate)
    _tell(ctx, outcome, simulate=simulate, as_json=as_json)


@object_command.command("history", short_help="what was done to an object, by whom")
@click.argument("cls", metavar="CLASS")
@click.argument("key")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="Operations, the newest first.")
@_as_json
@acting
@click.pass_obj
def history(
    config: str | None,
    cls: str,
    key: str,
    *,
    limit: int,
    as_json: bool,
    auth_user: str,
    auth_pwd_file: Path | None,
) -> None:
    """Show the change history of the object KEY; of a deleted one, by its id, who deleted it."""
    with _context(config, auth_user, auth_pwd_file, writes=False) as context:
        found = operating.history(context, cls, _key(key), limit)
    if as_json:
        _print_json([{**asdict(one), "details": {k: _plain(v) for k, v in one.details.items()}} for one in found])
    elif found:
        print_table(("when", "who", "what"), [(one.date, one.userinfo, _what(one)) for one in found])
    else:
        click.echo("the history says nothing of it")


def _key(text: str) -> Any:  # noqa: ANN401 - JSON
    """Return what a KEY stands for: an id, JSON, or a name."""
    if text.isdecimal():
        return int(text)
    return _parsed(text, "KEY") if text.lstrip().startswith("{") else text


def _data(text: str) -> Mapping[str, Any]:
    if text == "-":
        text = sys.stdin.read()
    elif text.startswith("@"):
        try:
            text = Path(text[1:]).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise MissingFile(f"cannot read {text[1:]}: {error}") from error
    parsed = _parsed(text, "DATA")
    if not isinstance(parsed, dict):
        raise InputError('DATA is no object of JSON: write {"code": value, ...}')
    return parsed


def _parsed(text: str, what: str) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(text)
    except ValueError as error:
        raise InputError(f"{what} is no JSON: {error}") from error


def _tell(ctx: click.Context, outcome: Outcome, *, simulate: bool, as_json: bool) -> None:
    """Print what became of a write; exit code 1 when it was refused."""
    if as_json:
        _print_json(_as_data(outcome, simulate=simulate))
    else:
        would = "would be " if simulate and outcome.status != "refused" else ""
        which = f"{outcome.cls}::{outcome.id}" if outcome.id else outcome.cls
        click.echo(f"{which} {would}{outcome.status}")
        for change in outcome.changes:
            click.echo(f"  {change.code}: {_cell(change.old)} -> {_cell(change.new)}")
        for effect in outcome.effects:
            values = "".join(f", {code} = {value}" for code, value in effect.values.items())
            click.echo(f"  {effect.cls}::{effect.id} {effect.name}: {_WORDS[effect.kind]}{values}")
        for warning in outcome.warnings:
            click.echo(f"itopd: warning: {warning.text}", err=True)
        for issue in outcome.issues:
            click.echo(f"itopd: {issue.text}", err=True)
    ctx.exit(EXIT_ISSUES if outcome.status == "refused" else EXIT_DONE)


def _as_data(outcome: Outcome, *, simulate: bool) -> dict[str, Any]:
    return {
        "class": outcome.cls,
        "id": outcome.id,
        "status": outcome.status,
        "simulated": simulate,
        "changes": [{"code": one.code, "old": _plain(one.old), "new": _plain(one.new)} for one in outcome.changes],
        "effects": [asdict(effect) for effect in outcome.effects],
        "issues": [asdict(issue) for issue in outcome.issues],
        "warnings": [asdict(warning) for warning in outcome.warnings],
    }


def _what(operation: Operation) -> str:
    details = operation.details
    code = f"{details['attcode']}: " if details.get("attcode") else ""
    match operation.kind:
        case "Create":
            return "created"
        case "Delete":
            return f"deleted {details.get('fclass')} '{details.get('fname')}'"
        case "SetAttributeLinksAddRemove":
            return f"{code}{details.get('type')} {details.get('item_class')}::{details.get('item_id')}"
        case "SetAttributeLinksTune":
            return f"{code}changed link to {details.get('item_class')}::{details.get('item_id')}"
    if "newvalue" in details:
        return f"{code}{_cell(details['oldvalue'])} -> {_cell(details['newvalue'])}"
    if "prevdata" in details:
        return f"{code}was {_cell(details['prevdata'])}"
    return f"{code}changed" if code else operation.kind


def _cell(value: object) -> str:
    text = "" if value is None else ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text if len(text) <= _LONG else f"{text[:_LONG]} ..."


def _plain(value: object) -> object:
    """Return what JSON can hold of a value."""
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _print_json(data: object) -> None:
    click.echo(json.dumps(data, ensure_ascii=False, indent=2, default=str))
