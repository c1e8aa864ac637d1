"""What is stored comes back: every kind of column at its limits, on every engine."""

from __future__ import annotations

from decimal import Decimal

import pytest
import sqlalchemy as sa

from itopd.attributes import Stored
from itopd.database import Database, insert_rows, update_rows
from itopd.errors import DatabaseError

LONG = 7 * 2**20
"""Bytes of the longest value: MariaDB takes 16 MB in one statement by default, and bytes are sent as two digits."""

HELD: dict[str, tuple[str, Stored]] = {
    "the first instant": ("CMDBChange.date", "1000-01-01 00:00:00"),
    "the last instant": ("CMDBChange.date", "9999-12-31 23:59:59"),
    "a leap day's last second": ("CMDBChange.date", "2024-02-29 23:59:59"),
    "an hour that no clock showed": ("CMDBChange.date", "2024-03-31 02:30:00"),
    "no instant": ("CMDBChange.date", None),
    "the first day": ("UserLocal.password_renewed_date", "1000-01-01"),
    "the last day": ("UserLocal.password_renewed_date", "9999-12-31"),
    "a leap day": ("UserLocal.password_renewed_date", "2000-02-29"),
    "no day": ("UserLocal.password_renewed_date", None),
    "the largest decimal": ("IPInterface.speed", Decimal("9999999999.99")),
    "the smallest decimal": ("IPInterface.speed", Decimal("-9999999999.99")),
    "a decimal that no floating point is": ("IPInterface.speed", Decimal("0.10")),
    "a decimal zero": ("IPInterface.speed", Decimal("0.00")),
    "no decimal": ("IPInterface.speed", None),
    "the largest integer": ("Organization.parent_id", 2**31 - 1),
    "the smallest integer": ("Organization.parent_id", -(2**31)),
    "the largest counter": ("Person.picture_downloads_count", 2**32 - 1),
    "a truth": ("EventWebService.result", 1),
    "an enumerated value": ("Organization.status", "inactive"),
    "no enumerated value": ("Organization.status", None),
    "an empty text": ("Organization.name", ""),
    "no text": ("Organization.name", None),
    "blanks": ("Organization.name", "  a  b  "),
    "characters of four bytes": ("Organization.name", "😀𝒜𐍈" * 85),
    "combined characters as they are": ("Organization.name", "e\u0301 \u00e9"),
    "quotes and signs of SQL": ("Organization.name", "\\ ' \" ` % %s :x ? -- ; {} $1 \\' \\\\"),
    "control characters": ("Organization.name", "\x01\x1a\t\r\n\x7f\u0085\u2028\ufeff"),
    "every byte": ("Person.picture_data", bytes(range(256)) * 2),
    "no bytes at all": ("Person.picture_data", b""),
    "bytes that are UTF-8": ("Person.picture_data", "é".encode()),
    "a column called from": ("EventNotificationEmail.from", "a"),
    "a column called to": ("EventNotificationEmail.to", "b"),
    "a column called order": ("lnkTriggerAction.order", 7),
    "a column called query": ("AuditRule.query", "SELECT Person"),
    "a column called update": ("SynchroAttribute.update", 1),
    "a column with a capital": ("DatacenterDevice.powerB_id", 8),
    "a long text": ("CMDBChangeOpSetAttributeLongText.prevdata", "ä😀'\\\n" * (2 * LONG // 12)),
    "long bytes": ("Person.picture_data", bytes(range(256)) * (LONG // 256)),
}

REFUSED: dict[str, tuple[str, Stored]] = {
    "a value outside the list": ("Organization.status", "closed"),
    "an empty text where a list is": ("Organization.status", ""),
    "a counter below zero": ("Person.picture_downloads_count", -1),
}


def stored(database: Database, place: str, row_id: int) -> Stored:
    class_name, column = place.split(".")
    table = database.table(class_name)
    [key] = table.primary_key
    with database.read() as connection:
        value: Stored = connection.scalar(sa.select(table.c[column]).where(key == row_id))
    return value


def add(database: Database, place: str, value: Stored) -> int:
    class_name, column = place.split(".")
    table = database.table(class_name)
    [key] = table.primary_key
    with database.write() as connection:
        row_id = int(connection.scalar(sa.select(sa.func.max(key))) or 0) + 1
        insert_rows(connection, table, (key.name, column), [(row_id, value)])
    return row_id


@pytest.mark.parametrize("case", HELD)
def test_a_value_comes_back_as_it_was(engine: Database, case: str) -> None:
    place, value = HELD[case]
    read = stored(engine, place, add(engine, place, value))
    assert type(read) is type(value)
    same = read == value  # pytest would take minutes to show where long texts differ
    assert same, f"{str(read)[:60]!r} is not {str(value)[:60]!r}"


@pytest.mark.parametrize("case", HELD)
def test_an_update_in_bulk_leaves_the_value_too(engine: Database, case: str) -> None:
    place, value = HELD[case]
    class_name, column = place.split(".")
    row_ids = [add(engine, place, None), add(engine, place, None)]
    with engine.write() as connection:
        update_rows(connection, engine.table(class_name), (column,), {row_ids[0]: (value,), 2**31 - 1: (value,)})
    assert (stored(engine, place, row_ids[0]) == value, stored(engine, place, row_ids[1])) == (True, None)


@pytest.mark.parametrize("case", REFUSED)
def test_a_value_that_no_row_of_itop_holds_is_refused(engine: Database, case: str) -> None:
    place, value = REFUSED[case]
    with pytest.raises(DatabaseError, match="refused"):
        add(engine, place, value)


def test_an_id_may_be_any_integer(engine: Database) -> None:
    table = engine.table("Location")
    with engine.write() as connection:
        insert_rows(connection, table, ("id", "name"), [(2**31 - 1, "last"), (-(2**31), "first")])
    with engine.read() as connection:
        rows = connection.execute(sa.select(table.c.id, table.c.name).order_by(table.c.id)).all()
    assert [tuple(row) for row in rows] == [(-(2**31), "first"), (2**31 - 1, "last")]
