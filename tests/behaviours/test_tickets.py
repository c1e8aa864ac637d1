"""What tickets do when they are written; on the sample of a real iTop, which has no tickets."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from itopd.attributes import read_entries
from itopd.behaviours import BEHAVIOURS, DELETIONS
from itopd.clock import FixedClock
from itopd.database import Database
from itopd.errors import ModelError
from itopd.objects import fetch
from itopd.rules import ITOPD
from itopd.writing import Change, Create, Intent, NewEntry, Outcome, Pending, Update, Writer

CLOCK = FixedClock(datetime(2026, 7, 1, 12, 0, tzinfo=UTC))
NOW, LATER = "2026-07-01 14:00:00", "2026-07-01 15:00:00"
DEMO = 3


@pytest.fixture
def connection(sample: Database) -> Iterator[sa.Connection]:
    with sample.write() as opened:
        yield opened
        opened.rollback()


def write(database: Database, connection: sa.Connection, *intents: Intent, clock: FixedClock = CLOCK) -> list[Outcome]:
    writer = Writer(database, clock, ITOPD, behaviours=BEHAVIOURS, deletions=DELETIONS)
    return writer.write(connection, intents, Change("me", 7, author="Me Myself"))


def later(hours: int = 1) -> FixedClock:
    return FixedClock(datetime(2026, 7, 1, 12 + hours, 0, tzinfo=UTC))


def ticket(cls: str = "UserRequest", tag: str | None = None, **values: Any) -> Create:
    return Create(cls, {"title": "T", "description": "D", "org_id": DEMO, **values}, tag)


def values(database: Database, connection: sa.Connection, outcome: Outcome) -> dict[str, Any]:
    return dict(fetch(database, connection, outcome.cls, [outcome.id])[outcome.id].values)


def entries(log: Any) -> list[tuple[str, str, str]]:
    return [(entry.author, entry.user_id, entry.body) for entry in read_entries(log)]


def counter(database: Database, connection: sa.Connection) -> list[tuple[str, str, str]]:
    table = database.table("KeyValueStore")
    columns = (table.c.namespace, table.c.key_name, table.c.value)
    return [tuple(row) for row in connection.execute(sa.select(*columns))]


def test_all_tickets_count_together(sample: Database, connection: sa.Connection) -> None:
    made = write(
        *(sample, connection, ticket(), ticket("Incident"), ticket("NormalChange"), ticket(ref="X-1")),
        ticket(org_id=0),
    )
    refs = [values(sample, connection, outcome)["ref"] for outcome in made[:4]]
    assert refs == ["R-000001", "I-000002", "C-000003", "X-1"]
    assert made[4].status == "refused"
    ((namespace, name, last),) = counter(sample, connection)
    assert (namespace, name, int(last) >= 3) == ("ItopCounter", "Ticket", True)
    (one,) = write(sample, connection, ticket())
    assert values(sample, connection, one)["ref"] == f"R-{int(last) + 1:06d}"
    assert counter(sample, connection) == [("ItopCounter", "Ticket", str(int(last) + 1))]


def test_a_counter_of_itop_is_gone_on_with(sample: Database, connection: sa.Connection) -> None:
    row = {"id": 5, "namespace": "ItopCounter", "key_name": "Ticket", "value": "123456789"}
    connection.execute(sample.table("KeyValueStore").insert().values(row))
    (one,) = write(sample, connection, ticket())
    assert values(sample, connection, one)["ref"] == "R-123456790"


def test_what_changes_no_ticket_needs_no_number(sample: Database, connection: sa.Connection) -> None:
    write(sample, connection, Create("ContactType", {"name": "x"}), ticket(ref="X-2"))
    assert counter(sample, connection) == []


def test_dates_are_those_of_the_writes(sample: Database, connection: sa.Connection) -> None:
    request, given, change = write(
        sample, connection, ticket(), ticket(start_date="2020-01-01 00:00:00"), ticket("RoutineChange")
    )
    assert (
        values(sample, connection, request)["start_date"] == values(sample, connection, request)["last_update"] == NOW
    )
    assert values(sample, connection, given)["start_date"] == "2020-01-01 00:00:00"
    assert values(sample, connection, change)["creation_date"] == NOW
    updates = [Update("Ticket", one.id, {"title": title}) for one, title in ((request, "New"), (given, "T"))]
    touched, same = write(sample, connection, *updates, clock=later())
    assert (touched.status, same.status) == ("updated", "unchanged")
    assert values(sample, connection, request)["last_update"] == LATER
    assert values(sample, connection, given)["last_update"] == NOW


@pytest.mark.parametrize(
    ("impact", "urgency", "priority"),
    [("1", "1", "1"), ("1", "2", "1"), ("1", "4", "4"), ("2", "3", "3"), ("3", "1", "2"), ("3", "4", "4")],
)
def test_priority_follows_impact_and_urgency(
    sample: Database, connection: sa.Connection, impact: str, urgency: str, priority: str
) -> None:
    (one,) = write(sample, connection, ticket(impact=impact, urgency=urgency, priority="1"))
    assert values(sample, connection, one)["priority"] == priority
    write(sample, connection, Update("UserRequest", one.id, {"impact": "1", "urgency": "3"}))
    assert values(sample, connection, one)["priority"] == "2"


def test_no_request_is_its_own_parent(sample: Database, connection: sa.Connection) -> None:
    (one,) = write(sample, connection, ticket())
    (refused,) = write(sample, connection, Update("UserRequest", one.id, {"parent_request_id": one.id}))
    assert [issue.kind for issue in refused.issues] == ["own_parent"]


def test_an_entry_goes_on_top_with_author_and_account(sample: Database, connection: sa.Connection) -> None:
    (one,) = write(sample, connection, ticket(public_log=NewEntry("first")))
    outcomes = write(
        *(
            sample,
            connection,
            Update("UserRequest", one.id, {"public_log": NewEntry("<b>second</b><script/>")}),
        ),
        Update("UserRequest", one.id, {"public_log": NewEntry("third", "text", author="Joe", user_id=0)}),
        Update("UserRequest", one.id, {"public_log": NewEntry(" ")}),
    )
    assert [outcome.status for outcome in outcomes] == ["updated", "updated", "unchanged"]
    log = values(sample, connection, one)["public_log"]
    assert entries(log) == [
        ("Joe", "", "third"),
        ("Me Myself", "7", "<b>second</b>"),
        ("Me Myself", "7", "<p>first</p>"),
    ]


def test_only_a_case_log_takes_entries(sample: Database, connection: sa.Connection) -> None:
    with pytest.raises(ModelError, match=r"UserRequest\.title is no case log"):
        write(sample, connection, ticket(title=NewEntry("x")))


def test_entries_of_a_parent_reach_all_below_it_once(sample: Database, connection: sa.Connection) -> None:
    top, child, grandchild, incident = write(
        *(sample, connection, ticket(tag="top"), ticket(tag="child", parent_request_id=Pending("top"))),
        ticket(parent_request_id=Pending("child")),
        ticket("Incident", "incident"),
    )
    (other,) = write(sample, connection, ticket(parent_incident_id=incident.id))
    write(sample, connection, Update("UserRequest", top.id, {"parent_request_id": grandchild.id}))  # a circle
    outcomes = write(
        *(sample, connection, Update("UserRequest", top.id, {"public_log": NewEntry("news")})),
        Update("Incident", incident.id, {"private_log": NewEntry("secret")}),
    )
    assert [outcome.warnings for outcome in outcomes] == [(), ()]
    for one in (top, child, grandchild):
        assert entries(values(sample, connection, one)["public_log"]) == [("Me Myself", "7", "<p>news</p>")]
    for one in (incident, other):
        assert entries(values(sample, connection, one)["private_log"]) == [("Me Myself", "7", "<p>secret</p>")]


def test_the_log_of_a_work_order_is_that_of_its_ticket_too(sample: Database, connection: sa.Connection) -> None:
    one, child, two = write(
        *(sample, connection, ticket(tag="one"), ticket(parent_request_id=Pending("one")), ticket("RoutineChange")),
    )
    orders = write(
        sample,
        connection,
        *(
            Create(
                "WorkOrder",
                {"name": "W", "ticket_id": of.id, "description": "d", "team_id": 37, "log": NewEntry("not copied")},
            )
            for of in (two, one)
        ),
    )
    write(
        sample,
        connection,
        *(Update("WorkOrder", order.id, {"log": NewEntry(f"of {order.id}")}) for order in orders),
        clock=later(),
    )
    for of, order in ((two, orders[0]), (one, orders[1]), (child, orders[1])):
        row = values(sample, connection, of)
        assert entries(row["private_log"]) == [("Me Myself", "7", f"<p>of {order.id}</p>")]
        assert row["last_update"] == LATER


def test_a_thousand_tickets_cost_as_many_statements_as_one(sample: Database, connection: sa.Connection) -> None:
    def cost(number: int) -> int:
        sent: list[str] = []
        note = lambda *a: sent.append(a[2])  # noqa: E731
        sa.event.listen(sample.engine, "before_cursor_execute", note)
        outcomes = write(sample, connection, *(ticket(title=f"T{n}") for n in range(number)))
        sa.event.remove(sample.engine, "before_cursor_execute", note)
        assert {outcome.status for outcome in outcomes} == {"created"}
        return len(sent)

    cost(1)
    assert cost(1000) <= cost(10) + 8


def test_one_entry_in_both_logs_reaches_both_logs_of_all_below(sample: Database, connection: sa.Connection) -> None:
    top, *below = write(
        *(sample, connection, ticket(tag="top"), ticket(tag="child", parent_request_id=Pending("top"))),
        ticket(parent_request_id=Pending("child")),
    )
    entry = NewEntry("news")
    write(sample, connection, Update("UserRequest", top.id, {"public_log": entry, "private_log": entry}))
    for one in below:
        row = values(sample, connection, one)
        assert [len(entries(row[code])) for code in ("public_log", "private_log")] == [1, 1]


def test_one_entry_written_twice_is_copied_twice(sample: Database, connection: sa.Connection) -> None:
    top, child = write(sample, connection, ticket(tag="top"), ticket(parent_request_id=Pending("top")))
    (order,) = write(
        *(sample, connection),
        Create("WorkOrder", {"name": "W", "ticket_id": top.id, "description": "d", "team_id": 37}),
    )
    entry = NewEntry("again")
    write(sample, connection, *[Update("UserRequest", top.id, {"public_log": entry})] * 2)
    write(sample, connection, *[Update("WorkOrder", order.id, {"log": entry})] * 2)
    for one in (top, child):
        row = values(sample, connection, one)
        assert [len(entries(row[code])) for code in ("public_log", "private_log")] == [2, 2]
