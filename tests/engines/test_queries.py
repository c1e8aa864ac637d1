"""One table of OQL queries, with the objects that each finds on MariaDB: every engine finds the same."""

from __future__ import annotations

from decimal import Decimal

import pytest

from itopd.attributes import Stored
from itopd.database import Database, insert_rows
from itopd.oql import ColumnPath, compile_query, parse, resolve

NOW = "2024-05-06 07:08:09"

NAMES = [
    "Demo", "demo  ", "DÉMO", "Demo Nord", "100%", "100 ", "a_c", "abc", "ABC", "a\\b", "œuvre", "OEUVRE", "", None,
    "😀", "😺 x", "12", "12abc", " lead", "line\nbreak", "É", "e", "straße", "Strasse", "日本語",
]  # fmt: skip
PARENTS = [0, 1, 1, 2, 0, 5, 0, None, 8, 3]
DAYS: list[str | None] = [
    "2024-02-29 00:00:00", "2023-12-31 23:59:59", "2024-01-01 00:00:00", "2024-05-06 07:08:09", None,
    "1000-01-01 00:00:00", "9999-12-31 23:59:59", "2024-03-31 02:30:00",
]  # fmt: skip
SPEEDS: list[Decimal | None] = [Decimal("0.10"), Decimal("-1.00"), Decimal("9999999999.99"), None, Decimal("10.00")]


@pytest.fixture(scope="module")
def filled(engine: Database) -> Database:
    """Give a database with organizations, units of work and interfaces; ids count from 1 in the order above."""
    rows: dict[str, tuple[tuple[str, ...], list[tuple[Stored, ...]]]] = {
        "Organization": (
            ("id", "name", "parent_id", "parent_id_left", "parent_id_right", "status"),
            [
                (i, name, PARENTS[i % 10], 2 * i, 2 * i + 1, ("active", "inactive", None)[i % 3])
                for i, name in enumerate(NAMES, 1)
            ],
        ),
        "CMDBChange": (
            ("id", "date", "userinfo", "origin"),
            [(i, day, "x", "interactive") for i, day in enumerate(DAYS, 1)],
        ),
        "NetworkInterface": (
            ("id", "name", "finalclass"),
            [(i, "eth", "PhysicalInterface") for i in range(1, 1 + len(SPEEDS))],
        ),
        "IPInterface": (("id", "speed"), [(i, speed) for i, speed in enumerate(SPEEDS, 1)]),
        "PhysicalInterface": (("id", "connectableci_id"), [(i, 0) for i in range(1, 1 + len(SPEEDS))]),
    }
    with engine.write() as connection:
        for class_name, (columns, values) in rows.items():
            insert_rows(connection, engine.table(class_name), columns, values)
    return engine


