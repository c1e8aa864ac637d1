"""Replays whole heartbeats: rows, what is printed, exit codes. The real service runs, at the recorded time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from zoneinfo import ZoneInfo

import structlog

from itopd.clock import FixedClock
from itopd.database import Database
from itopd.errors import ItopdError, SettingsError
from itopd.heartbeat import Control, Heartbeat, InlineExecutor, RunOutcome, RunSpec, Task, periodic_task, weekly_task
from itopd.heartbeat.tasks import SHIPPED
from itopd.settings import Settings
from itopd.tasks.background_rows import BackgroundTaskRows
from itopd.wiring import CronEdge, load, open_heartbeat, run_cron
from itopd.wiring.heartbeat import perform_run
from tests.golden.accounts import give_users
from tests.golden.harness import Difference, Vector, check_equal, instead, replays
from tests.golden.replay_heartbeat import recorded, row_of, silent
from tests.golden.sample import golden_engine, golden_sample
from tests.support.servers import mariadb_url, postgresql_url

_INSTALLED_DAYS: Final = "monday, tuesday, wednesday, thursday, friday"
_ORDER: Final = (
    "CheckStopWatchThresholds", "LogFileRotationProcess", "ExecAsyncTask", "ObsolescenceDateUpdater",
    "BulkExportResultGC", "InlineImageGC", "BackupExec",
    r"Combodo\iTop\Service\Notification\Event\EventNotificationNewsroomGC",
    r"Combodo\iTop\Service\TemporaryObjects\TemporaryObjectGC", r"Combodo\iTop\SessionTracker\SessionGC",
)  # fmt: skip
"""The processes in the order that iTop made their rows in."""
_PLANNED: Final = {"BackupExec": "2027-01-05 23:30:00", "LogFileRotationProcess": "2027-02-01 00:00:00"}
"""When the paused rows of ``output-verbose-run`` are planned, which it shows in its table only; others: ``_ELSE``."""
_ELSE: Final = "2027-01-05 08:00:00"
_TESTED: Final = "TstPeriodic"
_BLANKS: Final = {
    "<NOW>": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "<UNIX>": r"\d+", "<N>": r"\d+", "<D>": r"\d+\.\d{3}"
}  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What a heartbeat printed and left."""

    code: int
    out: str
    rows: Mapping[str, dict[str, Any]]

    @property
    def executed(self) -> list[str]:
        return re.findall(r"^>> === .{19} Starting: (\S+) ", self.out, re.MULTILINE)

    @property
    def skipped(self) -> list[str]:
        return re.findall(r"^-- Skipping task: (\S+) ", self.out, re.MULTILINE)


@replays("cron", lambda vector: vector.name.startswith("schedule-"))
def replay_schedule(vector: Vector) -> None:
    """Compare what ran and the row it left."""
    expected = vector.data["expect"]
    if vector.name == "schedule-order":
        answer = _replay(vector, _ordered(vector), nothing)
        check_equal("executed", answer.executed, expected["executed"])
        check_equal("skipped", answer.skipped, expected["skipped"])
        return
    _compare_row(vector, expected["row"])


@instead("cron/schedule-dst-autumn-first-pass")
def replay_repeated_hour(vector: Vector) -> None:
    """Elapsed time counts: two seconds after 02:59:58 of the first pass it is 02:00:00 again."""
    _compare_row(vector, vector.data["expect"]["row"] | {"next_run_date": "2027-10-31 02:00:00"})


def _compare_row(vector: Vector, row: dict[str, Any]) -> None:
    name, given = row["class_name"], vector.data["given"]["row"]
    others: list[dict[str, Any]] = [{"class_name": other, "status": "paused"} for other in _ORDER if other != name]
    answer = _replay(vector, others + ([given] if given else []), nothing)
    check_equal("exit code", answer.code, vector.data["expect"]["exit_code"])
    check_equal("executed", name in answer.executed, vector.data["expect"]["executed"])
    check_equal("row", answer.rows[name], row)


