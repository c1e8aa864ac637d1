"""Runs one job in a process of its own and tells what it took."""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one job took."""

    rows: int
    seconds: float
    peak_mb: float
    """Peak resident memory of the job's process, in MiB."""
    statements: int | None = None
    """SQL statements sent; ``None`` where nobody counted."""

    @property
    def rows_per_second(self) -> float:
        """Return the speed."""
        return self.rows / self.seconds if self.seconds else float("inf")


@dataclass
class Counter:
    """Counts the statements that SQLAlchemy sends."""

    statements: int = 0


@contextmanager
def counting() -> Iterator[Counter]:
    """Count the statements sent through any engine in this process."""
    counter = Counter()

    def count(*_arguments: Any) -> None:
        counter.statements += 1

    sa.event.listen(sa.Engine, "before_cursor_execute", count)
    try:
        yield counter
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", count)


def measure(job: Callable[..., int], *arguments: Any) -> Measurement:
    """Run ``job(*arguments)``, which returns the number of rows done, in a fresh process and measure it.

    The job says itself when its clock starts and stops by using :func:`timed`; without that the whole call counts.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(sender, job, arguments))
    process.start()
    sender.close()
    try:
        answer = receiver.recv()
    except EOFError:
        process.join()
        raise RuntimeError(f"{job.__name__} died with exit code {process.exitcode}") from None
    process.join()
    if isinstance(answer, Exception):
        raise answer
    return Measurement(*answer)


def _child(sender: Any, job: Callable[..., int], arguments: tuple[Any, ...]) -> None:
    try:
        with counting() as counter:
            _CLOCK.clear()
            started = time.perf_counter()
            rows = job(*arguments)
            seconds = sum(_CLOCK) if _CLOCK else time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        sender.send((rows, seconds, peak, counter.statements))
    except Exception as error:  # noqa: BLE001 - reported by the parent, which raises it again
        sender.send(RuntimeError(f"{job.__name__}: {type(error).__name__}: {error}"))
    finally:
        sender.close()


_CLOCK: list[float] = []


@contextmanager
def timed() -> Iterator[None]:
    """Time only what stands inside; several such blocks add up."""
    started = time.perf_counter()
    yield
    _CLOCK.append(time.perf_counter() - started)
