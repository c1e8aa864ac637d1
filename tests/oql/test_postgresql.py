"""What only PostgreSQL needs: patterns as its regular expressions, use of indexes, limits, its functions."""

import random
import re
from collections.abc import Iterator
from itertools import pairwise

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from itopd.database import Database
from itopd.errors import OqlError
from itopd.oql import ColumnPath, compile_query, mysql_functions, parse, postgresql, resolve
from itopd.oql import compile as oql_compile
from itopd.oql.patterns import UnsupportedError, like_expression, search_expression
from tests.support.sample import new_postgresql, sample_postgresql

pytestmark = pytest.mark.postgresql

NOW = "2024-05-06 07:08:09"
_ATOMS = (
    "a", "E", "é", "s", "k", "ß", "İ", "_", "1", " ", ".", "[a-cé]", "[^a-c]", r"[^\W\d]", r"[\s_]", r"\d", r"\W",
    r"\s", r"\n", r"\.", "(?:ab|é|)", "(a|b)", r"\b", r"\B", "^", "$", r"\A", r"\Z", "(?=a)", "(?<!a)", "[[:alpha:]]",
    "(?s:.)", "(?-i:A)", "(?m:^)", "𝒜",
)  # fmt: skip
_REPEATS = ("", "", "", "*", "+?", "?", "{2}", "{1,3}", "{0,300}", "{256,}")
_CHARACTERS = "aAbBcEéÉsSſkKßẞİı_1 .\n\t𝒜-日"
_LIKE = "%%_aAeÉsß\\ 1%日𝒜｡."


@pytest.fixture(scope="module")
def empty() -> Iterator[sa.Connection]:
    with new_postgresql() as database, database.read() as connection:
        yield connection


def found(connection: sa.Connection, expression: str, texts: list[str]) -> list[bool]:
    rows = connection.execute(
        sa.text(
            "SELECT value ~ :expression FROM unnest(CAST(:texts AS text[])) WITH ORDINALITY AS t (value, n) ORDER BY n"
        ),
        {"expression": expression, "texts": texts},
    )
    return [bool(row[0]) for row in rows]


def random_texts(source: random.Random) -> list[str]:
    return ["", *("".join(source.choices(_CHARACTERS, k=source.randint(1, 8))) for _ in range(12)), "a" * 300]


@settings(max_examples=150)
@given(st.integers(0, 2**32 - 1))
def test_regular_expressions_find_what_they_find_on_sqlite(empty: sa.Connection, seed: int) -> None:
    source = random.Random(seed)
    atoms = [source.choice(_ATOMS) for _ in range(source.randint(1, 5))]
    pattern = "".join(atom + (source.choice(_REPEATS) if atom not in "^$" else "") for atom in atoms)
    try:
        expression = search_expression(pattern)
    except (re.error, UnsupportedError):
        return
    # Python before 3.14 finds no \\B in an empty text; PCRE, which MariaDB has, does.
    texts = [text for text in random_texts(source) if text or r"\B" not in pattern]
    assert found(empty, expression, texts) == [bool(mysql_functions.regexp(pattern, text)) for text in texts], pattern


@settings(max_examples=100)
@given(st.integers(0, 2**32 - 1))
def test_texts_are_like_patterns_as_they_are_on_sqlite(empty: sa.Connection, seed: int) -> None:
    source = random.Random(seed)
    pattern = "".join(source.choices(_LIKE, k=source.randint(0, 6)))
    texts = random_texts(source)
    expected = [bool(mysql_functions.like(pattern, text)) for text in texts]
    assert found(empty, like_expression(pattern), texts) == expected, pattern
    known_later = sa.select(
        *(sa.func.itop_like(sa.bindparam(None, text, unique=True), sa.bindparam("pattern", pattern)) for text in texts)
    )
    assert [bool(value) for value in empty.execute(known_later).one()] == expected, pattern


@pytest.mark.parametrize("pattern", [r"(a)\1", "(?>a)b", "a++", "(a{200}){200}", "(a)?(?(1)b|c)"])
def test_what_postgresql_cannot_search_for_is_refused_before_any_sql(pattern: str) -> None:
    with pytest.raises(UnsupportedError):
        search_expression(pattern)
    with new_postgresql() as database, pytest.raises(OqlError) as refused:
        compiled(database, f"SELECT Person WHERE name REGEXP '{pattern}'".replace("\\", "\\\\"))
    assert refused.value.problem == "bad_regexp"


