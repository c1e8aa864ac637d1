"""Tables on a terminal, and plain aligned columns where nobody watches."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

_CONTROLS = dict.fromkeys((*range(32), *range(127, 160)), " ")
"""Line feeds would break a table, escapes could do anything to a terminal."""


def print_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under a header; a terminal gets them wrapped to its width, a pipe gets them whole.

    Control characters in cells, line feeds too, are shown as blanks.
    """
    cells = [[str(cell).translate(_CONTROLS) for cell in row] for row in (header, *rows)]
    if sys.stdout.isatty():
        _print_wrapped(cells)
        return
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _print_wrapped(cells: Sequence[Sequence[str]]) -> None:
    from rich.console import Console  # noqa: PLC0415 - 60 ms that only a terminal needs
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in cells[0]:
        table.add_column(Text(title), overflow="fold")
    for row in cells[1:]:
        table.add_row(*map(Text, row))  # as Text: brackets in data are no markup
    Console().print(table)
