"""``itopd query``: look at what an OQL query selects."""

from __future__ import annotations

import sys
from itertools import chain, islice
from pathlib import Path

import click

from itopd.cli.acting import acting, first_line
from itopd.cli.edge import settings_of
from itopd.cli.progress import no_progress
from itopd.cli.tables import print_table
from itopd.errors import OqlError, SettingsError
from itopd.exports import ExportParameters
from itopd.exports.run import run
from itopd.exports.selection import find_query, select
from itopd.objects.phrasebook import saved_query
from itopd.oql import ResolvedQuery, line_and_column, parse, resolve, to_text
from itopd.wiring import Application, open_application


@click.command("query")
@click.argument("text", required=False)
@click.option("--query", "saved", default="", metavar="ID|NAME", help="A saved query (phrasebook) instead of TEXT.")
@click.option("--check", is_flag=True, help="Only say what the query means, and what in it is probably not meant.")
@click.option("--fields", default="", help="Columns, as in an export.  [default: id, class and name of each object]")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json", "jsonl"]),
    default="table",
    show_default=True,
    help="How it is written.",
)
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="Rows of a table.")
@click.option("--arg", "arguments", multiple=True, metavar="NAME=VALUE", help="Value of the query's parameter :NAME.")
@click.option("--auth_pwd", default="", help="Its password; other users of the machine see it, so prefer a file.")
@acting
@click.pass_obj
def query_command(
    config: str | None,
    text: str | None,
    *,
    saved: str,
    check: bool,
    fields: str,
    form: str,
    limit: int,
    arguments: tuple[str, ...],
    auth_user: str,
    auth_pwd: str,
    auth_pwd_file: Path | None,
) -> None:
    """Print what the OQL query TEXT, or a saved one, selects.

    For whole files, and for every option of their form, use 'itopd export'.
    """
    if (text is None) is not bool(saved):
        raise SettingsError("give either the TEXT of a query or a saved one with --query=ID or --query=NAME")
    if auth_pwd and auth_pwd_file:
        raise SettingsError("give the password either with --auth_pwd or with --auth_pwd_file")
    settings = settings_of(config).settings
    password = first_line(auth_pwd_file) if auth_pwd_file else auth_pwd
    values = dict(_argument(word) for word in arguments)
    with open_application(settings, reads=True) as application:
        account = application.account(auth_user, password)
        context = application.context(account, output=sys.stdout.buffer, progress=no_progress)
        if text is None:
            text, fields = _saved(application, saved, fields)
        try:
            resolved = resolve(parse(text), application.database.model)
        except OqlError as error:
            _point_at(text, error)
            raise
        if check:
            _explain(text, resolved)
            return
        missing = [name for name in resolved.parameters if name not in values]
        if missing:
            raise SettingsError(f"the query uses :{missing[0]}: give its value with --arg {missing[0]}=VALUE")
        for hint in resolved.hints:
            click.echo(f"itopd: hint: {hint.message}", err=True)
        parameters = ExportParameters(
            expression=text,
            fields=fields or _name_fields(resolved),
            format="" if form == "table" else form,
            no_localize=True,
            formatted_text=True,
            arguments=values,
        )
        if form != "table":
            run(context, parameters)
            return
        with application.source.read() as connection:
            selection = select(context, connection, parameters, find_query(context, connection, parameters))
            rows = list(islice(chain.from_iterable(selection.chunks(connection)), limit + 1))
    header = [column.header for column in selection.columns]
    print_table(header, [[_shown(column.read(row)) for column in selection.columns] for row in rows[:limit]])
    if len(rows) > limit:
        click.echo(f"the first {limit} rows; --limit shows more")
    else:
        click.echo("1 row" if len(rows) == 1 else f"{len(rows)} rows")


def _saved(application: Application, wanted: str, fields: str) -> tuple[str, str]:
    """Return text and fields of a saved query; fields that were given win."""
    with application.database.read() as connection:
        found = saved_query(application.database, connection, wanted)
    if found is None:
        raise SettingsError(
            f"--query={wanted}: no saved query has this id or name ('itopd query \"SELECT QueryOQL\"' lists them)"
        )
    return found.oql, fields or found.fields


def _explain(text: str, resolved: ResolvedQuery) -> None:
    """Print what was understood: the canonical text, the classes, the parameters, and the hints with their places."""
    click.echo(f"query:      {to_text(resolved.tree)}")
    click.echo(f"selects:    {', '.join(f'{one.alias} ({one.cls})' for one in resolved.selected)}")
    click.echo(f"parameters: {', '.join(f':{name}' for name in resolved.parameters) or 'none'}")
    for hint in resolved.hints:
        line, column = line_and_column(text, hint.position)
        word = "outer join:" if hint.kind == "outer_join" else "warning:   "
        click.echo(f"{word} {hint.message} (line {line}, column {column})")


def _argument(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals:
        raise SettingsError(f"--arg={word}: write NAME=VALUE")
    return name, value


def _name_fields(resolved: ResolvedQuery) -> str:
    """Return what tells the selected objects apart."""
    items = []
    for one in resolved.selected:
        codes = ["id", "finalclass", "friendlyname"] if "finalclass" in resolved.model[one.cls].attributes else _NAMED
        items += [f"{one.alias}.{code}" for code in codes]
    return ",".join(items)


_NAMED = ["id", "friendlyname"]


def _point_at(text: str, error: OqlError) -> None:
    """Show the place of an error under the query's own line; positions are bytes."""
    if error.position is None:
        return
    line, column = line_and_column(text, error.position)
    click.echo(text.split("\n")[line - 1], err=True)
    click.echo(" " * (column - 1) + "^", err=True)


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return str(value)
