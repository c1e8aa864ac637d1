"""Deletions: what goes, what is reset, what stands in the way, and what it costs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from itopd.database import Database
from itopd.datamodel import Attribute, OnTargetDelete, bundled_model
from itopd.writing import Change, Create, Delete, Effect, Intent, Pending, Update
from itopd.writing.deletion_plan import Link, Node, moves_up, plan_of
from tests.support.engines import marked, new_database
from tests.writing.test_writer import DEMO, count, operations, person, statements, writer

PICASSO = 2
KEY = bundled_model()["Person"].attributes["manager_id"]


def key(*, nullable: bool, option: OnTargetDelete, code: str = "key") -> Attribute:
    template = bundled_model()["Organization"].attributes["parent_id"]
    values = {name: getattr(template, name) for name in template.__slots__}
    return Attribute(**{**values, "code": code, "nullable": nullable, "on_target_delete": option})


RESET = key(nullable=True, option=OnTargetDelete.AUTO)
AUTO = key(nullable=False, option=OnTargetDelete.AUTO)
MANUAL = key(nullable=False, option=OnTargetDelete.MANUAL)


class TestPlan:
    @staticmethod
    def plan(links: dict[Node, list[Link]]) -> tuple[list[Node], list[Node], dict[Node, dict[str, int]]]:
        plan = plan_of(("A", 1), lambda node: links.get(node, []))
        return list(plan.in_order), list(plan.manual), plan.resets

    def test_what_goes_is_told_class_by_class_the_object_first(self) -> None:
        links = {
            ("A", 1): [Link(("B", 1), AUTO), Link(("C", 1), AUTO), Link(("B", 2), AUTO)],
            ("B", 1): [Link(("A", 2), AUTO)],
        }
        assert self.plan(links)[0] == [("A", 1), ("A", 2), ("B", 1), ("B", 2), ("C", 1)]

    def test_a_circle_ends(self) -> None:
        links = {("A", 1): [Link(("B", 1), AUTO)], ("B", 1): [Link(("A", 1), AUTO), Link(("B", 1), AUTO)]}
        assert self.plan(links)[0] == [("A", 1), ("B", 1)]

    def test_nothing_below_what_must_be_deleted_by_hand_is_looked_at(self) -> None:
        links = {("A", 1): [Link(("B", 1), MANUAL)], ("B", 1): [Link(("C", 1), AUTO)]}
        assert self.plan(links) == ([("A", 1)], [("B", 1)], {})

    @pytest.mark.parametrize("order", [1, -1])
    def test_reached_several_ways_deletion_wins_over_all_else(self, order: int) -> None:
        ways = [Link(("B", 1), AUTO), Link(("B", 1), MANUAL), Link(("B", 1), RESET)][::order]
        assert self.plan({("A", 1): ways}) == ([("A", 1), ("B", 1)], [], {})

    def test_several_keys_of_one_object_are_reset_together(self) -> None:
        other = key(nullable=True, option=OnTargetDelete.AUTO, code="other")
        links = {("A", 1): [Link(("B", 1), RESET), Link(("B", 1), other, 7)]}
        assert self.plan(links)[2] == {("B", 1): {"key": 0, "other": 7}}

    def test_only_a_hierarchical_key_with_that_option_moves_up(self) -> None:
        organization = bundled_model()["Organization"]
        up = key(nullable=True, option=OnTargetDelete.MOVEUP, code="parent_id")
        assert moves_up(up, organization) == "parent_id"
        assert moves_up(up, bundled_model()["Person"]) is None
        assert moves_up(RESET, organization) is None

    def test_a_deep_chain_needs_no_deep_recursion(self) -> None:
        plan = plan_of(("A", 1), lambda node: [Link(("A", node[1] + 1), AUTO)] if node[1] < 20_000 else [])
        assert len(plan.goes) == 20_000


def write(database: Database, connection: sa.Connection, *intents: Intent) -> list[Any]:
    return writer(database).write(connection, intents, Change("me", 1))


@pytest.fixture
def connection(sample: Database) -> Iterator[sa.Connection]:
    with sample.write() as opened:
        yield opened
        opened.rollback()


def test_a_person_goes_with_the_links_and_leaves_those_it_managed(sample: Database, connection: sa.Connection) -> None:
    made = write(
        *(sample, connection, person(1), person(2), Create("Team", {"name": "T", "org_id": DEMO})),
    )
    one, two, team = (outcome.id for outcome in made)
    _, link = write(
        *(sample, connection, Update("Person", two, {"manager_id": one})),
        Create("lnkPersonToTeam", {"person_id": one, "team_id": team}),
    )
    (outcome,) = write(sample, connection, Delete("Contact", one))
    assert (outcome.status, outcome.cls, outcome.id) == ("deleted", "Person", one)
    assert outcome.effects == (
        Effect("lnkPersonToTeam", link.id, "deleted", "F1 N1 / T"),
        Effect("Person", two, "reset", "F2 N2", {"manager_id": 0}),
    )
    assert [row["optype"] for row in operations(connection, sample, "Person", one)] == []
    (deletion,) = operations(connection, sample, "Contact", one)
    assert (deletion["fclass"], deletion["fname"]) == ("Person", "F1 N1")
    assert operations(connection, sample, "Person", two)[-1]["attcode"] == "manager_id"
    removed = operations(connection, sample, "Team", team)[-1]
    assert (removed["attcode"], removed["type"], removed["item_id"]) == ("persons_list", "removed", one)


def test_a_plan_tells_and_does_nothing(sample: Database, connection: sa.Connection) -> None:
    made, other = write(sample, connection, person(1), person(2))
    write(sample, connection, Update("Person", other.id, {"manager_id": made.id}))
    before = count(connection, sample, "CMDBChangeOp")
    told = writer(sample).plan(connection, Delete("Person", made.id), Change("me", 1))
    assert (told.status, told.effects[0].kind) == ("deleted", "reset")
    assert count(connection, sample, "CMDBChangeOp") == before
    assert writer(sample).plan(connection, Delete("Person", made.id), Change("me", 1)) == told
    assert writer(sample).plan(connection, Delete("Person", 99999), Change("me", 1)).issues[0].kind == "not_found"


def test_what_must_be_deleted_by_hand_first_stops_everything(sample: Database, connection: sa.Connection) -> None:
    org, *_ = write(sample, connection, Create("Organization", {"name": "O"}, "o"))
    (inside,) = write(sample, connection, Create("Person", {"name": "N", "first_name": "F", "org_id": org.id}))
    refused, gone, later = write(
        *(sample, connection, Delete("Organization", org.id), Delete("Person", inside.id)),
        Delete("Organization", org.id),
    )
    assert [issue.text for issue in refused.issues] == [f"Person::{inside.id} Must be deleted manually"]
    assert [(effect.kind, effect.name) for effect in refused.effects] == [("manual", "F N")]
    assert (gone.status, later.status) == ("deleted", "deleted"), "in order: the second makes way for the third"


def test_what_an_earlier_intent_of_the_call_made_or_pointed_there_counts(
    sample: Database, connection: sa.Connection
) -> None:
    outcomes = write(
        *(sample, connection, Create("Organization", {"name": "O"}, "o")),
        Create("Person", {"name": "N", "first_name": "F", "org_id": Pending("o")}, "p"),
        *(Delete("Organization", Pending("o")), Delete("Person", Pending("p")), Delete("Organization", Pending("o"))),
        Update("Person", Pending("p"), {"name": "late"}),
        Create("Person", {"name": "N", "first_name": "F", "org_id": Pending("o")}),
    )
    assert [outcome.status for outcome in outcomes] == [
        *("created", "created", "refused", "deleted", "deleted", "refused", "refused"),
    ]
    assert [issue.kind for outcome in outcomes[-2:] for issue in outcome.issues] == ["not_found", "target_not_found"]


def test_what_was_unique_is_free_again_in_the_same_call(sample: Database, connection: sa.Connection) -> None:
    values = {"employee_number": "E1"}
    (first,) = write(sample, connection, person(1, **values))
    refused, gone, again = write(
        sample, connection, person(2, **values), Delete("Person", first.id), person(2, **values)
    )
    assert [outcome.status for outcome in (refused, gone, again)] == ["refused", "deleted", "created"]


def test_a_chain_of_managers_is_one_chunk(sample: Database, connection: sa.Connection) -> None:
    ids = [outcome.id for outcome in write(sample, connection, *(person(number) for number in range(50)))]
    pairs = itertools.pairwise(ids)
    write(sample, connection, *(Update("Person", later, {"manager_id": first}) for first, later in pairs))
    sent = statements(sample)
    outcomes = write(sample, connection, *(Delete("Person", id_) for id_ in ids))
    assert {outcome.status for outcome in outcomes} == {"deleted"}
    assert sum(statement.startswith("DELETE FROM person ") for statement in sent) == 1


@pytest.mark.parametrize("engine", [marked("sqlite"), marked("postgresql"), marked("mariadb")])
def test_a_thousand_deletions_cost_as_many_statements_as_one(engine: str, tmp_path: Path) -> None:
    with new_database(engine, tmp_path) as database, database.write() as connection:
        org, team = (
            outcome.id
            for outcome in write(
                *(database, connection, Create("Organization", {"name": "O"}, "o")),
                Create("Team", {"name": "T", "org_id": Pending("o")}),
            )
        )

        def made(number: int) -> list[int]:
            people = [Create("Person", {"name": f"N{n}", "first_name": "F", "org_id": org}, n) for n in range(number)]
            links = [Create("lnkPersonToTeam", {"person_id": Pending(n), "team_id": team}) for n in range(number)]
            return [outcome.id for outcome in write(database, connection, *people, *links)[:number]]

        def cost(ids: list[int]) -> int:
            sent = statements(database)
            outcomes = write(database, connection, *(Delete("Person", id_) for id_ in ids))
            assert {outcome.status for outcome in outcomes} == {"deleted"}
            return len(sent)

        few, many = cost(made(10)), cost(made(1000))
        assert many <= few + 12  # what is in the history of 1,000 objects is purged in several statements
        assert count(connection, database, "Person") == count(connection, database, "lnkPersonToTeam") == 0
