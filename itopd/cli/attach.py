"""``itopd attach`` and ``itopd detach``: itopd beside a running iTop."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import click
from click.core import ParameterSource

from itopd.attaching import (
    Finding,
    Outcome,
    account_of,
    current_account,
    find_itop,
    give_back,
    grants,
    look_at_php,
    look_at_processes,
    look_at_rights,
    look_at_state,
    look_at_tables,
    parameters_text,
    sockets,
    take_over,
    write_parameters,
)
from itopd.behaviours import unported_classes, what_is_lost
from itopd.cli.edge import settings_files, settings_of
from itopd.clock import SystemClock
from itopd.errors import EXIT_DONE, EXIT_ISSUES, AccessDenied, DatabaseError, RefusedError, SettingsError
from itopd.settings import LoadedSettings, Settings, shown_value
from itopd.wiring import (
    UNASKED_WITH_ITOP,
    Application,
    begin,
    is_attached,
    load,
    open_application,
    open_own_state,
    require_open,
    tasks_of,
)

_ROUND_SECONDS = 60
"""What a round of iTop's cron.php may last beyond cron_max_execution_time: it ends after the process at work."""
_DEFAULT_FILE = "itopd.params"
_OF_FILES = frozenset({"environment", "given", "output", "force", "simulate"})
_OF_TAKE_OVER = frozenset({"processes", "wait"})
"""Options that say something only beside others, by their Python names."""
_SPELLED = {"given": "set"}
_SYSTEM_DATA = Path("/var/lib/itopd")


@click.command("attach")
@click.option("--itop", "itop", type=click.Path(path_type=Path), metavar="DIR", help="Folder of the iTop.")
@click.option("--environment", default="production", show_default=True, help="Its environment.")
@click.option(
    "--database_url",
    metavar="URL",
    help="Without --itop: the database of the iTop. Others on the machine read it here: with a password in it, rather "
    "--set database_url_file=PATH.",
)
@click.option(
    "--data_model", type=click.Path(path_type=Path), metavar="FILE", help="Its compiled datamodel-production.xml."
)
@click.option(
    "--set", "given", multiple=True, metavar="NAME=VALUE", help="A setting to write into the file; can be repeated."
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The parameters file to write.  [default: the one of --config, else itopd.params]",
)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.option("--simulate", is_flag=True, help="Print the file instead of writing it.")
@click.option("--account", metavar="USER[@HOST]", help="Print the grants of this account.  [default: the one in use]")
@click.option("--per_table", is_flag=True, help="Print grants per table.  [default: where iTop's tables have a prefix]")
@click.option("--take_over", "takes_over", is_flag=True, help="Run processes here that iTop's cron.php runs so far.")
@click.option(
    "--processes",
    metavar="NAME,NAME...",
    help="With --take_over: these only.  [default: all that itopd can run, but BackupExec]",
)
@click.option(
    "--wait",
    type=click.IntRange(min=0),
    metavar="SECONDS",
    help="With --take_over: how long to wait for iTop's cron.php.  [default: cron_max_execution_time + 60]",
)
@click.pass_context
def attach_command(
    ctx: click.Context,
    *,
    itop: Path | None,
    environment: str,
    database_url: str | None,
    data_model: Path | None,
    given: tuple[str, ...],
    output: Path | None,
    force: bool,
    simulate: bool,
    account: str | None,
    per_table: bool,
    takes_over: bool,
    processes: str | None,
    wait: int | None,
) -> None:
    """Settle beside a running iTop: look at it, say what is to do, write a parameters file, change nothing else.

    With --take_over, processes of iTop are handed over to itopd, which runs them from then on; without --itop this is
    done with the settings that --config names. Exit code 1 when something is to do.
    """
    settles = itop is not None or database_url is not None or data_model is not None
    _require_meaning(ctx, settles=settles, takes_over=takes_over)
    if not settles:
        loaded, file = settings_of(ctx.obj), None
        _attached(loaded.settings)
    else:
        file = _target(ctx.obj, output, replaces=force or simulate)
        values = _values(itop, environment, database_url, data_model, file) | _pairs(given)
        _require_database(itop, values)
        loaded, values = _reachable(values)
    code = EXIT_DONE
    if file is not None or not takes_over:
        code = _look(loaded, account, per_table=per_table)
    if file is not None:
        _write(file, values, loaded.settings, replaces=force, simulate=simulate)
    if takes_over and simulate:
        click.echo("would take over processes next: nothing was changed")
    elif takes_over:
        code = max(code, _take_over(loaded.settings, processes, wait))
    elif file is not None and not simulate:
        click.echo(f"next: itopd --config {file} check; then: itopd --config {file} attach --take_over")
    ctx.exit(code)


