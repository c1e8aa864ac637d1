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
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.beside import BURNERS, mails_beside_runs
from benchmarks.databases import ENGINES, SQLITE, Place, ServerMissing, new_place, plan_tasks, require_server
from benchmarks.measure import JobFailed
from itopd import heartbeat
from itopd.wiring import open_heartbeat, set_up_log

_ROUNDS = 7
"""Stretches of mails beside CPU-bound runs."""
_SETTLE = 20.0
"""Seconds that a daemon gets to come to rest: all its tasks run once at the start."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure and its target."""

    what: str
    value: float
    unit: str
    target: float
    at_least: bool = False
    details: Sequence[str] = ()

    @property
    def is_met(self) -> bool:
        """Return whether the target is met."""
        return self.value >= self.target if self.at_least else self.value < self.target

    def __str__(self) -> str:
        sign = ">=" if self.at_least else "<"
        verdict = "ok" if self.is_met else "MISSED"
        line = f"{self.what:<58}{self.value:>10.2f} {self.unit:<13} target {sign} {self.target:g}  {verdict}"
        return "\n    ".join((line, *self.details))


def report(engines: Sequence[str], folder: Path, *, seconds: float, mails: int, tries: int) -> Iterator[Figure]:
    """Yield the figures as they are measured."""
    yield Figure("itopd --version", _quickest(tries, "--version"), "s", 0.15)
    for engine in engines:
        with new_place(engine, folder / f"heartbeat-{engine}") as place:
            config = prepare(place)
            yield Figure(f"itopd tick with nothing due, {engine}", _quickest(tries, *config, "tick"), "s", 0.5)
            idle = _idle_daemon(place, seconds)
            yield Figure(f"idle daemon, statements, {engine}", idle["statements"] / idle["seconds"], "per second", 2)
            yield Figure(f"idle daemon, processor time, {engine}", 100 * idle["cpu"] / idle["seconds"], "%", 1)
            beside = mails_beside_runs(place, mails=mails, rounds=_ROUNDS)
            what = f"mails beside {BURNERS} CPU-bound runs, {engine}"
            yield Figure(what, 100 * beside.ratio, "% of alone", 50, at_least=True, details=beside.details())


def prepare(place: Place) -> list[str]:
    """Let itopd take a new place for its own and have nothing due there; return the words that name its settings."""
    file = place.folder / "itopd.params"
    file.write_text(
        f"database_url = {place.url}\nstate_url = sqlite:///{place.folder}/state.db\ndata_folder = {place.folder}\n"
        f"jobs_folder = {place.folder}/jobs\nemail_transport = null\n"
    )
    config = ["--config", str(file)]
    _run([*config, "tick"])
    plan_tasks(place, timedelta(days=1))
    return config


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


def _idle_daemon(place: Place, seconds: float) -> dict[str, float]:
    """Run a daemon that has nothing to do, in a process of its own; return what it tells of itself."""
    plan_tasks(place, timedelta())
    command = [sys.executable, "-m", "benchmarks.heartbeat", f"--idle={place.url}", f"--folder={place.folder}"]
    with subprocess.Popen([*command, f"--seconds={seconds}"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
    if not line:
        raise JobFailed("the daemon ended before its time")
    measured: dict[str, float] = json.loads(line)
    return measured


def _be_idle(place: Place, seconds: float) -> int:
    """Be the daemon that is measured."""
    settings = place.settings.model_copy(update={"email_transport": "null", "jobs_folder": place.folder / "jobs"})
    set_up_log(settings, logging.WARNING)
    with open_heartbeat(settings, [], logging.WARNING, starts=True) as beat:
        threading.Thread(target=_watch, args=(seconds,), daemon=True).start()
        return heartbeat.run(beat)


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
    parser.add_argument("--mails", type=int, default=300, help="mails of each stretch, alone or beside runs (300)")
    parser.add_argument("--tries", type=int, default=5, help="times that a command is started (5)")
    parser.add_argument("--engine", action="append", choices=ENGINES, help="only this engine")
    for hidden in ("idle", "folder"):
        parser.add_argument(f"--{hidden}", help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.idle:
        return _be_idle(Place("", asked.idle, Path(asked.folder)), asked.seconds)
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
