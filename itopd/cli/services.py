"""``itopd import``, ``itopd export``: commands made from the declarations of services."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import click

from itopd.cli import INTERRUPTED
from itopd.cli.edge import parameters_help, settings_of, settings_with
from itopd.cli.exit_codes import itop_exit_code
from itopd.cli.progress import terminal_progress
from itopd.errors import ItopdError, SettingsError
from itopd.rules import Rules
from itopd.service import Service
from itopd.settings import (
    ParameterFile,
    Settings,
    parameter_keys,
    parse_arguments,
    read_parameter_files,
    resolve_parameters,
    setting_names,
)
from itopd.settings.filters import Value
from itopd.wiring import SERVICES, CallParameters, call_parameters, known_names, open_application, require_open


class ServiceCommand(click.Command):
    """A command whose parameters are those of a service: ``--name=value``, iTop's names."""

    def __init__(self, service: Service) -> None:
        super().__init__(
            service.name,
            callback=self._call,
            params=[click.Argument(["words"], nargs=-1, type=click.UNPROCESSED, metavar="[--NAME=VALUE]...")],
            help=service.help,
            context_settings={"ignore_unknown_options": True},
        )
        self.service = service

    def _call(self, words: tuple[str, ...]) -> None:
        context = click.get_current_context()
        context.exit(run_service(self.service, context.obj, words))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the parameters of the service, then those that every service takes."""
        with formatter.section("Parameters"):
            formatter.write_dl(parameters_help([self.service.parameters]))
        with formatter.section("Parameters of every service"):
            formatter.write_dl(parameters_help([CallParameters]))
        super().format_options(ctx, formatter)


import_command = ServiceCommand(SERVICES["import"])
export_command = ServiceCommand(SERVICES["export"])


def run_service(service: Service, config: str | None, words: Sequence[str]) -> int:
    """Run one service from the command line and return its exit code."""
    start = read_start(config, words)
    try:
        call = read_call(service, start)
    except ItopdError as error:
        return _refused(service, start.rules, error)
    try:
        return perform(service, call, words)
    except ItopdError as error:
        return _refused(service, call.rules, error)
    except KeyboardInterrupt:
        click.echo("itopd: interrupted: what was being written is undone, what was done before stays", err=True)
        return INTERRUPTED


def _refused(service: Service, rules: Rules, error: ItopdError) -> int:
    """Return iTop's exit code of a refusal where the rules ask for it; raise it otherwise."""
    if not rules.zero_exit_on_error:
        raise error
    click.echo(f"ERROR: {error.message}", err=True)
    return itop_exit_code(service.name, error)


@dataclass(frozen=True, slots=True)
class Start:
    """What is known of a call before its parameters files are read."""

    config: str | None
    given: Mapping[str, Value]
    settings: Settings
    rules: Rules


@dataclass(frozen=True, slots=True)
class Call:
    """What holds for one call of any service."""

    settings: Settings
    parameters: CallParameters
    files: ParameterFile
    rules: Rules


def read_start(config: str | None, words: Sequence[str]) -> Start:
    """Read the settings, and whose rules hold as far as settings and arguments tell."""
    given, _ = parse_arguments(words)
    settings = settings_of(config).settings
    return Start(config, given, settings, CallParameters(compat=str(given.get("compat", ""))).rules(settings))


def read_call(service: Service, start: Start) -> Call:
    """Read the parameters files, which may hold settings and say whose rules hold, too."""
    given = start.given
    files = read_parameter_files(str(given.get("param_file", "")), start.rules)
    misplaced = setting_names().intersection(given) - parameter_keys(CallParameters, service.parameters)
    if misplaced:
        name = min(misplaced)
        raise SettingsError(f"--{name} is a setting: write it in a settings file (--config) or a parameters file")
    parameters = call_parameters(given, files, start.rules)
    own = {key: value for key, value in files.values.items() if key in setting_names()}
    settings = settings_with(start.config, own) if own else start.settings
    return Call(settings, parameters, files, parameters.rules(settings))


def perform(service: Service, call: Call, words: Sequence[str]) -> int:
    """Check the service's own parameters, run it, and return its exit code; raises whatever refuses the call."""
    rules = call.rules
    if rules.credentials_mandatory and not call.parameters.auth_user:
        raise SettingsError("Missing parameter '--auth_user': with compat = itop a call names who acts")
    require_open(call.settings, writes=service.writes)
    opened = open_application(call.settings, rules, reads=not service.writes)
    with opened as application, terminal_progress(service.name) as progress:
        resolved = resolve_parameters(
            service.parameters,
            words,
            call.files,
            rules,
            other_known=known_names(),
            is_class=application.database.model.__contains__,
        )
        for warning in resolved.warnings:
            click.echo(f"itopd: warning: {warning}", err=True)
        account = application.account(call.parameters.auth_user, call.parameters.auth_pwd)
        context = application.context(account, output=sys.stdout.buffer, progress=progress)
        result = service.run(context, resolved.values)
        sys.stdout.buffer.flush()
        return 0 if rules.zero_exit_on_error else result.exit_code
