"""Replays queries: rows, counts, classes, parameters and trees of valid ones, kind, word and position of errors.

Each vector's fixtures and query share one transaction that is rolled back.
"""

from __future__ import annotations

import atexit
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from itopd.access import account_of, reader_of, rights_of
from itopd.clock import SystemClock, to_itop
from itopd.database import Database
from itopd.errors import OqlError
from itopd.oql import (
    Argument,
    ColumnPath,
    ObjectReference,
    Query,
    Reader,
    ResolvedQuery,
    Union,
    account_arguments,
    compile_count,
    compile_query,
    parse,
    resolve,
)
from itopd.oql.tree import members
from itopd.rules import ITOP
from tests.golden.harness import Difference, Vector, check_equal, instead, replays
from tests.golden.sample import golden_engine, run_step
from tests.support.engines import sample_database


def sample() -> Database:
    """Return one sample for all vectors of an engine, gone when the process ends."""
    return _sample_on(golden_engine())


@cache
def _sample_on(engine: str) -> Database:
    stack = ExitStack()
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    database = stack.enter_context(sample_database(engine, folder))
    atexit.register(stack.close)  # after the sample's own clean-up is registered, so that it runs before that
    return database


@contextmanager
def _given(vector: Vector) -> Iterator[sa.Connection]:
    """Give a connection that sees the vector's start, and undo it."""
    with sample().write() as connection:
        for step in vector.data.get("given", ()):
            run_step(connection, step)
        yield connection
        connection.rollback()


def _reader(connection: sa.Connection, run: dict[str, Any]) -> tuple[Reader, dict[str, Argument]]:
    """Return what the vector's account sees, and its magic arguments."""
    account = account_of(sample(), connection, run["user"])
    rights = rights_of(sample().model, frozenset(account.profiles))
    reader = reader_of(account, rights, hide_administrators=True, strict=ITOP.strict_rights)
    arguments = account_arguments(account.user_id, account.contact_id)
    return replace(reader, hide_obsolete=not run["show_obsolete"]), arguments


def _now() -> str:
    return to_itop(SystemClock().now(), sample().timezone)


def _run(vector: Vector) -> tuple[ResolvedQuery, list[Any], int]:
    """Return the resolved query, its rows as a vector writes them, and its count."""
    run, database = vector.data["run"], sample()
    resolved = resolve(parse(run["query"]), database.model)
    with _given(vector) as connection:
        reader, arguments = _reader(connection, run)
        arguments |= run.get("params", {})
        if "this" in run:
            arguments["this"] = ObjectReference(run["this"]["class"], run["this"]["id"])
        paths = [ColumnPath(s.alias, path) for s in resolved.selected for path in ("id", "finalclass", "friendlyname")]
        compiled = compile_query(resolved, database, columns=paths, arguments=arguments, now=_now(), reader=reader)
        rows = []
        for row in connection.execute(compiled.select):
            values = [column.decode(row) for column in compiled.columns]
            objects = [
                None if values[i] is None else f"{values[i + 1]}::{values[i + 2]}" for i in range(0, len(values), 3)
            ]
            rows.append(objects[0] if len(objects) == 1 else objects)
        statement = compile_count(resolved, database, arguments=arguments, now=_now(), reader=reader)
        count = connection.execute(statement).scalar_one()
    return resolved, rows, count


def _bag(rows: list[Any]) -> Counter[str]:
    return Counter(map(repr, rows))


def _unordered(tree: Query | Union) -> list[Any]:
    """Return a tree in a form in which the order of joins does not count."""
    return [(q.selected, q.cls, q.alias, frozenset(q.joins), q.where) for q in members(tree)]


