"""A model fitted to the database that is there: columns and tables that an older iTop lacks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from itopd.database import Database, open_fitted_database
from itopd.datamodel import load_model
from itopd.errors import DatabaseError
from tests.support.sample import REFERENCE, fresh_sample_mariadb, require_shared
from tests.support.servers import PARIS

pytestmark = [pytest.mark.shared, pytest.mark.mariadb]


@pytest.fixture(scope="module")
def older() -> Iterator[Database]:
    """Give the sample as an older iTop might have it, some columns and tables less."""
    require_shared()
    with fresh_sample_mariadb() as database:
        with database.write() as connection:
            for statement in (
                "ALTER TABLE priv_action DROP COLUMN description",
                "ALTER TABLE priv_query DROP COLUMN export_count",
                "ALTER TABLE priv_user MODIFY COLUMN status VARCHAR(20)",
                "DROP TABLE priv_bulk_export_result",
                "DROP TABLE priv_temporary_object_descriptor",
            ):
                connection.exec_driver_sql(statement)
        yield database


def _open(database: Database, prefix: str = "") -> Database:
    url = database.engine.url.render_as_string(hide_password=False)
    return open_fitted_database(url, lambda lacks: load_model(REFERENCE / "datamodel.xml", lacks=lacks), PARIS, prefix)


def test_what_is_missing_is_left_out_and_no_difference(older: Database) -> None:
    fitted = _open(older)
    try:
        assert [f"{one.class_name}.{one.attribute}".rstrip(".") for one in fitted.model.left_out] == [
            "Action.description",
            "BulkExportResult",
            "Query.export_count",
            "TemporaryObjectDescriptor",
        ]
        assert "table priv_bulk_export_result is missing" in str(fitted.model.left_out[1])
        assert fitted.missing() == [], "a core column of another type is an older iTop's too"
    finally:
        fitted.close()


def test_classes_of_itops_own_xml_are_differences(older: Database) -> None:
    with older.write() as connection:
        connection.exec_driver_sql("ALTER TABLE person RENAME COLUMN first_name TO first_name_x")
    fitted = _open(older)
    try:
        assert fitted.missing() == ["table person has no column first_name"]
        assert "first_name" in fitted.model["Person"].attributes
    finally:
        fitted.close()
        with older.write() as connection:
            connection.exec_driver_sql("ALTER TABLE person RENAME COLUMN first_name_x TO first_name")


def test_a_database_that_is_away_is_told() -> None:
    with pytest.raises(DatabaseError, match=r"cannot open database 'itop'.*db_host"):
        open_fitted_database("mysql://root@127.0.0.1:1/itop", lambda lacks: load_model(lacks=lacks), PARIS)
