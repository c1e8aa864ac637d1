"""What a query costs before the database sees it: text -> tree -> checked tree -> statement -> SQL."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import TypeVar
from zoneinfo import ZoneInfo

from itopd.database import Database, open_database
from itopd.datamodel import bundled_model
from itopd.oql import ColumnPath, ResolvedQuery, account_arguments, compile_query, parse, resolve

TYPICAL = (
    "SELECT Person WHERE org_name = 'Demo'",
    "SELECT UserRequest WHERE status NOT IN ('closed', 'resolved') AND agent_id = :current_contact_id",
    "SELECT Person AS p JOIN Organization AS o ON p.org_id = o.id WHERE o.name = 'Demo' AND p.location_name LIKE 'G%'",
    "SELECT Server WHERE org_id IN (SELECT Organization AS o JOIN Organization AS r ON o.parent_id BELOW r.id)",
)
LIST = 20_000
_TIMES = 101
Result = TypeVar("Result")
_LINE = "{:>8}  {:>8}  {:>8}  {:>8}  {:>8}  {}"
_STARTED = "import time; t = time.process_time(); import {}; {}; print(time.process_time() - t)"


def report(folder: Path) -> Iterator[str]:
    """Yield the lines of the table: milliseconds of processor time, the median of many runs."""
    remark = "query (each text new; again = text seen before)"
    yield _LINE.format("parse ms", "check ms", "stmt ms", "sum ms", "again ms", remark)
    database = open_database(f"sqlite:///{folder / 'oql.db'}", bundled_model(), ZoneInfo("UTC"))
    try:
        for query in TYPICAL:
            yield _row(database, query)
        yield from _list(LIST)
        yield from _start()
    finally:
        database.close()


def _row(database: Database, query: str) -> str:
    taken: list[tuple[float, ...]] = []
    for blanks in range(_TIMES):
        text = query + " " * blanks  # no two texts are the same, so that nothing is remembered
        parsed, tree = _timed(lambda: parse(text))  # noqa: B023 - called at once
        checked, resolved = _timed(lambda: resolve(tree, database.model))  # noqa: B023
        made, _ = _timed(lambda: _statement(database, resolved))  # noqa: B023
        again, _ = _timed(lambda: _statement(database, resolve(parse(text), database.model)))  # noqa: B023
        taken.append((parsed, checked, made, parsed + checked + made, again))
    return _LINE.format(*(f"{1000 * median(times):.2f}" for times in zip(*taken, strict=True)), query[:70])


def _statement(database: Database, resolved: ResolvedQuery) -> object:
    columns = [ColumnPath(one.alias, path) for one in resolved.selected for path in ("id", "friendlyname")]
    compiled = compile_query(
        resolved, database, columns=columns, arguments=account_arguments(1, 1), now="2024-01-01 00:00:00"
    )
    return compiled.select._generate_cache_key()  # noqa: SLF001 - under which SQLAlchemy finds the SQL again


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
