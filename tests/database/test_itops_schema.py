"""The tables that itopd makes on MariaDB, statement by statement beside those of the sample; docs/schema.md."""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from itopd.attributes import Column, ColumnKind
from itopd.database import Index, TableDefinition
from itopd.database.ddl import create_statements
from tests.support.sample import DUMP, new_mariadb, require_shared

PAGE = Path(__file__).parents[2] / "docs" / "schema.md"

OTHER_ORDER_OF_KEYS = {"ticket"}
"""The sample's index on operational_status stands first: iTop added it before it made the others."""


@dataclass(frozen=True)
class Made:
    """A statement ``CREATE TABLE`` as the server shows it, without the next id."""

    columns: list[str]
    """With types, defaults, AUTO_INCREMENT, in order."""
    keys: list[str]
    options: str
    """Engine, character set, collation."""


def read_statement(text: str) -> Made:
    first, *lines, last = text.split("\n")
    assert first.startswith("CREATE TABLE")
    parts = [line.strip().rstrip(",") for line in lines]
    return Made(
        [part for part in parts if part.startswith("`")],
        [part for part in parts if not part.startswith("`")],
        re.sub(r"AUTO_INCREMENT=\d+ ", "", last.rstrip(";")),
    )


def recorded() -> dict[str, Made]:
    require_shared()
    dump = gzip.decompress(DUMP.read_bytes()).decode("latin-1")
    found = re.finditer(r"CREATE TABLE `(\w+)` \(\n.*?\n\) [^;]*;", dump, re.DOTALL)
    return {match[1].lower(): read_statement(match[0]) for match in found}


@pytest.mark.shared
@pytest.mark.mariadb
def test_every_table_is_created_as_itop_creates_it() -> None:
    theirs = recorded()
    with new_mariadb() as database, database.read() as connection:
        ours = {
            definition.name.lower(): read_statement(
                connection.exec_driver_sql(f"SHOW CREATE TABLE `{definition.name}`").one()[1]
            )
            for definition in database.definitions()
        }
    assert len(theirs) == 219
    assert ours.keys() == theirs.keys()
    for name, made in ours.items():
        assert made.columns == theirs[name].columns, name
        assert sorted(made.keys) == sorted(theirs[name].keys), name
        assert made.options == theirs[name].options, name
    assert {name for name, made in ours.items() if made.keys != theirs[name].keys} == OTHER_ORDER_OF_KEYS


SHOWN = {
    ColumnKind.VARCHAR: Column("a", ColumnKind.VARCHAR, 255),
    ColumnKind.DECIMAL: Column("a", ColumnKind.DECIMAL, 8, 2),
    ColumnKind.ENUM: Column("a", ColumnKind.ENUM, values=("x", "yy")),
}


@pytest.mark.parametrize("kind", ColumnKind)
def test_the_page_shows_the_types_that_are_made(kind: ColumnKind) -> None:
    column = SHOWN.get(kind, Column("a", kind))
    types = [_column_line(dialect, column) for dialect in ("mysql", "sqlite", "postgresql")]
    row = "| " + " | ".join(f"`{text}`" for text in types) + " |"
    assert row in PAGE.read_text(encoding="utf-8").splitlines(), f"expected in {PAGE}: {row}"


@pytest.mark.parametrize(
    ("dialect", "part"),
    [("mysql", "KEY `a` (`a`(95))"), ("sqlite", '(itop_key("a"))'), ("postgresql", '(itop_key("a"))')],
)
def test_texts_are_indexed_by_what_they_are_compared_by(dialect: str, part: str) -> None:
    definition = TableDefinition("t", "id", True, True, (SHOWN[ColumnKind.VARCHAR],), (Index(("a",)),))
    assert part in list(create_statements(dialect, definition, ""))[-1]


def _column_line(dialect: str, column: Column) -> str:
    """Return the definition of a column without its name and its default."""
    definition = TableDefinition("t", "id", True, True, (column,), ())
    *_, statement = create_statements(dialect, definition, "")
    line = next(line for line in statement.split("\n") if line.strip().startswith(("`a`", '"a"')))
    return line.strip().rstrip(",")[len('"a" ') :].removesuffix(" DEFAULT NULL")
