"""iTop's equality and order of texts: the same on every engine, as MariaDB's utf8mb4_unicode_ci has them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from itopd.database import Database, collation_key, insert_rows
from tests.support.engines import ENGINES, empty_database

EQUAL = [
    ("a", "A"), ("a", "á"), ("e\u0301", "é"), ("œuf", "OEUF"), ("straße", "STRASSE"), ("ﬁ", "fi"), ("x", "x   "),
    ("", "   "), ("😀", "😺"), ("a\u200bb", "ab"), ("a\x01b", "ab"), ("Ａ", "a"), ("①", "1"), ("α", "Α"), ("Ж", "ж"),
]  # fmt: skip
ASCENDING = [
    " \t", "", "  spaced", "_x", "\xad", "-y", ",", "!", "(", "[", "*", "\\", "#", "%", "=1+1", "$", "0", "01x", "1",
    "½", "10", "2", "a", "a b", "ä c", "a-b", "ab", "b", "đ", "é", "é a", "ŀ", "ł", "œ", "ø", "ø x", "ß", "ssa", "z",
    "þ", "α", "ж", "א", "ع", "ア", "一", "丁", "가", "😀",
]  # fmt: skip
"""Observed on MariaDB, as everything here."""


@pytest.fixture(scope="module")
def all_engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[Database, sa.Connection]]]:
    """Give a connection for reading on every engine."""
    folder: Path = tmp_path_factory.mktemp("engines")
    with ExitStack() as stack:
        found = {}
        for engine in ENGINES:
            database = stack.enter_context(empty_database(engine, folder))
            if engine == "postgresql":
                database.create_schema()  # its key is a function of the schema
            found[engine] = (database, stack.enter_context(database.read()))
        yield found


def compared(database: Database, connection: sa.Connection, pairs: list[tuple[str, str]]) -> list[int]:
    """Return for each pair whether the first is less (-1), equal (0) or greater (1), as the engine says."""
    columns = []
    for left, right in pairs:
        one, other = (database.key(sa.bindparam(None, text, sa.String)) for text in (left, right))
        columns.append(sa.case((one == other, 0), (one < other, -1), else_=1))
    return list(connection.execute(sa.select(*columns)).one())


def orders(
    all_engines: dict[str, tuple[Database, sa.Connection]], pairs: list[tuple[str, str]]
) -> dict[str, list[int]]:
    found = {name: compared(*engine, pairs) for name, engine in all_engines.items()}
    keys = [(collation_key(left), collation_key(right)) for left, right in pairs]
    found["python"] = [(one > other) - (one < other) for one, other in keys]
    return found


@pytest.mark.mariadb
@pytest.mark.postgresql
def test_known_pairs_are_equal(all_engines: dict[str, tuple[Database, sa.Connection]]) -> None:
    for name, answers in orders(all_engines, EQUAL).items():
        assert [pair for pair, answer in zip(EQUAL, answers, strict=True) if answer] == [], name


@pytest.mark.mariadb
@pytest.mark.postgresql
def test_known_texts_ascend(all_engines: dict[str, tuple[Database, sa.Connection]]) -> None:
    pairs = list(pairwise(ASCENDING))
    for name, answers in orders(all_engines, pairs).items():
        assert [pair for pair, answer in zip(pairs, answers, strict=True) if answer != -1] == [], name


TEXTS = st.text(
    st.one_of(
        st.sampled_from([*"aAbBzZ019 _-.\t\n\x01", *"éÉèçñüßœŒæÆøłđŁıİ", *"\u0301\u0308\u200b\u00ad", *"ﷺﬁ½²№ǅ"]),
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    ),
    max_size=12,
)


@pytest.mark.mariadb
@pytest.mark.postgresql
@settings(max_examples=60, derandomize=True)
@given(st.lists(st.tuples(TEXTS, TEXTS, st.sampled_from(["", " ", "a", "\u0301", "😀"])), min_size=20, max_size=30))
def test_random_texts_compare_alike_everywhere(
    all_engines: dict[str, tuple[Database, sa.Connection]], drawn: list[tuple[str, str, str]]
) -> None:
    pairs = [pair for left, right, more in drawn for pair in ((left, right), (left, left + more), (left + more, right))]
    found = orders(all_engines, pairs)
    different = {
        pair: {name: answers[number] for name, answers in found.items()}
        for number, pair in enumerate(pairs)
        if len({answers[number] for answers in found.values()}) > 1
    }
    assert different == {}


def test_rows_are_sorted_grouped_and_found_by_the_same_key(engine: Database) -> None:
    source = random.Random(20261124)
    alphabet = "aAäÄbß sSœOE0 _-.\u0301😀一"
    names = ["".join(source.choices(alphabet, k=source.randrange(6))) for _ in range(400)]
    table = engine.table("Organization")
    with engine.write() as connection:
        insert_rows(connection, table, ("id", "name"), list(enumerate(names, 1)))
    key = engine.key(table.c.name)
    by_key = sorted(range(1, len(names) + 1), key=lambda number: (collation_key(names[number - 1]), number))
    classes: dict[bytes, int] = {}
    for name in names:
        classes[collation_key(name)] = classes.get(collation_key(name), 0) + 1
    with engine.read() as connection:
        assert list(connection.scalars(sa.select(table.c.id).order_by(key, table.c.id))) == by_key
        counted = connection.execute(sa.select(sa.func.count()).select_from(table).group_by(key)).scalars()
        assert sorted(counted) == sorted(classes.values())
        for name in names[:20]:
            found = connection.scalars(sa.select(table.c.id).where(key == engine.key_value(name)).order_by(table.c.id))
            expected = [i for i, other in enumerate(names, 1) if collation_key(other) == collation_key(name)]
            assert list(found) == expected, name
