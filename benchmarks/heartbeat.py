"""What the heartbeat costs when there is nothing to do, and what mails lose beside heavy runs.

``python -m benchmarks.heartbeat`` prints each figure beside its target, as ``make bench`` does beside the rest. Times
are of whole processes as a user starts them; of several tries the quickest counts, since the others were disturbed.
Statements are those sent through SQLAlchemy by the daemon, BEGIN included; processor time is that of the daemon and
all its children.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.databases import ENGINES, SQLITE, Place, ServerMissing, new_place, opened, require_server
from benchmarks.mails import queue_mails
from benchmarks.measure import JobFailed
from benchmarks.sinks import Sink, running_sink
from itopd import heartbeat
from itopd.heartbeat import Control, Periodic, ProcessExecutor, RunOutcome, RunSpec, Task
from itopd.heartbeat.executing.child import give_way
from itopd.tasks.background_rows import BackgroundTaskRows
from itopd.wiring import open_heartbeat, set_up_log
from itopd.wiring.heartbeat import perform_run
from itopd.wiring.lanes import lanes_of

BURNERS = 2
_SETTLE = 20.0
"""Seconds that a daemon gets to come to rest: all its tasks run once at the start."""
_PATIENCE = 300.0


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure and its target."""

    what: str
    value: float
    unit: str
    target: float
    at_least: bool = False

    @property
    def is_met(self) -> bool:
        """Return whether the target is met."""
        return self.value >= self.target if self.at_least else self.value < self.target

    def __str__(self) -> str:
        sign = ">=" if self.at_least else "<"
        verdict = "ok" if self.is_met else "MISSED"
        return f"{self.what:<58}{self.value:>10.2f} {self.unit:<13} target {sign} {self.target:g}  {verdict}"


def report(engines: Sequence[str], folder: Path, *, seconds: float, mails: int, tries: int) -> Iterator[Figure]:
    """Yield the figures as they are measured."""
    yield Figure("itopd --version", _quickest(tries, "--version"), "s", 0.15)
    for engine in engines:
        with new_place(engine, folder / f"heartbeat-{engine}") as place:
            config = _configure(place)
            _run([*config, "tick"])
            _plan_for_tomorrow(place)
            yield Figure(f"itopd tick with nothing due, {engine}", _quickest(tries, *config, "tick"), "s", 0.5)
            idle = _daemon(place, "idle", seconds=seconds)
            yield Figure(f"idle daemon, statements, {engine}", idle["statements"] / idle["seconds"], "per second", 2)
            yield Figure(f"idle daemon, processor time, {engine}", 100 * idle["cpu"] / idle["seconds"], "%", 1)
            alone = _mails_per_second(place, mails, burners=0)
            beside = _mails_per_second(place, mails, burners=BURNERS)
            what = f"mails beside {BURNERS} CPU-bound runs, {engine} ({beside:,.0f} of {alone:,.0f}/s)"
            yield Figure(what, 100 * beside / alone, "% of alone", 50, at_least=True)


def _configure(place: Place) -> list[str]:
    file = place.folder / "itopd.params"
    file.write_text(
        f"database_url = {place.url}\nstate_url = sqlite:///{place.folder}/state.db\ndata_folder = {place.folder}\n"
        f"jobs_folder = {place.folder}/jobs\nemail_transport = null\n"
    )
    return ["--config", str(file)]


