"""Which SQL queries become: only the tables needed, DISTINCT only where rows can come twice, every value bound."""

import re
from collections.abc import Iterator, Mapping

import pytest
import sqlalchemy as sa

from itopd.database import Database
from itopd.oql import Argument, ColumnPath, ObjectReference, Reader, account_arguments, compile_query, parse, resolve
from itopd.oql.sources import Tables
from tests.support.sample import new_sqlite


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """An empty database; which tables a query needs is the same on every engine."""
    with new_sqlite(tmp_path_factory.mktemp("empty")) as database:
        yield database


NOW = "2024-05-06 07:08:09"


def statement(database: Database, query: str, paths: tuple[str, ...] = ("id",), **options: object) -> str:
    """The SQL of a query on an engine."""
    resolved = resolve(parse(query), database.model)
    columns = [ColumnPath(selected.alias, path) for selected in resolved.selected for path in paths]
    given: Mapping[str, Argument] = {**account_arguments(1, 1), **options}  # type: ignore[dict-item]
    compiled = compile_query(resolved, database, columns=columns, arguments=given, now=NOW, order=False)
    return str(compiled.select.compile(database.engine))


TABLES = [
    # query, columns read, tables
    ("SELECT Organization", ("id",), 1),
    ("SELECT Organization WHERE name = 'x' AND code = 'y'", ("id", "name", "status", "friendlyname"), 1),
    ("SELECT Organization WHERE parent_id = 3", ("parent_id",), 1),
    ("SELECT Organization WHERE parent_name = 'x' AND parent_id_friendlyname = 'y'", ("parent_name",), 2),
    ("SELECT Person", ("id",), 1),
    ("SELECT Person WHERE first_name = 'x'", ("id", "first_name"), 1),
    ("SELECT Person WHERE name = 'x' AND org_id = 3", ("id", "name", "friendlyname"), 2),
    ("SELECT Person WHERE org_name = 'x'", ("org_name", "org_id_friendlyname", "org_id->code"), 3),
    ("SELECT Contact", ("id", "finalclass", "name"), 1),
    ("SELECT Contact", ("friendlyname",), 2),
    ("SELECT Server WHERE location_id = 3", ("id",), 2),
    ("SELECT Server WHERE name = 'x'", ("name", "org_id"), 2),
    ("SELECT Server WHERE location_name = 'x' AND location_id_friendlyname = 'x'", ("location_name",), 3),
    ("SELECT FunctionalCI WHERE name = 'x'", ("id", "finalclass"), 1),
    ("SELECT s FROM Server AS s JOIN Location AS l ON s.location_id = l.id WHERE l.name = 'x'", ("id",), 3),
    ("SELECT s, l FROM Server AS s JOIN Location AS l ON s.location_id = l.id", ("id",), 3),
    ("SELECT Person WHERE org_id IN (SELECT Organization AS o WHERE o.name = 'x')", ("id",), 3),
    ("SELECT Team AS t JOIN lnkPersonToTeam AS l ON l.team_id = t.id WHERE l.person_id = 3", ("id",), 2),
    ("SELECT l FROM lnkPersonToTeam AS l JOIN Team AS t ON l.team_id = t.id", ("id",), 2),
    ("SELECT Organization AS o JOIN Organization AS r ON o.parent_id BELOW r.id WHERE r.name = 'x'", ("id",), 2),
    ("SELECT UserRequest WHERE status = 'new' AND ref = 'R-1'", ("ref", "title", "status"), 2),
]


@pytest.mark.parametrize(("query", "paths", "tables"), TABLES)
def test_statements_read_the_tables_that_are_needed_and_no_other(
    monkeypatch: pytest.MonkeyPatch, bundled: Database, query: str, paths: tuple[str, ...], tables: int
) -> None:
    opened: list[str] = []
    real = Tables.next

    def counted(tables: Tables, cls: str) -> sa.FromClause:
        opened.append(cls)
        return real(tables, cls)

    monkeypatch.setattr(Tables, "next", counted)
    sql = statement(bundled, query, paths)
    named = re.findall(r"(?:FROM|JOIN) \(?[`\"]?\w+[`\"]? AS ", sql)
    assert (len(named), len(opened)) == (tables, tables), sql


