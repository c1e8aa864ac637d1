"""Progress of a run: a bar on a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from itopd.service import Progress


@contextmanager
def terminal_progress(title: str) -> Iterator[Progress]:
    """Yield what a run tells its progress to; the bar is drawn on standard error, so that data can be piped."""
    if not sys.stderr.isatty():
        yield no_progress
        return
    from rich.console import Console  # noqa: PLC0415 - 60 ms that only a terminal needs
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415

    bar = Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task(title, total=None, unit="")
        yield lambda done, total, unit: bar.update(task, completed=done, total=total, unit=unit)


def no_progress(done: int, total: int | None, unit: str) -> None:
    """Show nothing: nobody is watching."""
