"""The nested set in memory does what iTop's arithmetic on the rows does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itopd.errors import DatabaseError
from itopd.writing.tree import Node, Tree

Rows = dict[int, list[int]]
"""id -> [parent, left, right]"""


def insert(rows: Rows, node: int, parent: int) -> None:
    if parent:
        place = rows[parent][2]
        for row in rows.values():
            if row[1] > place:
                row[1] += 2
            if row[2] >= place:
                row[2] += 2
    else:
        place = max((row[2] for row in rows.values()), default=0) + 1
    rows[node] = [parent, place, place + 1]


def move(rows: Rows, node: int, parent: int) -> None:
    left, right = rows[node][1:]
    size = right - left + 1
    branch = {key for key, row in rows.items() if left <= row[1] <= right}
    others = [row for key, row in rows.items() if key not in branch]
    for row in others:
        for side in (1, 2):
            if row[side] > right:
                row[side] -= size
    if parent:
        target = rows[parent][2]
        for row in others:
            for side in (1, 2):
                if row[side] >= target:
                    row[side] += size
    else:
        target = max([row[2] for row in others] + [right]) + 1
    for key in branch:
        rows[key][1] += target - left
        rows[key][2] += target - left
    rows[node][0] = parent


def remove(rows: Rows, node: int) -> None:
    move(rows, node, 0)
    del rows[node]
    for name in [key for key, row in rows.items() if row[0] == node]:
        move(rows, name, 0)


def stored(rows: Rows) -> list[Node]:
    return [Node(key, *row) for key, row in rows.items()]


def applied(rows: Rows, tree: Tree) -> Rows:
    result = {key: list(row) for key, row in rows.items() if key in tree}
    for node in tree.changed():
        result[node.id] = list(node[1:])
    return result


STEPS = st.tuples(st.integers(0, 30), st.integers(0, 30), st.sampled_from(["insert", "move", "remove"]))


@given(st.lists(STEPS, max_size=40), st.integers(0, 40))
def test_any_series_of_steps_leaves_itops_numbers(steps: list[tuple[int, int, str]], known: int) -> None:
    rows: Rows = {}
    before: Rows = {}
    tree = Tree("Group", [])
    for index, (who, where, step) in enumerate(steps):
        if index == known:
            before = {key: list(row) for key, row in rows.items()}
            tree = Tree("Group", stored(rows))
        parent = where if where in rows else 0
        if step == "remove" and who in rows:
            children = [key for key, row in rows.items() if row[0] == who]
            remove(rows, who)
            tree.remove(who)
            for child in children:
                tree.move(child, 0)
        elif step == "move" and who in rows:
            if not tree.encloses(who, parent):
                move(rows, who, parent)
                tree.move(who, parent)
        else:
            node = index + 1
            insert(rows, node, parent)
            tree.insert(node, parent)
    assert applied(before, tree) == rows


def test_a_branch_at_the_end_made_a_root_leaves_a_hole() -> None:
    rows = {1: [0, 1, 6], 7: [0, 7, 12], 8: [7, 8, 11], 9: [8, 9, 10]}
    tree = Tree("Group", stored(rows))
    tree.move(8, 0)
    assert applied(rows, tree) == {1: [0, 1, 6], 7: [0, 7, 8], 8: [0, 12, 15], 9: [8, 13, 14]}


def test_the_children_of_a_deleted_root_become_roots_one_by_one() -> None:
    rows = {1: [0, 1, 6], 7: [0, 7, 14], 3: [7, 8, 9], 2: [7, 10, 11], 4: [7, 12, 13]}
    tree = Tree("Group", stored(rows))
    tree.remove(7)
    for child in (2, 4, 3):
        tree.move(child, 0)
    assert applied(rows, tree) == {1: [0, 1, 6], 2: [0, 16, 17], 4: [0, 18, 19], 3: [0, 20, 21]}


def test_only_changed_rows_are_told() -> None:
    tree = Tree("Group", stored({1: [0, 1, 2], 2: [0, 3, 4], 3: [0, 5, 6]}))
    tree.insert(4, 2)
    assert sorted(tree.changed()) == [Node(2, 0, 3, 6), Node(3, 0, 7, 8), Node(4, 2, 4, 5)]


def test_moving_in_a_damaged_tree_says_so_instead_of_spreading_the_damage() -> None:
    tree = Tree("Group", stored({1: [0, 4, 1], 2: [0, 2, 3]}))
    with pytest.raises(DatabaseError, match="rebuild"):
        tree.move(1, 2)


def test_a_node_encloses_itself_and_all_below_it_even_in_a_loop() -> None:
    tree = Tree("Group", stored({1: [3, 1, 6], 2: [1, 2, 5], 3: [2, 3, 4]}))
    assert tree.encloses(1, 3)
    assert tree.encloses(2, 2)
    assert not tree.encloses(7, 3)
