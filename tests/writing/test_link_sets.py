"""Link sets as values of an intent: the object and all its links, or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from itopd.database import Database
from itopd.errors import ModelError
from itopd.writing import Change, Create, Delete, Intent, LinkSet, Outcome, Pending, Update
from tests.writing.test_writer import DEMO, operations, person, statements, writer

LINK = "lnkPersonToTeam"


@pytest.fixture
def connection(sample: Database) -> Iterator[sa.Connection]:
    with sample.write() as opened:
        yield opened
        opened.rollback()


def write(database: Database, connection: sa.Connection, *intents: Intent) -> list[Outcome]:
    return writer(database).write(connection, intents, Change("me", 1))


def team(name: str = "T", tag: str | None = None, **values: Any) -> Create:
    return Create("Team", {"name": name, "org_id": DEMO, **values}, tag)


def members(database: Database, connection: sa.Connection, team_id: int) -> dict[int, int]:
    """Return the persons of a team, each with the id of its link."""
    table = database.table(LINK)
    rows = connection.execute(sa.select(table.c.person_id, table.c.id).where(table.c.team_id == team_id))
    return {row.person_id: row.id for row in rows}


def kinds(outcome: Outcome) -> list[str]:
    return [issue.kind for issue in outcome.issues]


def test_an_object_comes_with_its_links(sample: Database, connection: sa.Connection) -> None:
    one, two, made = write(
        *(sample, connection, person(1), Create("Person", {"name": "N", "first_name": "F", "org_id": DEMO}, "p")),
        team(persons_list=LinkSet(add=({"person_id": 2}, {"person_id": Pending("p")}, {"person_id": 2}))),
    )
    assert one.status == two.status == made.status == "created"
    assert members(sample, connection, made.id).keys() == {2, two.id}, "the same person twice is one link"
    assert [row["optype"] for row in operations(connection, sample, "Team", made.id)] == ["CMDBChangeOpCreate"]


def test_links_are_added_changed_and_removed_with_the_object(sample: Database, connection: sa.Connection) -> None:
    (made,) = write(sample, connection, team(persons_list=LinkSet(add=({"person_id": 2}, {"person_id": 6}))))
    links = members(sample, connection, made.id)
    change = LinkSet(add=({"person_id": 2}, {"person_id": 3}), remove=(links[6],), modify={links[2]: {"role_id": 0}})
    updated, unchanged = write(
        sample,
        connection,
        Update("Team", made.id, {"phone": "1", "persons_list": change}),
        Update("Team", made.id, {"phone": "1", "persons_list": LinkSet(add=({"person_id": 3},))}),
    )
    assert (updated.status, unchanged.status) == ("updated", "unchanged")
    assert members(sample, connection, made.id).keys() == {2, 3}
    told = [(row["attcode"], row.get("type")) for row in operations(connection, sample, "Team", made.id)[1:]]
    assert told == [("persons_list", "removed"), ("persons_list", "added"), ("phone", None)], "links first"


def test_what_is_removed_may_be_added_anew(sample: Database, connection: sa.Connection) -> None:
    (made,) = write(sample, connection, team(persons_list=LinkSet(add=({"person_id": 2},))))
    before = members(sample, connection, made.id)
    again = LinkSet(add=({"person_id": 2},), remove=(before[2],))
    assert write(sample, connection, Update("Team", made.id, {"persons_list": again}))[0].status == "updated"
    after = members(sample, connection, made.id)
    assert list(after) == [2]
    assert after[2] != before[2]


@pytest.mark.parametrize(
    ("links", "kind"),
    [
        (LinkSet(add=({"person_id": 99999},)), "target_not_found"),
        (LinkSet(add=({"role_id": 0},)), "null"),
        (LinkSet(remove=(1,)), "not_found"),
        (LinkSet(modify={99999: {"role_id": 0}}), "not_found"),
        (LinkSet(add=({"person_id": 3, "role_id": 99999},), remove=()), "target_not_found"),
    ],
)
def test_with_a_link_that_cannot_be_nothing_is_written(
    sample: Database, connection: sa.Connection, links: LinkSet, kind: str
) -> None:
    (made,) = write(sample, connection, team())
    others = LinkSet(add=(*links.add, {"person_id": 2}), remove=links.remove, modify=links.modify)
    refused, alone, fine = write(
        sample,
        connection,
        Update("Team", made.id, {"phone": "9", "persons_list": others}),
        team("U", persons_list=links),
        team("V"),
    )
    assert (kinds(refused), kinds(alone), fine.status) == ([kind], [kind], "created")
    assert members(sample, connection, made.id) == {}
    assert len(operations(connection, sample, "Team", made.id)) == 1


def test_what_fails_only_in_its_turn_takes_the_object_with_it(sample: Database, connection: sa.Connection) -> None:
    (made,) = write(sample, connection, team(persons_list=LinkSet(add=({"person_id": 2},))))
    link = members(sample, connection, made.id)[2]
    bad = LinkSet(add=({"person_id": 99999},), remove=(link,))
    before, refused, after = write(
        *(sample, connection, team("before"), Update("Team", made.id, {"phone": "9", "persons_list": bad})),
        team("after", persons_list=LinkSet(add=({"person_id": 3},))),
    )
    assert (before.status, kinds(refused), after.status) == ("created", ["target_not_found"], "created")
    assert members(sample, connection, made.id) == {2: link}


def test_objects_of_a_1_to_n_set_are_given_and_let_go(sample: Database, connection: sa.Connection) -> None:
    place, one, two = write(sample, connection, Create("Location", {"name": "L", "org_id": DEMO}), person(1), person(2))
    (given,) = write(
        sample, connection, Update("Location", place.id, {"person_list": LinkSet(attach=(one.id, two.id))})
    )
    assert given.status == "updated"
    table = sample.table("Person")
    lives = sa.select(table.c.id).where(table.c.location_id == place.id)
    assert set(connection.execute(lives).scalars()) == {one.id, two.id}
    write(sample, connection, Update("Location", place.id, {"person_list": LinkSet(remove=(one.id,))}))
    assert set(connection.execute(lives).scalars()) == {two.id}
    assert write(sample, connection, Delete("Location", place.id))[0].status == "deleted"


def test_only_a_link_set_takes_links(sample: Database, connection: sa.Connection) -> None:
    with pytest.raises(ModelError, match=r"Team\.name is no link set"):
        write(sample, connection, team(LinkSet()))  # type: ignore[arg-type]


def test_a_thousand_teams_with_links_cost_as_many_statements_as_ten(
    sample: Database, connection: sa.Connection
) -> None:
    def cost(number: int) -> int:
        sent = statements(sample)
        links = LinkSet(add=({"person_id": 2}, {"person_id": 3}))
        outcomes = write(sample, connection, *(team(f"T{n}", persons_list=links) for n in range(number)))
        assert {outcome.status for outcome in outcomes} == {"created"}
        return len(sent)

    few = cost(10)
    assert cost(900) <= few + 15
