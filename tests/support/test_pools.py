"""A database that tests use one after the other is each time as at the start, whatever was done to it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import sqlalchemy as sa

from itopd.database import Database
from tests.support.dumps import dump_tables
from tests.support.engines import marked, new_database, sample_database

Opening = Callable[[str, Path], AbstractContextManager[Database]]
BOTH = [marked("mariadb"), marked("postgresql")]


def do_everything(database: Database) -> None:
    """Change rows, definitions, counters and the set of tables."""
    brand, location = database.table("Brand").name, database.table("Location").name
    organization = database.table("Organization").name
    with database.write() as connection:
        connection.execute(database.table("Organization").insert().values(name="more", code="m"))
        connection.execute(database.table("Person").delete())
        connection.exec_driver_sql(f"ALTER TABLE {brand} DROP COLUMN logo_filename")
        connection.exec_driver_sql(f"ALTER TABLE {organization} ADD COLUMN more INT")
        connection.exec_driver_sql(f"DROP TABLE {location}")
        connection.exec_driver_sql("CREATE TABLE more (id INT)")


@pytest.mark.parametrize("engine", BOTH)
@pytest.mark.parametrize("opening", [new_database, pytest.param(sample_database, marks=pytest.mark.shared)])
def test_what_a_test_did_is_undone(engine: str, opening: Opening, tmp_path: Path) -> None:
    seen = []
    for _ in range(3):
        with opening(engine, tmp_path) as database:
            assert database.missing() == []
            with database.read() as connection:
                assert "more" not in sa.inspect(connection).get_table_names()
            next_id = database.table("Organization").insert().values(name="next", code="n")
            rows = dump_tables(database)
            with database.write() as connection:
                result = connection.execute(next_id)
                assert result.inserted_primary_key is not None
                seen.append((rows, result.inserted_primary_key[0]))
            do_everything(database)
    assert seen[0] == seen[1] == seen[2]
