"""The sample is the same on every engine, and a test leaves it as it found it."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from itopd.database import Database, insert_rows
from tests.support.dumps import diff_dumps, dump_tables
from tests.support.sample import sample_mariadb, sample_sqlite


@pytest.mark.shared
@pytest.mark.mariadb
def test_rows_are_the_same_on_sqlite_and_mariadb(tmp_path: Path) -> None:
    with sample_sqlite(tmp_path) as lite, sample_mariadb() as maria:
        one, other = dump_tables(lite), dump_tables(maria)
        assert sum(map(len, one.values())) == 1538
        assert diff_dumps(one, other) == {}
        for class_name in ("FunctionalCI", "Organization", "CMDBChangeOp", "Ticket"):
            with lite.write() as a, maria.write() as b:
                assert list(lite.allocate_ids(a, class_name, 2)) == list(maria.allocate_ids(b, class_name, 2))


@pytest.mark.parametrize("_round", [1, 2])
def test_what_a_test_does_is_undone(sample: Database, _round: int) -> None:
    table = sample.table("Organization")
    with sample.write() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(table)) == 3
        assert list(sample.allocate_ids(connection, "Organization", 1)) == [4]
        insert_rows(connection, table, ("id", "name"), [(4, "new")])


def test_differences_name_what_changed(sample: Database) -> None:
    before = dump_tables(sample)
    table = sample.table("Organization")
    with sample.write() as connection:
        connection.execute(sa.delete(table).where(table.c.id == 1))
        connection.execute(sa.update(table).where(table.c.id == 2).values(code="X"))
        insert_rows(connection, table, ("id", "name"), [(9, "new")])
    changed = diff_dumps(before, dump_tables(sample))
    assert list(changed) == ["organization"]
    assert list(changed["organization"].deleted) == [1]
    assert changed["organization"].updated == {2: {"code": ("IT", "X")}}
    assert changed["organization"].inserted[9]["name"] == "new"
