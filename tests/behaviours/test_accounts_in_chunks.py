"""Accounts written in one chunk come out as those written one by one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from unittest import mock

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from itopd.attributes import PasswordHash
from itopd.behaviours import BEHAVIOURS, DELETIONS
from itopd.clock import FixedClock
from itopd.database import Database
from itopd.rules import ITOPD
from itopd.writing import Change, Create, Delete, Intent, LinkSet, Pending, Update, Writer
from itopd.writing import writer as writer_module

CLOCK = FixedClock(datetime(2026, 7, 1, 12, 0, tzinfo=UTC))
TAGS = ("a", "b", "c")
HASH = PasswordHash(b"$2y$10$x")

logins = st.sampled_from(["joe", "JOE", "jo\u00e9", "jim", "admin"])
profiles = st.lists(st.sampled_from([1, 2, 3]), unique=True, max_size=2).map(
    lambda ids: LinkSet(add=tuple({"profileid": id_} for id_ in ids))
)
organizations = st.lists(st.sampled_from([2, 3]), unique=True, max_size=1).map(
    lambda ids: LinkSet(add=tuple({"allowed_org_id": id_} for id_ in ids))
)
given_values = st.fixed_dictionaries(
    {},
    optional={
        "login": logins,
        "contactid": st.sampled_from([0, 1, 2]),
        "status": st.sampled_from(["enabled", "disabled"]),
        "expiration": st.sampled_from(["force_expire", "otp_expire"]),
        "allowed_org_list": organizations,
    },
)
moves = st.sampled_from([0, 3]).map(lambda id_: Update("Organization", 2, {"parent_id": id_}))


@st.composite
def intents(draw: st.DrawFn) -> list[Intent]:
    made: list[Intent] = []
    for tag in TAGS[: draw(st.integers(1, 3))]:
        values = {"login": draw(logins), "password": HASH, "profile_list": draw(profiles), **draw(given_values)}
        made.append(Create("UserLocal", values, tag))
        ids = st.sampled_from([1, Pending(tag)])
        more: list[st.SearchStrategy[Any]] = [
            st.builds(Update, st.just("UserLocal"), ids, given_values),
            st.builds(Delete, st.just("User"), ids),
            moves,
        ]
        made += draw(st.lists(st.one_of(more), max_size=3))
    return made


def answers(database: Database, connection: sa.Connection, wanted: list[Intent], size: int) -> list[Any]:
    """Write in chunks of a size; return what became of each intent, and the accounts that are there then."""
    savepoint = connection.begin_nested()
    writer = Writer(database, CLOCK, ITOPD, behaviours=BEHAVIOURS, deletions=DELETIONS)
    with mock.patch.object(writer_module, "CHUNK", size):
        outcomes = writer.write(connection, wanted, Change("me", 1))
    table = database.table("User")
    columns = (table.c.login, table.c.contactid, table.c.status)
    rows = connection.execute(sa.select(*columns).order_by(table.c.id)).all()
    savepoint.rollback()
    told = [
        (one.status, [issue.kind for issue in one.issues], [issue.kind for issue in one.warnings]) for one in outcomes
    ]
    return [*told, [tuple(row) for row in rows]]


@given(wanted=intents())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_accounts_in_one_chunk_are_as_one_by_one(sample: Database, wanted: list[Intent]) -> None:
    with sample.write() as connection:
        assert answers(sample, connection, wanted, 1000) == answers(sample, connection, wanted, 1)
        connection.rollback()
