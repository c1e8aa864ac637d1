"""What the default classes do by program when they are written."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from itopd.behaviours import BEHAVIOURS
from itopd.clock import FixedClock
from itopd.database import Database
from itopd.rules import ITOPD
from itopd.writing import Change, Create, Update, Writer

CLOCK = FixedClock(datetime(2026, 7, 1, 12, 0, tzinfo=UTC))
ROUTER, SWITCH, SERVER = 5, 6, 1
LINK = "lnkConnectableCIToNetworkDevice"


def writer(database: Database) -> Writer:
    return Writer(database, CLOCK, ITOPD, behaviours=BEHAVIOURS)


def links(database: Database, connection: sa.Connection) -> list[tuple[Any, ...]]:
    """Return the links made by the test."""
    table = database.table(LINK)
    rows = connection.execute(table.select().where(table.c.network_port.like("p%")).order_by(table.c.id))
    return [tuple(row)[1:] for row in rows]


def link(network: int, connected: int, ports: tuple[str, str], kind: str) -> Create:
    values = {"networkdevice_id": network, "connectableci_id": connected, "connection_type": kind}
    return Create(LINK, {**values, "network_port": ports[0], "device_port": ports[1]})


def test_a_link_between_network_devices_gets_a_twin(sample: Database) -> None:
    with sample.write() as connection:
        (outcome,) = writer(sample).write(connection, [link(SWITCH, ROUTER, ("p1", "p2"), "downlink")], Change("me"))
        assert outcome.warnings == ()
        assert links(sample, connection) == [
            (SWITCH, ROUTER, "p1", "p2", "downlink"),
            (ROUTER, SWITCH, "p2", "p1", "uplink"),
        ]


def test_a_twin_follows_its_link_and_is_not_made_twice(sample: Database) -> None:
    with sample.write() as connection:
        change = Change("me")
        (made,) = writer(sample).write(connection, [link(SWITCH, ROUTER, ("p1", "p2"), "downlink")], change)
        update = Update(LINK, made.id, {"network_port": "p9", "connection_type": "uplink"})
        assert writer(sample).write(connection, [update], change)[0].status == "updated"
        assert links(sample, connection) == [
            (SWITCH, ROUTER, "p9", "p2", "uplink"),
            (ROUTER, SWITCH, "p2", "p9", "downlink"),
        ]


def test_a_link_to_another_device_has_no_twin(sample: Database) -> None:
    with sample.write() as connection:
        (outcome,) = writer(sample).write(connection, [link(SWITCH, SERVER, ("p3", "p4"), "downlink")], Change("me"))
        assert outcome.status == "created"
        assert links(sample, connection) == [(SWITCH, SERVER, "p3", "p4", "downlink")]


def test_twins_of_a_thousand_links_cost_few_statements(sample: Database) -> None:
    sent: list[str] = []

    @sa.event.listens_for(sample.engine, "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    with sample.write() as connection:
        many = [link(SWITCH, ROUTER, (f"p{n}", f"p-{n}"), "downlink") for n in range(500)]
        writer(sample).write(connection, many, Change("me"))
        assert len(sent) <= 40
        assert len(links(sample, connection)) == 1000


def test_a_tag_knows_its_class_and_its_code_is_its_alone(sample: Database) -> None:
    tag = "TagSetFieldDataFor_FAQ__domains"
    given = [
        ("gold", "Gold"),
        ("GOLD", "Other"),
        ("other", "gold"),
        ("g1", "Short"),
        ("silver", "Sil|ver"),
        ("copper", ""),
    ]
    with sample.write() as connection:
        creations = [Create(tag, {"code": code, "label": label}) for code, label in given]
        outcomes = writer(sample).write(connection, creations, Change("me"))
        table = sample.table("TagSetFieldData")
        (row,) = connection.execute(table.select().where(table.c.id == outcomes[0].id)).mappings()
    assert (row["obj_class"], row["obj_attcode"]) == ("FAQ", "domains")
    kinds = [{issue.kind for issue in outcome.issues} for outcome in outcomes]
    assert kinds[:3] == [set(), {"tag_not_unique"}, {"tag_not_unique"}]
    assert "tag_code" in kinds[3]
    assert kinds[4] == {"tag_label"}
    assert "tag_label" in kinds[5]


def test_a_queued_task_says_when_it_was_queued(sample: Database) -> None:
    task = {"subject": "s", "message": "m", "to": "a@b.fr", "created": "2001-01-01 00:00:00", "version": 2}
    with sample.write() as connection:
        (outcome,) = writer(sample).write(connection, [Create("AsyncSendEmail", task)], Change("me"))
        assert outcome.status == "created", outcome.issues
        table = sample.table("AsyncTask")
        created = connection.execute(sa.select(table.c.created).where(table.c.id == outcome.id)).scalar_one()
    assert created == "2026-07-01 14:00:00"
