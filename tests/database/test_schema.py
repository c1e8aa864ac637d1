"""The schema made from the model is iTop's."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from itopd.attributes import Column, ColumnKind
from itopd.database import Database, Index, IndexKind, TableDefinition, insert_rows, open_database
from itopd.database.ddl import create_statements
from itopd.datamodel import bundled_model
from itopd.errors import DatabaseError, ModelError, RefusedError
from tests.support.engines import EACH_ENGINE, empty_database
from tests.support.sample import fresh_sample_mariadb, new_mariadb, new_postgresql, new_sqlite, sample_mariadb
from tests.support.servers import PARIS, empty_mariadb, mariadb_url, opened

COLUMNS = """
    SELECT LOWER(table_name), column_name, column_type, column_default, is_nullable, collation_name, extra
    FROM information_schema.columns WHERE table_schema = DATABASE()
"""
INDEXES = """
    SELECT LOWER(table_name), index_name, column_name, sub_part, index_type, non_unique
    FROM information_schema.statistics WHERE table_schema = DATABASE()
    ORDER BY 1, 2, seq_in_index
"""


def facts(database: Database, query: str) -> dict[str, set[tuple[object, ...]]]:
    found: dict[str, set[tuple[object, ...]]] = defaultdict(set)
    with database.read() as connection:
        for table, *rest in connection.execute(sa.text(query)):
            found[table].add(tuple(rest))
    return found


@pytest.mark.shared
@pytest.mark.mariadb
def test_columns_and_indexes_of_all_tables_are_those_of_the_sample() -> None:
    with new_mariadb() as ours, sample_mariadb() as theirs:
        for query in (COLUMNS, INDEXES):
            made, recorded = facts(ours, query), facts(theirs, query)
            assert len(recorded) == 219
            assert made.keys() == recorded.keys()
            for table, rows in recorded.items():
                assert made[table] == rows, table


@pytest.mark.shared
@pytest.mark.mariadb
def test_the_dump_as_it_is_has_no_difference_to_the_model() -> None:
    with fresh_sample_mariadb() as database:
        assert not database.is_empty()
        assert database.missing() == []


@pytest.mark.parametrize("engine", EACH_ENGINE)
def test_differences_are_named(engine: str, tmp_path: Path) -> None:
    with empty_database(engine, tmp_path) as database:
        database.create_schema()
        assert database.missing() == []
        with database.write() as connection:
            connection.exec_driver_sql("DROP TABLE person")
            connection.exec_driver_sql("ALTER TABLE brand DROP COLUMN logo_filename")
            connection.exec_driver_sql("ALTER TABLE team ADD COLUMN extra INT")
        assert database.missing() == ["table brand has no column logo_filename", "table person is missing"]


def test_lists_of_enums_and_types_that_differ_are_named_on_sqlite(tmp_path: Path) -> None:
    with empty_database("sqlite", tmp_path) as database:
        with database.write() as connection:
            for definition in database.definitions():
                for statement in create_statements("sqlite", definition, ""):
                    if definition.name == "contact":
                        statement = statement.replace("'inactive')", "'it''s gone')")  # noqa: PLW2901
                    if definition.name == "organization":
                        statement = re.sub(r"CHECK [^\n]*", ",", statement)  # noqa: PLW2901
                        statement = statement.replace('"code" TEXT', '"code" INTEGER')  # noqa: PLW2901
                    connection.exec_driver_sql(statement)
        assert database.missing() == [
            "column contact.status takes 'active', 'it's gone', expected 'active', 'inactive'",
            "column organization.code is INTEGER, expected TEXT",
            "column organization.status takes any text, expected a check for 'active', 'inactive'",
        ]


@pytest.mark.postgresql
def test_lists_of_enums_that_differ_are_named_on_postgresql(tmp_path: Path) -> None:
    with empty_database("postgresql", tmp_path) as database:
        database.create_schema()
        with database.write() as connection:
            connection.exec_driver_sql("ALTER TABLE organization DROP CONSTRAINT organization_status_check")
            connection.exec_driver_sql("ALTER TABLE contact DROP CONSTRAINT contact_status_check")
            connection.exec_driver_sql("ALTER TABLE contact ADD CHECK (status IN ('active', 'it''s gone'))")
        assert database.missing() == [
            "column contact.status takes 'active', 'it's gone', expected 'active', 'inactive'",
            "column organization.status takes any text, expected a check for 'active', 'inactive'",
        ]


@pytest.mark.mariadb
def test_columns_of_another_type_and_columns_that_refuse_rows_are_named() -> None:
    with empty_mariadb() as name, opened(mariadb_url(name)) as database:
        database.create_schema()
        with database.write() as connection:
            connection.exec_driver_sql("ALTER TABLE organization MODIFY name VARCHAR(10), ADD vat INT NOT NULL")
        assert database.missing() == [
            "column organization.name is varchar(10), expected varchar(255)",
            "column organization.vat is unknown to the model and refuses rows that do not give it a value",
        ]


@pytest.mark.postgresql
def test_columns_of_another_type_are_named_on_postgresql() -> None:
    with new_postgresql() as database:
        with database.write() as connection:
            connection.exec_driver_sql(
                "ALTER TABLE organization ALTER code TYPE varchar(10), ADD vat integer NOT NULL, ADD x integer"
            )
        assert database.missing() == [
            "column organization.code is character varying(10), expected character varying(255)",
            "column organization.vat is unknown to the model and refuses rows that do not give it a value",
        ]


@pytest.mark.postgresql
def test_another_function_for_keys_is_named() -> None:
    with new_postgresql() as database:
        with database.write() as connection:
            connection.exec_driver_sql(
                "CREATE OR REPLACE FUNCTION itop_key(value text) RETURNS bytea LANGUAGE sql IMMUTABLE "
                "AS 'SELECT convert_to(value, ''UTF8'')'"
            )
        (difference,) = database.missing()
        assert difference.startswith("function itop_key is not this release's")
        database.drop_schema()
        assert database.is_empty()
        assert "function itop_key is missing; 'itopd db functions' makes it" in database.missing()


@pytest.mark.postgresql
def test_names_that_postgresql_would_cut_are_refused_or_shortened() -> None:
    column = Column("c" * 60, ColumnKind.VARCHAR, 255)
    table = TableDefinition(
        "t", "id", autoincrement=True, is_root=True, columns=(column,), indexes=(Index(("c" * 60,)),)
    )
    *_, index = create_statements("postgresql", table, "")
    name = index.split('"')[1]
    assert len(name) == 63
    assert name.startswith("t__ccc")
    with pytest.raises(DatabaseError, match="longer than the 63 bytes that PostgreSQL keeps"):
        list(create_statements("postgresql", replace(table, name="t" * 64), ""))


@pytest.mark.postgresql
def test_postgresql_keeps_what_an_enum_or_a_counter_may_not_hold_out() -> None:
    with new_postgresql() as database:
        for statement in (
            "INSERT INTO contact (status) VALUES ('x')",
            "INSERT INTO person (id, picture_downloads_count) VALUES (1, -1)",
        ):
            with pytest.raises(sa.exc.IntegrityError), database.engine.begin() as connection:
                connection.exec_driver_sql(statement)


def test_a_schema_is_only_made_in_an_empty_database(database: Database) -> None:
    assert not database.is_empty()
    with pytest.raises(RefusedError, match="already holds tables of iTop"):
        database.create_schema()


def test_tables_have_the_prefix_of_the_database(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/x.db", bundled_model(), PARIS, prefix="it_")
    database.create_schema()
    assert database.table("Person").name == "it_person"
    assert database.missing() == []
    database.close()


def test_a_class_without_table_is_refused_by_name(tmp_path: Path) -> None:
    with (
        new_sqlite(tmp_path) as database,
        pytest.raises(ModelError, match="TagSetFieldDataFor_FAQ__domains has no table"),
    ):
        database.table("TagSetFieldDataFor_FAQ__domains")


def test_sqlite_keeps_what_an_enum_or_a_counter_may_not_hold_out(tmp_path: Path) -> None:
    with new_sqlite(tmp_path) as database:
        for statement in (
            "INSERT INTO contact (status) VALUES ('x')",
            "INSERT INTO person (picture_downloads_count) VALUES (-1)",
        ):
            with pytest.raises(sa.exc.IntegrityError), database.engine.begin() as connection:
                connection.exec_driver_sql(statement)


def test_sqlite_finds_objects_by_name_through_an_index(tmp_path: Path) -> None:
    with new_sqlite(tmp_path) as database, database.read() as connection:
        for class_name, column in (("Organization", "name"), ("Person", "employee_number"), ("Contact", "email")):
            table = database.table(class_name)
            query = sa.select(table.c.id).where(database.key(table.c[column]) == database.key_value("x"))
            text = str(query.compile(database.engine, compile_kwargs={"literal_binds": False}))
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", (b"x",)).all()
            assert any("USING" in row[3] and "INDEX" in row[3] for row in plan), plan


@pytest.mark.postgresql
def test_postgresql_finds_objects_by_name_through_an_index() -> None:
    with new_postgresql() as database, database.write() as connection:
        ids = database.allocate_ids(connection, "Contact", 2000)
        insert_rows(
            connection, database.table("Contact"), ("id", "name", "email"), [(i, f"é{i}", f"{i}@x") for i in ids]
        )
        connection.exec_driver_sql("ANALYZE contact")
        contact = database.table("Contact")
        keys = [database.key_value(f"E{i}") for i in range(5, 30)]
        query = sa.select(contact.c.id).where(database.key(contact.c.name).in_(keys))
        compiled = query.compile(database.engine, compile_kwargs={"render_postcompile": True})
        plan = "\n".join(connection.exec_driver_sql(f"EXPLAIN {compiled}", compiled.params).scalars())
        assert "contact__name" in plan
        assert len(connection.execute(query).all()) == 25


LONG_OQL = "SELECT Person WHERE name IN (" + ", ".join(f"'{n * 7919 % 999983}'" for n in range(3000)) + ")"


@pytest.mark.postgresql
def test_postgresql_takes_long_texts_where_a_short_one_would_be_indexed() -> None:
    """An entry of an index holds 2,704 bytes there; a saved query is one of the columns that imports find it by."""
    with new_postgresql() as database:
        table = database.table("QueryOQL")
        with database.write() as connection:
            insert_rows(connection, table, ("id", "oql"), [(1, LONG_OQL)])
        with database.read() as connection:
            assert connection.scalar(sa.select(table.c.oql)) == LONG_OQL


@pytest.mark.postgresql
def test_indexes_over_long_columns_are_not_made_on_postgresql() -> None:
    def indexes(*columns: Column) -> int:
        names = tuple(column.name for column in columns)
        table = TableDefinition("t", "id", autoincrement=True, is_root=True, columns=columns, indexes=(Index(names),))
        return len(list(create_statements("postgresql", table, ""))) - 1

    short, number = Column("s", ColumnKind.VARCHAR, 255), Column("n", ColumnKind.INT)
    assert indexes(short, number) == 1
    for kind, length in ((ColumnKind.VARCHAR, 2048), (ColumnKind.TEXT, 0), (ColumnKind.LONGTEXT, 0)):
        assert indexes(number, Column("l", kind, length)) == 0


def test_look_up_indexes_are_not_made_on_mariadb() -> None:
    definition = Database(sa.create_engine("sqlite://"), bundled_model(), PARIS).definition("Person")
    assert {index.name for index in definition.indexes if index.kind is IndexKind.LOOK_UP} == {"employee_number"}
