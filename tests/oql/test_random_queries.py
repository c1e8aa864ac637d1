"""Random well-typed queries: every engine gives the same rows, and what must hold of any condition holds."""

import random

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from itopd.database import Database
from itopd.errors import OqlError
from itopd.oql import ColumnPath, compile_count, compile_query, parse, resolve, to_text
from itopd.oql import members as oql_members
from tests.oql.conftest import Engines
from tests.oql.random_queries import CLASSES, NOW, random_condition, random_query

pytestmark = [pytest.mark.mariadb, pytest.mark.postgresql, pytest.mark.shared]

seeds = st.integers(0, 2**32 - 1)
"""A failing seed is all that is needed to see its query again."""


def answer(database: Database, connection: sa.Connection, query: str) -> tuple[list[tuple[object, ...]], int]:
    """Its rows in their order, and its count."""
    resolved = resolve(parse(query), database.model)
    columns = [ColumnPath(one.alias, path) for one in resolved.selected for path in ("id", "friendlyname")]
    compiled = compile_query(resolved, database, columns=columns, arguments={}, now=NOW)
    rows = [tuple(row) for row in connection.execute(compiled.select)]
    count = connection.execute(compile_count(resolved, database, arguments={}, now=NOW)).scalar_one()
    return rows, count


@settings(max_examples=80)
@given(seeds)
def test_random_queries_give_the_same_rows_in_the_same_order_on_all_engines(engines: Engines, seed: int) -> None:
    query = random_query(random.Random(seed), engines[0][0].model)
    first, *others = (answer(*engine, query) for engine in engines)
    rows, count = first
    for other in others:
        assert other == first, query
    assert len(rows) == len(set(rows)), query
    selected = [[value for value in row[::2] if value is not None] for row in rows]
    assert count == sum(map(bool, selected)), query


@settings(max_examples=40)
@given(seeds)
def test_every_object_fulfils_a_condition_or_not_or_leaves_it_unknown(engines: Engines, seed: int) -> None:
    source = random.Random(seed)
    cls = source.choice(CLASSES)
    for database, connection in engines:
        condition = random_condition(random.Random(seed), database.model, cls)
        everything, _count = answer(database, connection, f"SELECT {cls}")
        parts = [f"({condition})", f"(({condition})) = 0", f"ISNULL(({condition}))"]
        found = [row for part in parts for row in answer(database, connection, f"SELECT {cls} WHERE {part}")[0]]
        assert sorted(found, key=repr) == sorted(everything, key=repr), condition


@settings(max_examples=40)
@given(seeds)
def test_asking_whether_joined_objects_exist_gives_the_rows_that_distinct_gives(engines: Engines, seed: int) -> None:
    query = random_query(random.Random(seed), engines[0][0].model)
    for engine in engines:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(oql_members, "cut", lambda _root, _kept: None)
            distinct = answer(*engine, query)
        assert answer(*engine, query) == distinct, query


@settings(max_examples=40)
@given(seeds)
def test_the_canonical_form_is_the_same_query_and_its_own_canonical_form(engines: Engines, seed: int) -> None:
    database, connection = engines[0]
    query = random_query(random.Random(seed), database.model)
    canonical = to_text(resolve(parse(query), database.model).tree)
    assert to_text(resolve(parse(canonical), database.model).tree) == canonical
    assert answer(database, connection, canonical) == answer(database, connection, query)


@settings(max_examples=150)
@given(seeds, st.integers(1, 4))
def test_a_damaged_query_still_works_or_is_refused_with_a_place(engines: Engines, seed: int, damages: int) -> None:
    database, connection = engines[0]
    source = random.Random(seed)
    query = _damaged(source, random_query(source, database.model), damages)
    try:
        answer(database, connection, query)
    except OqlError as error:
        problem = error
    else:
        return
    assert problem.problem == "too_complex" or problem.position is not None, query


def _damaged(source: random.Random, query: str, damages: int) -> str:
    """Return the query with words left out, doubled, or put in the place of others."""
    words = query.replace("(", " ( ").replace(")", " ) ").replace(".", " . ").split(" ")
    for _ in range(damages):
        place, other = source.randrange(len(words)), source.randrange(len(words))
        words[place : place + 1] = source.choice(([], [words[place]] * 2, [words[other]], [words[place][:-1]]))
        if not words:
            break
    return " ".join(words)
