"""Saved queries by id and by name."""

import pytest

from itopd.database import Database, insert_rows
from itopd.errors import SettingsError
from itopd.objects.phrasebook import SavedQuery, saved_query


@pytest.fixture
def phrasebook(database: Database) -> Database:
    entries = [(7, "Héros", "SELECT Person", "name"), (8, "twice", "SELECT Team", ""), (9, "TWICE", "SELECT Rack", "")]
    with database.write() as connection:
        for id_, name, oql, fields in entries:
            insert_rows(
                connection,
                database.table("Query"),
                ["id", "name", "description", "realclass"],
                [(id_, name, "", "QueryOQL")],
            )
            insert_rows(connection, database.table("QueryOQL"), ["id", "oql", "fields"], [(id_, oql, fields)])
    return database


def test_a_saved_query_is_found_by_its_id_or_its_name(phrasebook: Database) -> None:
    expected = SavedQuery(7, "Héros", "SELECT Person", "name")
    with phrasebook.read() as connection:
        for wanted in (7, "7", "Héros", "heros "):
            assert saved_query(phrasebook, connection, wanted) == expected
        for wanted in (1, "hero", "' OR 1", "²"):
            assert saved_query(phrasebook, connection, wanted) is None


def test_a_name_that_several_have_is_refused(phrasebook: Database) -> None:
    with phrasebook.read() as connection, pytest.raises(SettingsError, match="8 and 9 among them: give an id"):
        saved_query(phrasebook, connection, "Twice")