def test_a_pattern_that_only_the_data_tells_is_null_when_it_is_none(empty: sa.Connection) -> None:
    for pattern, expected in (("(", None), ("a{2", None), (r"\bB", True), ("^b", False), (r"x\\b", False)):
        statement = sa.select(sa.func.itop_regexp("a b", pattern))
        assert empty.execute(statement).scalar_one() == expected, pattern


def compiled(database: Database, query: str) -> sa.Select[tuple[object, ...]]:
    resolved = resolve(parse(query), database.model)
    columns = [ColumnPath(resolved.selected[0].alias, "id")]
    return compile_query(resolved, database, columns=columns, arguments={}, now=NOW, order=False).select


@pytest.mark.shared
@pytest.mark.parametrize(
    ("condition", "index"),
    [
        ("id = 3", "_pkey"),
        ("id = '3abc'", "_pkey"),
        ("id IN (3, '4', 5)", "_pkey"),
        ("id > 3 AND id < 8", "_pkey"),
        ("org_id = 3", "contact__org_id"),
        ("org_id IN (2, 3)", "contact__org_id"),
        ("org_id IN (SELECT Organization AS o WHERE o.id = 3)", "contact__org_id"),
        ("name = 'DALI '", "contact__name"),
        ("name IN ('dali', 'Hugo')", "contact__name"),
        ("name >= 'X'", "contact__name"),
    ],
)
def test_indexes_answer_what_they_can(condition: str, index: str) -> None:
    with sample_postgresql() as database, database.write() as connection:
        statement = compiled(database, f"SELECT Person WHERE {condition}")
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        sql = statement.compile(database.engine, compile_kwargs={"render_postcompile": True})
        plan = "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {sql}", sql.params))
        scans = [line for line in plan.splitlines() if "Cond:" in line or "Scan using" in line or "Scan on" in line]
        assert any(
            index in line and following.lstrip().startswith("Index Cond") for line, following in pairwise(scans)
        ), plan


def test_a_statement_with_more_values_than_the_protocol_counts_is_too_complex(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "_MOST_PARAMETERS", 50)
    monkeypatch.setattr(oql_compile, "_ANY_SIZE", 50)
    with new_postgresql() as database:
        compiled(database, f"SELECT Person WHERE id IN ({', '.join(map(str, range(100)))})")
        with pytest.raises(OqlError) as refused:
            compiled(database, f"SELECT Person WHERE {' AND '.join(['id != 1'] * 51)}")
    assert refused.value.problem == "too_complex"


def test_functions_that_are_missing_or_old_are_named() -> None:
    old = "queries would answer differently; 'itopd db functions' replaces it"
    with new_postgresql() as database:
        assert database.missing() == []
        with database.write() as connection:
            connection.exec_driver_sql("DROP FUNCTION itop_date_format")
            connection.exec_driver_sql(
                "CREATE OR REPLACE FUNCTION itop_year(instant timestamp) RETURNS integer LANGUAGE sql AS 'SELECT 1'"
            )
        assert database.missing() == [
            "function itop_date_format is missing; 'itopd db functions' makes it",
            f"function itop_year is not this release's: {old}",
        ]
        database.update_functions()
        assert database.missing() == []


def test_indexes_follow_a_new_collation_key() -> None:
    key = (
        "CREATE OR REPLACE FUNCTION itop_key(value text) RETURNS bytea LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE "
    )
    find = "SELECT id FROM organization WHERE itop_key(name) = %s"
    with new_postgresql() as database:
        with database.write() as connection:
            connection.exec_driver_sql(key + "AS 'BEGIN RETURN convert_to(value, ''UTF8''); END'")
            connection.exec_driver_sql("INSERT INTO organization (id, name) VALUES (7, 'Démo')")
        database.update_functions()
        with database.read() as connection:
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            found = connection.exec_driver_sql(find, (database.key_value("DEMO"),)).scalars().all()
    assert found == [7]
