"""The service ``cron``: one heartbeat that behaves like iTop's cron.php (``spec/heartbeat.md`` §1, §2, §7).

The checks come in iTop's order. With ``compat = itop`` output and exit codes are iTop's, and its mutex is held;
otherwise what refuses a heartbeat is raised, and the mutex is one of itopd's own: runs are leases, so that an attached
iTop's cron.php can go on beside it.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, NoReturn, Protocol

from itopd.access import Account, authenticate, require_administrator
from itopd.clock import to_itop
from itopd.errors import (
    EXIT_DONE,
    EXIT_ISSUES,
    AccessDenied,
    ConflictError,
    DatabaseError,
    ItopdError,
    RefusedError,
    SettingsError,
)
from itopd.heartbeat import (
    CronEnd,
    CronLimits,
    CronLines,
    CronReport,
    Heartbeat,
    Pause,
    by_class_name,
    cron,
    status_table,
)
from itopd.rules import Rules
from itopd.settings import (
    Settings,
    parameter_keys,
    parse_arguments,
    read_parameter_files,
    resolve_parameters,
    setting_names,
)
from itopd.settings.filters import Value
from itopd.tasks.background_rows import BackgroundTaskRows
from itopd.wiring.application import Application, open_application
from itopd.wiring.catalogue import CallParameters, CronParameters, call_parameters, known_names
from itopd.wiring.heartbeat import open_heartbeat
from itopd.wiring.maintenance import marker, reason_closed

BAD_START: Final = 254
REFUSED: Final = 255
"""iTop's exit codes."""
_ADMINISTRATORS_WRITE: Final = 2
_ITOPS_MUTEX: Final = "cron"
_OWN_MUTEX: Final = "itopd_cron"


class Opened(Protocol):
    """Opens a heartbeat, as :func:`open_heartbeat` does."""

    def __call__(self, settings: Settings, config: Sequence[str], *, starts: bool) -> AbstractContextManager[Heartbeat]:
        """Open it."""
        ...


@dataclass(frozen=True, slots=True)
class CronEdge:
    """What the caller has: where output goes, and how settings and the heartbeat come about."""

    write: Callable[[str], None]
    """Takes text with its line feeds."""
    warn: Callable[[str], None]
    with_settings: Callable[[Mapping[str, str]], Settings]
    """Loads the settings anew with those that the parameters files of the call give."""
    config: Sequence[str] = ()
    """The settings files."""
    opened: Opened = open_heartbeat
    pause: Pause | None = None
    """Waits between two looks; for tests that own the time."""


class _ItopsEnd(Exception):
    """A call that iTop's cron.php ends here, with this text and exit code."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.text = text
        self.code = code


def run_cron(settings: Settings, words: Sequence[str], edge: CronEdge) -> int:
    """Run one heartbeat for the ``--name=value`` words of a command line, and return its exit code.

    Raises what refuses the call before the heartbeat has begun, unless the rules are iTop's: then it is printed.
    """
    try:
        call = _read_call(settings, words, edge)
        try:
            with open_application(call.settings, call.rules) as application:
                return _as_administrator(application, call, edge)
        except ItopdError as error:
            _end(call.rules, error, f"Error: {error.message}\n", BAD_START)
    except _ItopsEnd as end:
        edge.write(end.text)
        return end.code


def _end(rules: Rules, error: ItopdError, text: str, code: int) -> NoReturn:
    """Raise the error, or where the rules ask for it what ends iTop's cron.php."""
    if rules.zero_exit_on_error:
        raise _ItopsEnd(text, code) from error
    raise error


@dataclass(frozen=True, slots=True)
class _Call:
    """What holds for one call."""

    settings: Settings
    rules: Rules
    parameters: CallParameters
    own: CronParameters

    @property
    def login(self) -> str:
        return self.parameters.auth_user.strip()


def _read_call(settings: Settings, words: Sequence[str], edge: CronEdge) -> _Call:
    """Check marker files, parameters files, parameters, and that an account is named where one must be."""
    given, _ = parse_arguments(words)
    rules = CallParameters(compat=str(given.get("compat", ""))).rules(settings)
    _require_unmarked(settings, rules)
    try:
        files = read_parameter_files(str(given.get("param_file", "")), rules)
        parameters = call_parameters(given, files, rules)
        rules = parameters.rules(settings)
        resolved = resolve_parameters(CronParameters, words, files, rules, other_known=known_names())
        own = {key: value for key, value in files.values.items() if key in setting_names()}
        settings = edge.with_settings(own) if own else settings
    except SettingsError as error:
        text = error.message.removesuffix("; check its path")
        _end(rules, error, f"Error: {text}\n", BAD_START)
    for warning in (*resolved.warnings, *_misplaced(given, rules)):
        edge.warn(f"warning: {warning}")
    call = _Call(settings, rules, parameters, resolved.values)
    _require_credentials(call, edge)
    return call


