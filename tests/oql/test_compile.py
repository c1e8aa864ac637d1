"""What queries give on iTop's sample data, on every engine."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from itopd.database import Database
from itopd.errors import ModelError, OqlError
from itopd.oql import (
    Argument,
    ColumnPath,
    CompiledQuery,
    ObjectReference,
    Reader,
    account_arguments,
    compile_count,
    compile_query,
    parse,
    resolve,
)

NOW = "2024-05-06 07:08:09"
DEMO, GRENOBLE, SERVER1 = 3, 1, 1


def compiled(
    database: Database,
    query: str,
    paths: Sequence[str] = ("id",),
    arguments: Mapping[str, Argument] | None = None,
    reader: Reader | None = None,
    limit: int | None = None,
) -> CompiledQuery:
    resolved = resolve(parse(query), database.model)
    columns = [ColumnPath(selected.alias, path) for selected in resolved.selected for path in paths]
    return compile_query(
        resolved,
        database,
        columns=columns,
        arguments=arguments or {},
        now=NOW,
        reader=reader or Reader(),
        limit=limit,
    )


def read(database: Database, query: str, *paths: str, **options: Any) -> list[Any]:
    """Rows of values; of single values where one column is read."""
    statement = compiled(database, query, paths or ("id",), **options)
    with database.read() as connection:
        rows = [tuple(c.decode(row) for c in statement.columns) for row in connection.execute(statement.select)]
    return [row[0] if len(row) == 1 else row for row in rows]


def count(database: Database, query: str, reader: Reader | None = None, **arguments: Argument) -> int:
    resolved = resolve(parse(query), database.model)
    statement = compile_count(resolved, database, arguments=arguments, now=NOW, reader=reader or Reader())
    with database.read() as connection:
        return int(connection.execute(statement).scalar_one())


def run(database: Database, *statements: str) -> None:
    with database.write() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def test_columns_are_decoded_through_keys_and_external_fields(sample: Database) -> None:
    paths = [
        "id",
        "friendlyname",
        "finalclass",
        "org_id",
        "org_name",
        "org_id->name",
        "location_id->org_id->name",
        "status",
    ]
    assert read(sample, "SELECT Person WHERE id = 2", *paths) == [
        (2, "Pablo Picasso", "Person", DEMO, "Demo", "Demo", "Demo", "active")
    ]


def test_an_attribute_with_several_columns_is_decoded_from_all_of_them(sample: Database) -> None:
    (picture,) = read(sample, "SELECT Person WHERE id = 2", "picture")
    assert picture.mimetype == "image/png"


def test_a_path_that_leads_nowhere_is_refused(sample: Database) -> None:
    for path in ("nom", "name->id", "cis_list"):
        with pytest.raises(ModelError):
            compiled(sample, "SELECT Person", [path])
    resolved = resolve(parse("SELECT Person"), sample.model)
    with pytest.raises(ModelError):
        compile_query(resolved, sample, columns=[ColumnPath("p", "id")], arguments={}, now=NOW)


def test_rows_come_in_the_default_order_then_by_id(sample: Database) -> None:
    run(sample, "UPDATE location SET name = 'same'")
    assert read(sample, "SELECT Location") == [1, 2, 3]
    run(sample, "UPDATE location SET name = 'z' WHERE id = 1", "UPDATE location SET name = 'É' WHERE id = 3")
    assert read(sample, "SELECT Location") == [3, 2, 1]
    assert read(sample, "SELECT Location", limit=2) == [3, 2]


def test_rows_never_vanish_because_of_the_columns_that_are_read(sample: Database) -> None:
    run(sample, "UPDATE contact SET org_id = 777 WHERE id = 2")
    assert read(sample, "SELECT Person WHERE id = 2", "id", "org_name", "org_id_friendlyname") == [(2, "", "")]
    assert count(sample, "SELECT Person WHERE id = 2 AND ISNULL(org_name)") == 1
    assert count(sample, "SELECT Person AS p JOIN Organization AS o ON p.org_id = o.id WHERE p.id = 2") == 0


def test_an_optional_key_joins_outer_and_a_condition_then_filters(sample: Database) -> None:
    join = "FROM Server AS s JOIN Location AS l ON s.location_id = l.id"
    assert read(sample, f"SELECT s, l {join}", "id") == [(1, 1), (2, 2), (3, None), (4, None)]
    assert count(sample, f"SELECT s {join} WHERE l.name LIKE '%'") == 2
    assert count(sample, f"SELECT s {join} WHERE ISNULL(l.id)") == 2
    assert read(sample, f"SELECT l {join}") == [None, 1, 2]
    assert count(sample, f"SELECT l {join}") == 2


def test_an_inner_join_stays_inside_an_outer_branch(sample: Database) -> None:
    query = (
        "SELECT s, l, o FROM Server AS s JOIN Location AS l ON s.location_id = l.id "
        "JOIN Organization AS o ON l.org_id = o.id"
    )
    assert read(sample, query) == [(1, 1, DEMO), (2, 2, DEMO), (3, None, None), (4, None, None)]
    run(sample, "UPDATE location SET org_id = 777 WHERE id = 2")
    assert read(sample, query) == [(1, 1, DEMO), (2, None, None), (3, None, None), (4, None, None)]


def test_rows_are_distinct_on_the_selected_objects(sample: Database) -> None:
    query = "SELECT t FROM Team AS t JOIN lnkPersonToTeam AS l ON l.team_id = t.id"
    rows = read(sample, query)
    assert len(rows) == len(set(rows)) == count(sample, query)


def test_a_union_reads_the_common_class(sample: Database) -> None:
    query = "SELECT Person WHERE id IN (2, 3) UNION SELECT Team WHERE id = 36 UNION SELECT Person WHERE id = 3"
    assert read(sample, query, "id", "finalclass") == [(36, "Team"), (2, "Person"), (3, "Person")]
    assert count(sample, query) == 3


def test_nested_queries_may_use_the_attributes_of_the_enclosing_one(sample: Database) -> None:
    query = (
        "SELECT Person AS p WHERE p.id IN (SELECT Person AS q WHERE q.location_id = p.location_id AND q.org_name = "
        "p.org_name AND q.id IN (SELECT Person AS r WHERE r.manager_id_friendlyname = p.manager_id_friendlyname))"
    )
    assert count(sample, query) == count(sample, "SELECT Person")


def test_not_in_ignores_null_rows_of_a_nested_query(sample: Database) -> None:
    nested = "SELECT l FROM Server AS s JOIN Location AS l ON s.location_id = l.id"
    assert read(sample, f"SELECT Location WHERE id NOT IN ({nested})", "name") == ["Paris"]


def test_lists_expand_in_place_and_may_be_empty(sample: Database) -> None:
    people: list[Argument] = [["DALI  ", "hugo"], []]
    assert read(sample, "SELECT Person WHERE name IN (:l, 'Verne')", "name", arguments={"l": people[0]}) == [
        "Verne",
        "Dali",
        "Hugo",
    ]
    assert count(sample, "SELECT Person WHERE name IN (:l)", l=people[1]) == 0
    assert count(sample, "SELECT Person WHERE name NOT IN (:l)", l=people[1]) == count(sample, "SELECT Person")


def test_many_ids_are_one_parameter(sample: Database) -> None:
    assert read(sample, "SELECT Person WHERE id IN (:ids)", arguments={"ids": list(range(50_000))}, limit=1)
    alternatives = " OR ".join(f"id = {n}" for n in range(1_500))
    assert count(sample, f"SELECT Person WHERE {alternatives}") == count(sample, "SELECT Person")


def test_arguments_are_data_whatever_they_hold(sample: Database) -> None:
    for text in ("Dali' OR 1", "%", "\\", "50%s", ":x", "Dali','Hugo", "\0"):
        assert count(sample, "SELECT Person WHERE name = :n OR name IN (:n)", n=text) == 0
    assert count(sample, "SELECT Person WHERE name = :n", n=None) == 0
    assert count(sample, "SELECT Person WHERE org_id = :n AND id = :m", n="3", m=2) == 1


def test_arguments_may_be_attributes_of_objects(sample: Database) -> None:
    this = ObjectReference("Person", 2)
    query = "SELECT Person WHERE org_id_friendlyname = :this->org_id_friendlyname AND id = :this->id"
    assert read(sample, query, arguments={"this": this}) == [2]
    assert read(sample, "SELECT Person WHERE id = :this->id", arguments={"this": this, "this->id": 3}) == [3]
    account = account_arguments(user_id=1, contact_id=0)
    assert read(sample, "SELECT User WHERE id = :current_user->id", arguments=account) == [1]
    for condition in ("id = :current_contact_id", "org_id != :current_contact->org_id"):
        assert read(sample, f"SELECT Person WHERE {condition}", arguments=account) == []


@pytest.mark.parametrize(
    ("query", "arguments", "problem"),
    [
        ("SELECT Person WHERE name = :n", {"N": "x"}, "missing_argument"),
        ("SELECT Person WHERE name = :this->name", {}, "missing_argument"),
        ("SELECT Person WHERE name = :n", {"n": ["a"]}, "bad_argument"),
        ("SELECT Person WHERE name = :n", {"n": 1.5}, "bad_argument"),
        ("SELECT Person WHERE name = :n", {"n": "caf\udce9"}, "bad_argument"),
        ("SELECT Person WHERE name IN (:n)", {"n": ["a", "\ud800"]}, "bad_argument"),
        ("SELECT Person WHERE name = :this", {"this": ObjectReference("Person", 2)}, "bad_argument"),
        ("SELECT Person WHERE name = :this->nom", {"this": ObjectReference("Person", 2)}, "unknown_attribute"),
        ("SELECT Person WHERE name REGEXP '('", {}, "bad_regexp"),
    ],
)
def test_bad_arguments_are_refused_before_any_sql(
    sample: Database, query: str, arguments: dict[str, Argument], problem: str
) -> None:
    with pytest.raises(OqlError) as caught:
        compiled(sample, query, arguments=arguments)
    assert caught.value.problem == problem


def test_a_reader_sees_objects_of_allowed_organizations_and_below(sample: Database) -> None:
    run(sample, "UPDATE organization SET parent_id = 3, parent_id_left = 50, parent_id_right = 51 WHERE id = 2")
    run(sample, "UPDATE organization SET parent_id_left = 49, parent_id_right = 52 WHERE id = 3")
    run(sample, "UPDATE contact SET org_id = 0 WHERE id = 4")
    reader = Reader(allowed_orgs=frozenset({DEMO}))
    assert sorted(read(sample, "SELECT Organization", reader=reader)) == [2, 3]
    seen = read(sample, "SELECT Person", "org_id", reader=reader)
    assert set(seen) == {2, 3}
    assert count(sample, "SELECT Person", reader=reader) == len(seen)
    assert count(sample, "SELECT Typology", reader=reader) == count(sample, "SELECT Typology")
    nested = "SELECT lnkPersonToTeam WHERE person_id IN (SELECT Person AS p WHERE p.org_id = 1)"
    assert count(sample, nested, reader=reader) == 0
    below = Reader(allowed_orgs=frozenset({2}))
    assert read(sample, "SELECT Organization", reader=below) == [2]


def test_a_reader_may_be_denied_a_class_obsolete_objects_and_administrators(sample: Database) -> None:
    run(sample, "UPDATE contact SET status = 'inactive' WHERE id IN (2, 36)")
    assert count(sample, "SELECT Person", reader=Reader(classes_denied=frozenset({"Person"}))) == 0
    everyone = read(sample, "SELECT Contact")
    assert set(everyone) - set(read(sample, "SELECT Contact", reader=Reader(hide_obsolete=True))) == {2, 36}
    nested = "SELECT Location WHERE 2 IN (SELECT Person AS p)"
    assert count(sample, nested, reader=Reader(hide_obsolete=True)) == 3
    assert read(sample, "SELECT User", reader=Reader(hide_administrators=True)) == []


def test_an_undefined_key_has_an_empty_friendly_name_and_is_not_obsolete(sample: Database) -> None:
    query = "SELECT Server WHERE location_id_friendlyname = '' AND location_id_obsolescence_flag = 0"
    assert read(sample, query) == [3, 4]
    assert count(sample, "SELECT Server WHERE ISNULL(location_id_friendlyname) OR ISNULL(location_id)") == 0


def test_words_of_a_tag_set_are_found_without_a_full_text_index(sample: Database) -> None:
    values = ("(1, 'a', 'hardware server')", "(2, 'b', 'network')", "(3, 'c', 'net')", "(4, 'd', '')")
    run(sample, f"INSERT INTO faq (id, title, domains) VALUES {', '.join(values)}")
    for words, found in (
        ("server", [1]),
        ("network HARDWARE", [1, 2]),
        ("+server -hardware", []),
        ("net", [3]),
        ("net*", [2, 3]),
        ("-net", []),
        ("", []),
    ):
        assert read(sample, "SELECT FAQ WHERE domains MATCHES :w", arguments={"w": words}) == found


def test_a_text_column_meets_a_number_as_its_text_unless_it_is_one(sample: Database) -> None:
    run(sample, "UPDATE person SET employee_number = '007' WHERE id = 2")
    assert read(sample, "SELECT Person WHERE employee_number = 7") == [2]
    assert read(sample, "SELECT Person WHERE employee_number = '7'") == []
    assert read(sample, "SELECT Person WHERE id = '3abc'") == [3]


def test_an_enum_meets_a_number_by_its_position(sample: Database) -> None:
    inactive = count(sample, "SELECT Contact WHERE status = 'INACTIVE'")
    assert count(sample, "SELECT Contact WHERE status = 2") == inactive
    assert count(sample, "SELECT Contact WHERE status = 1") == count(sample, "SELECT Contact") - inactive


def test_deep_queries_run_or_are_too_complex_but_never_an_sql_error(sample: Database) -> None:
    for query in (
        f"SELECT Person WHERE {'(' * 490}id{' + 1)' * 490} = 492",
        f"SELECT Person WHERE {'id IN (SELECT Person WHERE ' * 20}id = 2{')' * 20}",
        f"SELECT Person WHERE {'IF(id = 2, 1, ' * 40}0{')' * 40}",
    ):
        try:
            assert read(sample, query) == [2]
        except OqlError as error:
            problem = error.problem
            assert problem == "too_complex"
            assert sample.dialect == "sqlite"


def test_a_large_union_runs(sample: Database) -> None:
    assert count(sample, "SELECT Location" + " UNION SELECT Location" * 499) == 3


def test_a_contact_gives_the_attributes_of_its_own_class(sample: Database) -> None:
    for contact, found in ((2, [2]), (36, [])):  # a person, and a team, which has no first name
        account = account_arguments(user_id=1, contact_id=contact)
        query = "SELECT Person WHERE first_name = :current_contact->first_name"
        assert read(sample, query, arguments=account) == found
    query = "SELECT Contact WHERE friendlyname = :this->friendlyname"
    assert read(sample, query, arguments={"this": ObjectReference("Contact", 2)}) == [2]


def test_lists_may_be_very_long(sample: Database) -> None:
    people = count(sample, "SELECT Person")
    beyond_parameters = 66_000 if sample.dialect == "postgresql" else 33_000  # of a statement; of SQLite by default
    assert count(sample, "SELECT Person WHERE id IN (:l)", l=list(range(beyond_parameters))) == people
    literals = ", ".join(map(str, range(11_000)))
    assert count(sample, f"SELECT Person WHERE id IN ({literals})") == people
    names: list[str | int | None] = [f"nobody {number}" for number in range(3_000)]
    assert count(sample, "SELECT Person WHERE name IN (:l)", l=[*names, "dali"]) == 1


def test_sums_and_products_beyond_64_bits_are_no_error(sample: Database) -> None:
    greatest = 2**63 - 1
    for condition in (
        f"id + {greatest} > 0",
        f"id - {greatest} - {greatest} < 0",
        "0xFFFFFFFFFFFF * 0xFFFFFFFFFFFF > 0",
        f"-{greatest} - 2 < id",
    ):
        assert count(sample, f"SELECT Location WHERE ({condition})") == 3
    assert count(sample, "SELECT Location WHERE id < :n", n=2**70) == 3


def test_an_invalid_pattern_of_the_data_finds_nothing(sample: Database) -> None:
    assert count(sample, "SELECT Person WHERE 'a' REGEXP CONCAT('(', name)") == 0


def test_a_missing_argument_is_told_beside_those_that_the_caller_gave(sample: Database) -> None:
    with pytest.raises(OqlError) as caught:
        compiled(sample, "SELECT Person\nWHERE name = :n", arguments={"m": 1, "k": "x"})
    assert caught.value.message == "the query needs an argument 'n' (given: k, m) (position 27: line 2, column 14)"


def test_statements_of_one_shape_are_rendered_once(sample: Database) -> None:
    queries = ("SELECT Person WHERE org_name = 'x'", "SELECT Person WHERE org_name = 'y'")
    first, second = (compiled(sample, query, ["friendlyname"]).select._generate_cache_key() for query in queries)
    assert first is not None
    assert second is not None
    assert first.key == second.key
