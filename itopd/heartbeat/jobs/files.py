"""Reading job files: ``NAME.params`` in the jobs folder, lines ``key = value``.

=====================  ==============================================================================================
key                    meaning
=====================  ==============================================================================================
``service``            which service runs
``schedule``           ``every 5m`` (s, m, h, d), five fields of cron text, or ``@hourly``, ``@daily``, ...
``week_days, time``    instead: English names of days (default: all) and a time, as iTop's weekly settings
``timezone``           the zone whose clock counts (``Europe/Berlin``); default: iTop's
``not_before``,        a run never begins outside these times of the day (``22:00``, ``04:00``)
``not_after``
``misfire``            ``once`` (default): a late run runs once, as soon as it can; ``skip``: it is left out
``misfire_grace``      with ``skip``: how late a run may begin (``5m``, the default)
``retries``            how often a failed run is tried again before the next planned time (3)
``retry_delay``        pause before the first retry (``1m``); it doubles, to at most an hour
``max_seconds``        after so long the run is asked to stop between two chunks
``lane``               which limit it counts against; default: its service's
``enabled``            ``yes`` (default) or ``no``
``output_file``        where the result goes (:mod:`itopd.heartbeat.jobs.results`); ``.gz`` at its end compresses it
``keep``               how many results of this job are kept; default: all
``watch``              instead of a schedule: ``folder/*.csv``; each file that appears is given to the service
                       (:mod:`itopd.heartbeat.jobs.hot_folder`)
``watch_settle``       how long such a file must have stayed the same before it is taken (``2s``)
=====================  ==============================================================================================

All other keys are the service's. A wrong file is refused with every problem in it: file and line, key, what to do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import time, timedelta
from difflib import get_close_matches
from pathlib import Path
from zoneinfo import ZoneInfo

from itopd.errors import ItopdError, SettingsError
from itopd.heartbeat.jobs.hot_folder import FILE_SIGN, SETTLE_SECONDS, HotFolder, Watch
from itopd.heartbeat.jobs.job import BrokenJob, Job, Jobs, JobService
from itopd.heartbeat.jobs.keys import (
    OWN_KEYS,
    KeyReader,
    read_duration,
    read_lane,
    read_misfire,
    read_number,
    read_switch,
    read_time,
    read_zone,
)
from itopd.heartbeat.jobs.plan import Misfire, Plan, Retries, Watching
from itopd.heartbeat.jobs.results import Results, require_countable, require_template
from itopd.heartbeat.jobs.windows import Window
from itopd.heartbeat.schedules.cron_text import CronText
from itopd.heartbeat.schedules.schedule import Periodic, Schedule, parse_schedule
from itopd.heartbeat.schedules.weekly import Weekly
from itopd.rules import ITOPD
from itopd.settings import ParameterFile, read_parameter_files
from itopd.settings.origins import ARGUMENT

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_GRACE = timedelta(minutes=5)


def load_jobs(folder: Path, services: Mapping[str, JobService], zone: ZoneInfo) -> Jobs:
    """Read all ``*.params`` of a folder, sorted by name; a folder that does not exist holds no jobs.

    ``zone`` is that of jobs that name none.
    """
    jobs: list[Job] = []
    broken: list[BrokenJob] = []
    warnings: list[str] = []
    for path in sorted(folder.glob("*.params")):
        try:
            file = _read(path)
            warnings += file.warnings
            jobs.append(_job(path, file, services, zone))
        except ItopdError as error:
            broken.append(BrokenJob(path.stem, path, error.message))
    return Jobs(tuple(jobs), tuple(broken), tuple(warnings))


def load_job(
    path: Path, services: Mapping[str, JobService], zone: ZoneInfo, arguments: Mapping[str, str] | None = None
) -> Job:
    """Read one job file; ``arguments`` win over what it says.

    Raises :class:`SettingsError` with all that is wrong: file, line, key, what to do.
    """
    given = arguments or {}
    file = _read(path).followed_by(ParameterFile(given, dict.fromkeys(given, ARGUMENT)))
    return _job(path, file, services, zone)


def _read(path: Path) -> ParameterFile:
    if _NAME.fullmatch(path.stem) is None:
        raise SettingsError(f"{path}: a job's name has letters, digits, '_', '-' and '.' only; rename the file")
    return read_parameter_files(str(path), ITOPD)


def _job(path: Path, file: ParameterFile, services: Mapping[str, JobService], zone: ZoneInfo) -> Job:
    reader = KeyReader(path, file)
    enabled = reader.read("enabled", read_switch, default=True)
    service = _service(reader, services)
    if service is not None:
        _check_service(reader, service, enabled=enabled)
    hot_folder = _hot_folder(reader, service)
    plan = _plan(reader, zone, hot_folder)
    results = _results(reader)
    misfire = _misfire(reader)
    retries = Retries(
        times=reader.read("retries", read_number(0, 1000), Retries().times),
        delay=reader.read("retry_delay", read_duration, Retries().delay),
    )
    max_seconds = reader.read("max_seconds", read_number(1, 10**7), None)
    lane = reader.read("lane", read_lane, service.lane if service is not None else "")
    if reader.text("email_to"):
        reader.wrong(
            "email_to", "sending a job's result by mail comes with a later release; remove email_to, use output_file"
        )
    reader.finish()
    if service is None or plan is None:
        raise AssertionError("a missing service or schedule is a problem that was noted")
    return Job(
        name=path.stem,
        path=path,
        service=reader.text("service"),
        schedule=plan,
        enabled=enabled,
        lane=lane,
        parameters=reader.without_own_keys().values,
        results=results,
        max_seconds=None if max_seconds is None else float(max_seconds),
        writes=service.writes,
        retries=retries,
        misfire=misfire,
        hot_folder=hot_folder,
    )


def _service(reader: KeyReader, services: Mapping[str, JobService]) -> JobService | None:
    name, known = reader.text("service"), ", ".join(sorted(name for name in services if not services[name].missing))
    if not name:
        reader.wrong("service", f"'service' is missing; write service = one of {known}")
    elif name not in services:
        near = get_close_matches(name, services, n=1)
        advice = f"; did you mean '{near[0]}'?" if near else ""
        reader.wrong("service", f"unknown service '{name}'; known are {known}{advice}")
    return services.get(name)


def _check_service(reader: KeyReader, service: JobService, *, enabled: bool) -> None:
    if service.missing:
        if enabled:
            reader.wrong("service", f"{service.missing}; write enabled = no until then")
        return
    reader.unknown_keys({*OWN_KEYS, *service.keys})
    try:
        service.check(reader.without_own_keys())
    except ItopdError as error:
        reader.complain_of(error.message)


def _hot_folder(reader: KeyReader, service: JobService | None) -> HotFolder | None:
    if "watch" not in reader.file.values:
        if "watch_settle" in reader.file.values:
            reader.wrong("watch_settle", "it means nothing without watch; add that, or remove watch_settle")
        return None
    watch = reader.read("watch", Watch.parse, None)
    if not reader.text("watch"):
        reader.wrong("watch", "it is empty; write watch = data/inbox/*.csv, or remove it")
    for key in ("schedule", "week_days", "time", "misfire", "misfire_grace"):
        if key in reader.file.values:
            reader.wrong(
                key, f"files make this job run, no clock; remove {key} (not_before and not_after hold), or watch"
            )
    for key in ("output_file", "keep"):
        if key in reader.file.values:
            reader.wrong(key, f"the report of each file is put beside it; remove {key}, or watch")
    if service is not None and not service.feeds and not service.missing:
        reader.wrong("watch", f"the service {reader.text('service')} reads no file; remove watch, write a schedule")
    elif service is not None and service.feeds in reader.file.values:
        reader.wrong(service.feeds, f"watch names the files; remove {service.feeds}, or watch")
    for key in service.made if service is not None else ():
        if reader.text(key) and FILE_SIGN not in reader.text(key):
            reader.wrong(key, f"each file would overwrite the one before; write {FILE_SIGN} for the file's name")
    settle = reader.read("watch_settle", read_duration, timedelta(seconds=SETTLE_SECONDS))
    return HotFolder(watch, reader.path.stem, settle.total_seconds()) if watch is not None else None


def _plan(reader: KeyReader, default_zone: ZoneInfo, hot_folder: HotFolder | None) -> Plan | None:
    zone = reader.read("timezone", read_zone, default_zone)
    if hot_folder is not None:
        base: Schedule | None = Watching(hot_folder.watch.text)
    else:
        base = None if "watch" in reader.file.values else _schedule(reader)
    window = _window(reader)
    if base is None:
        return None
    if window is not None and not _can_begin(base, window):
        reader.wrong(
            "not_before" if reader.text("not_before") else "not_after",
            f"the schedule '{base.text}' never falls between {window.not_before:%H:%M} and {window.not_after:%H:%M}; "
            "correct not_before and not_after, or the schedule",
        )
    return Plan(base, zone, window, own_zone=bool(reader.text("timezone")))


def _schedule(reader: KeyReader) -> Schedule | None:
    weekly = [key for key in ("week_days", "time") if key in reader.file.values]
    if reader.text("schedule"):
        for key in weekly:
            reader.wrong(key, f"there is a schedule already; remove {key}, or the line 'schedule'")
        return reader.read("schedule", parse_schedule, None)
    if "time" in weekly:
        return _weekly(reader)
    if weekly:
        reader.wrong("week_days", "'time' is missing; write time = 23:30")
        return None
    reader.wrong("schedule", "'schedule' is missing; write schedule = 'every 5m' or '0 2 * * *', or time = 23:30")
    return None


def _weekly(reader: KeyReader) -> Schedule | None:
    at = reader.read("time", read_time, None)
    if at is None:
        if not reader.text("time"):
            reader.wrong("time", "it is empty; write time = 23:30")
        return None
    try:
        days = reader.file.values.get("week_days")
        return Weekly.of_settings("job", {"week_days": days}, default_time=f"{at:%H:%M}")
    except SettingsError as error:
        reader.wrong("week_days", error.message.removeprefix("job: "))
        return None


def _window(reader: KeyReader) -> Window | None:
    if not (reader.text("not_before") or reader.text("not_after")):
        return None
    every = Window()
    return Window(
        reader.read("not_before", read_time, every.not_before), reader.read("not_after", read_time, every.not_after)
    )


def _can_begin(base: Schedule, window: Window) -> bool:
    """Return whether a schedule ever falls into a window, as far as its times of the day tell."""
    match base:
        case CronText():
            return any(window.holds(time(hour, minute)) for hour in base.hours for minute in base.minutes)
        case Weekly():
            return window.holds(time.fromisoformat(base.time))
        case _:
            return isinstance(base, Periodic | Watching)


def _misfire(reader: KeyReader) -> Misfire:
    skips = reader.read("misfire", read_misfire, default=False)
    if reader.text("misfire_grace") and not skips:
        reader.wrong("misfire_grace", "it means nothing without misfire = skip; add that, or remove misfire_grace")
    grace = reader.read("misfire_grace", read_duration, _GRACE)
    return Misfire(grace) if skips else Misfire()


def _results(reader: KeyReader) -> Results:
    template = reader.text("output_file")
    keep = reader.read("keep", read_number(1, 10**6), 0)
    try:
        require_template(template)
    except SettingsError as error:
        reader.wrong("output_file", error.message)
        return Results(reader.path.stem)
    if keep:
        try:
            require_countable(template)
        except SettingsError as error:
            reader.wrong("keep", error.message)
    return Results(reader.path.stem, template, keep)
