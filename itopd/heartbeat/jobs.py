"""Jobs: parameters files with a schedule (``design.md``, "a scheduled job IS a parameters file").

``NAME.params`` in the jobs folder holds ``service`` and ``schedule``, then the keys that the service takes anywhere.

=================  ============================================================================================
key                meaning
=================  ============================================================================================
``service``        which service runs
``schedule``       ``every 5m`` (s, m, h, d), five fields of cron text, or ``@hourly``, ``@daily``, ...
``enabled``        ``yes`` (default) or ``no``
``output_file``    where the result goes; ``{date}``, ``{time}``, ``{datetime}`` (of the start), ``{name}``
``max_seconds``    after so long the run is asked to stop between two chunks
=================  ============================================================================================

A file that is wrong disables only its own job, and is reported with file and line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from string import Formatter
from zoneinfo import ZoneInfo

from itopd.errors import ItopdError, SettingsError
from itopd.heartbeat.schedule import Schedule, parse_schedule
from itopd.rules import ITOPD
from itopd.settings import ParameterFile, read_parameter_files
from itopd.state import RowChange, TaskRow, TaskStatus

OWN_KEYS = ("service", "schedule", "enabled", "output_file", "max_seconds", "email_to")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_SWITCH = {"yes": True, "true": True, "1": True, "on": True, "no": False, "false": False, "0": False, "off": False}
_PLACEHOLDERS = ("date", "time", "datetime", "name")


@dataclass(frozen=True, slots=True)
class JobService:
    """What the heartbeat must know about a service that jobs can run."""

    lane: str
    check: Callable[[Mapping[str, str]], None]
    """Raises :class:`SettingsError` when the service's own keys are wrong; its message names the key."""
    writes: bool = True
    """Whether it changes anything; what only reads runs even where the heartbeat may not write."""


@dataclass(frozen=True, slots=True)
class Job:
    """One scheduled job."""

    name: str
    path: Path
    service: str
    schedule: Schedule
    enabled: bool
    lane: str
    output_file: str
    """With its placeholders; empty: nowhere."""
    max_seconds: float | None
    parameters: Mapping[str, str]
    """The service's own keys."""
    writes: bool = True

    def output_path(self, started: datetime, zone: ZoneInfo) -> str:
        """Return where the result of a run goes that started at an instant."""
        local = started.astimezone(zone)
        return self.output_file.format(
            date=f"{local:%Y-%m-%d}", time=f"{local:%H%M%S}", datetime=f"{local:%Y-%m-%d_%H%M%S}", name=self.name
        )


@dataclass(frozen=True, slots=True)
class BrokenJob:
    """A job file that cannot be used."""

    name: str
    path: Path
    problem: str
    """What, where (file and line), what to do."""


@dataclass(frozen=True, slots=True)
class Jobs:
    """What a jobs folder holds."""

    jobs: tuple[Job, ...] = ()
    broken: tuple[BrokenJob, ...] = ()
    warnings: tuple[str, ...] = ()


def load_jobs(folder: Path, services: Mapping[str, JobService]) -> Jobs:
    """Read all ``*.params`` of a folder, sorted by name; a folder that does not exist holds no jobs."""
    jobs: list[Job] = []
    broken: list[BrokenJob] = []
    warnings: list[str] = []
    for path in sorted(folder.glob("*.params")):
        try:
            file = _read(path)
            warnings += file.warnings
            jobs.append(_job(path, file, services))
        except ItopdError as error:
            broken.append(BrokenJob(path.stem, path, error.message))
    return Jobs(tuple(jobs), tuple(broken), tuple(warnings))


def load_job(path: Path, services: Mapping[str, JobService]) -> Job:
    """Read one job file. Raises :class:`SettingsError` naming file, line and what to do."""
    return _job(path, _read(path), services)


def synchronise_jobs(
    jobs: Jobs, rows: Sequence[TaskRow], now: datetime, zone: ZoneInfo
) -> tuple[list[TaskRow], list[tuple[str, RowChange]]]:
    """Return the rows to add and the changes to make so that every job has its row.

    A changed schedule is planned anew; so is a job that comes back. A broken file leaves its row alone.
    """
    by_name = {row.class_name: row for row in rows}
    created = []
    changed: list[tuple[str, RowChange]] = []
    for job in jobs.jobs:
        wanted = TaskStatus.ACTIVE if job.enabled else TaskStatus.PAUSED
        planned = job.schedule.first(now, zone)
        row = by_name.get(job.name)
        if row is None:
            created.append(TaskRow(job.name, next_run_date=planned, status=wanted, schedule=job.schedule.text))
        elif row.schedule != job.schedule.text or (job.enabled and row.status != wanted):
            changed.append(
                (job.name, {"next_run_date": planned, "status": wanted, "schedule": job.schedule.text}),
            )
        elif row.status != wanted:
            changed.append((job.name, {"status": wanted}))
    known = {job.name for job in jobs.jobs} | {job.name for job in jobs.broken}
    changed += [
        (name, {"status": TaskStatus.REMOVED})
        for name, row in by_name.items()
        if name not in known and row.status != TaskStatus.REMOVED
    ]
    return created, changed


