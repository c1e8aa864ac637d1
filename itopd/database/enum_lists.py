"""Which codes the columns of enums take on SQLite and PostgreSQL, where a check of the table says so.

On MariaDB the type of the column says it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

_LITERAL: Final = re.compile(r"'((?:[^']|'')*)'")
_SQLITE_CHECK: Final = re.compile(r"""CHECK \("([^"]+)" IN \(((?:'(?:[^']|'')*'(?:, )?)+)\)\)""")
_POSTGRESQL_CHECKS: Final = (
    "SELECT c.relname, a.attname, pg_get_expr(k.conbin, k.conrelid) "
    "FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid "
    "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1] "
    "WHERE k.contype = 'c' AND cardinality(k.conkey) = 1 AND k.connamespace = current_schema()::regnamespace"
)

Lists = Mapping[tuple[str, str], frozenset[str]]
"""Table and column, in lower case -> the codes that the column takes."""


def checked_lists(connection: Connection) -> Lists:
    """Return the codes of every column that a check confines to a list."""
    return dict(_on_sqlite(connection) if connection.dialect.name == "sqlite" else _on_postgresql(connection))


def _on_sqlite(connection: Connection) -> Iterator[tuple[tuple[str, str], frozenset[str]]]:
    tables = connection.execute(sa.text("SELECT name, sql FROM sqlite_master WHERE type = 'table' AND sql IS NOT NULL"))
    for table, statement in tables:
        for column, literals in _SQLITE_CHECK.findall(statement):
            yield (table.lower(), column.lower()), _codes(literals)


def _on_postgresql(connection: Connection) -> Iterator[tuple[tuple[str, str], frozenset[str]]]:
    for table, column, condition in connection.execute(sa.text(_POSTGRESQL_CHECKS)):
        codes = _codes(condition)
        if codes:
            yield (table.lower(), column.lower()), codes


def _codes(literals: str) -> frozenset[str]:
    return frozenset(code.replace("''", "'") for code in _LITERAL.findall(literals))