def _ordered(vector: Vector) -> list[dict[str, Any]]:
    given = {row["class_name"]: row for row in vector.data["given"]["rows"]}
    return [given.get(name, {"class_name": name, "status": "paused"}) for name in _ORDER]


@replays("cron", lambda vector: vector.name.startswith("output-"))
def replay_output(vector: Vector) -> None:
    """Compare exit code, output and row."""
    given, expected = vector.data["given"], vector.data["expect"]
    answer = _replay(vector, list(_rows_of(vector)), working)
    check_equal("exit code", answer.code, expected["exit_code"])
    if "stdout" in expected:
        _compare_lines(answer.out, expected["stdout"])
    for line in expected.get("lines", ()):
        if not any(_pattern(line).fullmatch(found) for found in answer.out.splitlines()):
            raise Difference(f"no line {line!r} in {answer.out!r}")
    if "row" in expected:
        check_equal("row", answer.rows[given["process"]["class_name"]], expected["row"])


@instead("cron/output-process-crash")
def replay_crash(vector: Vector) -> None:
    """Go on after a programming error: it is reported and counted, and the process is planned again."""
    answer = _replay(vector, list(_rows_of(vector)), working)
    check_equal("exit code", answer.code, 0)
    check_equal("ended", answer.out.splitlines()[-1].split(":")[0], "Exiting")
    if "TypeError" not in answer.out:
        raise Difference(f"the error is not told: {answer.out!r}")
    after = {
        "first_run_date": "2027-02-10 10:00:00", "next_run_date": "2027-02-10 10:00:06", "total_exec_count": 1
    }  # fmt: skip
    check_equal("row", answer.rows[_TESTED], vector.data["expect"]["row"] | after)


def _rows_of(vector: Vector) -> Iterator[dict[str, Any]]:
    """Yield the rows before the run; those of a vector that gives none are there and paused."""
    given = vector.data["given"]
    if isinstance(given.get("rows"), list):
        yield from given["rows"]
        return
    written = {}
    if "rows" in given:  # in words
        later = "2027-02-11 00:00:00"
        written = {"InlineImageGC": "2027-02-10 09:59:59", "BulkExportResultGC": later, _ORDER[-1]: later}
    for name in _ORDER:
        planned = written.get(name, _PLANNED.get(name, _ELSE))
        yield {"class_name": name, "status": "active" if name in written else "paused", "next_run_date": planned}
    if "process" in given:
        yield {"class_name": given["process"]["class_name"], **given["process"]["row"]}


def _compare_lines(found: str, expected: str) -> None:
    """Compare line by line; the end of an output may not have been recorded, and the order of processes is free."""
    ours, theirs = found.split("\n"), expected.split("\n")
    if theirs[-2:] == ["", ""]:
        del theirs[-1], ours[len(theirs) :]
    check_equal("number of lines", len(ours), len(theirs))
    for line, wanted in zip(ours, theirs, strict=True):
        if wanted.startswith("Background processes: "):
            check_equal("processes", sorted(_named(line)), sorted(_named(wanted)))
        elif not _pattern(wanted).fullmatch(line):
            raise Difference(f"got line {line!r}, recorded {wanted!r}")


def _named(line: str) -> list[str]:
    return line.removeprefix("Background processes: ").split(", ")


def _pattern(text: str) -> re.Pattern[str]:
    parts = re.split("(" + "|".join(_BLANKS) + ")", text)
    return re.compile("".join(_BLANKS.get(part, re.escape(part)) for part in parts))


def nothing(_spec: RunSpec, _control: Control) -> RunOutcome:
    """Stand for the work: these vectors are about dates and counters."""
    return RunOutcome(succeeded=True, exit_code=0)


def working(spec: RunSpec, control: Control) -> RunOutcome:
    """Do the work of a task; the one that is tested does what its vector says."""
    if spec.name != _TESTED:
        return perform_run(spec, control)
    behaviour = spec.settings["behaviour"]
    text = re.search('"(.*)"', behaviour)
    if "fatal" in behaviour:
        raise ItopdError(text[1] if text else "")
    if text:
        raise SettingsError(text[1])
    return RunOutcome(succeeded=True, exit_code=0, message="one" + 1)  # type: ignore[operator]  # as it is meant