def _run(arguments: Sequence[str]) -> float:
    """Run one command; its modules are compiled to byte code, as those of any installed package."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-m", "itopd", *arguments]
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise JobFailed(f"itopd {' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
    return seconds


def _quickest(tries: int, *arguments: str) -> float:
    return min(_run(arguments) for _ in range(tries))


def _plan_for_tomorrow(place: Place) -> None:
    with opened(place) as database:
        rows = BackgroundTaskRows(database)
        for row in rows.read():
            rows.update(row.class_name, {"next_run_date": datetime.now(UTC) + timedelta(days=1)})


def _plan_for_now(place: Place) -> None:
    with opened(place) as database:
        rows = BackgroundTaskRows(database)
        for row in rows.read():
            rows.update(row.class_name, {"next_run_date": datetime.now(UTC).replace(microsecond=0)})


def _mails_per_second(place: Place, mails: int, *, burners: int) -> float:
    queue_mails(place, mails)
    _plan_for_now(place)
    with running_sink() as sink, _running(place, "mail", burners=burners, port=sink.port):
        first = _time_of(sink, 1)
        return (mails - 1) / (_time_of(sink, mails) - first)


def _time_of(sink: Sink, mails: int) -> float:
    give_up = time.monotonic() + _PATIENCE
    while sink.taken() < mails:
        if time.monotonic() > give_up:
            raise JobFailed(f"only {sink.taken()} of {mails} mails were sent within {_PATIENCE:.0f} seconds")
        time.sleep(0.01)
    return time.monotonic()


@contextmanager
def _running(place: Place, act: str, **options: object) -> Iterator[subprocess.Popen[str]]:
    """Run :func:`main` of this module in a process of its own, and stop it."""
    words = [f"--{name}={value}" for name, value in options.items()]
    command = [sys.executable, "-m", "benchmarks.heartbeat", f"--act={act}", f"--place={place.url}", *words]
    with subprocess.Popen([*command, f"--folder={place.folder}"], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(_PATIENCE)


def _daemon(place: Place, act: str, **options: object) -> dict[str, float]:
    _plan_for_now(place)
    with _running(place, act, **options) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
    if not line:
        raise JobFailed("the daemon ended before its time")
    measured: dict[str, float] = json.loads(line)
    return measured


def perform(spec: RunSpec, control: Control) -> RunOutcome:
    """Do one run: burn, or what itopd does."""
    if not spec.name.startswith("Burn"):
        return perform_run(spec, control)
    give_way()  # as the process of a job does: what is heavy are imports and exports
    number = 0
    while not control.should_stop():
        for _ in range(100_000):
            number = number * 1103515245 + 12345 & 0x7FFFFFFF
    return RunOutcome(succeeded=True, exit_code=0, message=str(number))


def _act(asked: argparse.Namespace) -> int:
    """Be the daemon that is measured."""
    place = Place(asked.act, asked.place, Path(asked.folder))
    transport = {"email_transport": "SMTP" if asked.act == "mail" else "null", "email_transport_smtp_port": asked.port}
    transport["email_transport_smtp_host"] = "127.0.0.1"
    settings = place.settings.model_copy(update={**transport, "jobs_folder": place.folder / "jobs"})
    set_up_log(settings, logging.WARNING)
    with open_heartbeat(settings, [], logging.WARNING, starts=True) as own:
        burning = tuple(
            Task(f"Burn{number}", Periodic(86400), _not_called, own=True) for number in range(asked.burners)
        )
        lanes = lanes_of(settings, ProcessExecutor(f"{__name__}:perform", preload=("itopd.wiring.warm",)), None)
        beat = replace(own, tasks=(*own.tasks, *burning), lanes=lanes, stop_timeout=10)
        if asked.act == "idle":
            threading.Thread(target=_watch, args=(asked.seconds,), daemon=True).start()
        return heartbeat.run(beat)


def _not_called(_context: object) -> str:
    raise JobFailed("the entry of this benchmark does the work")


def _watch(seconds: float) -> None:
    """Measure this process and its children for a while, once they have settled; then stop it."""
    counted = [0]

    def count(*_arguments: Any) -> None:
        counted[0] += 1

    time.sleep(min(_SETTLE, seconds))
    sa.event.listen(sa.Engine, "before_cursor_execute", count)
    began, before = time.monotonic(), os.times()
    time.sleep(seconds)
    after, elapsed = os.times(), time.monotonic() - began
    cpu = sum(after[:4]) - sum(before[:4])
    print(json.dumps({"statements": counted[0], "cpu": cpu, "seconds": elapsed}), flush=True)
    os.kill(os.getpid(), signal.SIGTERM)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.heartbeat", description=__doc__)
    parser.add_argument("--seconds", type=float, default=65.0, help="how long to watch an idle daemon (65)")
    parser.add_argument("--mails", type=int, default=2000, help="mails to send beside other runs (2000)")
    parser.add_argument("--tries", type=int, default=5, help="times that a command is started (5)")
    parser.add_argument("--engine", action="append", choices=ENGINES, help="only this engine")
    for hidden in ("act", "place", "folder"):
        parser.add_argument(f"--{hidden}", help=argparse.SUPPRESS)
    for hidden in ("burners", "port"):
        parser.add_argument(f"--{hidden}", type=int, default=0, help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.act:
        return _act(asked)
    engines = [engine for engine in asked.engine or ENGINES if _is_there(engine)]
    with tempfile.TemporaryDirectory(prefix="itopd_bench_") as name:
        missed = 0
        for figure in report(engines, Path(name), seconds=asked.seconds, mails=asked.mails, tries=asked.tries):
            print(figure, flush=True)
            missed += not figure.is_met
    return 1 if missed else 0


def _is_there(engine: str) -> bool:
    if engine == SQLITE:
        return True
    try:
        require_server(engine)
    except ServerMissing as error:
        print(f"{error.message}\nIts figures are left out.\n")
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