@replays("export", lambda vector: vector.name.startswith("oql-valid-"))
def replay_valid(vector: Vector) -> None:
    """Compare all that a valid query gives."""
    expect = vector.data["expect"]
    resolved, rows, count = _run(vector)
    check_equal("classes", [{"alias": s.alias, "class": s.cls} for s in resolved.selected], expect["classes"])
    check_equal("parameters", sorted(resolved.parameters), sorted(expect["parameters"]))
    # iTop prints \" inside single quotes, which its own lexer refuses.
    canonical = resolve(parse(expect["canonical"].replace('\\"', '"')), sample().model)
    check_equal("canonical", _unordered(resolved.tree), _unordered(canonical.tree))
    check_equal("count", count, expect["count"])
    if expect["ordered"]:
        check_equal("rows", rows, expect["rows"])
    elif _bag(rows) != _bag(expect["rows"]):
        extra, missing = _bag(rows) - _bag(expect["rows"]), _bag(expect["rows"]) - _bag(rows)
        raise Difference(f"rows: {dict(extra)} too many, {dict(missing)} missing")


@replays("export", lambda vector: vector.name.startswith("oql-invalid-"))
def replay_invalid(vector: Vector) -> None:
    """Compare kind, word and position of an error."""
    expect = vector.data["expect"]["error"]
    error = _error(vector)
    check_equal("kind", error.problem, expect["kind"])
    if expect.get("word") is not None:
        check_equal("word", error.word, expect["word"])
    if expect.get("position") is not None:
        check_equal("position", error.position, expect["position"])
    if expect.get("at_end"):
        check_equal("position", error.position, len(vector.data["run"]["query"].encode()))
    if expect.get("at_end") is not None:
        check_equal("at_end", error.at_end, expect["at_end"])


def _error(vector: Vector) -> OqlError:
    try:
        resolve(parse(vector.data["run"]["query"]), sample().model)
        if vector.data["expect"]["error"]["stage"] == "run":
            _run(vector)
    except OqlError as error:
        return error
    raise Difference("no error")


@instead("export/oql-valid-join-narrow-nullable")
def narrow_join_keeps_its_rows(vector: Vector) -> None:
    """An optional key joined to a subclass: null where the target has another class."""
    _resolved, rows, count = _run(vector)
    check_equal("count", count, vector.data["expect"]["count"])
    check_equal("rows", _bag(rows), _bag([*vector.data["expect"]["rows"], ["Server::Server2", None]]))


@instead("export/oql-valid-nested-not-in-null-row")
def null_rows_of_nested_queries_are_ignored(vector: Vector) -> None:
    """``NOT IN`` a nested query with a null row still finds objects."""
    _resolved, rows, count = _run(vector)
    check_equal("rows", rows, ["Location::Paris"])
    check_equal("count", count, 1)


@instead("export/oql-valid-rights-joined-not-filtered")
def joined_classes_are_open_without_strict_rights(vector: Vector) -> None:
    """The recorded answer is right while ``strict_rights`` is off."""
    replay_valid(vector)


@instead("export/oql-invalid-interval-unqualified-attribute")
def names_inside_an_interval_resolve(vector: Vector) -> None:
    """An attribute inside ``INTERVAL`` works like anywhere else."""
    _resolved, rows, _count = _run(vector)
    check_equal("rows", rows, ["Server::Server4"])


@instead("export/oql-invalid-function-arity")
def wrong_arity_is_found_by_the_check(vector: Vector) -> None:
    """The number of arguments is checked before the database is asked."""
    error = _error(vector)
    check_equal("error", (error.problem, error.word, error.position), ("bad_function", "ISNULL", 20))


@instead("export/oql-invalid-nested-two-columns")
def several_nested_aliases_are_found_by_the_check(vector: Vector) -> None:
    """A nested query selects one alias."""
    check_equal("kind", _error(vector).problem, "bad_nested")


@instead("export/oql-invalid-too-many-parentheses")
def deep_nesting_is_too_complex(vector: Vector) -> None:
    """1,100 levels are above the limit, and the error says where."""
    error = _error(vector)
    check_equal("kind", error.problem, "too_complex")
    check_equal("word at position", vector.data["run"]["query"][error.position or 0], "(")
