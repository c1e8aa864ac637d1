"""``itopd db``: whole databases."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import click

from itopd.cli.edge import settings_of
from itopd.cli.progress import terminal_progress
from itopd.database import Database, open_database
from itopd.database.copying import CopyReport, CopyRequest, Trouble, copy_database, simulate_copy
from itopd.errors import EXIT_DONE, EXIT_ISSUES, MissingFile, SettingsError
from itopd.settings import Settings
from itopd.wiring import model_of, open_application, require_open
from itopd.writing import TreeReport, check_trees, rebuild_trees

CONFIGURED: Final = "database_url"
"""The word that stands for the database of the settings."""

_REPLACEMENTS: Final = {
    Trouble.NUL: "NUL characters are left out (PostgreSQL)",
    Trouble.UTF8: "bytes that are not UTF-8 become U+FFFD",
    Trouble.ENUM: "a value that the list of its column does not have becomes undefined (NULL)",
    Trouble.TOO_LONG: "what is longer than its column is cut",
    Trouble.ZERO_DATE: "MySQL's zero dates become undefined (NULL) (PostgreSQL)",
}


@click.group("db")
def db_command() -> None:
    """Copy a whole database to another engine, compare one with the data model, mend its trees."""


@db_command.command(
    "copy",
    short_help="fill an empty database with all rows of another one",
    epilog="What --replace does:  " + ".  ".join(f"{trouble}: {text}" for trouble, text in _REPLACEMENTS.items()) + ".",
)
@click.argument("source", metavar="FROM_URL")
@click.argument("target", metavar="TO_URL")
@click.option("--simulate", is_flag=True, help="Read and look at everything, write nothing; TO_URL may hold anything.")
@click.option("--verify", is_flag=True, help="Read every row back and compare it; without this, rows are counted.")
@click.option("--restart", is_flag=True, help="First drop what an interrupted copy left in TO_URL.")
@click.option(
    "--replace",
    default="",
    metavar="KIND[,KIND...]",
    help="Values that TO_URL cannot hold and that may be replaced; any other stops the copy.  "
    f"[{', '.join(_REPLACEMENTS)}]",
)
@click.option("--list", "listed", default=20, show_default=True, type=click.IntRange(0), help="Values to list at most.")
@click.pass_context
def copy_command(
    ctx: click.Context, source: str, target: str, simulate: bool, verify: bool, restart: bool, replace: str, listed: int
) -> None:
    """Fill the empty database TO_URL with all tables and rows of FROM_URL, whatever their engines.

    Ids are kept, and so is where the numbering of new objects goes on. FROM_URL is only read, in one snapshot. Either
    may be 'database_url', the database of the settings, or '@FILE', a file whose first line is the URL, which keeps
    passwords off the command line. The data model and db_subname of the settings hold for both. Exit code 1 when
    something was replaced or left out.
    """
    settings = settings_of(ctx.obj).settings
    kinds = _kinds(replace)
    with (
        _opened(settings, source, read_only=True) as reading,
        _opened(settings, target) as writing,
        terminal_progress("db copy") as progress,
    ):
        request = CopyRequest(replace=kinds, listed=listed, verify=verify, restart=restart, progress=progress)
        started = time.monotonic()
        report = (simulate_copy if simulate else copy_database)(reading, writing, request)
        seconds = time.monotonic() - started
        done = "would copy" if simulate else "copied"
        click.echo(f"{done} {report.total:,} rows of {len(report.rows)} tables from {reading.where} to {writing.where}")
    click.echo(f"{report.total / max(seconds, 0.001):,.0f} rows/s, {seconds:.1f} s; {_checked(report, simulate)}")
    for line in _issues(report):
        click.echo(line)
    ctx.exit(EXIT_ISSUES if report.left_out or report.replaced.total else EXIT_DONE)


def _kinds(text: str) -> frozenset[Trouble]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in {str(trouble) for trouble in _REPLACEMENTS}:
            raise SettingsError(f"--replace: '{word}' is none of {', '.join(_REPLACEMENTS)}")
    return frozenset(map(Trouble, words))


@contextmanager
def _opened(settings: Settings, word: str, *, read_only: bool = False) -> Iterator[Database]:
    model = model_of(settings)
    with closing(
        open_database(_url(settings, word), model, settings.zone, settings.db_subname, read_only=read_only)
    ) as database:
        yield database


def _url(settings: Settings, word: str) -> str:
    if word == CONFIGURED:
        return settings.database_url
    if not word.startswith("@"):
        return word
    path = Path(word[1:])
    try:
        return path.read_text(encoding="utf-8").split("\n", 1)[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise MissingFile(f"cannot read the URL from the file {path}: {error}") from error


def _checked(report: CopyReport, simulate: bool) -> str:
    if simulate:
        return "every value was looked at, nothing was written"
    return "every row was read back and is equal" if report.verified else "the rows of every table were counted"


def _issues(report: CopyReport) -> Iterator[str]:
    """Yield a line for everything that is not in the target as it was in the source."""
    for name in report.left_out:
        yield f"LEFT OUT  {'column' if '.' in name else 'table'} {name}: the data model does not know it"
    for line in report.replaced.lines():
        yield f"REPLACED  {line}"


@db_command.command("check", short_help="name every difference between the database and the data model")
@click.pass_context
def check_command(ctx: click.Context) -> None:
    """Name every table and column in which the database of the settings differs from the data model.

    Where the tables are right, the trees (organizations, groups) are looked at, too. Exit code 1 when there is a
    difference or a tree is damaged.
    """
    with open_application(settings_of(ctx.obj).settings) as application:
        database = application.database
        problems = list(database.missing())
        if not problems:
            click.echo(f"{database.where}: tables as in the data model")
            with database.read() as connection:
                reports = check_trees(database, connection)
            problems = [_tree_problem(report, problem) for report in reports for problem in report.problems]
            if problems:
                problems.append("run 'itopd db rebuild_trees'")
        for problem in problems:
            click.echo(problem)
    ctx.exit(EXIT_ISSUES if problems else EXIT_DONE)


@db_command.command("rebuild_trees", short_help="number the trees of organizations and groups anew")
@click.option("--simulate", is_flag=True, help="Tell what would be done, and do nothing.")
@click.pass_context
def rebuild_trees_command(ctx: click.Context, simulate: bool) -> None:
    """Number the trees of hierarchical keys anew, from what each object says its parent is.

    Two writers that moved objects at once, as iTop lets them, damage these numbers; queries with 'below' go wrong then.
    Parents are not changed. Exit code 1 when parents are wrong: that needs a person.
    """
    settings = settings_of(ctx.obj).settings
    require_open(settings, writes=True)
    with open_application(settings) as application:
        database = application.database
        with database.write() as connection:
            reports = rebuild_trees(database, connection)
            if simulate:
                connection.rollback()
    for report in reports:
        verb = "would get" if simulate else "got"
        click.echo(f"{report.cls}.{report.code}: {report.renumbered:,} of {report.nodes:,} {verb} new numbers")
        for problem in report.problems:
            click.echo(_tree_problem(report, problem))
    ctx.exit(EXIT_ISSUES if any(report.problems for report in reports) else EXIT_DONE)


def _tree_problem(report: TreeReport, problem: str) -> str:
    return f"{report.cls}.{report.code}: {problem}"


@db_command.command("functions", short_help="make PostgreSQL's functions those of this release")
@click.pass_context
def functions_command(ctx: click.Context) -> None:
    """Make the functions that queries call on PostgreSQL, and its indexes anew where these functions change them.

    Needed after an upgrade of itopd when 'itopd check' asks for it. Elsewhere there is nothing to do.
    """
    with open_application(settings_of(ctx.obj).settings) as application:
        application.database.update_functions()
        click.echo(f"{application.database.where}: functions as in this release")
