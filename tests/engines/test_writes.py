"""The same objects written on every engine leave the same rows, numbers of trees and refusals as on MariaDB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from itopd.behaviours import BEHAVIOURS
from itopd.clock import FixedClock
from itopd.database import Database
from itopd.rules import ITOPD
from itopd.writing import Change, Create, Intent, Pending, Update, Writer
from tests.support.dumps import diff_dumps, dump_tables
from tests.support.sample import new_mariadb, new_postgresql, new_sqlite

CLOCK = FixedClock(datetime(2026, 7, 1, 12, 0, tzinfo=UTC))

STEPS: list[list[Intent]] = [
    [
        Create("Organization", {"name": "Root", "code": "R"}, tag="root"),
        Create("Organization", {"name": "Left", "parent_id": Pending("root")}, tag="left"),
        Create("Organization", {"name": "Right", "parent_id": Pending("root")}, tag="right"),
        Create("Organization", {"name": "Leaf 😀", "parent_id": Pending("left")}),
        Create("Person", {"name": "Élan", "first_name": "A", "org_id": Pending("root"), "email": "a@x.example"}),
        Create("Person", {"name": "Nobody", "first_name": "B", "org_id": 4711}),
        Create("Person", {"name": "Too long " * 40, "first_name": "C", "org_id": Pending("root")}),
        Create("Location", {"name": "Paris", "org_id": Pending("root"), "address": "line\n" * 300}, tag="place"),
    ],
    [Create("Person", {"name": f"N{i}", "first_name": "X", "org_id": 1 + i % 4}) for i in range(120)],
    [
        Update("Organization", 3, {"parent_id": 4}),  # a branch moves below a leaf of the other
        Update("Organization", 1, {"name": "root"}),  # equal for iTop but for its letters
        Update("Organization", 2, {"parent_id": 3}),  # below itself: refused
        Update("Person", 1, {"name": "elan", "email": "", "location_id": 1}),
        Update("Person", 2, {"org_id": 2, "phone": "+33 1"}),
        Update("Person", 99_999, {"phone": "1"}),
        Create("Person", {"name": "ÉLAN", "first_name": "a", "org_id": 1, "email": "A@X.EXAMPLE"}),
    ],
    [
        Create("Brand", {"name": "Same"}),
        Create("Brand", {"name": "SAME  "}),
        Create("Model", {"name": "M", "brand_id": 1, "type": "Server"}, tag="model"),
        Create("Server", {"name": "s1", "org_id": 1, "model_id": Pending("model"), "move2production": "2024-02-29"}),
        Create("Server", {"name": "s2", "org_id": 1, "move2production": "2023-02-29"}),
        Create("Team", {"name": "T", "org_id": 1}, tag="team"),
        Create("lnkPersonToTeam", {"team_id": Pending("team"), "person_id": 2}),
        Create("lnkPersonToTeam", {"team_id": Pending("team"), "person_id": 2}),
    ],
]


@pytest.fixture
def everywhere(tmp_path: Path) -> Iterator[dict[str, Database]]:
    with ExitStack() as stack:
        yield {
            "mariadb": stack.enter_context(new_mariadb()),
            "sqlite": stack.enter_context(new_sqlite(tmp_path)),
            "postgresql": stack.enter_context(new_postgresql()),
        }


def written(database: Database, intents: list[Intent]) -> list[tuple[str, int, tuple[tuple[str | None, str], ...]]]:
    """Write and return what became of each intent: status, id, and why it was refused."""
    writer = Writer(database, CLOCK, ITOPD, behaviours=BEHAVIOURS)
    with database.write() as connection:
        outcomes = writer.write(connection, intents, Change("conformance"))
    return [(one.status, one.id, tuple((issue.code, issue.kind) for issue in one.issues)) for one in outcomes]


@pytest.mark.mariadb
@pytest.mark.postgresql
def test_the_same_writes_have_the_same_outcomes_and_leave_the_same_rows(everywhere: dict[str, Database]) -> None:
    for number, intents in enumerate(STEPS, 1):
        outcomes = {name: written(database, intents) for name, database in everywhere.items()}
        for name in ("sqlite", "postgresql"):
            assert outcomes[name] == outcomes["mariadb"], f"step {number} on {name}"
        assert any(status != "refused" for status, _, _ in outcomes["mariadb"]), f"step {number}"
    rows = {name: dump_tables(database) for name, database in everywhere.items()}
    for name in ("sqlite", "postgresql"):
        assert diff_dumps(rows["mariadb"], rows[name]) == {}, name
    tree = {
        row["name"]: (row["parent_id_left"], row["parent_id_right"]) for row in rows["mariadb"]["organization"].values()
    }
    assert tree["Leaf 😀"][0] < tree["Right"][0] < tree["Right"][1] < tree["Leaf 😀"][1]
    assert sorted(number for pair in tree.values() for number in pair) == list(range(1, 9))


@pytest.mark.mariadb
@pytest.mark.postgresql
def test_a_write_that_is_undone_leaves_nothing_anywhere(everywhere: dict[str, Database]) -> None:
    for name, database in everywhere.items():
        written(database, STEPS[0])
        before = dump_tables(database)
        writer = Writer(database, CLOCK, ITOPD, behaviours=BEHAVIOURS)
        with database.write() as connection:
            writer.write(connection, STEPS[1], Change("undone"))
            assert connection.scalar(sa.select(sa.func.count()).select_from(database.table("Person"))) == 121
            connection.rollback()
        assert diff_dumps(before, dump_tables(database)) == {}, name
