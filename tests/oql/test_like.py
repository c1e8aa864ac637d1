"""Which characters ``LIKE`` takes for which: what MariaDB does, asked of it, and the same on the other engines."""

from __future__ import annotations

from itertools import pairwise

import pytest
import sqlalchemy as sa

from itopd.database import collation_key, like_characters
from itopd.oql.mysql_functions import fold
from tests.oql.conftest import Engines
from tests.oql.test_engines_agree import worth

pytestmark = [pytest.mark.mariadb, pytest.mark.postgresql, pytest.mark.shared]

BMP = [chr(number) for number in (*range(1, 0xD800), *range(0xE000, 0x10000))]


def asked(connection: sa.Connection, pairs: list[tuple[str, str]]) -> list[bool]:
    """Return what MariaDB says of each text and pattern of one character."""
    answers: list[bool] = []
    for start in range(0, len(pairs), 4000):
        some = pairs[start : start + 4000]
        values = [each for text, pattern in some for each in (text, f"\\{pattern}" if pattern in "%_\\" else pattern)]
        answers += map(
            bool, connection.exec_driver_sql(f"SELECT {', '.join(['%s LIKE %s'] * len(some))}", tuple(values)).one()
        )
    return answers


def test_every_character_of_the_bmp_is_like_the_same_characters_as_on_mariadb(engines: Engines) -> None:
    mariadb = engines[0][1]
    in_order = sorted(BMP, key=lambda one: (collation_key(f"{one}x"), fold(one)))
    neighbours = list(pairwise(in_order))
    alike = asked(mariadb, neighbours)
    assert [
        pair for pair, is_like in zip(neighbours, alike, strict=True) if is_like != (fold(pair[0]) == fold(pair[1]))
    ] == []
    firsts = [(one, like_characters(one)[0]) for one in BMP]
    assert [pair for pair, is_like in zip(firsts, asked(mariadb, firsts), strict=True) if not is_like] == []


ALIKE = [
    ("😀", "😀", 1), ("😀", "😁", 0), ("😀", "_", 1), ("x😀y", "x_y", 1), ("a😀", "%😁", 0), ("a😀", "%\\\\😀", 1),
    ("😀", "\ufffd", 0), ("\ufffd", "\ufffd", 1), ("𐐀", "𐐨", 0), ("a\u200bb", "a\x01b", 1), ("a\u200bb", "ab", 0),
    ("a\u200bb", "a_b", 1), ("\u200b", "", 0), ("a\xa0b", "a b", 1), ("a\u3000b", "a\u2009b", 1), ("⼈", "人", 0),
    ("人", "人", 1), ("⼈", "⼈", 1), ("é", "E", 1), ("e\u0301", "é", 0), ("ß", "ss", 0), ("æ", "Æ", 1),
    ("a\tb", "a b", 0),
]  # fmt: skip


@pytest.mark.parametrize("pattern", ['"{}"', 'CONCAT("{}", "")'])
def test_characters_are_alike_on_every_engine_as_on_mariadb(engines: Engines, pattern: str) -> None:
    for text, like, expected in ALIKE:
        condition = f'"{text}" LIKE {pattern.format(like)}'
        assert [worth(*engine, condition) for engine in engines] == [expected] * 3, condition


def test_a_pattern_of_many_parts_takes_no_more_than_one_pass_on_any_engine(engines: Engines) -> None:
    """Tried in every way, these would take years."""
    many = '"{}" LIKE "{}b"'.format("a" * 2000, "%a" * 30)
    assert [worth(*engine, many) for engine in engines] == [0] * 3


def test_a_pattern_that_is_longer_than_any_text_is_no_trouble(engines: Engines) -> None:
    for pattern in ("x" * 100_000, "%x" * 50_000, "\\\\%" * 50_000):
        assert [worth(*engine, f'"abc" LIKE "{pattern}"') for engine in engines] == [0] * 3
