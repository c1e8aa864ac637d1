"""Runs one job in a fresh process and tells what it took."""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one job took, between entering and leaving its :class:`Stopwatch`."""

    rows: int
    seconds: float
    idle_mb: float
    """Resident memory when the clock started: everything imported and opened, nothing done."""
    peak_mb: float
    """Highest resident memory since."""
    statements: int
    """SQL statements sent through SQLAlchemy; many rows of values in one count once."""

    @property
    def rows_per_second(self) -> float:
        """Return the speed."""
        return self.rows / self.seconds

    @property
    def statements_per_thousand(self) -> float:
        """Return the statements sent per 1,000 rows."""
        return 1000 * self.statements / self.rows


class Stopwatch:
    """Measures what happens inside its ``with`` block; entered once per job, after everything was opened."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.idle_mb = 0.0
        self.peak_mb = 0.0
        self.statements = 0
        self._started = 0.0

    def __enter__(self) -> Self:
        gc.collect()
        _forget_peak()
        self.idle_mb = _resident_mb()
        sa.event.listen(sa.Engine, "before_cursor_execute", self._count)
        self._started = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seconds = time.perf_counter() - self._started
        sa.event.remove(sa.Engine, "before_cursor_execute", self._count)
        self.peak_mb = _peak_mb()

    def _count(self, *_arguments: Any) -> None:
        self.statements += 1


class JobFailed(Exception):
    """A job could not be done; the text says which and why."""


def measure(job: Callable[..., int], *arguments: Any) -> Measurement:
    """Run ``job(stopwatch, *arguments)``, which returns the number of rows done, in a process of its own.

    Raises :class:`JobFailed`.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(sender, job, arguments))
    process.start()
    sender.close()
    with receiver:
        answer: Measurement | str | None = None
        with contextlib.suppress(EOFError):
            answer = receiver.recv()
    process.join()
    code = process.exitcode
    process.close()
    if isinstance(answer, Measurement):
        return answer
    raise JobFailed(f"{_name(job)}: {answer or f'its process died with exit code {code}'}")


def best(times: int, job: Callable[..., int], *arguments: Any) -> Measurement:
    """Measure a job that can be repeated ``times`` times and return the quickest: the others were disturbed."""
    return min((measure(job, *arguments) for _ in range(times)), key=lambda measurement: measurement.seconds)


def _child(sender: Any, job: Callable[..., int], arguments: tuple[Any, ...]) -> None:
    watch = Stopwatch()
    try:
        rows = job(watch, *arguments)
    except Exception as error:
        sender.send(f"{type(error).__name__}: {error}")
        raise
    else:
        sender.send(Measurement(rows, watch.seconds, watch.idle_mb, watch.peak_mb, watch.statements))
    finally:
        sender.close()


def _name(job: Callable[..., int]) -> str:
    return f"{job.__module__}.{job.__qualname__}"


def _forget_peak() -> None:
    """Let the peak start anew, where the system can."""
    if _CLEAR_REFS.exists():
        _CLEAR_REFS.write_text("5")


def _resident_mb() -> float:
    return _status_mb("VmRSS") if _STATUS.exists() else _lifelong_peak_mb()


def _peak_mb() -> float:
    return _status_mb("VmHWM") if _STATUS.exists() else _lifelong_peak_mb()


def _status_mb(name: str) -> float:
    """Return a size of this process; unlike ``getrusage`` it knows nothing of the process that started this one."""
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) / 1024


def _lifelong_peak_mb() -> float:
    """Return the peak since the start of the process: all that is known where there is no ``/proc``."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024**2 if sys.platform == "darwin" else peak / 1024
