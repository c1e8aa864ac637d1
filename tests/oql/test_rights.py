"""What a reader does not see: selected objects always, joined ones and those behind keys with strict rights."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from itopd.database import Database
from itopd.oql import Argument, ColumnPath, ObjectReference, Reader, compile_count, compile_query, parse, resolve
from itopd.rules import ITOP, ITOPD
from tests.oql.test_compile import DEMO, NOW, run

OWN = Reader(allowed_orgs=frozenset({DEMO}))
STRICT = replace(OWN, strict=True)
OTHER = 2
"""An organization that readers of Demo do not see."""


def read(database: Database, query: str, *paths: str, reader: Reader = STRICT, **given: Argument) -> list[Any]:
    """The values of each row as a list."""
    resolved = resolve(parse(query), database.model)
    columns = [ColumnPath(selected.alias, path) for selected in resolved.selected for path in (paths or ("id",))]
    compiled = compile_query(resolved, database, columns=columns, arguments=given, now=NOW, reader=reader)
    with database.read() as connection:
        rows = [[c.decode(row) for c in compiled.columns] for row in connection.execute(compiled.select)]
        counted = connection.execute(compile_count(resolved, database, arguments=given, now=NOW, reader=reader))
        assert counted.scalar_one() == sum(any(row) for row in _ids(database, resolved.selected, query, reader, given))
    return rows


def _ids(
    database: Database, selected: Sequence[Any], query: str, reader: Reader, given: dict[str, Argument]
) -> list[tuple[Any, ...]]:
    columns = [ColumnPath(one.alias, "id") for one in selected]
    resolved = resolve(parse(query), database.model)
    compiled = compile_query(resolved, database, columns=columns, arguments=given, now=NOW, reader=reader)
    with database.read() as connection:
        return [tuple(row) for row in connection.execute(compiled.select)]


@pytest.fixture
def shared_out(sample: Database) -> Database:
    """Demo's server 1 stands at a place of another organization; Demo's person 2 has a manager there."""
    run(
        sample,
        f"UPDATE location SET org_id = {OTHER} WHERE id = 1",
        f"UPDATE contact SET org_id = {OTHER} WHERE id = 5",
        "UPDATE person SET manager_id = 5 WHERE id = 2",
    )
    return sample


def test_strict_rights_are_itopds_rule_and_not_itops() -> None:
    assert (ITOPD.strict_rights, ITOP.strict_rights) == (True, False)


def test_what_is_behind_a_key_is_null_when_it_is_not_to_be_seen(shared_out: Database) -> None:
    paths = ("location_id", "location_name", "location_id->status", "location_id_friendlyname")
    place = read(shared_out, "SELECT Server WHERE id = 1", *paths, reader=OWN)
    assert place == [[1, "Bordeaux", "active", "Bordeaux"]]
    assert read(shared_out, "SELECT Server WHERE id = 1", *paths) == [[1, "", None, ""]]
    assert read(shared_out, "SELECT Server WHERE id = 2", *paths) == read(
        shared_out, "SELECT Server WHERE id = 2", *paths, reader=OWN
    )


def test_conditions_see_nothing_of_what_is_not_to_be_seen(shared_out: Database) -> None:
    for condition, without, strictly in (
        ("location_name = 'Bordeaux'", [[1]], []),
        ("ISNULL(location_name)", [[3], [4]], [[1], [3], [4]]),
        ("location_id_friendlyname LIKE '%a%' AND id = 1", [[1]], []),
        ("location_id_obsolescence_flag = 0 AND id = 1", [[1]], [[1]]),
    ):
        query = f"SELECT Server WHERE {condition}"
        assert sorted(read(shared_out, query, reader=OWN)) == without
        assert sorted(read(shared_out, query)) == strictly
    recall = "SELECT Person WHERE id = 2 AND manager_id_friendlyname = ''"
    assert (read(shared_out, recall, reader=OWN), len(read(shared_out, recall))) == ([], 1)


def test_a_mandatory_join_to_an_invisible_object_drops_the_row(shared_out: Database) -> None:
    query = "SELECT k FROM lnkPersonToTeam AS k JOIN Person AS p ON k.person_id = p.id WHERE k.team_id = 38"
    assert read(shared_out, query, "person_id", reader=OWN) == [[8], [11]]
    assert read(shared_out, query, "person_id") == [[8]]


def test_joined_objects_that_hold_the_key_must_be_seen_too(shared_out: Database) -> None:
    query = "SELECT o FROM Organization AS o JOIN Location AS l ON l.org_id = o.id WHERE o.id = 3 AND l.id > 1"
    assert read(shared_out, query) == [[DEMO]]
    run(shared_out, "UPDATE person SET location_id = 2 WHERE id = 4")
    query = "SELECT l FROM Location AS l JOIN Person AS p ON p.location_id = l.id WHERE p.id = 4"
    assert (read(shared_out, query, reader=OWN), read(shared_out, query)) == ([[2]], [])


def test_an_optional_join_to_an_invisible_object_keeps_the_row(shared_out: Database) -> None:
    join = "FROM Server AS s JOIN Location AS l ON s.location_id = l.id"
    assert sorted(read(shared_out, f"SELECT s {join}")) == [[1], [2], [3], [4]]
    assert sorted(read(shared_out, f"SELECT s {join} WHERE ISNULL(l.id)")) == [[1], [3], [4]]
    assert read(shared_out, f"SELECT s {join} WHERE l.name = 'Bordeaux'") == []
    assert read(shared_out, f"SELECT s, l {join}") == [[2, 2]]


def test_inner_joins_inside_an_outer_branch_make_the_branch_null(shared_out: Database) -> None:
    join = (
        "FROM Server AS s JOIN Location AS l ON s.location_id = l.id JOIN Server AS near ON near.location_id = l.id "
        "JOIN Person AS p ON p.location_id = l.id"
    )
    assert sorted(read(shared_out, f"SELECT s {join} WHERE ISNULL(near.id)")) == [[1], [3], [4]]
    run(shared_out, f"UPDATE location SET org_id = {DEMO} WHERE id = 1")
    run(shared_out, f"UPDATE functionalci SET org_id = {OTHER} WHERE id = 1")
    assert sorted(read(shared_out, f"SELECT s {join} WHERE ISNULL(near.id)")) == [[3], [4]]
    assert read(shared_out, "SELECT l FROM Location AS l JOIN Server AS s ON s.location_id = l.id") == [[2]]


def test_rights_of_nested_queries_reach_their_joined_classes(shared_out: Database) -> None:
    inner = "SELECT s FROM Server AS s JOIN Location AS l ON s.location_id = l.id WHERE l.id = 1"
    query = f"SELECT Server AS t WHERE t.id IN ({inner})"
    assert (read(shared_out, query, reader=OWN), read(shared_out, query)) == ([[1]], [])


def test_unions_and_multiplying_joins_read_columns_strictly(shared_out: Database) -> None:
    union = "SELECT Server WHERE id = 1 UNION SELECT Server WHERE id = 1"
    many = "SELECT s FROM Server AS s JOIN lnkContactToFunctionalCI AS k ON k.functionalci_id = s.id WHERE s.id = 1"
    run(shared_out, "INSERT INTO lnkcontacttofunctionalci (functionalci_id, contact_id) VALUES (1, 2), (1, 3)")
    for query in (union, many):
        assert read(shared_out, query, "location_name", reader=OWN) == [["Bordeaux"]]
        assert read(shared_out, query, "location_name") == [[""]]


def test_classes_that_may_not_be_read_are_empty_behind_keys(sample: Database) -> None:
    reader = Reader(classes_denied=frozenset({"Location"}), strict=True)
    query = "SELECT Server WHERE id = 1 AND ISNULL(location_name)"
    assert read(sample, query, "location_id", "location_name", reader=reader) == [[1, ""]]
    assert read(sample, query, reader=replace(reader, strict=False)) == []


def test_rules_of_the_model_and_arguments_see_every_object(shared_out: Database) -> None:
    (server,) = read(shared_out, "SELECT DatabaseSchema WHERE id = 8", "dbserver_id", reader=Reader())[0]
    run(shared_out, f"UPDATE functionalci SET org_id = {OTHER} WHERE id = {server}")
    run(shared_out, f"UPDATE softwareinstance SET status = 'inactive' WHERE id = {server}")
    schema = "SELECT DatabaseSchema WHERE id = 8"
    assert read(shared_out, schema, "obsolescence_flag", "dbserver_name") == [[1, ""]]
    assert read(shared_out, f"{schema} AND obsolescence_flag = 1 AND dbserver_id_obsolescence_flag = 0") == [[8]]
    this = ObjectReference("Server", 1)
    assert read(shared_out, "SELECT Server WHERE id = 1 AND :this->location_name = 'Bordeaux'", this=this) == [[1]]


def test_hidden_obsolete_objects_are_still_found_behind_keys(sample: Database) -> None:
    run(sample, "UPDATE contact SET status = 'inactive' WHERE id = 36")
    reader = Reader(hide_obsolete=True, strict=True)
    assert read(sample, "SELECT Team WHERE id = 36", reader=reader) == []
    assert read(sample, "SELECT lnkPersonToTeam WHERE team_id = 36 AND team_name != ''", reader=reader)


def test_without_a_restriction_strict_statements_are_the_same(sample: Database) -> None:
    resolved = resolve(parse("SELECT Server WHERE location_name = 'x' AND org_id_friendlyname = 'y'"), sample.model)
    columns = [ColumnPath("Server", "friendlyname")]
    texts = {
        str(compile_query(resolved, sample, columns=columns, arguments={}, now=NOW, reader=reader).select)
        for reader in (Reader(), Reader(strict=True))
    }
    assert len(texts) == 1
