"""Crontab lines that call iTop's scripts become job files (``itopd adopt_crontab``)."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from itopd.errors import ConflictError, ItopdError, MissingFile
from itopd.heartbeat import JobService, load_job
from itopd.heartbeat.jobs.keys import OWN_KEYS
from itopd.heartbeat.schedules.cron_text import CronText
from itopd.heartbeat.schedules.crontab import CronLine, OddLine
from itopd.rules import ITOP
from itopd.settings import ParameterFile, read_parameter_files
from itopd.settings.files import is_secret_name
from itopd.wiring.shell_calls import DATE, DATETIME, SCRIPTS, ScriptCall, script_calls

_OPTION = re.compile(r"--([^=\s]+)=(.*)", re.DOTALL)
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")
_NAMED_BY: Final = ("class", "data_source_id", "data_sources", "query")
"""Parameters whose value tells jobs of one service apart."""
_STILL: Final = {
    "cron.php": (
        "no job is needed: itopd's heartbeat does what it does ('itopd run', or 'itopd tick' from a timer). Attached, "
        "'itopd attach --take_over' moves the background processes over; keep the line for those that stay with iTop"
    ),
    "export.php": "export.php orders columns by the model, itopd's export as 'fields' does: compare one result",
}
_PATHS: Final = frozenset({"csvfile"})
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


def adopted(
    lines: Iterable[CronLine | OddLine], source: Source, folder: Path, services: Mapping[str, JobService]
) -> Iterator[Adopted]:
    """Yield what becomes of each call of one of iTop's scripts, in order; other lines are passed over.

    Nothing is written. Names are chosen so that none exists in ``folder``.
    """
    taken = {path.stem for path in folder.glob("*.params")}
    for line in lines:
        if isinstance(line, OddLine):
            yield Adopted(line.number, "", remarks=(line.problem,))
            continue
        try:
            calls = script_calls(line.command, line.environment)
        except ValueError as error:
            if any(script in line.command for script in SCRIPTS):
                yield Adopted(line.number, "", remarks=(f"the command cannot be read: {error}",))
            continue
        for call in calls:
            made = _adopt(line, call, source, folder, services, taken)
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


def masked(text: str) -> str:
    """Return a job file without its secrets, to be shown."""
    return "".join(
        f"{line.partition('=')[0]}= ***\n" if is_secret_name(line.partition("=")[0].strip(" :")) else f"{line}\n"
        for line in text.splitlines()
    )


def _adopt(
    line: CronLine,
    call: ScriptCall,
    source: Source,
    folder: Path,
    services: Mapping[str, JobService],
    taken: set[str],
) -> Adopted:
    if call.script == "cron.php":
        return Adopted(line.number, call.script, remarks=(_STILL[call.script],))
    remarks = [*call.remarks, *filter(None, [_STILL.get(call.script)])]
    result = Adopted(line.number, call.script, remarks=tuple(remarks))
    if call.remarks and not call.arguments:  # over HTTP
        return result
    try:
        CronText.parse(line.schedule)
    except ItopdError as error:
        return replace(result, remarks=(*remarks, f"{error.message}; write a job by hand"))
    service = SCRIPTS[call.script]
    given, problems, notes = _parameters(call)
    remarks += notes
    keys, left_out = _split_keys(given, services[service])
    remarks += [f"'{key}' is no parameter of {service} and was left out" for key in left_out]
    account = call.account or line.account
    if account:
        remarks.append(
            f"it ran as the account {account}; jobs run as itopd's own: see that it may read and write the same"
        )
    if services[service].missing:
        problems.append(_LATER)
    own = _own_keys(line, call, source)
    name = _base_name(service, given, call)
    text, wrong = _checked(source, line, service, own, keys, problems, call, services)
    enabled = not (problems or wrong)
    remarks += [*problems, *wrong]
    present = _present(folder, text)
    if present is not None:
        return replace(result, name=present.stem, text=text, enabled=enabled, remarks=tuple(remarks), present=present)
    return replace(result, name=_free(name, taken), text=text, enabled=enabled, remarks=tuple(remarks))


def _parameters(call: ScriptCall) -> tuple[dict[str, str], list[str], list[str]]:
    """Return the parameters of a call, those of its files included; what keeps it from running; what to know."""
    given: dict[str, str] = {}
    notes: list[str] = []
    for word in call.arguments:
        option = _OPTION.fullmatch(word)
        if option is None:
            notes.append(f"the argument '{word}' means nothing to {call.script} and was left out")
        else:
            given[option[1]] = option[2]
    files = [part.strip() for part in given.pop("param_file", "").split(",") if part.strip() not in {"", "0"}]
    values: Mapping[str, str] = {}
    problems: list[str] = []
    try:
        read: ParameterFile = read_parameter_files(",".join(str(Path(call.folder) / one) for one in files), ITOP)
        values = read.values
        notes += read.warnings
    except ItopdError as error:
        problems.append(f"{error.message}: put its keys into the job, then write enabled = yes")
    return {**values, **given}, problems, notes


def _split_keys(given: Mapping[str, str], service: JobService) -> tuple[dict[str, str], list[str]]:
    """Return the keys that a job of the service takes, and the names of the others."""
    if not service.keys:  # a service to come: what it takes is not known yet
        return dict(given), []
    families = tuple(name[:-1] for name in service.keys if name.endswith("*"))
    known = {
        key: value for key, value in given.items() if key in service.keys or (families and key.startswith(families))
    }
    return known, [key for key in given if key not in known]


def _own_keys(line: CronLine, call: ScriptCall, source: Source) -> dict[str, str]:
    own = {"schedule": line.schedule}
    zone = line.environment.get("CRON_TZ", "")
    if not zone and source.zone is not None and source.zone.key != source.jobs_zone.key:
        zone = source.zone.key
    if zone:
        own["timezone"] = zone
    if call.output:
        literal = call.output.replace("{", "{{").replace("}", "}}")
        own["output_file"] = literal.replace(DATE, "{date}").replace(DATETIME, "{datetime}")
    if call.max_seconds is not None:
        own["max_seconds"] = str(call.max_seconds)
    return own


def _checked(
    source: Source,
    line: CronLine,
    service: str,
    own: Mapping[str, str],
    keys: Mapping[str, str],
    problems: Sequence[str],
    call: ScriptCall,
    services: Mapping[str, JobService],
) -> tuple[str, list[str]]:
    """Return the job file, and what is wrong with it as a job: then it is disabled."""
    keys = {key: _from_folder(key, value, call.folder) for key, value in keys.items() if key not in OWN_KEYS}
    if not services[service].missing:
        keys = {"compat": "itop", **keys}
    text = _file(source, line, service, own, keys, problems)
    if problems:
        return text, []
    wrong = _problems_of(text, services, source.jobs_zone)
    return (_file(source, line, service, own, keys, wrong), wrong) if wrong else (text, [])


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


def _from_folder(key: str, value: str, folder: str) -> str:
    """Return the value of a key; a path counts from the folder that the shell was in."""
    return str(Path(folder) / value) if key in _PATHS and value and folder else value


def _file(
    source: Source,
    line: CronLine,
    service: str,
    own: Mapping[str, str],
    keys: Mapping[str, str],
    problems: Sequence[str],
) -> str:
    """Return the text of a job file."""
    head = [f"# Made by 'itopd adopt_crontab' from line {line.number} of {source.name}."]
    if problems:
        head += [f"# Disabled: {' '.join(problem.split())}" for problem in problems]
    lines = [_line("service", service), *(["enabled = no"] if problems else [])]
    lines += [_line(key, value) for key, value in {**own, **keys}.items()]
    return "".join(f"{one}\n" for one in [*head, *lines])


def _line(key: str, value: str) -> str:
    """Return a line that is read as exactly this key and value."""
    plain = "#" not in value and value == value.strip(" \t\r\n\0\x0b") and "\n" not in value
    return f"{key} = {value}" if plain else f"{key} := {json.dumps(value, ensure_ascii=False)}"


def _base_name(service: str, given: Mapping[str, str], call: ScriptCall) -> str:
    told = next((given[key] for key in _NAMED_BY if given.get(key)), "")
    if not told and call.output:
        told = Path(call.output.replace(DATE, "").replace(DATETIME, "")).name.partition(".")[0]
    return _UNSAFE.sub("-", f"{service}-{told}").strip("-._")[:80] or service


def _free(name: str, taken: set[str]) -> str:
    number = 1
    free = name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free


def _present(folder: Path, text: str) -> Path | None:
    """Return the job file that says the same already."""
    for path in sorted(folder.glob("*.params")):
        try:
            if path.read_text(encoding="utf-8") == text:
                return path
        except (OSError, UnicodeDecodeError):  # another's file, which is not ours to judge
            continue
    return None
