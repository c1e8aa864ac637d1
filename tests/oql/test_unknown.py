"""Three-valued logic: where MariaDB finds a condition true, false or unknown, the other engines find the same.

Over rows with NULLs of every origin: columns, external fields behind the key 0, literals, divisions by zero, functions.
"""

from __future__ import annotations

from decimal import Decimal

import pytest
import sqlalchemy as sa

from itopd.database import Database
from itopd.oql import ColumnPath, Reader, compile_query, parse, resolve
from itopd.oql.compile import _dialect
from itopd.oql.members import MemberCompiler
from itopd.oql.parser import parse_condition
from tests.oql.conftest import Engines

pytestmark = [pytest.mark.mariadb, pytest.mark.postgresql, pytest.mark.shared]

NOW = "2024-05-06 07:08:09"
OPERANDS = [
    *(("Server", one) for one in ("NULL", "brand_name", "rack_id", "rack_name", "purchase_date", "nb_u", "(1/0)")),
    *(("Person", one) for one in ("manager_name", "manager_id", "manager_id_friendlyname", "employee_number")),
    *(("Person", one) for one in ("notify", "(NULL + 1)", "CONCAT(name, NULL)", "YEAR('none')")),
    ("Person", "manager_id_obsolescence_flag"),
    ("Server", "status"),
]
COMPARISONS = (
    "{0} = NULL", "{0} != NULL", "NULL < {0}", "{0} < 'h'", "{0} >= 'h'", "{0} = {0}", "{0} != {0}",
    "{0} IN (NULL)", "{0} IN ('1', NULL, 'HP')", "{0} NOT IN ('0', NULL)", "{0} NOT IN ('0', 'production')",
    "{0} LIKE '%'", "{0} NOT LIKE '%a%'", "{0} LIKE NULL", "{0} REGEXP 'a'", "{0} REGEXP NULL",
    "{0} + NULL = 1", "{0} - 1 > 0", "{0} / 0 = 1", "({0} & 1) = 0", "COALESCE({0}, 'h') = 'h'", "IF({0}, NULL, 1) = 1",
    "ISNULL({0})", "ISNULL({0}) = NULL", "{0} AND NULL", "{0} OR NULL",
)  # fmt: skip
WAYS = ("{0}", "({0}) = 0", "({0}) != 1", "({0}) OR NULL", "({0}) AND NULL", "({0}) IN (0, NULL)", "IF({0}, 1, 2)")


def worth(database: Database, connection: sa.Connection, cls: str, conditions: list[str]) -> list[list[object]]:
    """Return what each condition is worth for each object: a list per condition, the ids first."""
    compiler = MemberCompiler(database, _dialect(database), {}, Reader(), NOW)
    source = compiler.source(cls, optional=False)
    values = [compiler._rule(source, parse_condition(condition)).sql for condition in conditions]
    columns = [value.label(f"c{at}") for at, value in enumerate(values)]
    rows = connection.execute(sa.select(source.id, *columns).select_from(source.joined()).order_by(source.id))
    return [[int(one) if isinstance(one, Decimal) else one for one in column] for column in zip(*rows, strict=True)]


@pytest.mark.parametrize(("cls", "operand"), OPERANDS)
def test_conditions_are_true_false_or_unknown_as_on_mariadb(engines: Engines, cls: str, operand: str) -> None:
    conditions = [way.format(comparison.format(operand)) for comparison in COMPARISONS for way in WAYS]
    first, *others = (
        dict(zip(["id", *conditions], worth(*engine, cls, conditions), strict=True)) for engine in engines
    )
    assert None in first[f"{operand} = NULL"], "there are unknowns"
    for other in others:
        assert {one: (first[one], other[one]) for one in first if first[one] != other[one]} == {}


PLACES = "SELECT l FROM Server AS s JOIN Location AS l ON s.location_id = l.id"
"""Servers that stand nowhere give a null row."""
NESTED = [
    "SELECT Brand",
    "SELECT Brand WHERE 1 = 0",
    "SELECT Brand AS b WHERE ISNULL(b.name) OR NULL",
    "SELECT r FROM Server AS s JOIN Rack AS r ON s.rack_id = r.id",
    PLACES,
]


def fulfilling(database: Database, connection: sa.Connection, cls: str, condition: str) -> list[int]:
    query = resolve(parse(f"SELECT {cls} WHERE {condition}"), database.model)
    compiled = compile_query(query, database, columns=[ColumnPath(cls, "id")], arguments={}, now=NOW)
    return sorted(connection.execute(compiled.select).scalars())


@pytest.mark.parametrize(("cls", "operand"), OPERANDS[:10])
def test_each_object_is_among_the_nested_ones_or_not_or_that_is_unknown(
    engines: Engines, cls: str, operand: str
) -> None:
    (every,) = worth(*engines[0], cls, [])
    for nested in NESTED:
        ways = (f"{operand} IN ({nested})", f"{operand} NOT IN ({nested})", f"ISNULL({operand} IN ({nested}))")
        first, *others = ([fulfilling(*engine, cls, way) for way in ways] for engine in engines)
        assert others == [first] * len(others), nested
        assert sorted(id_ for ids in first for id_ in ids) == every, f"{nested}: three ways, no other"


def test_null_rows_of_a_nested_query_make_nothing_unknown(engines: Engines) -> None:
    (everywhere,) = worth(*engines[0], "Location", [])
    for engine in engines:
        used = fulfilling(*engine, "Location", f"id IN ({PLACES})")
        unused = fulfilling(*engine, "Location", f"id NOT IN ({PLACES})")
        assert used
        assert unused
        assert sorted(used + unused) == everywhere
