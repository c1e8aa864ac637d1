"""The printed table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.suite import Comparison

HEADER = ("job", "engine", "rows", "itopd s", "raw s", "ratio", "rows/s", "stmts/1000", "peak MB", "over idle MB")
WIDTHS = (16, 10, 9, 8, 8, 6, 9, 10, 8, 12)

ITOP = {
    "import create": "iTop 3.2: 88 rows/s",
    "import unchanged": "iTop 3.2: 462 rows/s",
    "export csv": "iTop 3.2: 1,025 rows/s (export-v2)",
    "mail delivery": "iTop 3.2: 20 mails/s",
    "write create": "iTop 3.2: 43 objects/s (objects.md §11)",
}
"""What iTop does on a machine like the reference's, for remarks."""


def header() -> str:
    """Return the two lines above the rows."""
    return f"{_line([*HEADER, 'remark'])}\n{_line(['-' * width for width in WIDTHS] + ['------'])}"


def row(compared: Comparison) -> str:
    """Return the line of one comparison."""
    mine = compared.itopd
    cells = [
        compared.job,
        compared.engine,
        f"{mine.rows:,}",
        f"{mine.seconds:.2f}",
        f"{compared.raw.seconds:.2f}",
        f"{compared.ratio:.2f}",
        f"{mine.rows_per_second:,.0f}",
        f"{mine.statements_per_thousand:,.1f}",
        f"{mine.peak_mb:.0f}",
        f"{mine.peak_mb - mine.idle_mb:.0f}",
        ITOP.get(compared.job, ""),
    ]
    return _line(cells)


def _line(cells: Sequence[str]) -> str:
    return "  ".join(_aligned(cells)).rstrip()


def _aligned(cells: Sequence[str]) -> Iterable[str]:
    for number, (cell, width) in enumerate(zip(cells, (*WIDTHS, 0), strict=True)):
        yield cell.rjust(width) if 2 <= number < len(WIDTHS) else cell.ljust(width)


def notes(times: int) -> str:
    """Return what is to be known of the columns."""
    return (
        "raw = a straight script with the raw driver doing the same job in the same run; ratio = itopd s / raw s.\n"
        f"Jobs that change nothing are done {times} times by both, the quickest counts.\n"
        "stmts/1000 = SQL statements of itopd per 1,000 rows, many rows of values in one counting once.\n"
        "peak, over idle = resident memory of itopd's process at its highest, and how much of that is more than\n"
        "it had with everything opened, before the job began."
    )
