"""Look-ups by long lists stay what they are: MariaDB would join them as tables, and SQLite sort in memory only."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support.sample import new_mariadb, new_sqlite

FILE = 1


@pytest.mark.mariadb
def test_mariadb_does_not_make_a_joined_table_of_a_list_of_a_thousand_values() -> None:
    with new_mariadb() as database, database.read() as connection:
        contact = database.table("Contact")
        addresses = [f"person{number}@grid.example" for number in range(1000)]
        query = sa.select(contact.c.id).where(contact.c.email.in_(addresses))
        text = str(query.compile(database.engine, compile_kwargs={"literal_binds": True}))
        plan = connection.exec_driver_sql(f"EXPLAIN {text.replace('%', '%%')}").all()
    assert [row.select_type for row in plan] == ["SIMPLE"]


def test_sqlite_sorts_in_files_what_its_cache_does_not_hold(tmp_path: Path) -> None:
    with new_sqlite(tmp_path) as database, database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA temp_store").scalar() == FILE
