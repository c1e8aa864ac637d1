"""A writer is killed between any two of its statements: each object is as it was or as it was to be, with its history.

Objects, links, trees and history are looked at in every table, so that nothing half done can hide.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa

from itopd.database import Database
from itopd.writing import Create, Delete, Intent, LinkSet, Pending, Update, check_trees
from tests.crash.write_child import COMMITTED_TWICE, write, write_until_killed
from tests.support.engines import EACH_ENGINE, new_database

pytestmark = pytest.mark.crash

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.crash.mail_child", "tests.crash.write_child"])  # one server serves all tests

Rows = dict[str, list[tuple[object, ...]]]


@pytest.fixture(params=EACH_ENGINE)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Give an empty database with the bundled schema, on every engine."""
    with new_database(request.param, tmp_path) as opened:
        yield opened


def rows(database: Database) -> Rows:
    """Return all that the database holds, table by table."""
    with database.read() as connection:
        found = {
            one.name: [tuple(row) for row in connection.execute(database.table(one.name).select())]
            for one in (cls for cls in database.model.values() if cls.table)
        }
    return {name: sorted(content, key=repr) for name, content in found.items()}


def organization(name: str, parent: int | Pending = 0) -> Create:
    return Create("Organization", {"name": name, "parent_id": parent}, name)


def person(name: str, organization: int | Pending) -> Create:
    return Create("Person", {"name": name, "first_name": "F", "org_id": organization}, name)


def settled(database: Database) -> tuple[int, ...]:
    """Fill the database; return the ids of an organization, one to move, one to delete, two persons and a team."""
    outcomes = write(
        database,
        [
            *(organization("stays"), organization("moves"), organization("goes", Pending("moves"))),
            *(organization("below", Pending("goes")), organization("aside", Pending("moves"))),
            *(person("leaver", Pending("stays")), person("managed", Pending("stays"))),
            Create("Team", {"name": "T", "org_id": Pending("stays")}, "team"),
            Create("lnkPersonToTeam", {"person_id": Pending("leaver"), "team_id": Pending("team")}),
        ],
    )
    assert {outcome.status for outcome in outcomes} == {"created"}
    stays, moves, goes, _, _, leaver, managed, team, _ = (outcome.id for outcome in outcomes)
    write(database, [Update("Person", managed, {"manager_id": leaver})])
    return stays, moves, goes, leaver, managed, team


def killed_after(database: Database, intents: Sequence[Intent], statements: int) -> bool:
    """Write in a process that is killed after so many statements; return whether it was, or had done by then."""
    url = database.engine.url.render_as_string(hide_password=False)
    process = PROCESSES.Process(target=write_until_killed, args=(url, intents, statements))
    process.start()
    process.join(60)
    assert process.exitcode != COMMITTED_TWICE, "a write is one transaction"
    assert process.exitcode in {0, -signal.SIGKILL}
    return process.exitcode != 0


def test_killed_between_any_two_statements_a_writer_leaves_all_or_nothing(database: Database) -> None:
    stays, moves, goes, leaver, managed, team = settled(database)
    links = LinkSet(add=({"team_id": team},))
    intents: list[Intent] = [
        *(organization("new", stays), organization("newer", Pending("new")), Delete("Organization", goes)),
        *(Update("Organization", moves, {"parent_id": Pending("newer")}), Delete("Person", leaver)),
        Create("Person", {"name": "P", "first_name": "F", "org_id": Pending("newer"), "team_list": links}),
        Update("Person", managed, {"name": "renamed"}),
        Create("UserRequest", {"title": "T", "description": "D", "org_id": stays, "caller_id": managed}),
        *(organization("short", moves), Delete("Organization", Pending("short"))),  # takes a part of its own
    ]
    before = rows(database)
    statements = 0
    while killed_after(database, intents, statements):
        assert rows(database) == before, f"killed after {statements} statements"
        statements += 1
    assert statements > 20, "a writer that sends so little does not do what is asked"

    after = rows(database)
    changed = {name for name in after if after[name] != before[name]}
    assert changed >= {"Organization", "Contact", "Person", "lnkPersonToTeam", "Ticket", "UserRequest"}
    kinds = ("Create", "Delete", "SetAttributeScalar", "SetAttributeLinksAddRemove")
    assert changed >= {f"CMDBChangeOp{kind}" for kind in kinds}
    with database.read() as connection:
        assert [report.problems for report in check_trees(database, connection) if report.problems] == []
        names = set(connection.execute(sa.select(database.table("Organization").c.name)).scalars())
    assert names == {"stays", "moves", "below", "aside", "new", "newer"}
