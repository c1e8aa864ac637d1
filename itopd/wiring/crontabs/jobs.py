"""Crontab lines that call iTop's scripts become job files (``itopd adopt_crontab``)."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from itopd.errors import ConflictError, ItopdError, MissingFile, SettingsError
from itopd.heartbeat import JobService, load_job
from itopd.heartbeat.jobs.keys import OWN_KEYS
from itopd.heartbeat.schedules.cron_text import CronText
from itopd.rules import ITOP
from itopd.settings import ParameterFile, read_parameter_files
from itopd.settings.parameters import is_known
from itopd.wiring.crontabs.calls import script_calls
from itopd.wiring.crontabs.job_text import is_writable, job_text, says_the_same
from itopd.wiring.crontabs.scripts import SCRIPTS, ScriptCall, joined, mentioned
from itopd.wiring.crontabs.table import CronLine, OddLine
from itopd.wiring.crontabs.wrappers import home_of

_OPTION = re.compile(r"--([^=\s]+)=(.*)", re.DOTALL)
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")
_PLACEHOLDER = re.compile(r"\{\w+\}|\{\{|\}\}")
_NAMED_BY: Final = ("class", "data_source_id", "data_sources", "query")
"""Parameters whose value tells jobs of one service apart."""
_NO_JOB: Final = (
    "no job is needed: itopd's heartbeat does what it does ('itopd run', or 'itopd tick' from a timer). Attached, "
    "'itopd attach --take_over' moves the background processes over; keep the line for those that stay with iTop"
)
_COLUMNS: Final = "export.php orders columns by the model, itopd's export as 'fields' does: compare one result"
_PATHS: Final = frozenset({"csvfile"})
_MAILED: Final = (
    "what it printed was sent by mail, which comes with a later release: give the job an output_file to keep it"
)
_ACCOUNT: Final = "it ran as the account {}; jobs run as itopd's own: see that it may read and write the same"
_LATER: Final = "the service comes with a later release of itopd: then write enabled = yes"


@dataclass(frozen=True, slots=True)
class Adopted:
    """What became of one call in a crontab."""

    line: int
    script: str
    """Empty for a line that cron would not understand."""
    name: str = ""
    """Of the job; empty: none was made."""
    text: str = ""
    """The job file."""
    enabled: bool = True
    remarks: tuple[str, ...] = ()
    """What is different, or was not translated."""
    present: Path | None = None
    """The same job file, when it is there already."""

    @property
    def translated(self) -> bool:
        """Return whether the line needs no more of anybody: a job that runs, or none needed."""
        return bool(self.script) and (self.script == "cron.php" or (bool(self.name) and self.enabled))


@dataclass(frozen=True, slots=True)
class Source:
    """What holds for a whole crontab."""

    name: str
    """What is read, for the first line of job files."""
    zone: ZoneInfo | None
    """Whose clock cron uses; ``None``: unknown."""
    jobs_zone: ZoneInfo
    """Whose clock jobs use when they name none."""


_Call = tuple[CronLine, ScriptCall]


@dataclass(frozen=True, slots=True)
class _Parameters:
    """What a call gives to its script."""

    given: Mapping[str, str]
    problems: tuple[str, ...]
    """What keeps a job from running."""
    remarks: tuple[str, ...]


def adopted(
    lines: Iterable[CronLine | OddLine], source: Source, folder: Path, services: Mapping[str, JobService]
) -> Iterator[Adopted]:
    """Yield what becomes of each call of one of iTop's scripts, in order; other lines are passed over.

    Nothing is written. Names are chosen so that none exists in ``folder``.
    """
    taken = {path.stem for path in folder.glob("*.params")}
    for found in _with_locks(list(_read(lines))):
        if isinstance(found, Adopted):
            yield found
            continue
        made = _adopt(*found, source, folder, services)
        if made.name and made.present is None:
            made = replace(made, name=_free(made.name, taken))
            taken.add(made.name)
        yield made


def write(one: Adopted, folder: Path) -> Path:
    """Write one job file, readable for this account only; raise :class:`ConflictError` when it exists meanwhile."""
    path = folder / f"{one.name}.params"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConflictError(f"{path} exists already; nothing was overwritten: call it again") from None
    except OSError as error:
        raise MissingFile(f"{path} cannot be written ({error.strerror}): let this account write there") from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(one.text)
    return path


def _read(lines: Iterable[CronLine | OddLine]) -> Iterator[_Call | Adopted]:
    """Yield the calls of all lines, and what is wrong with lines that cannot be read."""
    for line in lines:
        if isinstance(line, OddLine):
            yield Adopted(line.number, "", remarks=(line.problem,))
            continue
        home = home_of(line.account) if line.account else ""
        try:
            yield from ((line, call) for call in script_calls(line.command, {"HOME": home, **line.environment}))
        except ValueError as error:
            if mentioned(line.command):
                yield Adopted(line.number, "", remarks=(f"the command cannot be read: {error}",))


def _with_locks(found: Sequence[_Call | Adopted]) -> Iterator[_Call | Adopted]:
    """Yield the same; calls that a lock keeps apart with a remark about it."""
    calls = [one for one in found if not isinstance(one, Adopted)]
    for one in found:
        if isinstance(one, Adopted):
            yield one
            continue
        line, call = one
        others = {other.number for other, its in calls if call.lock and its.lock == call.lock} - {line.number}
        if others:
            numbers = ", ".join(map(str, sorted(others)))
            call = call.noting(
                f"the lock {call.lock} kept it apart from line {numbers}; jobs of a lane may run side by side"
            )
        yield line, call


def _adopt(
    line: CronLine, call: ScriptCall, source: Source, folder: Path, services: Mapping[str, JobService]
) -> Adopted:
    result = Adopted(line.number, call.script)
    if not call.is_itops:
        return replace(result, remarks=(call.unclear,))
    if call.script == "cron.php":
        return replace(result, remarks=(_NO_JOB,))
    reason = call.unclear or _no_time(line.schedule)
    if reason:
        return replace(result, remarks=(reason,))
    service = services[SCRIPTS[call.script]]
    parameters = _parameters(call)
    keys, left_out = _split_keys(parameters.given, service)
    problems = [*call.problems, *parameters.problems, *_unclear_paths(keys, call.folder)]
    if service.missing:
        problems.append(_LATER)
    mailed = call.output is None and line.environment.get("MAILTO") != "" and not call.problems
    if mailed and not service.writes:  # then what it prints is all that it does
        problems.append(_MAILED)
    keys = {**_own_keys(line, call, source), **_service_keys(keys, service, call.folder)}
    origin, name = f"line {line.number} of {source.name}", SCRIPTS[call.script]
    problems = problems or _problems_of(job_text(origin, name, keys), services, source.jobs_zone)
    text = job_text(origin, name, keys, problems)
    remarks = [
        *call.remarks,
        *([_COLUMNS] if call.script == "export.php" else []),
        *parameters.remarks,
        *(f"'{key}' is no parameter of {name} and was left out" for key in left_out),
        *([_ACCOUNT.format(call.account or line.account)] if call.account or line.account else []),
        *([_MAILED] if mailed and service.writes else []),
        *problems,
    ]
    present = next((path for path in sorted(folder.glob("*.params")) if says_the_same(path, text)), None)
    called = present.stem if present is not None else _base_name(name, parameters.given, call)
    return replace(result, name=called, text=text, enabled=not problems, remarks=tuple(remarks), present=present)


def _no_time(schedule: str) -> str:
    """Return why a job cannot run when the line does; empty: it can."""
    if schedule.lower() == "@reboot":
        return "it runs when the machine starts, which is no time of a job: write a job with a schedule by hand"
    try:
        CronText.parse(schedule)
    except SettingsError as error:
        return f"{error.message}; write a job by hand"
    return ""


def _parameters(call: ScriptCall) -> _Parameters:
    """Return the parameters of a call, those of its parameters files included."""
    given: dict[str, str] = {}
    remarks: list[str] = []
    for word in call.arguments:
        option = _OPTION.fullmatch(word)
        if option is None:
            name, equals, _ = word.partition("=")
            remarks.append(f"the argument '{name}{equals and '=...'}' means nothing to {call.script} and was left out")
        else:
            given[option[1]] = option[2]
    files = [part.strip() for part in given.pop("param_file", "").split(",") if part.strip() not in {"", "0"}]
    unknown = [one for one in files if not call.folder and not Path(one).is_absolute()]
    if unknown:
        problem = f"its parameters file {unknown[0]} is in a folder that is unknown: put its keys into the job"
        return _Parameters(given, (problem,), tuple(remarks))
    try:
        read: ParameterFile = read_parameter_files(",".join(joined(call.folder, one) for one in files), ITOP)
    except ItopdError as error:
        return _Parameters(given, (f"{error.message}: put its keys into the job",), tuple(remarks))
    return _Parameters({**read.values, **given}, (), (*remarks, *read.warnings))


def _split_keys(given: Mapping[str, str], service: JobService) -> tuple[dict[str, str], list[str]]:
    """Return the keys that a job of the service takes, and the names of the others.

    What a service to come takes is not known yet: all of it.
    """
    taken = {
        key: value
        for key, value in given.items()
        if key not in OWN_KEYS and (is_known(key, service.keys) or (not service.keys and is_writable(key)))
    }
    return taken, [key for key in given if key not in taken]


def _unclear_paths(keys: Mapping[str, str], folder: str) -> list[str]:
    return [
        f"{key} {value} is in a folder that is unknown: write it in full"
        for key, value in keys.items()
        if key in _PATHS and value and not folder and not Path(value).is_absolute()
    ]


def _own_keys(line: CronLine, call: ScriptCall, source: Source) -> dict[str, str]:
    own = {"schedule": line.schedule}
    zone = line.environment.get("CRON_TZ", "")
    if not zone and source.zone is not None and source.zone.key != source.jobs_zone.key:
        zone = source.zone.key
    if zone:
        own["timezone"] = zone
    if call.output:
        own["output_file"] = call.output
    if call.max_seconds is not None:
        own["max_seconds"] = str(call.max_seconds)
    return own


def _service_keys(keys: Mapping[str, str], service: JobService, folder: str) -> dict[str, str]:
    """Return the keys of the service; a path counts from the folder that the shell was in."""
    full = {key: joined(folder, value) if key in _PATHS and value else value for key, value in keys.items()}
    return full if service.missing else {"compat": "itop", **full}


def _problems_of(text: str, services: Mapping[str, JobService], zone: ZoneInfo) -> list[str]:
    """Return what is wrong with a job file that is not written yet."""
    with tempfile.TemporaryDirectory(prefix="itopd-adopt-") as place:
        path = Path(place) / "job.params"
        path.touch(0o600)
        path.write_text(text, encoding="utf-8")
        try:
            load_job(path, services, zone)
        except ItopdError as error:
            return [
                re.sub(rf"^{re.escape(str(path))}:?(\d*)", "", one).lstrip(": ") for one in error.message.splitlines()
            ]
    return []


def _base_name(service: str, given: Mapping[str, str], call: ScriptCall) -> str:
    told = next((given[key] for key in _NAMED_BY if given.get(key)), "")
    if not told and call.output:
        told = Path(_PLACEHOLDER.sub("", call.output)).name.partition(".")[0]
    return _UNSAFE.sub("-", f"{service}-{told}").strip("-._")[:80] or service


def _free(name: str, taken: set[str]) -> str:
    number = 1
    free = name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free
