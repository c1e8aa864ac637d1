"""Since when objects are obsolete: set, kept, cleared, for every hierarchy of the model."""

from __future__ import annotations

import sqlalchemy as sa

from itopd.database import Database
from itopd.datamodel import bundled_model
from itopd.tasks.obsolescence_date_updater import hierarchies, obsolescence_date_updater
from itopd.tasks.work import BATCH
from tests.tasks.work import changes, create, stored, update, work_on


def date_of(database: Database, cls: str, id_: int) -> str | None:
    found: str | None = stored(database, cls, id_)["obsolescence_date"]
    return found


def test_dates_are_set_kept_and_cleared(database: Database) -> None:
    (org,) = create(database, "Organization", {"name": "Demo"})
    servers = create(database, "Server", *[{"name": f"s{n}", "org_id": org} for n in range(4)])
    table = database.table("PhysicalDevice")
    with database.write() as connection:
        connection.execute(table.update().where(table.c.id.in_(servers[:2])).values(status="obsolete"))
    update(database, "FunctionalCI", servers[1], obsolescence_date="2026-05-05")
    update(database, "FunctionalCI", servers[2], obsolescence_date="2026-01-01")
    update(database, "Organization", org, status="inactive")
    before = changes(database)
    message = obsolescence_date_updater(work_on(database))
    assert message == "Obsolescence date updated (classes: 0 ; set: 2 ; reset: 1)\n"
    assert [date_of(database, "FunctionalCI", id_) for id_ in servers] == ["2027-02-10", "2026-05-05", None, None]
    assert date_of(database, "Organization", org) == "2027-02-10"
    assert changes(database) == before
    assert "set: 0 ; reset: 0" in obsolescence_date_updater(work_on(database))


def test_a_rule_is_that_of_the_final_class(database: Database) -> None:
    """An application is obsolete by its own status, its schema by that of the server it is on."""
    (org,) = create(database, "Organization", {"name": "Demo"})
    (server,) = create(database, "Server", {"name": "s", "org_id": org})
    (dbserver,) = create(database, "DBServer", {"name": "d", "org_id": org, "system_id": server, "status": "inactive"})
    (schema,) = create(database, "DatabaseSchema", {"name": "x", "org_id": org, "dbserver_id": dbserver})
    assert "set: 2 ; reset: 0" in obsolescence_date_updater(work_on(database))
    assert date_of(database, "FunctionalCI", schema) == "2027-02-10"
    update(database, "SoftwareInstance", dbserver, status="active")
    assert "set: 0 ; reset: 2" in obsolescence_date_updater(work_on(database))


def test_a_number_of_objects_costs_a_number_of_batches(database: Database) -> None:
    number = BATCH + 10
    rows = [{"id": n, "name": f"o{n}", "status": "inactive"} for n in range(1, number + 1)]
    with database.write() as connection:
        connection.execute(sa.insert(database.table("Organization")), rows)
    seen: list[str] = []
    sa.event.listen(database.engine, "before_cursor_execute", lambda *a: seen.append(a[2]))
    assert f"set: {number} ; " in obsolescence_date_updater(work_on(database))
    assert len([text for text in seen if text.startswith("UPDATE")]) == 2


def test_every_class_with_a_condition_is_in_one_hierarchy() -> None:
    model = bundled_model()
    tops = list(hierarchies(model))
    for cls in model.values():
        if cls.obsolescence:
            assert len([top for top in tops if model.is_a(cls.name, top)]) == 1, cls.name