def _replay(vector: Vector, rows: Sequence[dict[str, Any]], entry: Any) -> Answer:
    given = vector.data["given"]
    zone = ZoneInfo(given["clock"]["timezone"])
    clock = FixedClock(datetime.fromisoformat(given["clock"]["utc"]).replace(tzinfo=UTC))
    with TemporaryDirectory() as name, golden_sample(Path(name)) as database:
        folder = Path(name)
        BackgroundTaskRows(database).insert([row_of(row, zone) for row in rows])
        if "user" in given:
            user = given["user"]
            with database.write() as connection:
                profile = {"login": user["login"], "password": "Secr3t!pw", "profiles": [user["profile"]]}
                give_users(database, connection, [profile])
        if "marker_file" in given:
            (folder / f".{given['marker_file']}").touch()
        written: list[str] = []

        async def pause(seconds: float) -> None:
            clock.advance(seconds)

        edge = CronEdge(
            written.append,
            lambda _text: None,
            lambda _own: settings,
            opened=partial(_opened, clock, given, f"{__name__}:{entry.__name__}"),
            pause=pause,
        )
        settings = _settings(given, database, folder)
        with _lock(database, given):
            code = run_cron(settings, vector.data["run"]["argv"], edge)
        found = {row.class_name: recorded(row, zone) for row in BackgroundTaskRows(database).read()}
    return Answer(code, "".join(written), found)


@contextmanager
def _opened(
    clock: FixedClock, given: dict[str, Any], entry: str, settings: Settings, config: Sequence[str], *, starts: bool
) -> Iterator[Heartbeat]:
    """Give the real heartbeat, at the recorded time, with the processes that itopd does not have, and inline."""
    process = given.get("process", {})
    backup = {"week_days": _INSTALLED_DAYS} | given.get("module_settings", {}).get("itop-backup", {})
    added = [
        periodic_task(r"Combodo\iTop\SessionTracker\SessionGC", 60, _not_called),
        weekly_task("BackupExec", "itop-backup", backup, _not_called, default_time="23:30"),
        *([periodic_task(process["class_name"], process["period"], _not_called)] if process else []),
    ]
    names = {task.name for task in added}
    with open_heartbeat(settings, config, starts=starts) as opened:
        tasks: list[Task] = [task for task in opened.tasks if task.name not in names]
        assert {task.name for task in tasks} <= SHIPPED
        lanes = {name: replace(lane, executor=InlineExecutor(entry), queue=None) for name, lane in opened.lanes.items()}
        extra = {"behaviour": process["behaviour"]} if process else {}
        yield replace(
            opened,
            clock=clock,
            lanes=lanes,
            tasks=(*tasks, *added),
            log=structlog.wrap_logger(None, processors=[silent]),
            settings={**opened.settings, **extra},
        )


def _not_called(_context: object) -> str:
    raise AssertionError("the entry of this replay does the work")


def _settings(given: dict[str, Any], database: Database, folder: Path) -> Settings:
    url = {
        "sqlite": lambda name: f"sqlite:///{name}", "mariadb": mariadb_url, "postgresql": postgresql_url
    }[golden_engine()](database.name)  # fmt: skip
    values = {"cron_max_execution_time": 1, "cron_sleep": 1, **given.get("settings", {})}
    values |= {"compat": "itop", "timezone": given["clock"]["timezone"], "database_url": url}
    values |= {"state_url": f"sqlite:///{folder}/state.sqlite", "data_folder": folder, "jobs_folder": folder / "jobs"}
    file = folder / "itopd.params"
    file.write_text("".join(f"{key} = {value}\n" for key, value in values.items()))
    return load([str(file)], {}, {}).settings


def _lock(database: Database, given: dict[str, Any]) -> AbstractContextManager[object]:
    held = given.get("lock_held")
    return database.named_lock(held["mutex"]) if held else nullcontext()
