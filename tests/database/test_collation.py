"""The collation key is MariaDB's utf8mb4_unicode_ci: same equality, same order."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from itopd.database import Database, collation_key
from tests.support.collation_weights import characters, server_weights
from tests.support.sample import new_postgresql
from tests.support.servers import admin_connection

ALPHABET = [
    *"aAbBzZ019 _-.",
    *"  \t\n\r\x00\x07",
    *"éÉèçñüßœŒæÆøłđŁ",
    *"\u0301\u0308\u200b\u00ad",
    *"αΑЖжשع",
    *"一丁龥㐀가힣ﷺﬁ½²№",
    *"😀𝒜𐍈",
]


@pytest.mark.mariadb
def test_every_character_of_the_bmp_has_the_weights_of_the_server() -> None:
    with admin_connection() as connection, connection.cursor() as cursor:
        weights = dict(server_weights(cursor))
    assert list(weights) == characters()
    blank = (0x0209,)
    padded = {number: row or blank for number, row in weights.items()}
    keys = {number: collation_key(chr(number)) for number in weights}
    by_weight = sorted(weights, key=lambda number: (padded[number] + blank * 8, number))
    assert by_weight == sorted(weights, key=lambda number: (keys[number], number))
    assert len({row + blank * (8 - len(row)) for row in padded.values()}) == len(set(keys.values()))


@pytest.mark.mariadb
def test_random_texts_compare_as_on_the_server() -> None:
    source = random.Random(20260329)
    pairs = []
    for _ in range(6000):
        left = "".join(source.choices(ALPHABET, k=source.randrange(6)))
        right = left + " " * source.randrange(3) if source.random() < 0.3 else "".join(source.choices(ALPHABET, k=3))
        if source.random() < 0.3:
            right = left + "".join(source.choices(" \t\na", k=source.randrange(4)))
        pairs.append((left, right))
    with admin_connection() as connection, connection.cursor() as cursor:
        cursor.execute("SET NAMES utf8mb4 COLLATE utf8mb4_unicode_ci")
        answers: list[int] = []
        for start in range(0, len(pairs), 500):
            chunk = pairs[start : start + 500]
            columns = ", ".join(["STRCMP(%s, %s)"] * len(chunk))
            cursor.execute(f"SELECT {columns}", [text for pair in chunk for text in pair])
            row = cursor.fetchone()
            assert row is not None
            answers += row
    for (left, right), answer in zip(pairs, answers, strict=True):
        one, other = collation_key(left), collation_key(right)
        assert (one > other) - (one < other) == answer, (left, right)


def _keys(database: Database, texts: Sequence[str]) -> list[bytes]:
    """Return the keys that PostgreSQL computes."""
    with database.read() as connection:
        rows = connection.exec_driver_sql(
            "SELECT itop_key(text) FROM unnest(%s::text[]) WITH ORDINALITY AS given(text, place) ORDER BY place",
            (list(texts),),
        )
        return list(rows.scalars())


@pytest.mark.postgresql
def test_the_key_in_postgresql_is_the_key() -> None:
    """Every character of the BMP alone and among others, and random texts; NUL is not storable there."""
    source = random.Random(20260330)
    alphabet = [character for character in ALPHABET if character != "\0"]
    single = [chr(number) for number in characters() if number]
    texts = [
        *single,
        *(f"a{character} \t" for character in single),
        *("".join(source.choices(alphabet, k=source.randrange(12))) for _ in range(5000)),
        *("".join(source.choices(" \t\nab", k=source.randrange(9))) for _ in range(2000)),
        *("".join(source.choices("aé àZ\t ", k=source.randrange(9))) for _ in range(2000)),
        "x" * 100_000,
        "é " * 50_000,
        "一" * 50_000,
    ]
    with new_postgresql() as database:
        computed = _keys(database, texts)
    different = [text for text, key in zip(texts, computed, strict=True) if key != collation_key(text)]
    assert different == []


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Élan", "elan"),
        ("œuf", "OEUF"),
        ("x", "x   "),
        ("a\x00b", "ab"),
        ("😀", "😺"),
        ("straße", "STRASSE"),
        ("", "  "),
    ],
)
def test_texts_that_are_equal_for_itop(left: str, right: str) -> None:
    assert collation_key(left) == collation_key(right)


@pytest.mark.parametrize(
    ("left", "right"), [("a", "b"), ("a", " a"), ("ab", "a b"), ("ø", "o"), ("ł", "l"), ("1", "01")]
)
def test_texts_that_differ_for_itop(left: str, right: str) -> None:
    assert collation_key(left) != collation_key(right)


def test_the_order_seen_in_itop() -> None:
    given = ["B", "a", "1", "=1+1", "-y", "_x", "  spaced"]
    assert sorted(given, key=collation_key) == ["  spaced", "_x", "-y", "=1+1", "1", "a", "B"]
