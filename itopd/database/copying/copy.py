"""The copy itself: one snapshot of the source, table by table, into a database that was empty."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from itopd.database.copying.counters import move_counter, next_id
from itopd.database.copying.fingerprint import Fingerprint
from itopd.database.copying.inspection import Inspector
from itopd.database.copying.loading import load_rows, prepare_session
from itopd.database.copying.plan import Plan, plan_copy
from itopd.database.copying.reading import CopiedTable, Row, read_rows
from itopd.database.copying.report import CopyReport, UnholdableValues
from itopd.database.copying.target import is_unfinished, mark, require_empty, require_finished, take_back, unmark
from itopd.database.copying.values import Limits, Trouble
from itopd.database.database import Database
from itopd.database.ddl import create_statements
from itopd.database.engines import reason
from itopd.database.locks import HeldLock
from itopd.database.schema import create_functions
from itopd.errors import DatabaseError

Progress = Callable[[int, int | None, str], None]
"""Told from time to time how many rows of how many are done."""

_LOCK: Final = "itopd-copy"
_LARGEST: Final = 1_000_000_000
"""Bytes of the largest value on SQLite and PostgreSQL, near enough."""
_PACKET_RESERVE: Final = 65_536
"""Bytes of a packet to MySQL that the rest of the statement may take."""


@dataclass(frozen=True, slots=True)
class CopyRequest:
    """How to copy."""

    replace: frozenset[Trouble] = frozenset()
    """Which of the values that the target cannot hold are replaced; any other stops the copy."""
    listed: int = 20
    """How many of such values are listed."""
    verify: bool = False
    """Whether every row is read back and compared."""
    restart: bool = False
    """Whether what an interrupted copy left in the target is dropped first."""
    progress: Progress = lambda _done, _total, _unit: None


def copy_database(source: Database, target: Database, request: CopyRequest) -> CopyReport:
    """Fill an empty database with the rows of another one, whatever the engines; ids and counters are kept.

    The source is read in one transaction that sees one snapshot. When anything goes wrong the target is empty again; a
    copy that was killed leaves its mark there (:func:`require_finished`). Raises :class:`RefusedError` for a target
    that is not empty or a source that does not fit the model, :class:`UnholdableValues` for values that the target
    cannot hold, :class:`ConflictError` when another copy into the target is at work.
    """
    require_finished(source)
    with source.read() as reading:
        plan = plan_copy(source, reading)
        with target.named_lock(_LOCK) as lock:
            if request.restart and is_unfinished(target):
                take_back(target)
            require_empty(target)
            with _marked(target, [table.table.name for table in plan.tables]), target.write() as writing:
                writing.detach()  # its session becomes one for loading, and ends with the copy
                prepare_session(writing)
                return _fill(reading, target, writing, lock, plan, request)


def simulate_copy(source: Database, target: Database, request: CopyRequest) -> CopyReport:
    """Read and look at everything as :func:`copy_database` does; nothing is written, the target may hold anything."""
    require_finished(source)
    with source.read() as reading:
        plan = plan_copy(source, reading)
        inspector = Inspector(_limits(target), request.replace, request.listed)
        rows = dict.fromkeys((table.table.name for table in plan.tables), 0)
        for table, batch in _inspected(reading, plan, inspector, request.progress):
            rows[table.table.name] += len(batch)
    if inspector.refused.total:
        raise UnholdableValues(inspector.refused, target.where)
    return CopyReport(rows, plan.left_out, inspector.replaced, verified=False)


@contextmanager
def _marked(target: Database, names: Sequence[str]) -> Iterator[None]:
    """Mark the target while it is half done; empty it again when what happens within fails."""
    try:
        mark(target, names)
        yield
    except BaseException as error:
        try:
            take_back(target)
        except DatabaseError as second:
            raise DatabaseError(
                f"{error}; and what was copied so far could not be dropped ({second.message}): when {target.where} "
                "answers again, copy with --restart"
            ) from error
        raise


def _fill(
    reading: Connection, target: Database, writing: Connection, lock: HeldLock, plan: Plan, request: CopyRequest
) -> CopyReport:
    prints = {table.table.name: Fingerprint() for table in plan.tables}
    inspector = Inspector(_limits(target), request.replace, request.listed)
    _create(target, writing, plan, indexes=False)
    for table, rows in _inspected(reading, plan, inspector, request.progress):
        if not inspector.refused.total:  # else only to find what is wrong with the rest
            lock.check()
            _load(target, writing, table, rows)
            prints[table.table.name].add(rows, with_digest=request.verify)
    if inspector.refused.total:
        raise UnholdableValues(inspector.refused, target.where)
    _create(target, writing, plan, indexes=True)
    for table in plan.tables:
        if table.is_numbered:
            move_counter(writing, table, next_id(reading, table))
    writing.commit()
    _compare(target, plan, prints, request)
    unmark(writing)
    rows_of = {name: one.rows for name, one in prints.items()}
    return CopyReport(rows_of, plan.left_out, inspector.replaced, verified=request.verify)


def _limits(target: Database) -> Limits:
    if target.dialect != "mysql":
        return Limits(target.dialect, _LARGEST)
    with target.read() as connection:
        packet = int(connection.exec_driver_sql("SELECT @@max_allowed_packet").scalar_one())
    return Limits(target.dialect, packet - _PACKET_RESERVE)


def _inspected(
    reading: Connection, plan: Plan, inspector: Inspector, progress: Progress
) -> Iterator[tuple[CopiedTable, Sequence[Row]]]:
    """Yield the rows of all tables in batches, as the target can hold them."""
    count = sa.select(sa.func.count())
    total = sum(reading.scalar(count.select_from(table.table)) or 0 for table in plan.tables)
    done = 0
    for table in plan.tables:
        for batch in read_rows(reading, table):
            yield table, inspector.passed(table, batch)
            done += len(batch)
            progress(done, total, f"rows, {table.table.name}")


def _create(target: Database, writing: Connection, plan: Plan, *, indexes: bool) -> None:
    """Create the tables; or, once they are full, the indexes that are not part of their tables' statements."""
    if target.dialect == "postgresql" and not indexes:
        create_functions(writing)
    for table in plan.tables:
        first, *others = create_statements(target.dialect, target.definition(table.class_name), target.prefix)
        for statement in others if indexes else [first]:
            writing.exec_driver_sql(statement)
    writing.commit()


