"""Temporary objects: what goes with its descriptor, what stays, and when it is tried again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from itopd.database import Database
from itopd.errors import SettingsError
from itopd.tasks.temporary_object_gc import temporary_object_gc
from tests.tasks.work import NOW, changes, column, create, insert, work_on

TASK = r"Combodo\iTop\Service\TemporaryObjects\TemporaryObjectGC"


def descriptor(database: Database, cls: str, item: int, **own: Any) -> int:
    row = {
        "item_class": cls,
        "item_id": item,
        "operation": "create",
        "creation_date": "2027-02-10 09:50:00",
        "expiration_date": "2027-02-10 09:55:00",
    }
    (id_,) = insert(database, "TemporaryObjectDescriptor", row | own)
    return id_


def collect(database: Database, now: datetime = NOW) -> str:
    return temporary_object_gc(work_on(database, TASK, now))


def contact_types(database: Database, *names: str) -> list[int]:
    return create(database, "ContactType", *[{"name": name} for name in names])


def test_created_objects_go_and_deleted_ones_stay(database: Database) -> None:
    created, forgotten, young = contact_types(database, "created", "forgotten", "young")
    descriptor(database, "ContactType", created)
    descriptor(database, "ContactType", forgotten, operation="delete")
    descriptor(database, "ContactType", 4711)
    kept = descriptor(database, "ContactType", young, expiration_date="2027-02-10 10:00:00")
    assert collect(database) == ""
    assert column(database, "Typology", "id") == [forgotten, young]
    assert column(database, "ContactType", "id") == [forgotten, young]
    assert column(database, "TemporaryObjectDescriptor", "id") == [kept]
    assert changes(database) == [(f"Background task ({TASK})", 7)]


def test_the_deletion_is_the_only_thing_the_history_keeps(database: Database) -> None:
    (created,) = contact_types(database, "created")
    descriptor(database, "ContactType", created)
    collect(database)
    head, deleted = database.table("CMDBChangeOp"), database.table("CMDBChangeOpDelete")
    with database.read() as connection:
        query = sa.select(head.c.objclass, head.c.objkey, head.c.optype, deleted.c.fclass, deleted.c.fname)
        rows = connection.execute(query.outerjoin_from(head, deleted, deleted.c.id == head.c.id)).all()
    assert [tuple(row) for row in rows] == [("Typology", created, "CMDBChangeOpDelete", "ContactType", "created")]


def test_what_others_cannot_do_without_stays_and_is_tried_later_and_later(database: Database) -> None:
    (org,) = create(database, "Organization", {"name": "Demo"})
    (person,) = create(database, "Person", {"name": "N", "first_name": "F", "org_id": org})
    descriptor(database, "Organization", org)
    descriptor(database, "NoSuchClass", 3)
    with capture_logs() as logs:
        assert collect(database) == ""
    reasons = {log["object"]: log["reason"] for log in logs}
    assert reasons == {
        f"Organization::{org}": f"Person::{person} Must be deleted manually",
        "NoSuchClass::3": "there is no class NoSuchClass",
    }
    # It has existed for 10 minutes: the next try is 10 minutes away, the one after that 20.
    assert set(column(database, "TemporaryObjectDescriptor", "expiration_date")) == {"2027-02-10 10:10:00"}
    assert column(database, "Organization", "id") == [org]
    collect(database, NOW + timedelta(minutes=10))
    assert set(column(database, "TemporaryObjectDescriptor", "expiration_date")) == {"2027-02-10 10:10:00"}
    collect(database, NOW + timedelta(minutes=10, seconds=1))
    assert set(column(database, "TemporaryObjectDescriptor", "expiration_date")) == {"2027-02-10 10:30:02"}


def test_what_resists_for_more_than_a_day_is_reported(database: Database) -> None:
    descriptor(database, "NoSuchClass", 3, creation_date="2027-02-09 09:59:59")
    (fine,) = contact_types(database, "fine")
    descriptor(database, "ContactType", fine)
    with pytest.raises(SettingsError, match="NoSuchClass::3, there is no class NoSuchClass"):
        collect(database)
    assert column(database, "ContactType", "id") == []
    assert column(database, "TemporaryObjectDescriptor", "expiration_date") == ["2027-02-11 10:00:00"]


def test_what_belongs_to_a_temporary_object_goes_with_it(database: Database) -> None:
    (org,) = create(database, "Organization", {"name": "Demo"})
    (person,) = create(database, "Person", {"name": "N", "first_name": "F", "org_id": org})
    (team,) = create(database, "Team", {"name": "T", "org_id": org})
    create(database, "lnkPersonToTeam", {"person_id": person, "team_id": team})
    descriptor(database, "Person", person)
    collect(database)
    assert (column(database, "Person", "id"), column(database, "lnkPersonToTeam", "id")) == ([], [])
    assert column(database, "Team", "id") == [team]


def test_hundreds_cost_as_many_statements_as_one(database: Database) -> None:
    ids = contact_types(database, *[f"t{n}" for n in range(300)])
    with database.write() as connection:
        rows = [
            {
                "id": n,
                "item_class": "ContactType",
                "item_id": n,
                "operation": "create",
                "expiration_date": "2027-02-10 09:00:00",
            }
            for n in ids
        ]
        connection.execute(sa.insert(database.table("TemporaryObjectDescriptor")), rows)
    seen: list[str] = []
    sa.event.listen(database.engine, "before_cursor_execute", lambda *a: seen.append(a[2]))
    collect(database)
    assert column(database, "Typology", "id") == []
    assert len(seen) < 40
