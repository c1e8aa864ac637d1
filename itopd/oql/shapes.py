"""How deep and how wide a statement is, where an engine limits that (``spec/oql.md`` §2.2)."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.sql.visitors import ExternallyTraversible

from itopd.errors import OqlError


def check_shape(statement: sa.SelectBase, *, most_tables: int, most_levels: int | None, engine: str) -> None:
    """Raise ``too_complex`` for more tables in one ``FROM``, or more nested queries, than an engine takes."""
    pending: list[tuple[ExternallyTraversible, int]] = [(statement, 0)]
    while pending:
        element, levels = pending.pop()
        if isinstance(element, sa.Select):
            levels += 1
            if most_levels is not None and levels > most_levels:
                raise OqlError(
                    "too_complex",
                    f"more than {most_levels} queries inside one another: {engine} takes no more; use fewer, or joins",
                )
            tables = sum(1 for each in element.get_final_froms() for _table in _tables(each))
            if tables > most_tables:
                raise OqlError(
                    "too_complex",
                    f"the query joins {tables} tables (a class has its own and those of its ancestors), and {engine} "
                    f"takes {most_tables} at once; use fewer classes, or nested queries",
                )
        pending.extend((child, levels) for child in element.get_children())


def _tables(clause: sa.FromClause) -> Iterator[sa.FromClause]:
    """Yield the tables of a tree of joins, which may be as deep as it has tables."""
    pending = [clause]
    while pending:
        one = pending.pop()
        if isinstance(one, sa.Join):
            pending += [one.left, one.right]
        else:
            yield one
