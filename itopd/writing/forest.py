"""Are the stored nested sets sound, and making them so (``spec/objects.md`` §4, weakness 2)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from itopd.database import Database, update_rows
from itopd.datamodel import Model
from itopd.writing.tree import Node


@dataclass(frozen=True, slots=True)
class TreeReport:
    """What was found in the tree of one hierarchical key, and what was done."""

    cls: str
    code: str
    nodes: int
    problems: tuple[str, ...]
    renumbered: int = 0
    """Nodes whose numbers are new."""


def check_trees(database: Database, connection: sa.Connection) -> list[TreeReport]:
    """Compare the numbers of every tree with its parents; holes between numbers are fine."""
    return [
        TreeReport(cls, code, len(nodes), tuple(_problems(nodes)))
        for cls, code in _trees(database.model)
        for nodes in [_read(database, connection, cls, code)]
    ]


def rebuild_trees(database: Database, connection: sa.Connection) -> list[TreeReport]:
    """Number every tree anew: depth first from its roots, children in the order of their ids.

    Parents are not changed. What hangs on a parent that does not exist, and the first of what hangs in a circle, is
    numbered like a root, and told as a problem. Writers of the trees wait until the transaction ends.
    """
    reports = []
    for cls, code in _trees(database.model):
        database.lock_rows_to_come(connection, cls)
        nodes = _read(database, connection, cls, code, lock=True)
        numbers = _numbered(nodes)
        changed = {node.id: numbers[node.id] for node in nodes if (node.left, node.right) != numbers[node.id]}
        base = database.model[cls].attributes[code].sql
        update_rows(connection, database.table(cls), (f"{base}_left", f"{base}_right"), changed)
        reports.append(TreeReport(cls, code, len(nodes), tuple(_astray(nodes)), len(changed)))
    return reports


def _trees(model: Model) -> Iterator[tuple[str, str]]:
    """Yield class and code of each hierarchical key."""
    for cls in model.values():
        for attribute in cls.attributes.values():
            if attribute.type == "AttributeHierarchicalKey" and attribute.origin == cls.name:
                yield cls.name, attribute.code


def _read(database: Database, connection: sa.Connection, cls: str, code: str, *, lock: bool = False) -> list[Node]:
    declared = database.model[cls]
    table, base = database.table(cls), declared.attributes[code].sql
    columns = (table.c[name] for name in (declared.key_column, base, f"{base}_left", f"{base}_right"))
    query = sa.select(*columns).order_by(table.c[declared.key_column])
    rows = connection.execute(query.with_for_update() if lock else query)
    return [Node(*(value or 0 for value in row)) for row in rows]


def _problems(nodes: Sequence[Node]) -> Iterator[str]:
    """Yield what is wrong with a tree: each node must lie directly below its parent."""
    yield from _astray(nodes)
    ends = [(node.left, node) for node in nodes] + [(node.right, node) for node in nodes]
    taken: set[int] = set()
    for number, node in ends:
        if number in taken:
            yield f"id {node.id}: its number {number} is another's, too"
        taken.add(number)
    open_nodes: list[Node] = []
    for number, node in sorted(ends, key=lambda end: end[0]):
        if node.left >= node.right:
            if number == node.left:
                yield f"id {node.id}: its left number {node.left} is not below its right one {node.right}"
        elif number == node.left:
            above = open_nodes[-1].id if open_nodes else 0
            if above != node.parent:
                yield f"id {node.id}: its numbers place it below {above or 'nothing'}, its parent is {node.parent}"
            open_nodes.append(node)
        elif node in open_nodes:
            open_nodes.remove(node)


def _astray(nodes: Sequence[Node]) -> Iterator[str]:
    """Yield what no numbers can mend: parents that do not exist, circles."""
    parents = {node.id: node.parent for node in nodes}
    for node in nodes:
        if node.parent and node.parent not in parents:
            yield f"id {node.id}: its parent {node.parent} does not exist: give it another one"
    for circle in _circles(parents):
        yield f"ids {', '.join(map(str, circle))} are below each other: give one of them another parent"


def _circles(parents: Mapping[int, int]) -> Iterator[list[int]]:
    """Yield the ids of each circle, the lowest first."""
    done: set[int] = set()
    for start in sorted(parents):
        path: dict[int, None] = {}
        node = start
        while node in parents and node not in done and node not in path:
            path[node] = None
            node = parents[node]
        if node in path:
            whole = list(path)
            yield sorted(whole[whole.index(node) :])
        done.update(path)


def _numbered(nodes: Iterable[Node]) -> dict[int, tuple[int, int]]:
    """Return the numbers that the nodes are to have."""
    parents = {node.id: node.parent for node in nodes}
    tops = {circle[0] for circle in _circles(parents)}
    children: dict[int, list[int]] = defaultdict(list)
    for id_ in sorted(parents):
        parent = parents[id_]
        children[parent if parent in parents and id_ not in tops else 0].append(id_)
    lefts: dict[int, int] = {}
    numbers: dict[int, tuple[int, int]] = {}
    last = 0
    under_way = [(id_, False) for id_ in reversed(children[0])]
    while under_way:
        id_, closing = under_way.pop()
        last += 1
        if closing:
            numbers[id_] = (lefts[id_], last)
            continue
        lefts[id_] = last
        under_way.append((id_, True))
        under_way += [(child, False) for child in reversed(children[id_])]
    return numbers
