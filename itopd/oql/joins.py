"""The tree of joins of one ``SELECT``, and which part of it must not multiply rows (``spec/oql.md`` §6.2, §7.1).

Rows are distinct on the selected objects. The selected aliases determine those that their keys lead to; any other alias
may give many rows for one. Where it can be cut off, it is only asked whether such objects exist.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from itopd.oql.sources import Source
from itopd.oql.tree import Query
from itopd.oql.values import Sql, Statement, all_of, infix


@dataclass(slots=True, eq=False)
class Joined:
    """An alias in the tree of joins."""

    alias: str
    source: Source
    condition: Sql | None = None
    outer: bool = False
    anchor: str | None = None
    """Class in whose table the columns of the condition lie, when it is not the alias's own."""
    equal: tuple[Sql, Sql] | None = None
    """What of the parent equals what of this alias, where the condition is nothing else."""
    children: list[Joined] = field(default_factory=list)

    def all(self) -> Iterator[Joined]:
        """Yield this alias and all below."""
        yield self
        for child in self.children:
            yield from child.all()

    def has_inner(self) -> bool:
        """Return whether something below is inner joined."""
        return any(not child.outer or child.has_inner() for child in self.children)

    def attached(self, left: sa.FromClause) -> sa.FromClause:
        """Return ``left`` with this alias and all below joined to it."""
        if self.outer and self.has_inner():
            # Whatever is inner joined stays inside the outer branch: if it fails, the whole branch is null.
            condition = self.condition if self.condition is not None else sa.true()
            restriction = self.source.restriction()
            on = condition if restriction is None else all_of([condition, restriction])
            return left.outerjoin(self.alone(), on)
        return self._with_children(self.source.joined(left, self.condition, outer=self.outer, anchor=self.anchor))

    def alone(self) -> sa.FromClause:
        """Return this alias and all below, joined to nothing else."""
        return self._with_children(self.source.joined())

    def _with_children(self, result: sa.FromClause) -> sa.FromClause:
        for child in self.children:
            result = child.attached(result)
        return result


@dataclass(slots=True, eq=False)
class Branch:
    """Aliases of which it only matters whether fitting objects exist."""

    roots: list[Joined]
    ties: list[Sql]
    """The conditions of the joins that were cut."""
    equal: tuple[Sql, Sql] | None
    """What outside equals what inside, where that is the only tie."""
    conditions: list[Sql] = field(default_factory=list)
    independent: bool = True
    """Whether the conditions are about its own aliases only."""

    def aliases(self) -> set[str]:
        """Return its aliases."""
        return {node.alias for root in self.roots for node in root.all()}

    def exists(self) -> Sql:
        """Return the condition that such objects exist; everything must have been asked of their sources."""
        conditions = list(self.conditions)
        for root in self.roots:
            restriction = root.source.restriction()
            conditions.extend([] if restriction is None else [restriction])
        start = [root.alone() for root in self.roots]
        tables = [table for root in self.roots for node in root.all() for table in node.source.all_tables()]
        if self.equal is not None and self.independent:
            # Engines may start from either side of IN, and need not look at each outer row.
            outside, inside = self.equal
            keys = _select(inside, start, conditions).correlate_except(*tables)
            return infix(outside, "IN", keys.scalar_subquery())
        found = _select(sa.literal_column("1"), start, [*self.ties, *conditions])
        return found.correlate_except(*tables).exists()


def _select(column: Sql, start: Sequence[sa.FromClause], conditions: Sequence[Sql]) -> Statement:
    statement: Statement = sa.select(column).select_from(*start)
    return statement.where(all_of(conditions)) if conditions else statement


def determined(query: Query) -> set[str]:
    """Return the aliases of which each selected tuple has one object at most.

    An alias determines the one that its key leads to; nothing else is determined.
    """
    leads_to: dict[str, list[str]] = {}
    for join in query.joins:
        if join.operator == "=" and join.left.alias and join.right.alias:
            leads_to.setdefault(join.left.alias.text, []).append(join.right.alias.text)
    found: set[str] = set()
    pending = [alias.text for alias in query.selected]
    while pending:
        alias = pending.pop()
        if alias not in found:
            found.add(alias)
            pending.extend(leads_to.get(alias, ()))
    return found


def cut(root: Joined, kept: set[str]) -> tuple[Joined, list[Branch]] | None:
    """Cut all but the ``kept`` aliases off the tree; return what is left and the branches, or ``None``.

    ``None`` when the kept aliases are no tree of their own, or when rows of one side outlive a missing other side.
    """
    parents = {child: node for node in root.all() for child in node.children}
    tops = [node for node in root.all() if node.alias in kept and (node is root or parents[node].alias not in kept)]
    crossing = [(node, parent) for node, parent in parents.items() if (node.alias in kept) != (parent.alias in kept)]
    if len(tops) != 1:
        return None
    for node, parent in crossing:
        if node.outer or (node if node.alias in kept else parent).source.optional:
            return None
    branches = []
    for node, parent in crossing:
        parent.children.remove(node)
        outside, inside = (node, root) if node.alias in kept else (parent, node)
        equal = node.equal
        if equal is not None and outside is node:
            equal = (equal[1], equal[0])
        ties = [] if node.condition is None else [node.condition]
        node.condition = node.equal = node.anchor = None
        branches.append(Branch([inside], ties, equal))
    return tops[0], branches


def merged(branches: Sequence[Branch]) -> Branch:
    """Return one branch of several that a condition brings together."""
    if len(branches) == 1:
        return branches[0]
    return Branch(
        [root for branch in branches for root in branch.roots],
        [tie for branch in branches for tie in branch.ties],
        None,
        [condition for branch in branches for condition in branch.conditions],
    )
