"""Replays the CSV parser: rows exactly, with and without skipped lines."""

from __future__ import annotations

from itopd.tabular import Dialect, read_rows
from tests.golden.harness import Vector, check_equal, replays


@replays("csv", lambda vector: vector.data.get("kind") == "parse")
def replay(vector: Vector) -> None:
    """Parse the text; the header is the first row kept without skipping."""
    run, expect = vector.data["run"], vector.data["expect"]
    dialect = Dialect(run["separator"], run["qualifier"])
    check_equal("rows", [row.cells for row in read_rows([run["text"]], dialect, skip=run["skip"])], expect["rows"])
    header = next(read_rows([run["text"]], dialect), None)
    check_equal("header", None if header is None else header.cells, expect["header"])
