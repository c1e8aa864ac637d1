"""``python -m benchmarks [--rows=N]``: all jobs on every engine, as one table."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import oql, table
from benchmarks.databases import ENGINES, ServerMissing, require_server
from benchmarks.measure import JobFailed
from benchmarks.persons import write_persons
from benchmarks.suite import compare


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and return its exit code: 0, 66 for a missing server in CI, 70 for a job that failed."""
    asked = _parse(arguments)
    engines = []
    for engine in asked.engine or ENGINES:
        try:
            require_server(engine)
        except ServerMissing as error:
            if os.environ.get("CI") == "true":
                print(f"benchmarks: {error.message}", file=sys.stderr)
                return error.exit_code
            print(f"{error.message}\nIts rows are left out.\n")
        else:
            engines.append(engine)
    try:
        _run(engines, asked.rows, asked.mails or max(1, asked.rows // 10), asked.repeat)
    except JobFailed as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 70
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rows", type=_positive, default=10_000, help="persons to import and export (10000)")
    parser.add_argument("--mails", type=_positive, help="mails to deliver (a tenth of the rows)")
    parser.add_argument(
        "--repeat", type=_positive, default=3, help="times that a job is done which changes nothing (3)"
    )
    parser.add_argument("--engine", action="append", choices=ENGINES, help="only this engine")
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _run(engines: Sequence[str], rows: int, mails: int, times: int) -> None:
    print(table.header())
    with tempfile.TemporaryDirectory(prefix="itopd_bench_") as name:
        folder = Path(name)
        persons = folder / "persons.csv"
        write_persons(persons, rows)
        for engine in engines:
            for compared in compare(engine, folder / engine, persons, mails, times):
                print(table.row(compared), flush=True)
        print(f"\n{table.notes(times)}\n\nOQL, in processor time:")
        for line in oql.report(folder, times):
            print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
