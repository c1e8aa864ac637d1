"""Progress of a run: a bar on a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
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


@contextmanager
def terminal_status(title: str) -> Iterator[Callable[[str], None]]:
    """Yield what a run tells its progress in words to; it is shown on standard error, nowhere when nobody watches."""
    if not sys.stderr.isatty():
        yield lambda _text: None
        return
    from rich.console import Console  # noqa: PLC0415 - 60 ms that only a terminal needs
    from rich.text import Text  # noqa: PLC0415

    with Console(stderr=True).status(Text(title)) as shown:
        yield lambda text: shown.update(Text(f"{title}: {text}" if text else title))


def no_progress(done: int, total: int | None, unit: str) -> None:
    """Show nothing: nobody is watching."""
