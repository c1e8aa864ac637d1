"""What the default classes do by program when they are deleted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from itopd.behaviours import BEHAVIOURS, DELETIONS, UnportedGuard
from itopd.clock import FixedClock
from itopd.database import Database, insert_rows
from itopd.errors import RefusedError
from itopd.rules import ITOPD
from itopd.writing import Change, Create, Delete, Guard, Intent, Outcome, Update, Writer
from tests.behaviours.test_behaviours import ROUTER, SERVER, SWITCH, link, links

CLOCK = FixedClock(datetime(2026, 7, 1, 12, 0, tzinfo=UTC))
LINK = "lnkConnectableCIToNetworkDevice"
TAG = "TagSetFieldDataFor_FAQ__domains"


@pytest.fixture
def connection(sample: Database) -> Iterator[sa.Connection]:
    with sample.write() as opened:
        yield opened
        opened.rollback()


def write(
    database: Database, connection: sa.Connection, *intents: Intent, guards: tuple[Guard, ...] = ()
) -> list[Outcome]:
    writer = Writer(database, CLOCK, ITOPD, guards=guards, behaviours=BEHAVIOURS, deletions=DELETIONS)
    return writer.write(connection, intents, Change("me", 1))


def test_the_twin_of_a_link_goes_with_it(sample: Database, connection: sa.Connection) -> None:
    kept, made = write(
        *(sample, connection, link(SWITCH, SERVER, ("p7", "p8"), "downlink")),
        link(SWITCH, ROUTER, ("p1", "p2"), "downlink"),
    )
    assert len(links(sample, connection)) == 3
    (outcome,) = write(sample, connection, Delete(LINK, made.id))
    assert [(effect.cls, effect.kind) for effect in outcome.effects] == [(LINK, "deleted")]
    assert [row[2] for row in links(sample, connection)] == ["p7"]
    assert write(sample, connection, Delete(LINK, kept.id))[0].effects == ()


def test_a_device_takes_links_and_twins_with_it(sample: Database, connection: sa.Connection) -> None:
    write(sample, connection, link(SWITCH, ROUTER, ("p1", "p2"), "downlink"))
    (outcome,) = write(sample, connection, Delete("NetworkDevice", SWITCH))
    assert outcome.status == "deleted"
    assert links(sample, connection) == []


@pytest.mark.parametrize("by_deletion", [False, True])
def test_a_tag_goes_only_when_nothing_has_it(sample: Database, connection: sa.Connection, *, by_deletion: bool) -> None:
    used, spare = write(
        *(sample, connection, Create(TAG, {"code": "used", "label": "Used"})),
        Create(TAG, {"code": "use", "label": "Use"}),
    )
    (category,) = write(sample, connection, Create("FAQCategory", {"name": "C"}))
    values = {"title": "T", "category_id": category.id, "domains": ("used",)}
    (faq,) = write(sample, connection, Create("FAQ", values))
    refused, gone = write(sample, connection, Delete(TAG, used.id), Delete(TAG, spare.id))
    assert [issue.kind for issue in refused.issues] == ["tag_in_use"]
    assert gone.status == "deleted"
    if by_deletion:
        outcomes = write(sample, connection, Delete("FAQ", faq.id), Delete(TAG, used.id))
    else:
        outcomes = write(sample, connection, Update("FAQ", faq.id, {"domains": ()}), Delete(TAG, used.id))
    assert outcomes[1].status == "deleted", "what the call did before is seen"


def test_the_profile_of_administrators_stays(sample: Database, connection: sa.Connection) -> None:
    administrator, other = 1, 3
    refused, gone = write(sample, connection, Delete("URP_Profiles", administrator), Delete("URP_Profiles", other))
    assert [issue.kind for issue in refused.issues] == ["fixed_profile"]
    assert gone.status == "deleted"


def test_attachments_go_with_their_ticket_only(sample: Database, connection: sa.Connection) -> None:
    table = sample.table("Attachment")
    (ticket,) = write(sample, connection, Create("UserRequest", {"title": "T", "description": "D", "org_id": 3}))
    rows = [(901, "UserRequest", ticket.id), (902, "Person", ticket.id), (903, "UserRequest", 99999)]
    insert_rows(connection, table, ("id", "item_class", "item_id"), rows)
    (outcome,) = write(sample, connection, Delete("Ticket", ticket.id))
    assert outcome.status == "deleted"
    assert ("Attachment", 901) in [(effect.cls, effect.id) for effect in outcome.effects]
    assert set(connection.execute(sa.select(table.c.id).where(table.c.id > 900)).scalars()) == {902, 903}


def test_classes_with_php_of_their_own_are_not_deleted_unasked(sample: Database, connection: sa.Connection) -> None:
    guard = UnportedGuard(sample.model, ())
    with pytest.raises(RefusedError, match="deleting objects of SynchroDataSource is refused"):
        guard.deletions(None, sample.model["SynchroDataSource"], [1], asked=True)  # type: ignore[arg-type]
    allowing = UnportedGuard(sample.model, ("SynchroDataSource",))
    assert allowing.deletions(None, sample.model["SynchroDataSource"], [1], asked=True) == {}  # type: ignore[arg-type]
    (made,) = write(sample, connection, Create("ContactType", {"name": "x"}), guards=(guard,))
    assert write(sample, connection, Delete("ContactType", made.id), guards=(guard,))[0].status == "deleted"
