"""A small daemon for crash tests: ``python -m tests.crash.heartbeat_daemon FOLDER STOP_TIMEOUT TASK...``.

Its tasks do what their names say (``tests.heartbeat.support.entry``), once a day. It logs JSON lines to standard
output. The file ``away`` in the folder takes its database away, the file ``broken`` makes its rows unreadable.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
import structlog

from itopd.clock import SystemClock
from itopd.heartbeat import Heartbeat, Jobs, JobService, Lane, Periodic, ProcessExecutor, Task, load_jobs, run
from itopd.state import RowChange, StateStore, SubjectKind, TaskRow, open_state
from itopd.state.tasks import OwnTaskRows
from tests.heartbeat.support import PARIS, not_called


@dataclass(frozen=True)
class Rows:
    """Rows that can be taken away."""

    rows: OwnTaskRows
    folder: Path

    def read(self) -> list[TaskRow]:
        self._check()
        return self.rows.read()

    def insert(self, rows: Sequence[TaskRow]) -> None:
        self.rows.insert(rows)

    def update(self, class_name: str, change: RowChange, *, started: datetime | None = None) -> None:
        self._check()
        self.rows.update(class_name, change, started=started)

    def _check(self) -> None:
        if (self.folder / "away").exists():
            raise sa.exc.OperationalError("SELECT 1", {}, OSError("server has gone away"))
        if (self.folder / "broken").exists():
            raise ArithmeticError("a programming error")


def state_of(folder: Path) -> StateStore:
    """Open the state store of a crash test."""
    return open_state(f"sqlite:///{folder}/state.sqlite")


def data_of(folder: Path) -> StateStore:
    """Open the database that stands for iTop's: it holds the rows of the daemon's tasks."""
    return open_state(f"sqlite:///{folder}/data.sqlite")


def rows_of(data: StateStore) -> OwnTaskRows:
    """Return where the daemon keeps the rows of its tasks."""
    return OwnTaskRows(data, SubjectKind.TASK)


def main() -> int:
    """Run the daemon."""
    folder, stop_timeout, names = Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]
    structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()])
    state, data = state_of(folder), data_of(folder)
    executor = ProcessExecutor("tests.heartbeat.support:entry")
    services = {"export": JobService("tasks", lambda _parameters: None)}

    def jobs() -> Jobs:
        return load_jobs(folder / "jobs", services)

    heartbeat = Heartbeat(
        state=state,
        task_rows=Rows(rows_of(data), folder),
        tasks=tuple(Task(name, Periodic(86400), not_called) for name in names),
        load_jobs=jobs,
        lanes={"tasks": Lane("tasks", executor, limit=8)},
        clock=SystemClock(),
        zone=PARIS,
        log=structlog.get_logger(),
        settings={"folder": str(folder)},
        stop_timeout=stop_timeout,
        poll_seconds=0.2,
    )
    try:
        return run(heartbeat)
    finally:
        state.close()
        data.close()


if __name__ == "__main__":
    sys.exit(main())
