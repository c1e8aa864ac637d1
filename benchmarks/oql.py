"""What a query costs before the database sees it: text -> tree -> checked tree -> statement -> SQL.

``python -m benchmarks.oql`` prints it alone, as ``make bench`` does beside the rest.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import Select

from itopd.database import Database, open_database
from itopd.datamodel import bundled_model
from itopd.oql import ColumnPath, ObjectReference, ResolvedQuery, account_arguments, compile_query, parse, resolve

_TWO_JOINS = (
    "SELECT UserRequest AS u JOIN Person AS p ON u.caller_id = p.id JOIN Location AS l ON p.location_id = l.id "
    "WHERE u.status IN ('new', 'assigned') AND u.org_id = :this->org_id AND l.country = 'France'"
)
TYPICAL = (
    "SELECT Person WHERE name LIKE :x",
    "SELECT Person WHERE org_name = 'Demo'",
    "SELECT UserRequest WHERE status NOT IN ('closed', 'resolved') AND agent_id = :current_contact_id",
    "SELECT Person AS p JOIN Organization AS o ON p.org_id = o.id WHERE o.name = 'Demo' AND p.location_name LIKE 'G%'",
    _TWO_JOINS,
    "SELECT Server WHERE org_id IN (SELECT Organization AS o JOIN Organization AS r ON o.parent_id BELOW r.id)",
)
LIST = 20_000
_TEXTS = 33
"""New texts of each query, for each time that it is asked to repeat."""
_ARGUMENTS = {**account_arguments(1, 1), "x": "M%", "this": ObjectReference("Person", 1)}
Result = TypeVar("Result")
_LINE = "{:>8}  {:>8}  {:>8}  {:>7}  {:>7}  {:>7}  {}"
_STARTED = "import time; t = time.process_time(); import {}; {}; print(time.process_time() - t)"


def report(folder: Path, times: int) -> Iterator[str]:
    """Yield the lines of the table: milliseconds of processor time, the median of many runs."""
    yield "milliseconds; new: a text never seen, whose SQL is known; seen: the same again; SQL: when that is new, too"
    yield _LINE.format("parse", "check", "compile", "new", "seen", "SQL", "query")
    database = open_database(f"sqlite:///{folder / 'oql.db'}", bundled_model(), ZoneInfo("UTC"))
    try:
        for query in TYPICAL:
            yield _row(database, query, times * _TEXTS)
        yield from _list(LIST)
        yield from _start()
    finally:
        database.close()


def _row(database: Database, query: str, texts: int) -> str:
    taken: list[tuple[float, ...]] = []
    for blanks in range(texts):
        text = query + " " * blanks  # no two texts are the same, so that nothing is remembered
        parsed, tree = _timed(lambda: parse(text))  # noqa: B023 - called at once
        checked, resolved = _timed(lambda: resolve(tree, database.model))  # noqa: B023
        made, _ = _timed(lambda: _statement(database, resolved))  # noqa: B023
        again, statement = _timed(lambda: _statement(database, resolve(parse(text), database.model)))  # noqa: B023
        rendered, _ = _timed(lambda: statement.compile(database.engine))  # noqa: B023
        taken.append((parsed, checked, made, parsed + checked + made, again, rendered))
    return _LINE.format(*(f"{1000 * median(times):.2f}" for times in zip(*taken, strict=True)), query[:70])


def _statement(database: Database, resolved: ResolvedQuery) -> Select[Any]:
    columns = [ColumnPath(one.alias, path) for one in resolved.selected for path in ("id", "friendlyname")]
    compiled = compile_query(resolved, database, columns=columns, arguments=_ARGUMENTS, now="2024-01-01 00:00:00")
    compiled.select._generate_cache_key()  # noqa: SLF001 - under which SQLAlchemy finds the SQL again
    return compiled.select


def _list(items: int) -> Iterator[str]:
    text = f"SELECT Person WHERE id IN ({', '.join(map(str, range(items)))})"
    parsed, tree = _timed(lambda: parse(text))
    checked, _ = _timed(lambda: resolve(tree, bundled_model()))
    yield f"a list of {items:,} ids, {len(text):,} bytes: parse {parsed:.2f} s, check {checked:.2f} s (iTop 3.2: 5.5 s)"


def _start() -> Iterator[str]:
    """Measure, in processes of their own, what the first query costs a command."""
    for what, module, then in (
        ("import of itopd.oql", "itopd.oql", "pass"),
        ("grammar and first parse", "itopd.oql as o", "t = time.process_time(); o.parse('SELECT Person')"),
    ):
        script = _STARTED.format(module, then)
        seconds = [float(subprocess.check_output([sys.executable, "-c", script])) for _ in range(3)]
        yield f"{what}: {1000 * min(seconds):.0f} ms"


def _timed(action: Callable[[], Result]) -> tuple[float, Result]:
    started = time.process_time()
    result = action()
    return time.process_time() - started, result


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="itopd_bench_") as name:
        for line in report(Path(name), 3):
            print(line, flush=True)
