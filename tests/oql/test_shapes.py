"""What an engine cannot take is said before it is asked: joined tables, nested queries."""

from __future__ import annotations

import pytest

from itopd.errors import OqlError
from itopd.oql import ColumnPath, compile_count, compile_query, parse, resolve
from tests.oql.conftest import Engines

pytestmark = [pytest.mark.mariadb, pytest.mark.postgresql, pytest.mark.shared]


def joined(count: int) -> str:
    """Return a query of so many tables; Person has two."""
    joins = [f"JOIN Organization AS o{i} ON p.org_id = o{i}.id" for i in range(count - 2)]
    return " ".join(["SELECT Person AS p", *joins])


def nested(levels: int) -> str:
    heads = [f"SELECT Organization AS o{i} WHERE o{i}.id IN (" for i in range(levels - 1)]
    return "".join(heads) + "SELECT Organization" + ")" * (levels - 1)


def taken(engines: Engines, text: str) -> dict[str, int | str]:
    """Return for each engine how many rows it finds, or the kind of the error."""
    found: dict[str, int | str] = {}
    for database, connection in engines:
        resolved = resolve(parse(text), database.model)
        column = ColumnPath(resolved.selected[0].alias, "id")
        try:
            compiled = compile_query(resolved, database, columns=[column], arguments={}, now="", order=False)
        except OqlError as error:
            found[database.dialect] = error.problem
            with pytest.raises(OqlError, match="takes"):
                compile_count(resolved, database, arguments={}, now="")
        else:
            rows = connection.execute(compiled.select).all()
            found[database.dialect] = len(rows)
            assert connection.execute(compile_count(resolved, database, arguments={}, now="")).scalar() == len(rows)
    return found


def test_as_many_tables_are_joined_as_the_engine_joins(engines: Engines) -> None:
    everybody = taken(engines, "SELECT Person")["mysql"]
    assert taken(engines, joined(61)) == {"mysql": everybody, "sqlite": everybody, "postgresql": everybody}
    assert taken(engines, joined(62)) == {"mysql": "too_complex", "sqlite": everybody, "postgresql": everybody}
    assert taken(engines, joined(65)) == {"mysql": "too_complex", "sqlite": "too_complex", "postgresql": everybody}


def test_as_many_queries_are_nested_as_the_engine_nests(engines: Engines) -> None:
    without_sqlite = engines[:1] + engines[2:]
    all_of_them = taken(engines, "SELECT Organization")["mysql"]
    assert taken(without_sqlite, nested(63)) == {"mysql": all_of_them, "postgresql": all_of_them}
    assert taken(without_sqlite, nested(64)) == {"mysql": "too_complex", "postgresql": all_of_them}
