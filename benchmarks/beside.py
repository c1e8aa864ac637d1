"""What mails lose beside heavy runs: one queue, sent by turns alone and beside CPU-bound runs.

Both are measured within one run of one daemon, a second or so of each in turn, and each stretch beside is compared with
the two alone around it: what else happens on the machine meanwhile hits all of them. The same is done with the
stretches alone, which should all be equal: how far they are apart is the noise of the measurement.
"""

from __future__ import annotations

import contextlib
import logging
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

from benchmarks.databases import Place, plan_tasks
from benchmarks.mails import queue_mails
from benchmarks.measure import JobFailed
from benchmarks.sinks import Sink, running_sink
from itopd import heartbeat
from itopd.heartbeat import Control, Periodic, ProcessExecutor, RunOutcome, RunSpec, Task
from itopd.tasks.names import EXEC_ASYNC_TASK
from itopd.wiring import open_heartbeat, set_up_log
from itopd.wiring.heartbeat import perform_run
from itopd.wiring.lanes import lanes_of

BURNERS = 2
_LANE = "transfer"
"""Where imports and exports run."""
_BURN = "burn"
"""A file in the place's folder: while it is there, the heavy runs are heavy."""
_RUNNING = "running-"
"""Files in the place's folder, ``running-NAME.PID``: the runs under way."""
_SETTLE = 30
"""Mails sent between two stretches, which count for neither."""
_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some mails sent under the same conditions."""

    per_second: float
    working: float
    """The share of the time that the sender had a processor, 0 to 1."""
    waiting: float
    """The share of the time that it wanted one; for the rest it waited for the servers."""
    burned: float
    """Processors that the heavy runs had together."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What was measured, in the order of time: ``alone`` has one stretch more, the last."""

    alone: Sequence[Stretch]
    beside: Sequence[Stretch]

    @property
    def ratios(self) -> list[float]:
        """Return each stretch beside as a part of the mean of those alone before and after it."""
        speeds = [stretch.per_second for stretch in self.alone]
        around = [(before + after) / 2 for before, after in pairwise(speeds)]
        return [stretch.per_second / mean for stretch, mean in zip(self.beside, around, strict=True)]

    @property
    def ratio(self) -> float:
        """Return what mails keep of their speed: the median."""
        return statistics.median(self.ratios)

    @property
    def noise(self) -> list[float]:
        """Return each stretch alone as a part of the mean of those alone around it: 1, were there no noise."""
        speeds = [stretch.per_second for stretch in self.alone]
        return [
            one / ((before + after) / 2) for before, one, after in zip(speeds, speeds[1:], speeds[2:], strict=False)
        ]

    def details(self) -> list[str]:
        """Return what stands behind the ratio, in lines."""
        return [
            f"{len(self.beside)} times: {_range(self.ratios)}; noise (alone beside alone): {_range(self.noise)}",
            f"alone:  {_means(self.alone)}",
            f"beside: {_means(self.beside)}",
        ]


def mails_beside_runs(place: Place, *, mails: int, rounds: int) -> Beside:
    """Send ``mails`` per stretch: ``rounds`` stretches beside heavy runs (two or more), one stretch more alone.

    The heavy runs are in the lane of imports and exports. Raises :class:`JobFailed` when nothing is sent for a while.
    """
    ends = range(mails, (2 * rounds + 1) * mails + 1, mails)
    queue_mails(place, ends[-1])
    plan_tasks(place, timedelta())
    burn = place.folder / _BURN
    burn.unlink(missing_ok=True)
    with running_sink() as sink, _daemon(place, sink.port):
        _wait_until(lambda: len(_running(place)) == BURNERS + 1, "the runs")
        measured: list[Stretch] = []
        for number, end in enumerate(ends):
            if number % 2:
                burn.touch()
            else:
                burn.unlink(missing_ok=True)
            _wait_for(sink, sink.taken() + _SETTLE)
            measured.append(_stretch(place, sink, end))
    return Beside(measured[::2], measured[1::2])