def _read(path: Path) -> ParameterFile:
    if _NAME.fullmatch(path.stem) is None:
        raise SettingsError(f"{path}: a job's name has letters, digits, '_', '-' and '.' only; rename the file")
    return read_parameter_files(str(path), ITOPD)


def _job(path: Path, file: ParameterFile, services: Mapping[str, JobService]) -> Job:
    values = file.values
    service = services.get(_required(path, file, "service", f"one of {', '.join(sorted(services))}"))
    if service is None:
        known = ", ".join(sorted(services))
        raise SettingsError(
            f"{_where(path, file, 'service')}: unknown service '{values['service']}'; known are {known}"
        )
    if values.get("email_to"):
        raise SettingsError(
            f"{_where(path, file, 'email_to')}: sending a job's result by mail comes with a later release; "
            "use output_file"
        )
    parameters = {key: value for key, value in values.items() if key not in OWN_KEYS}
    try:
        schedule = parse_schedule(_required(path, file, "schedule", "'every 5m' or '0 2 * * *'"))
    except SettingsError as error:
        raise SettingsError(f"{_where(path, file, 'schedule')}: {error.message}") from None
    try:
        service.check(parameters)
    except ItopdError as error:
        raise SettingsError(f"{_where_of_key(path, file, error.message)}: {error.message}") from error
    return Job(
        name=path.stem,
        path=path,
        service=values["service"],
        schedule=schedule,
        enabled=_switch(path, file),
        lane=service.lane,
        output_file=_template(path, file),
        max_seconds=_seconds(path, file),
        parameters=parameters,
        writes=service.writes,
    )


def _required(path: Path, file: ParameterFile, key: str, example: str) -> str:
    value = file.values.get(key, "")
    if not value:
        where = _where(path, file, key) if key in file.values else str(path)
        raise SettingsError(f"{where}: '{key}' is missing; write {key} = {example}")
    return value


def _switch(path: Path, file: ParameterFile) -> bool:
    text = file.values.get("enabled", "yes")
    if text.lower() not in _SWITCH:
        raise SettingsError(f"{_where(path, file, 'enabled')}: enabled = {text} is neither yes nor no")
    return _SWITCH[text.lower()]


def _seconds(path: Path, file: ParameterFile) -> float | None:
    text = file.values.get("max_seconds", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= 10**7:
        raise SettingsError(f"{_where(path, file, 'max_seconds')}: max_seconds = {text} is no number of seconds")
    return float(text)


def _template(path: Path, file: ParameterFile) -> str:
    """Check that an ``output_file`` holds only the placeholders that exist."""
    template = file.values.get("output_file", "")
    try:
        # A conversion or a width (``{name:>9}``) makes an unknown placeholder: a name is all there is.
        names = [
            f"{name}{'!' + conversion if conversion else ''}{':' + form if form else ''}"
            for _, name, form, conversion in Formatter().parse(template)
            if name is not None
        ]
    except ValueError as error:
        raise SettingsError(
            f"{_where(path, file, 'output_file')}: {template}: {error}; write {{{{ for a brace"
        ) from None
    for name in names:
        if name not in _PLACEHOLDERS:
            known = ", ".join(f"{{{placeholder}}}" for placeholder in _PLACEHOLDERS)
            raise SettingsError(
                f"{_where(path, file, 'output_file')}: unknown placeholder {{{name}}}; known are {known}"
            )
    return template


def _where(path: Path, file: ParameterFile, key: str) -> str:
    origin = file.sources.get(key)
    return f"{path}:{origin.line}" if origin is not None and origin.line else str(path)


def _where_of_key(path: Path, file: ParameterFile, message: str) -> str:
    """Return the line of the key that a service's complaint names, the file when it names none."""
    named = next((key for key in file.values if re.search(rf"\b{re.escape(key)}\b", message)), None)
    return _where(path, file, named) if named is not None else str(path)