ANSWERS = r"""
Organization WHERE name = 'demo' -> 1 2 3
Organization WHERE name != 'demo' -> 13 19 6 5 17 18 7 10 8 9 4 21 22 20 11 12 23 24 25 15 16
Organization WHERE name IN ('DEMO', 'abc', 'nothing') -> 8 9 1 2 3
Organization WHERE name NOT IN ('DEMO', 'abc', '') -> 19 6 5 17 18 7 10 4 21 22 20 11 12 23 24 25 15 16
Organization WHERE name LIKE 'dem%' -> 1 2 3 4
Organization WHERE name LIKE '%É%' -> 19 1 2 3 4 21 22 20 11 12 23 24
Organization WHERE name LIKE '100\\%' -> 5
Organization WHERE name LIKE 'a_c' -> 7 8 9
Organization WHERE name LIKE 'a\\_c' -> 7
Organization WHERE name LIKE '%\\\\%' -> 10
Organization WHERE name NOT LIKE '%e%' -> 13 6 5 17 18 7 10 8 9 25 15 16
Organization WHERE name LIKE '%ss%' -> 24
Organization WHERE name LIKE '%break' -> 20
Organization WHERE name LIKE '' -> 13
Organization WHERE name REGEXP '^d' -> 1 2 3 4
Organization WHERE name REGEXP '^[0-9]+$' -> 17
Organization WHERE name REGEXP 'e.u|line.break' -> none
Organization WHERE name < 'abc' -> 13 19 6 5 17 18 7 10
Organization WHERE name >= 'œuvre' -> 11 12 23 24 25 15 16
Organization WHERE name > '' -> 19 6 5 17 18 7 10 8 9 1 2 3 4 21 22 20 11 12 23 24 25 15 16
Organization WHERE name = '' -> 13
Organization WHERE ISNULL(name) -> 14
Organization WHERE name + 1 = 13 -> 17 18
Organization WHERE CONCAT(name, '!') = 'DEMO!' -> 1 3
Organization WHERE TRIM(name) = 'lead' -> 19
Organization WHERE SUBSTR(name, 2, 2) = 'EM' -> 1 2 3 4
Organization WHERE status = 'Active' -> 6 18 9 3 21 12 24 15
Organization WHERE status != 'active' -> 13 19 7 10 1 4 22 25 16
Organization WHERE status > 1 -> 13 19 7 10 1 4 22 25 16
Organization WHERE ISNULL(status) -> 14 5 17 8 2 20 11 23
Organization WHERE status IN ('inactive', 'other') -> 13 19 7 10 1 4 22 25 16
Organization WHERE parent_id = 1 -> 1 2 21 22 11 12
Organization WHERE parent_id != 1 -> 13 14 19 6 5 18 10 8 9 3 4 20 23 24 25 15 16
Organization WHERE parent_id IN (0, 5) -> 14 6 5 10 4 20 24 25 15 16
Organization WHERE parent_name = 'demo' -> 13 19 9 1 2 3 21 22 11 12 23
Organization WHERE parent_id_friendlyname LIKE '1%' -> 5 25 15
Organization WHERE id / 2 = '3.5' -> 7
Organization WHERE id & 1 -> 13 19 5 17 7 9 1 3 21 11 23 25 15
Organization WHERE (id - 5) * 2 < 0 -> 1 2 3 4
Organization WHERE IF(id > 20, name, 'x') = 'E' -> 21 22
Organization WHERE COALESCE(name, 'none') = 'NONE' -> 14
Organization AS o JOIN Organization AS p ON o.parent_id = p.id WHERE p.name = 'DEMO' -> 13 19 9 1 2 3 21 22 11 12 23
Organization AS o WHERE o.id IN (SELECT Organization AS p WHERE p.name LIKE 'A%') -> 7 10 8 9
Organization WHERE name = 'demo' UNION SELECT Organization WHERE name = 'ABC' -> 8 9 1 2 3
Organization WHERE id = 99999999999 -> none
CMDBChange WHERE date < '2024-01-01' -> 6 2
CMDBChange WHERE date >= '2024-01-01 00:00:00' -> 3 1 8 4 7
CMDBChange WHERE date = '2024-02-29' -> 1
CMDBChange WHERE date = NOW() -> 4
CMDBChange WHERE date < DATE_SUB(NOW(), INTERVAL 2 MONTH) -> 6 2 3 1
CMDBChange WHERE DATE_ADD(date, INTERVAL 1 YEAR) = '2025-02-28 00:00:00' -> 1
CMDBChange WHERE DATE_ADD(date, INTERVAL 1 SECOND) = '2024-01-01 00:00:00' -> 2
CMDBChange WHERE ISNULL(date) -> 5
CMDBChange WHERE date LIKE '2024-0%' -> 3 1 8 4
CMDBChange WHERE YEAR(date) = 2024 -> 3 1 8 4
CMDBChange WHERE MONTH(date) = 12 -> 2 7
CMDBChange WHERE DATE(date) = '2024-02-29' -> 1
CMDBChange WHERE TO_DAYS(date) = TO_DAYS('2024-05-06') -> 4
CMDBChange WHERE DATE_FORMAT(date, '%H:%i') = '02:30' -> 8
CMDBChange WHERE date = '0000-00-00' -> none
CMDBChange WHERE date > '2024-13-45' -> 6 2 3 1 8 4 7
CMDBChange WHERE date = '' -> none
PhysicalInterface WHERE speed > '9' -> 3 5
PhysicalInterface WHERE speed < 0 -> 2
PhysicalInterface WHERE speed + '0.01' = 10000000000 -> 3
PhysicalInterface WHERE ISNULL(speed) -> 4
PhysicalInterface WHERE speed = '10.000' -> 5
PhysicalInterface WHERE speed LIKE '0.1%' -> 1
PhysicalInterface WHERE ROUND(speed, 1) = '0.1' -> 1
"""
"""A query without its SELECT, and the ids that it finds on MariaDB, in their order."""


def found(database: Database, query: str) -> list[int]:
    resolved = resolve(parse(query), database.model)
    columns = [ColumnPath(resolved.selected[0].alias, "id")]
    compiled = compile_query(resolved, database, columns=columns, arguments={}, now=NOW)
    with database.read() as connection:
        return [int(row[0]) for row in connection.execute(compiled.select)]


@pytest.mark.parametrize(
    ("query", "expected"), [line.split(" -> ") for line in ANSWERS.strip().splitlines()], ids=lambda text: text[:60]
)
def test_a_query_finds_what_it_finds_on_mariadb(filled: Database, query: str, expected: str) -> None:
    answer = " ".join(map(str, found(filled, f"SELECT {query}"))) or "none"
    assert answer == expected
