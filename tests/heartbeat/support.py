"""A heartbeat for tests: real state store, rows in memory, entries that do what their name says."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from itopd.clock import Clock, FixedClock
from itopd.errors import SettingsError
from itopd.heartbeat import Control, Heartbeat, InlineExecutor, Jobs, Lane, RunOutcome, RunQueue, RunSpec, Task
from itopd.heartbeat.executing.executor import Executor
from itopd.state import RowChange, StateStore, TaskRow, TaskRows

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2027, 2, 10, 9, 0, 0, tzinfo=UTC)
"""10:00:00 in Paris."""
_IMPORTED_BY = os.getpid()


@dataclass
class MemoryRows:
    """Rows of tasks in memory."""

    rows: list[TaskRow] = field(default_factory=list)
    changes: list[tuple[str, RowChange]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self) -> list[TaskRow]:
        return list(self.rows)

    def insert(self, rows: Sequence[TaskRow]) -> None:
        self.rows += rows

    def update(self, class_name: str, change: RowChange, *, started: datetime | None = None) -> None:
        with self.lock:
            self.changes.append((class_name, change))
            self.rows = [
                replace(row, **change)
                if row.class_name == class_name and started in (None, row.latest_run_date)
                else row
                for row in self.rows
            ]

    def update_seen(self, seen: TaskRow, change: RowChange) -> None:
        dates = (seen.class_name, seen.next_run_date, seen.latest_run_date)
        with self.lock:
            self.changes.append((seen.class_name, change))
            self.rows = [
                replace(row, **change) if (row.class_name, row.next_run_date, row.latest_run_date) == dates else row
                for row in self.rows
            ]

    def one(self, class_name: str) -> TaskRow:
        return next(row for row in self.rows if row.class_name == class_name)


def heartbeat_of(
    state: StateStore,
    *tasks: Task,
    rows: TaskRows | None = None,
    load_jobs: Callable[[], Jobs] = Jobs,
    executor: Executor | None = None,
    clock: Clock | None = None,
    settings: Mapping[str, str] | None = None,
    limit: int = 4,
    hard_seconds: float = 0.3,
    queue: RunQueue | None = None,
    **options: Any,
) -> Heartbeat:
    """Return a heartbeat whose lanes all use one executor (inline unless given)."""
    runs_in = executor or InlineExecutor(f"{__name__}:entry")
    lanes = {
        name: Lane(
            name,
            runs_in,
            limit=limit,
            soft_seconds=options.pop("soft_seconds", 60),
            hard_seconds=hard_seconds,
            queue=queue,
        )
        for name in ("mail", "tasks", "transfer")
    }
    return Heartbeat(
        state=state,
        task_rows=rows or MemoryRows(),
        tasks=tasks,
        load_jobs=load_jobs,
        lanes=lanes,
        clock=clock or FixedClock(NOW),
        zone=PARIS,
        log=structlog.get_logger(),
        settings=settings or {},
        system_user="itopd",
        **options,
    )


def not_called(_context: object) -> str:
    """Stand for the work of a task, which these tests do in ``entry``."""
    raise AssertionError("the entry of these tests does the work")


def entry(spec: RunSpec, control: Control) -> RunOutcome:
    """Do what the name of the task says, in a child or inline."""
    word = spec.name.split("-")[0]
    return _BEHAVIOURS[word](spec, control)


def signalled(spec: RunSpec, name: str) -> Path:
    """Return the path of a named pipe that a test made for a run."""
    return Path(spec.settings["folder"]) / f"{name}-{spec.name}"


def _tell_importer(_spec: RunSpec, _control: Control) -> RunOutcome:
    """Say whether this module was there when the process began."""
    return RunOutcome(succeeded=True, exit_code=0, message=str(os.getppid() == _IMPORTED_BY))


def _succeed(spec: RunSpec, _control: Control) -> RunOutcome:
    return RunOutcome(succeeded=True, exit_code=0, message=f"did {spec.name}", counters={"rows": 3})


def _wrong(_spec: RunSpec, _control: Control) -> RunOutcome:
    raise SettingsError("the setting is wrong")


def _bug(_spec: RunSpec, _control: Control) -> RunOutcome:
    raise ZeroDivisionError("boom <x>")


def _die(_spec: RunSpec, _control: Control) -> RunOutcome:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


def _vanish(_spec: RunSpec, _control: Control) -> RunOutcome:
    os._exit(3)


def _wait(spec: RunSpec, _control: Control) -> RunOutcome:
    """Say that it started, then wait for leave to go on."""
    signalled(spec, "started").write_text(f"{os.getpid()}\n")
    told = signalled(spec, "go").read_text()
    return RunOutcome(succeeded=True, exit_code=0, message=f"told {told.strip()}")


def _obey(spec: RunSpec, control: Control) -> RunOutcome:
    """Say that it started, then work in chunks until asked to stop."""
    signalled(spec, "started").write_text(f"{os.getpid()}\n")
    chunks = 0
    while not control.should_stop():
        chunks += 1
        control.progress(chunks, None, "chunks")
        signal.sigtimedwait([], 0.005)
    return RunOutcome(succeeded=False, exit_code=75, message="stopped between two chunks", unfinished=True)


def _stubborn(spec: RunSpec, _control: Control) -> RunOutcome:
    """Say that it started, then never look at anything again."""
    signalled(spec, "started").write_text(f"{os.getpid()}\n")
    while True:
        signal.pause()


def _say(spec: RunSpec, control: Control) -> RunOutcome:
    """Log two lines, then be killed."""
    control.log(spec.run_id, "first")
    control.log(spec.run_id, "second\nwith its trace")
    return _die(spec, control)


def _nap(spec: RunSpec, _control: Control) -> RunOutcome:
    """Say that it started and stop like a process that nobody lets run; the second attempt works at once."""
    if spec.attempt == 1:
        signalled(spec, "started").write_text(f"{os.getpid()}\n")
        os.kill(os.getpid(), signal.SIGSTOP)
    return RunOutcome(succeeded=True, exit_code=0, message=f"attempt {spec.attempt}")


def _hang(_spec: RunSpec, _control: Control) -> RunOutcome:
    """Be lost in C code that neither lets other threads run nor looks at signals."""
    sum(range(10**18))
    raise AssertionError("came to an end")


_BEHAVIOURS: Mapping[str, Callable[[RunSpec, Control], RunOutcome]] = {
    "Imported": _tell_importer,
    "Succeed": _succeed,
    "Wrong": _wrong,
    "Bug": _bug,
    "Die": _die,
    "Vanish": _vanish,
    "Wait": _wait,
    "Obey": _obey,
    "Stubborn": _stubborn,
    "Hang": _hang,
    "Say": _say,
    "Nap": _nap,
}