_LINK = "FROM lnkPersonToTeam AS l JOIN Team AS t ON l.team_id = t.id"
_THREE = "FROM Team AS t JOIN lnkPersonToTeam AS l ON l.team_id = t.id JOIN Person AS p ON l.person_id = p.id"


@pytest.mark.parametrize(
    ("query", "how"),
    [
        ("SELECT Person AS p JOIN Organization AS o ON p.org_id = o.id", ""),
        ("SELECT p, o FROM Person AS p JOIN Organization AS o ON p.org_id = o.id", ""),
        (f"SELECT t, l, p {_THREE}", ""),
        ("SELECT t FROM Team AS t JOIN lnkPersonToTeam AS l ON l.team_id = t.id", " IN (SELECT "),
        (f"SELECT t {_LINK} WHERE l.role_name = 'x'", " IN (SELECT "),
        (f"SELECT t {_LINK} WHERE l.person_name = t.name", "EXISTS"),
        ("SELECT o FROM Organization AS o JOIN Organization AS r ON o.parent_id ABOVE r.id", "EXISTS"),
        ("SELECT l FROM Server AS s JOIN Location AS l ON s.location_id = l.id", "DISTINCT"),
        (f"SELECT t, p {_THREE}", "DISTINCT"),
        ("SELECT Person UNION SELECT Team", "UNION"),
    ],
)  # fmt: skip
def test_rows_are_made_distinct_only_where_they_could_come_twice(bundled: Database, query: str, how: str) -> None:
    sql = statement(bundled, query)
    ways = [way for way in ("DISTINCT", "EXISTS", "UNION", " IN (SELECT ") if way in sql]
    assert ways == ([how] if how else [])


EVERYTHING = (
    "SELECT Person AS p JOIN Organization AS o ON p.org_id = o.id WHERE p.name = 'Qa1' AND p.first_name LIKE 'Qa2%' "
    "AND p.email REGEXP 'Qa3' AND p.id > 987601 AND p.id IN (987602, 987603, 'Qa4') AND p.name IN ('Qa5', :list) AND "
    "o.code = :text AND p.id != :number AND p.org_id = :this->org_id AND CONCAT(p.name, 'Qa6') != SUBSTR('Qa7', 987604)"
    " AND DATE_ADD(NOW(), INTERVAL 987605 DAY) > 'Qa8' AND (p.id + 987606) & 987607 = 0 AND p.status = 'Qa9' AND "
    "IF(p.id = 0x12345678, 'Qb1', 'Qb2') != 'Qb3' AND ROUND(p.id, 987608) = 1 AND p.id NOT IN (SELECT Team AS t WHERE "
    "t.name = 'Qb4' OR t.id = :current_contact_id) AND p.function MATCHES 'Qb5'"
)


def test_no_value_of_a_query_or_argument_is_part_of_the_statement(database: Database) -> None:
    given: dict[str, Argument] = {
        "list": ["Qc1", "Qc2"],
        "text": "Qc3",
        "number": 987609,
        "this": ObjectReference("Person", 987610),
    }
    reader = Reader(allowed_orgs=frozenset({987611}), strict=True)
    resolved = resolve(parse(EVERYTHING), database.model)
    compiled = compile_query(
        resolved,
        database,
        columns=[ColumnPath("p", "friendlyname"), ColumnPath("p", "obsolescence_flag")],
        arguments={**given, **account_arguments(1, 987612)},
        now=NOW,
        reader=reader,
    )
    seen: list[str] = []
    with database.read() as connection:
        sa.event.listen(connection, "before_cursor_execute", lambda *event: seen.append(event[2]))
        assert connection.execute(compiled.select).all() == []
    (sql,) = seen
    assert not re.search(r"Q[abc]\d|9876\d\d|305419896|2024-05-06", sql), sql


def test_values_of_one_shape_share_one_statement(bundled: Database) -> None:
    shapes = {
        statement(bundled, query)
        for query in ("SELECT Person WHERE name = 'a' AND id > 1", "SELECT Person WHERE name = 'b' AND id > 2")
    }
    assert len(shapes) == 1