def _load(target: Database, writing: Connection, table: CopiedTable, rows: Sequence[Row]) -> None:
    try:
        load_rows(writing, table, rows)
        writing.commit()
    except DBAPIError as error:
        raise DatabaseError(
            f"{target.where} refused rows of {table.table.name} "
            f"with ids from {rows[0][0]} to {rows[-1][0]}: {reason(error)}"
        ) from error


def _compare(target: Database, plan: Plan, prints: dict[str, Fingerprint], request: CopyRequest) -> None:
    """Raise :class:`DatabaseError` when the target does not hold what was read."""
    with target.read() as connection:
        for table in plan.tables:
            expected = prints[table.table.name]
            held = connection.scalar(sa.select(sa.func.count()).select_from(table.table))
            if held != expected.rows:
                raise DatabaseError(
                    f"the copy is not complete: {target.where} holds {held} rows of {table.table.name}, "
                    f"{expected.rows} were read. Something else writes there: copy again when it is stopped"
                )
            if request.verify:
                _compare_rows(target, connection, table, expected)


def _compare_rows(target: Database, connection: Connection, table: CopiedTable, expected: Fingerprint) -> None:
    found = Fingerprint()
    for rows in read_rows(connection, table):
        found.add(rows, with_digest=True)
    difference = expected.difference(found)
    if difference:
        raise DatabaseError(
            f"the copy is not equal: {target.where} gives other values of {table.table.name}, {difference}, than were "
            "read. Something else writes there, or a value changes on its way: report it with both engines' names"
        )
