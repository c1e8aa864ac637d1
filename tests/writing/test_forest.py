"""Trees as stored: found damaged, made sound."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from itopd.database import Database, update_rows
from itopd.writing import Change, Create, Update, check_trees, rebuild_trees
from itopd.writing.forest import _numbered, _problems
from itopd.writing.tree import Node
from tests.writing.test_writer import writer


@given(st.lists(st.integers(0, 12), min_size=1, max_size=12))
def test_what_was_numbered_anew_is_sound_as_far_as_parents_are(parents: list[int]) -> None:
    nodes = [Node(id_, parent, 0, 0) for id_, parent in enumerate(parents, start=1)]
    numbers = _numbered(nodes)
    assert sorted(number for pair in numbers.values() for number in pair) == list(range(1, 2 * len(nodes) + 1))
    problems = list(_problems([Node(node.id, node.parent, *numbers[node.id]) for node in nodes]))
    astray = [
        text for text in problems if "parent" in text and ("does not exist" in text or "below each other" in text)
    ]
    misplaced = [text for text in problems if "its numbers place it" in text]
    assert len(problems) == len(astray) + len(misplaced)
    assert len(misplaced) == len(astray), "only who has no right parent lies elsewhere than its parent says"


@pytest.mark.parametrize(
    ("nodes", "problem"),
    [
        ([(1, 0, 1, 2), (2, 0, 2, 3)], "id 1: its number 2 is another's, too"),
        ([(1, 0, 2, 1)], "id 1: its left number 2 is not below its right one 1"),
        ([(1, 0, 1, 4), (2, 0, 2, 3)], "id 2: its numbers place it below 1, its parent is 0"),
        ([(1, 0, 1, 2), (2, 1, 3, 4)], "id 2: its numbers place it below nothing, its parent is 1"),
        ([(1, 7, 1, 2)], "id 1: its parent 7 does not exist: give it another one"),
        ([(1, 2, 1, 4), (2, 1, 2, 3)], "ids 1, 2 are below each other: give one of them another parent"),
        ([(1, 0, 0, 0)], "id 1: its left number 0 is not below its right one 0"),
    ],
)
def test_damage_is_named(nodes: list[tuple[int, int, int, int]], problem: str) -> None:
    assert problem in list(_problems([Node(*node) for node in nodes]))


def test_holes_are_no_damage() -> None:
    assert list(_problems([Node(1, 0, 1, 12), Node(2, 1, 4, 5), Node(3, 0, 20, 21)])) == []


def test_a_damaged_tree_is_rebuilt_in_the_order_of_ids(sample: Database) -> None:
    with sample.write() as connection:
        change = Change("me")
        made = writer(sample).write(
            connection, [Create("Organization", {"name": name, "parent_id": 3}) for name in "cab"], change
        )
        writer(sample).write(connection, [Update("Organization", made[2].id, {"parent_id": made[0].id})], change)
        assert [report.problems for report in check_trees(sample, connection)] == [(), ()]
        table = sample.table("Organization")
        columns = ("parent_id_left", "parent_id_right")
        update_rows(connection, table, columns, {one.id: (5, 5) for one in made})
        damaged = {report.cls: bool(report.problems) for report in check_trees(sample, connection)}
        assert damaged == {"Organization": True, "Group": False}
        reports = {report.cls: report for report in rebuild_trees(sample, connection)}
        assert (reports["Organization"].problems, reports["Group"].renumbered) == ((), 0)
        assert [report.problems for report in check_trees(sample, connection)] == [(), ()]
        query = sa.select(table.c.id).where(table.c.id.in_([one.id for one in made]))
        by_place = connection.execute(query.order_by(table.c.parent_id_left)).scalars().all()
        assert list(by_place) == [made[0].id, made[2].id, made[1].id]
        connection.rollback()
