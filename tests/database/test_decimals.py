"""Decimals on SQLite, which has floating point only: the same values, order and equality as the column promises."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

from itopd.attributes import Column, ColumnKind
from itopd.database import Database, Unstorable, insert_rows, update_rows
from itopd.database.sql_types import sql_type
from tests.support.engines import new_database


def decimals(database: Database, digits: int, scale: int) -> sa.Table:
    """Make a table with a column as SQLite has decimals."""
    column = Column("n", ColumnKind.DECIMAL, digits, scale)
    with database.write() as connection:
        connection.exec_driver_sql(f"CREATE TABLE d{digits} (id INTEGER PRIMARY KEY, n NUMERIC)")
    return sa.Table(f"d{digits}", sa.MetaData(), sa.Column("id", primary_key=True), sa.Column("n", sql_type(column)))


@pytest.mark.parametrize(("digits", "scale"), [(6, 2), (8, 3), (12, 2), (15, 0), (15, 2), (15, 14), (15, 15)])
def test_up_to_fifteen_digits_come_back_in_order_and_are_found(digits: int, scale: int, tmp_path: Path) -> None:
    chance = random.Random(digits * 100 + scale)
    most = 10**digits - 1
    units = {0, 1, -1, most, -most, most - 1, *(chance.randint(-most, most) for _ in range(500))}
    values = [Decimal(unit).scaleb(-scale) for unit in units]
    with new_database("sqlite", tmp_path) as database:
        table = decimals(database, digits, scale)
        with database.write() as connection:
            insert_rows(connection, table, ("id", "n"), list(enumerate(values)))
        with database.read() as connection:
            read = list(connection.scalars(sa.select(table.c.n).order_by(table.c.n)))
            assert list(map(str, read)) == list(map(str, sorted(values)))
            for number in chance.sample(range(len(values)), 50):
                ids = connection.scalars(sa.select(table.c.id).where(table.c.n == values[number])).all()
                assert ids == [number]


def test_a_number_that_would_lose_digits_is_refused(tmp_path: Path) -> None:
    also_lost, lost = Decimal("123456789012345678.00"), Decimal("999999999999999999.99")
    with new_database("sqlite", tmp_path) as database:
        table = decimals(database, 20, 2)
        with database.write() as connection:
            insert_rows(connection, table, ("id", "n"), [(1, Decimal("1234567890123.45")), (2, None)])
            with pytest.raises(Unstorable, match=r"column d20\.n cannot hold 999999999999999999\.99 on SQLite"):
                insert_rows(connection, table, ("id", "n"), [(3, Decimal(0)), (4, lost)])
            with pytest.raises(Unstorable, match=r"cannot hold 123456789012345678\.00"):
                update_rows(connection, table, ("n",), {1: (also_lost,)})
        with database.read() as connection:
            rows = [tuple(row) for row in connection.execute(sa.select(table).order_by(table.c.id))]
        assert rows == [(1, Decimal("1234567890123.45")), (2, None)]
