"""Tables on a terminal, and plain aligned columns where nobody watches."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click


def print_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under a header; a terminal gets them wrapped to its width, a pipe gets them whole."""
    if sys.stdout.isatty():
        from rich.console import Console  # noqa: PLC0415 - 60 ms that only a terminal needs
        from rich.table import Table  # noqa: PLC0415

        table = Table(box=None, header_style="bold", pad_edge=False)
        for title in header:
            table.add_column(title, overflow="fold")
        for row in rows:
            table.add_row(*[str(cell) for cell in row])
        Console().print(table)
        return
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
