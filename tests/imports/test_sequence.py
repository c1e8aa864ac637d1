"""Taking rows together leaves what taking them one by one leaves: the slow, obvious reference is an import per row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from itopd.database import Database
from itopd.rules import ITOP, Rules
from tests.imports.calls import Imported, import_rows, make_context
from tests.support.sample import new_sqlite

NAMES = st.sampled_from(["Ann", "ann", "Bob", "Cy", "Änn", ""])
FIRST = st.sampled_from(["x", "y"])
NUMBERS = st.sampled_from(["", "", "1", "2"])
STATES = st.sampled_from(["active", "active", "inactive", "", "none"])
PERSON = "name,first_name,org_id->name,manager_id->name,employee_number,status\n"
PERSON_ROWS = st.tuples(NAMES, FIRST, st.sampled_from(["Home", "Nowhere"]), NAMES, NUMBERS, STATES)
ORGANIZATION = "name,code,parent_id->name\n"
ORGANIZATION_ROWS = st.tuples(
    st.sampled_from(["A", "B", "C", "D"]), st.sampled_from(["1", "2"]), st.sampled_from(["", "A", "B", "C", "D"])
)


def content(database: Database) -> dict[str, list[Any]]:
    """Return objects and history, keys followed to names: ids may differ, where a refused row took one."""
    with database.read() as connection:

        def rows(cls: str) -> Any:
            table = database.table(cls)
            return connection.execute(table.select().order_by(next(iter(table.primary_key)))).all()

        organizations, people = rows("Organization"), {row.id: row for row in rows("Person")}
        contacts, operations = rows("Contact"), rows("CMDBChangeOp")
    names = {row.id: row.name for row in organizations}
    known = {row.id: (row.name, people[row.id].first_name) for row in contacts}
    return {
        "persons": [
            (
                *known[row.id],
                row.status,
                names.get(row.org_id),
                people[row.id].employee_number,
                known.get(people[row.id].manager_id),
            )
            for row in contacts
        ],
        "organizations": [
            (row.name, row.code, names.get(row.parent_id), row.parent_id_left, row.parent_id_right)
            for row in organizations
        ],
        "operations": [
            (row.objclass, row.optype, (names if row.objclass == "Organization" else known).get(row.objkey))
            for row in operations
        ],
    }


def both_ways(
    folder: Path, cls: str, header: str, rows: list[tuple[str, ...]], rules: Rules, **parameters: Any
) -> tuple[tuple[list[str], dict[str, list[Any]]], tuple[list[str], dict[str, list[Any]]]]:
    """Return outcomes and content after one import of all rows, and after an import per row."""
    lines = [",".join(row) + "\n" for row in rows]

    def call(database: Database, data: str) -> Imported:
        return import_rows(make_context(database, rules=rules), cls, header + data, **parameters)

    with new_sqlite(folder) as together, new_sqlite(folder) as alone:
        for database in (together, alone):
            import_rows(make_context(database), "Organization", "name,code\nHome,H\n")
        at_once = call(together, "".join(lines)).outcomes
        one_by_one = [call(alone, line).outcomes[0] for line in lines]
        return (at_once, content(together)), (one_by_one, content(alone))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(PERSON_ROWS, min_size=2, max_size=8),
    keys=st.sampled_from(["name", "name,first_name", "friendlyname"]),
)
@example(rows=[("Ann", "x", "Home", "", "", "active"), ("Bob", "x", "Home", "Ann", "", "active")], keys="name")
@example(rows=[("Ann", "x", "Home", "", "", ""), ("Ann", "x", "Home", "", "", "active")], keys="name")
@example(
    rows=[
        ("Ann", "x", "Home", "", "1", "active"),
        ("Bob", "x", "Home", "", "1", "active"),
        ("Cy", "y", "Home", "Bob", "", "active"),
        ("Bob", "x", "Home", "Ann", "2", "active"),
    ],
    keys="name",
)
def test_persons_and_their_managers(rows: list[tuple[str, ...]], keys: str, tmp_path: Path) -> None:
    header, used = PERSON, rows
    if keys == "friendlyname":
        header = "friendlyname," + PERSON
        used = [(f"{row[1]} {rows[0][0]}".strip(), *row) for row in rows]
    at_once, one_by_one = both_ways(tmp_path, "Person", header, used, ITOP, reconciliationkeys=keys)
    assert at_once == one_by_one


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ORGANIZATION_ROWS, min_size=2, max_size=9), keys=st.sampled_from(["name", "code", "name,code"]))
@example(rows=[("A", "1", ""), ("B", "1", "A"), ("A", "1", "B"), ("C", "1", "B")], keys="name")
@example(rows=[("A", "1", ""), ("B", "1", "A"), ("C", "2", "B")], keys="code")
def test_trees_of_organizations(rows: list[tuple[str, ...]], keys: str, tmp_path: Path) -> None:
    at_once, one_by_one = both_ways(tmp_path, "Organization", ORGANIZATION, rows, ITOP, reconciliationkeys=keys)
    assert at_once == one_by_one


@pytest.mark.parametrize("size", [1, 3])
def test_small_blocks_make_no_difference(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("itopd.imports.block.LARGEST", size)
    rows: list[tuple[str, ...]] = [(f"P{i % 5}", "x", "Home", f"P{i // 2}", "", "active") for i in range(12)]
    at_once, one_by_one = both_ways(tmp_path, "Person", PERSON, rows, ITOP)
    assert at_once == one_by_one
