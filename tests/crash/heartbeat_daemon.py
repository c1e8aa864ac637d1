"""A small daemon for crash tests: ``python -m tests.crash.heartbeat_daemon FOLDER STOP_TIMEOUT TASK...``.

Its tasks do what their names say (``tests.heartbeat.support.entry``), once a day. It logs JSON lines to standard
output. The file ``away`` in the folder takes its database away, the file ``broken`` makes its rows unreadable.
``options.json`` may hold ``state_url``, ``database_url`` (the rows are then those of iTop's table), ``lease_seconds``,
and ``broker`` and ``prefix``: then the tasks run at Celery workers, which
``python -m tests.crash.heartbeat_daemon FOLDER STOP_TIMEOUT --worker TASK...`` starts.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import structlog

from itopd.clock import SystemClock
from itopd.database import Database, open_database
from itopd.datamodel import bundled_model
from itopd.heartbeat import Heartbeat, Jobs, JobService, Lane, Periodic, ProcessExecutor, RunQueue, Task, load_jobs, run
from itopd.state import RowChange, StateStore, SubjectKind, TaskRow, TaskRows, open_state
from itopd.state.tasks import OwnTaskRows
from itopd.tasks.background_rows import BackgroundTaskRows
from tests.heartbeat.support import PARIS, not_called


@dataclass(frozen=True)
class Rows:
    """Rows that can be taken away."""

    rows: TaskRows
    folder: Path

    def read(self) -> list[TaskRow]:
        self._check()
        return self.rows.read()

    def insert(self, rows: Sequence[TaskRow]) -> None:
        self.rows.insert(rows)

    def update(self, class_name: str, change: RowChange, *, started: datetime | None = None) -> None:
        self._check()
        self.rows.update(class_name, change, started=started)

    def update_seen(self, seen: TaskRow, change: RowChange) -> None:
        self._check()
        self.rows.update_seen(seen, change)

    def _check(self) -> None:
        if (self.folder / "away").exists():
            raise sa.exc.OperationalError("SELECT 1", {}, OSError("server has gone away"))
        if (self.folder / "broken").exists():
            raise ArithmeticError("a programming error")


def state_of(folder: Path) -> StateStore:
    """Open the state store of a crash test."""
    return open_state(options_of(folder).get("state_url", f"sqlite:///{folder}/state.sqlite"))


def data_of(folder: Path) -> StateStore | Database:
    """Open iTop's database, or the one that stands for it: it holds the rows of the daemon's tasks."""
    url = options_of(folder).get("database_url")
    return open_database(url, bundled_model(), PARIS) if url else open_state(f"sqlite:///{folder}/data.sqlite")


def rows_of(data: StateStore | Database) -> TaskRows:
    """Return where the daemon keeps the rows of its tasks."""
    return BackgroundTaskRows(data) if isinstance(data, Database) else OwnTaskRows(data, SubjectKind.TASK)


def options_of(folder: Path) -> dict[str, Any]:
    """Return what a test wants of its daemons beside the usual."""
    path = folder / "options.json"
    return dict(json.loads(path.read_text())) if path.exists() else {}


def workers_of(options: Mapping[str, Any]) -> tuple[RunQueue | None, Callable[[Heartbeat], int]]:
    """Return the queue of the tasks, if they have one, and what a worker does."""
    if "broker" not in options:
        return None, run
    from itopd.heartbeat.executing.celery_queue import CeleryQueue, celery_app  # noqa: PLC0415 - an extra
    from itopd.heartbeat.executing.celery_worker import serve  # noqa: PLC0415

    app, prefix = celery_app(options["broker"], options["prefix"], ["tasks"], 3600), str(options["prefix"])
    return CeleryQueue(app, prefix), lambda heartbeat: serve(heartbeat, app, prefix, ["tasks"])


def main() -> int:
    """Run the daemon, or a worker."""
    folder, stop_timeout, names = Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]
    options = options_of(folder)
    structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()])
    state, data = state_of(folder), data_of(folder)
    executor = ProcessExecutor("tests.heartbeat.support:entry")
    queue, serve = workers_of(options)
    services = {"export": JobService("tasks", lambda _parameters: None)}

    def jobs() -> Jobs:
        return load_jobs(folder / "jobs", services, PARIS)

    heartbeat = Heartbeat(
        state=state,
        task_rows=Rows(rows_of(data), folder),
        tasks=tuple(Task(name, Periodic(86400), not_called) for name in names if not name.startswith("--")),
        load_jobs=jobs,
        lanes={"tasks": Lane("tasks", executor, limit=8, queue=queue)},
        clock=SystemClock(),
        zone=PARIS,
        log=structlog.get_logger(),
        settings={"folder": str(folder)},
        stop_timeout=stop_timeout,
        lease_seconds=options.get("lease_seconds", 60),
        poll_seconds=0.2,
    )
    try:
        return serve(heartbeat) if "--worker" in names else run(heartbeat)
    finally:
        state.close()
        data.close()


if __name__ == "__main__":
    sys.exit(main())