def _require_meaning(ctx: click.Context, *, settles: bool, takes_over: bool) -> None:
    """Refuse options that would say nothing, lest somebody believes that they did."""
    given = [name for name in ctx.params if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    for names, meant, need in (
        (_OF_FILES, settles, "--itop DIR, or --database_url and --data_model"),
        (_OF_TAKE_OVER, takes_over, "--take_over"),
    ):
        useless = [f"--{_SPELLED.get(name, name)}" for name in given if name in names]
        if useless and not meant:
            raise SettingsError(f"{', '.join(useless)} means nothing without {need}")


def _require_database(itop: Path | None, values: Mapping[str, str]) -> None:
    if itop is None and not values.keys() & {"database_url", "database_url_file", "db_name"}:
        raise SettingsError(
            "without --itop the database is not known: give --database_url=URL, or --set database_url_file=PATH of a "
            "file that holds it"
        )


def _target(config: str | None, output: Path | None, *, replaces: bool) -> Path:
    """Return the file to write, refused at once when it is there and is not to be replaced."""
    named = settings_files(config) if config is not None else []
    if output is None and len(named) > 1:
        raise SettingsError("--config names several files: say with --output which one to write")
    file = (output or Path(named[0] if named else _DEFAULT_FILE)).absolute()
    if file.exists() and not replaces:
        raise RefusedError(f"{file} exists already: name another file with --output, or let --force replace it")
    return file


def _values(
    itop: Path | None, environment: str, database_url: str | None, data_model: Path | None, file: Path
) -> dict[str, str]:
    """Return what the parameters file says, but for what the user adds."""
    values: dict[str, str] = {}
    if itop is not None:
        found = find_itop(itop, environment)
        values |= {"itop_root": str(found.root), "itop_config": str(found.config)}
        values |= {} if environment == "production" else {"itop_environment": environment}
        data_model = data_model or found.data_model
    elif data_model is None:
        raise SettingsError(
            "--database_url alone does not tell the classes: name iTop's datamodel-*.xml in --data_model"
        )
    else:
        values["attached"] = "yes"
    if database_url is not None:
        values["database_url"] = database_url
    in_system = _SYSTEM_DATA.is_dir() and os.access(_SYSTEM_DATA, os.W_OK)
    return values | {
        "data_model": str(data_model.absolute()),
        "data_folder": str(_SYSTEM_DATA if in_system else file.parent / "data"),
        "jobs_folder": str(file.parent / "jobs"),
    }


def _pairs(given: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for word in given:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise SettingsError(f"--set {name}: write --set NAME=VALUE")
        pairs[name] = value
    return pairs


def _reachable(values: dict[str, str]) -> tuple[LoadedSettings, dict[str, str]]:
    """Return the settings, and the values with the server's Unix socket where only that answers.

    PHP means the socket by ``localhost``; :class:`DatabaseError` when nothing answers.
    """
    loaded = load([], values, os.environ)
    try:
        with open_application(loaded.settings):
            return loaded, values
    except DatabaseError:
        for socket in sockets(loaded.settings):
            with_socket = values | {"db_socket": str(socket)}
            other = load([], with_socket, os.environ)
            if _opens(other.settings):
                return other, with_socket
        raise


def _opens(settings: Settings) -> bool:
    try:
        with open_application(settings):
            return True
    except DatabaseError:
        return False


def _look(loaded: LoadedSettings, account: str | None, *, per_table: bool) -> int:
    """Print the report and the grants; return the exit code."""
    settings = loaded.settings
    with open_application(settings) as application:
        findings = list(_findings(loaded, application))
        named = _account(account) if account else current_account(application.database)
        statements = (
            grants(
                application.database,
                settings.effective_state_url,
                named,
                per_table=per_table or bool(settings.db_subname),
            )
            if named
            else []
        )
    for finding in findings:
        click.echo(f"{'ok    ' if finding.well else 'TO DO '} {finding.about}: {finding.text}")
    if statements:
        click.echo(f"what the account {named} needs on the database server:")
    for statement in statements:
        click.echo(f"    {statement}")
    return EXIT_DONE if all(finding.well for finding in findings) else EXIT_ISSUES


def _account(text: str) -> str:
    """Return ``USER[@HOST]`` as statements name it; a user may hold a ``@``, a host does not."""
    user, at, host = text.rpartition("@")
    return account_of(user, host) if at else account_of(text)


def _findings(loaded: LoadedSettings, application: Application) -> Iterator[Finding]:
    settings, database = loaded.settings, application.database
    if settings.itop_config is not None:
        read = [origin for origin in loaded.origins.values() if origin.kind == "config-itop.php"]
        yield Finding("configuration", f"{len(read)} settings read from {settings.itop_config}")
    yield Finding("data model", f"{len(database.model)} classes, {settings.data_model}")
    yield Finding("database", database.where)
    yield from look_at_tables(database)
    yield look_at_rights(database)
    yield look_at_php(database, settings.allow_unported)
    yield _acting(application)
    yield _labels(settings)
    yield look_at_processes(database)
    yield look_at_state(settings, database)
    yield _folder("data folder", settings.data_folder)
    yield _folder("jobs folder", settings.jobs_folder)


def _acting(application: Application) -> Finding:
    try:
        account = application.account("", "")
    except AccessDenied as error:
        return Finding("account", f"{error.message}: name one with --set run_as=LOGIN", well=False)
    return Finding("account", f"{account.login} acts where no auth_user is given (run_as)")


def _labels(settings: Settings) -> Finding:
    if settings.itop_root is None:
        return Finding("labels", "itopd's own: iTop's come with itop_root")
    folder = settings.itop_root / f"env-{settings.itop_environment}" / "dictionaries"
    if not folder.is_dir():
        return Finding("labels", f"{folder} is no folder: let iTop's set-up compile its dictionaries", well=False)
    return Finding("labels", f"those of {folder}")


def _folder(about: str, folder: Path) -> Finding:
    if folder.is_dir() and os.access(folder, os.W_OK):
        return Finding(about, str(folder))
    return Finding(about, f"create it for the account that runs itopd: mkdir -m 700 {folder}", well=False)


def _write(file: Path, values: Mapping[str, str], settings: Settings, *, replaces: bool, simulate: bool) -> None:
    with open_application(settings) as application:
        about = f"the iTop in {settings.itop_root}" if settings.itop_root else application.database.where
        model = application.database.model
        losses = {name: what_is_lost(model[name], hooks) for name, hooks in unported_classes(model).items()}
    if simulate:
        shown = {key: shown_value(key, value) for key, value in values.items()}
        click.echo(f"would write {file}:\n{parameters_text(about, shown, losses)}", nl=False)
        return
    write_parameters(file, parameters_text(about, values, losses), replace=replaces)
    click.echo(f"wrote {file}, readable for this account alone")


@click.command("detach")
@click.option("--processes", metavar="NAME,NAME...", help="These only.  [default: all that run here]")
@click.option(
    "--wait",
    type=click.IntRange(min=0),
    metavar="SECONDS",
    help="How long to wait for what runs here.  [default: stop_timeout]",
)
@click.pass_context
def detach_command(ctx: click.Context, processes: str | None, wait: int | None) -> None:
    """Give background processes back to iTop's cron.php: their rows get the status that they had.

    Exit code 1 when iTop or somebody else has changed a row so that it could not be restored, 75 when a run does not
    end in time: call it again.
    """
    settings = _attached(settings_of(ctx.obj).settings)
    names = None if processes is None else _names(processes)
    with open_application(settings) as application, closing(open_own_state(settings, application.database)) as state:
        outcomes = give_back(
            application.database, state, names, wait=settings.stop_timeout if wait is None else wait, say=_say
        )
    if not outcomes:
        click.echo("no process was taken over: nothing to do")
    ctx.exit(_print(outcomes))


def _take_over(settings: Settings, processes: str | None, wait: int | None) -> int:
    """Take processes over and return the exit code.

    Whoever does so says that itopd works here from now on: that is a first start as the clone guard knows it.
    """
    _attached(settings)
    require_open(settings, writes=True)
    known = [task.name for task in tasks_of(settings) if not task.own]
    names = [name for name in known if name not in UNASKED_WITH_ITOP] if processes is None else _names(processes)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SettingsError(f"itopd cannot run {', '.join(unknown)}; it can run: {', '.join(known)}")
    with open_application(settings) as application, closing(open_own_state(settings, application.database)) as state:
        outcomes = take_over(
            application.database,
            state,
            SystemClock(),
            names,
            named=processes is not None,
            wait=settings.cron_max_execution_time + _ROUND_SECONDS if wait is None else wait,
            say=_say,
        )
        refusal = begin(settings, application.database, state).refusal
    code = _print(outcomes)
    if refusal:
        click.echo(f"TO DO  clone guard: {refusal}")
        return EXIT_ISSUES
    return code


def _attached(settings: Settings) -> Settings:
    if not is_attached(settings):
        raise SettingsError(
            "these settings are no attached itopd's: name the parameters file that 'itopd attach --itop DIR' "
            "has written with --config FILE"
        )
    return settings


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise SettingsError("--processes names no process: write --processes NAME,NAME")
    return names


def _print(outcomes: Sequence[Outcome]) -> int:
    for outcome in outcomes:
        click.echo(f"{'ok    ' if outcome.done else 'TO DO '} {outcome.process}: {outcome.text}")
    return EXIT_DONE if all(outcome.done for outcome in outcomes) else EXIT_ISSUES


def _say(text: str) -> None:
    click.echo(f"itopd: {text}", err=True)
