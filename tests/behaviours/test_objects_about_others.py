"""Triggers, attachments, results of exports and tags in use: objects whose rules look at others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from itopd.attributes import Document
from itopd.behaviours import BEHAVIOURS, DELETIONS
from itopd.clock import FixedClock
from itopd.database import Database
from itopd.objects import fetch
from itopd.rules import ITOPD
from itopd.writing import Change, Create, Intent, Outcome, Pending, Update, Writer

CLOCK = FixedClock(datetime(2026, 7, 1, 12, 0, tzinfo=UTC))
NOW = "2026-07-01 14:00:00"
ADMIN, ADMINS_CONTACT, DEMO, OTHER = 1, 1, 3, 2


@pytest.fixture
def connection(sample: Database) -> Iterator[sa.Connection]:
    with sample.write() as opened:
        yield opened
        opened.rollback()


def write(database: Database, connection: sa.Connection, *intents: Intent, by: int = ADMIN) -> list[Outcome]:
    writer = Writer(database, CLOCK, ITOPD, behaviours=BEHAVIOURS, deletions=DELETIONS)
    return writer.write(connection, intents, Change("me", by))


def values(database: Database, connection: sa.Connection, outcome: Outcome) -> dict[str, Any]:
    return dict(fetch(database, connection, outcome.cls, [outcome.id])[outcome.id].values)


def kinds(outcome: Outcome) -> list[str]:
    return [issue.kind for issue in outcome.issues]


def trigger(cls: str = "TriggerOnObjectCreate", **given: Any) -> Create:
    return Create(cls, {"description": "d", "target_class": "Contact", **given})


def test_a_trigger_names_its_class(sample: Database, connection: sa.Connection) -> None:
    (made,) = write(sample, connection, trigger(complement="nonsense"))
    assert values(sample, connection, made)["complement"] == "class restriction: Contact"
    write(sample, connection, Update("Trigger", made.id, {"target_class": "Server"}))
    assert values(sample, connection, made)["complement"] == "class restriction: Server"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("SELECT Contact WHERE name = 'x'", []),
        ("SELECT Person WHERE id = :this->id", []),
        ("SELECT Server", ["bad_filter"]),
        ("SELECT Contact WHERE nonsense = 1", ["bad_filter"]),
        ("SELECT", ["bad_filter"]),
    ],
)
def test_the_filter_of_a_trigger_gives_objects_of_its_class(
    sample: Database, connection: sa.Connection, text: str, found: list[str]
) -> None:
    assert kinds(*write(sample, connection, trigger(filter=text))) == found


def test_another_class_asks_for_another_filter(sample: Database, connection: sa.Connection) -> None:
    (made,) = write(sample, connection, trigger(filter="SELECT Contact"))
    narrowed, renamed = write(
        *(sample, connection, Update("Trigger", made.id, {"target_class": "Person"})),
        Update("Trigger", made.id, {"description": "e"}),
    )
    assert (kinds(narrowed), renamed.status) == (["bad_filter"], "updated")


def test_a_trigger_forgets_attributes_that_its_class_has_not(sample: Database, connection: sa.Connection) -> None:
    (made,) = write(sample, connection, trigger("TriggerOnObjectUpdate", target_attcodes=("cpu", "name")))
    assert made.status == "created", made.issues
    assert values(sample, connection, made)["target_attcodes"] == ("name",)


def test_an_attachment_says_who_made_it_and_goes_with_its_ticket(sample: Database, connection: sa.Connection) -> None:
    ticket = Create("UserRequest", {"title": "t", "description": "d", "org_id": DEMO}, tag="t")
    (made,) = write(sample, connection, ticket)
    host = {"item_class": "UserRequest", "item_id": made.id, "item_org_id": DEMO}
    file = {"contents": Document(b"\0bytes", "text/plain", "a.txt"), "user_id": 77}
    own, other = write(
        *(sample, connection, Create("Attachment", {**host, **file})),
        Create("Attachment", {**host, **file, "item_id": made.id + 1}),
    )
    stored = values(sample, connection, own)
    origin = [stored[code] for code in ("creation_date", "user_id", "contact_id")]
    assert origin == [NOW, ADMIN, ADMINS_CONTACT]
    write(sample, connection, Update("Ticket", made.id, {"org_id": OTHER}))
    assert values(sample, connection, own)["item_org_id"] == OTHER
    assert values(sample, connection, other)["item_org_id"] == DEMO


def test_without_an_account_nobody_made_the_attachment(sample: Database, connection: sa.Connection) -> None:
    file = {"item_class": "UserRequest", "item_id": 5, "contents": Document(b"x", "text/plain", "a.txt")}
    (made,) = write(sample, connection, Create("Attachment", file), by=0)
    stored = values(sample, connection, made)
    assert (stored["user_id"], stored["contact_id"]) == (0, 0)


def test_the_result_of_an_export_is_its_makers(sample: Database, connection: sa.Connection) -> None:
    result = {"format": "csv", "search": "s", "status_info": "i", "user_id": 77, "created": NOW}
    (made,) = write(sample, connection, Create("BulkExportResult", result))
    assert values(sample, connection, made)["user_id"] == ADMIN


def test_the_code_of_a_tag_in_use_stays(sample: Database, connection: sa.Connection) -> None:
    tag = "TagSetFieldDataFor_FAQ__domains"
    used, free = write(
        *(sample, connection, Create(tag, {"code": "used", "label": "Used"})),
        Create(tag, {"code": "free", "label": "Free"}),
    )
    category = Create("FAQCategory", {"name": "c"}, tag="c")
    faq = Create("FAQ", {"title": "f", "category_id": Pending("c"), "domains": ("used",)})
    assert [outcome.status for outcome in write(sample, connection, category, faq)] == ["created", "created"]
    refused, label, code = write(
        *(sample, connection, Update(tag, used.id, {"code": "other"})),
        Update(tag, used.id, {"label": "Other"}),
        Update(tag, free.id, {"code": "freed"}),
    )
    assert (kinds(refused), label.status, code.status) == (["tag_in_use"], "updated", "updated")