def _misplaced(given: Mapping[str, Value], rules: Rules) -> list[str]:
    """Return a warning of each setting that is given as an argument, where it means nothing; itopd refuses it."""
    names = sorted((setting_names() - parameter_keys(CallParameters, CronParameters)).intersection(given))
    texts = [f"--{name} is a setting: write it in a settings file (--config) or a parameters file" for name in names]
    if texts and rules.unknown_parameter == "refuse":
        raise SettingsError("\n".join(texts))
    return texts


def _require_unmarked(settings: Settings, rules: Rules) -> None:
    found = marker(settings)
    if not found:
        return
    refused = RefusedError(reason_closed(settings, writes=True))
    if found == "readonly":
        _end(rules, refused, "iTop is read-only. Exiting...\n", REFUSED)
    _end(rules, refused, "This application is currently under maintenance.", EXIT_DONE)


def _require_credentials(call: _Call, edge: CronEdge) -> None:
    if not call.rules.credentials_mandatory:
        return
    for name, value in (("auth_user", call.login), ("auth_pwd", call.parameters.auth_pwd.strip())):
        if not value:
            edge.warn(
                "usage: itopd cron --auth_user=LOGIN --auth_pwd=PASSWORD [--param_file=FILE] [--verbose=1] [--debug=1] "
                "[--status_only=1]"
            )
            error = SettingsError(f"Missing parameter '--{name}': with compat = itop a call names who acts")
            _end(call.rules, error, f"ERROR: Missing argument '{name}'\n\n", BAD_START)


def _as_administrator(application: Application, call: _Call, edge: CronEdge) -> int:
    account = _account(application, call)
    try:
        require_administrator(account, "the heartbeat")
    except AccessDenied as error:
        _end(call.rules, error, "Access restricted to administrators\n", REFUSED)
    if _is_true(call.own.status_only):
        rows = BackgroundTaskRows(application.database).read()
        edge.write(status_table(by_class_name(rows), call.settings.zone))
        return EXIT_DONE
    settings = call.settings.model_copy(update={"run_as": account.login})
    with edge.opened(settings, edge.config, starts=True) as heartbeat:
        edge.write(_frame("Starting", heartbeat))
        code, is_whole = _beat(application, heartbeat, call, edge)
        if is_whole:
            edge.write(_frame("Exiting", heartbeat))
    return code


def _account(application: Application, call: _Call) -> Account:
    if not call.login:
        return application.account("", call.parameters.auth_pwd)
    try:
        with application.database.read() as connection:
            return authenticate(application.database, connection, call.login, call.parameters.auth_pwd.strip())
    except AccessDenied as error:
        _end(call.rules, error, f"Access wrong credentials ('{call.login}')\n", REFUSED)


def _beat(application: Application, heartbeat: Heartbeat, call: _Call, edge: CronEdge) -> tuple[int, bool]:
    """Take the lock and run the heartbeat; return its exit code, and whether it ended in the ordinary way."""
    itops = call.rules.zero_exit_on_error

    def early(line: str, code: int) -> tuple[int, bool]:
        edge.write(f"{line}\n")
        return EXIT_DONE if itops else code, True

    if not call.settings.access_mode & _ADMINISTRATORS_WRITE:
        return early("A maintenance is ongoing", RefusedError.exit_code)
    try:
        with application.database.named_lock(_ITOPS_MUTEX if itops else _OWN_MUTEX):
            refusal = heartbeat.writes_refused()
            if refusal:
                return early(f"ERROR: '{refusal}'", RefusedError.exit_code)
            return _exit_code(_perform(heartbeat, call, edge), edge, itops=itops)
    except ConflictError:
        return early("Already running...", ConflictError.exit_code)
    except ItopdError as error:
        if _is_true(call.own.debug):
            edge.write("".join(traceback.format_exception(error)))
        code = error.exit_code if isinstance(error, DatabaseError) else ItopdError.exit_code
        return early(f"ERROR: '{error.message}'", code)


def _perform(heartbeat: Heartbeat, call: _Call, edge: CronEdge) -> CronReport:
    settings = call.settings
    limits = CronLimits(settings.cron_max_execution_time, settings.cron_sleep, settings.cron_task_max_execution_time)
    return cron(heartbeat, limits, CronLines(edge.write, settings.zone, _is_true(call.own.verbose)), edge.pause)


def _exit_code(report: CronReport, edge: CronEdge, *, itops: bool) -> tuple[int, bool]:
    if report.end is CronEnd.CLOSED:
        edge.write("Maintenance detected, exiting\n")
        return REFUSED if itops else RefusedError.exit_code, False
    if report.end is CronEnd.AWAY:
        return BAD_START if itops else DatabaseError.exit_code, False
    failed = bool(report.problems) or any(not run.succeeded and not run.handed_back for run in report.runs)
    return EXIT_ISSUES if failed and not itops else EXIT_DONE, True


def _frame(word: str, heartbeat: Heartbeat) -> str:
    now = heartbeat.clock.now()
    return f"{word}: {int(now.timestamp())} ({to_itop(now, heartbeat.zone)})\n"


def _is_true(text: str) -> bool:
    """Return whether PHP takes a text for true."""
    return text not in {"", "0"}
