"""``python -m benchmarks.copies [--rows=N]``: ``itopd db copy`` of a long history between all pairs of engines."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import product
from pathlib import Path

import sqlalchemy as sa

from benchmarks.databases import ENGINES, Place, ServerMissing, new_place, opened, require_server
from benchmarks.measure import Stopwatch, measure
from itopd.database import Database, insert_rows
from itopd.database.copying import CopyRequest, copy_database

_AT_ONCE = 10_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print a line per pair of engines; servers that are missing are left out, and that is said."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.copies", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="changed values in the history (100000)")
    rows = parser.parse_args(arguments).rows
    engines = [engine for engine in ENGINES if _is_there(engine)]
    print(f"{'from':10}  {'to':10}  {'rows':>10}  {'s':>7}  {'rows/s':>8}  {'peak MB':>8}  {'over idle MB':>12}")
    with tempfile.TemporaryDirectory(prefix="itopd_bench_") as name, ExitStack() as stack:
        folder = Path(name)
        sources = {engine: stack.enter_context(new_place(engine, folder / f"from-{engine}")) for engine in engines}
        for place in sources.values():
            with opened(place) as database:
                fill_history(database, rows)
        for number, (one, other) in enumerate(product(engines, engines)):
            with new_place(other, folder / f"to-{number}") as target:
                done = measure(copy, sources[one], target)
            print(
                f"{one:10}  {other:10}  {done.rows:>10,}  {done.seconds:>7.1f}  {done.rows_per_second:>8,.0f}  "
                f"{done.peak_mb:>8.0f}  {done.peak_mb - done.idle_mb:>12.0f}",
                flush=True,
            )
    return 0


def copy(watch: Stopwatch, source: Place, target: Place) -> int:
    """Copy everything into the database of the target, which is emptied before the clock starts."""
    with opened(source) as reading, opened(target) as writing:
        with writing.write() as connection:
            for name in sa.inspect(connection).get_table_names():
                connection.exec_driver_sql(f"DROP TABLE {connection.dialect.identifier_preparer.quote(name)}")
        with watch:
            return copy_database(reading, writing, CopyRequest()).total


def fill_history(database: Database, count: int) -> None:
    """Put changed values into the history, three rows of tables each, as iTop stores them."""
    for first in range(0, count, _AT_ONCE):
        with database.write() as connection:
            ids = database.allocate_ids(connection, "CMDBChangeOp", min(_AT_ONCE, count - first))
            for class_name, columns, rows in _history(ids):
                insert_rows(connection, database.table(class_name), columns, rows)


def _history(ids: Sequence[int]) -> Iterator[tuple[str, tuple[str, ...], list[tuple[int | str, ...]]]]:
    yield (
        "CMDBChangeOp",
        ("id", "changeid", "objclass", "objkey", "optype"),
        [(one, 1, "Person", one % 5000 + 1, "CMDBChangeOpSetAttributeScalar") for one in ids],
    )
    yield (
        "CMDBChangeOpSetAttribute",
        ("id", "attcode", "optype"),
        [(one, "phone", "CMDBChangeOpSetAttributeScalar") for one in ids],
    )
    yield (
        "CMDBChangeOpSetAttributeScalar",
        ("id", "oldvalue", "newvalue"),
        [(one, f"+33 1 {one:08}", f"+33 2 {one:08}") for one in ids],
    )


def _is_there(engine: str) -> bool:
    try:
        require_server(engine)
    except ServerMissing as error:
        print(f"{error.message}\nIts rows are left out.\n")
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