def _stretch(place: Place, sink: Sink, end: int) -> Stretch:
    running = _running(place)
    before = {name: _processor_seconds(pid) for name, pid in running.items()}
    began, first = time.monotonic(), sink.taken()
    _wait_for(sink, end)
    seconds, sent = time.monotonic() - began, sink.taken() - first
    spent = {
        name: tuple(now - then for now, then in zip(_processor_seconds(pid), before[name], strict=True))
        for name, pid in running.items()
    }
    working, waiting = spent.pop(EXEC_ASYNC_TASK)
    burned = sum(burner[0] for burner in spent.values())
    return Stretch(sent / seconds, working / seconds, waiting / seconds, burned / seconds)


def _running(place: Place) -> dict[str, int]:
    """Return the numbers of the processes of the runs under way, by name."""
    names = [path.name.removeprefix(_RUNNING) for path in place.folder.glob(f"{_RUNNING}*")]
    return {name.rpartition(".")[0]: int(name.rpartition(".")[2]) for name in names}


def _processor_seconds(pid: int) -> tuple[float, float]:
    """Return how long a process worked, and how long it wanted to and had no processor; zeros where that is unknown."""
    with contextlib.suppress(FileNotFoundError):
        worked, waited, _times = Path(f"/proc/{pid}/schedstat").read_text().split()
        return int(worked) / 1e9, int(waited) / 1e9
    return 0.0, 0.0


def _wait_for(sink: Sink, mails: int) -> None:
    _wait_until(lambda: sink.taken() >= mails, f"{mails} mails")


def _wait_until(condition: Callable[[], bool], what: str) -> None:
    give_up = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > give_up:
            raise JobFailed(f"waited {_PATIENCE:.0f} seconds for {what} in vain")
        time.sleep(0.005)


def _range(values: Sequence[float]) -> str:
    return f"{100 * min(values):.0f} to {100 * max(values):.0f} %"


def _means(stretches: Sequence[Stretch]) -> str:
    speed, working, waiting, burned = (
        statistics.fmean(getattr(stretch, name) for stretch in stretches)
        for name in ("per_second", "working", "waiting", "burned")
    )
    return (
        f"{speed:,.0f} mails/s; the sender worked {working:.0%} of the time, waited {waiting:.0%} for a processor, "
        f"the rest for others; heavy runs had {burned:.2f} processors"
    )


@contextmanager
def _daemon(place: Place, port: int) -> Iterator[None]:
    command = [sys.executable, "-m", "benchmarks.beside", place.url, str(place.folder), str(port)]
    with subprocess.Popen(command) as process:
        try:
            yield
        finally:
            process.terminate()
            process.wait(_PATIENCE)


def perform(spec: RunSpec, control: Control) -> RunOutcome:
    """Do one run: burn, or what itopd does."""
    folder = Path(spec.settings["settings"].data_folder)
    mark = folder / f"{_RUNNING}{spec.name}.{os.getpid()}"
    mark.touch()
    try:
        return _burn(folder / _BURN, control) if spec.name.startswith("Burn") else perform_run(spec, control)
    finally:
        mark.unlink()


def _burn(asked: Path, control: Control) -> RunOutcome:
    number = 0
    while not control.should_stop():
        if asked.exists():
            for _ in range(100_000):
                number = number * 1103515245 + 12345 & 0x7FFFFFFF
        else:
            time.sleep(0.01)
    return RunOutcome(succeeded=True, exit_code=0, message=str(number))


def _not_called(_context: object) -> str:
    raise JobFailed("the entry of this benchmark does the work")


def main(url: str, folder: str, port: str) -> int:
    """Be the daemon that is measured: mails, and the heavy runs."""
    place = Place("", url, Path(folder))
    smtp = {"email_transport": "SMTP", "email_transport_smtp_host": "127.0.0.1", "email_transport_smtp_port": int(port)}
    settings = place.settings.model_copy(update={**smtp, "jobs_folder": place.folder / "jobs"})
    set_up_log(settings, logging.WARNING)
    with open_heartbeat(settings, [], logging.WARNING, starts=True) as own:
        mails = tuple(task for task in own.tasks if task.name == EXEC_ASYNC_TASK)
        burning = tuple(
            Task(f"Burn{number}", Periodic(86400), _not_called, lane=_LANE, own=True) for number in range(BURNERS)
        )
        lanes = lanes_of(settings, ProcessExecutor(f"{__name__}:perform", preload=("itopd.wiring.warm",)), None)
        return heartbeat.run(replace(own, tasks=(*mails, *burning), lanes=lanes, stop_timeout=10))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
