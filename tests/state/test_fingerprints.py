"""Fingerprints: one first start, adoptions that say who and when, and what counts as a change."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import pytest
import sqlalchemy as sa

from itopd.errors import ConflictError
from itopd.state import Fingerprint, StateStore, fingerprints, leases, open_state, served, this_process
from itopd.state.fingerprints import FINGERPRINT
from itopd.state.served import SERVED

HERE = Fingerprint.of("itop", {"engine": "mysql", "host": "db1", "port": "3306"}, "https://itop.example/", "{1}")
ELSEWHERE = replace(HERE, server={**HERE.server, "host": "test"})


def test_of_many_first_starts_one_is_recorded(store: StateStore, state_url: str) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("forkserver")) as pool:
        assert list(pool.map(_start, [state_url] * 8, range(8))) == [True] * 8
    [adoption] = fingerprints.in_force(store)
    assert adoption.by == f"process {adoption.fingerprint.server['port']}"
    with store.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(FINGERPRINT)).scalar() == 1


def _start(url: str, number: int) -> bool:
    store = open_state(url)
    try:
        here = replace(HERE, server={**HERE.server, "port": str(number)})
        fingerprints.record_first(store, here, f"process {number}")
        return len(fingerprints.in_force(store)) == 1
    finally:
        store.close()


def test_an_adoption_says_who_and_when_and_the_former_ones_stay_to_be_seen(store: StateStore) -> None:
    fingerprints.record_first(store, HERE, "ann at ops")
    fingerprints.adopt(store, ELSEWHERE, "bob at ops", beside=False)
    [adoption] = fingerprints.in_force(store)
    assert (adoption.id, adoption.by, adoption.fingerprint) == (2, "bob at ops", ELSEWHERE)
    assert adoption.adopted.tzinfo is not None
    with store.read() as connection:
        rows = connection.execute(sa.select(FINGERPRINT.c.adopted_by, FINGERPRINT.c.in_force)).all()
    assert sorted(map(tuple, rows)) == [("ann at ops", 0), ("bob at ops", 1)]


def test_the_nodes_of_a_cluster_may_be_adopted_beside_each_other(store: StateStore) -> None:
    fingerprints.record_first(store, HERE, "ann")
    fingerprints.adopt(store, ELSEWHERE, "ann", beside=True)
    assert [adoption.fingerprint for adoption in fingerprints.in_force(store)] == [HERE, ELSEWHERE]


def test_a_first_start_after_an_adoption_changes_nothing(store: StateStore) -> None:
    fingerprints.adopt(store, HERE, "ann", beside=False)
    fingerprints.record_first(store, ELSEWHERE, "bob")
    assert [adoption.fingerprint for adoption in fingerprints.in_force(store)] == [HERE]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"server": {"engine": "mysql", "host": "db2", "port": "3306"}}, ["server"]),
        ({"server": {"engine": "sqlite", "file": "12"}}, ["server"]),
        ({"server": {"declared": "production"}}, ["server"]),
        ({"app_root_url": "https://test.example"}, ["app_root_url"]),
        ({"app_root_url": ""}, ["app_root_url"]),
        ({"database_name": "itop_test"}, ["database"]),
        ({"database_uuid": "{2}"}, ["database_uuid"]),
        ({"database_uuid": ""}, ["database_uuid"]),
        ({"server": {"engine": "mysql", "host": "db1", "port": "3306", "server_uid": "x"}}, []),
        ({"server": {"engine": "mysql", "host": "db1"}}, []),
        ({}, []),
    ],
)
def test_what_counts_as_a_change(change: dict[str, object], what: list[str]) -> None:
    now = replace(HERE, **change)  # type: ignore[arg-type]
    assert [difference.what for difference in HERE.differences(now)] == what


@pytest.mark.parametrize("url", ["https://itop.example", "HTTPS://ITOP.example/", " https://itop.example/ "])
def test_one_url_may_be_written_in_several_ways(url: str) -> None:
    assert Fingerprint.of("itop", HERE.server, url, "{1}") == HERE


def test_what_was_unknown_is_completed_and_then_guarded(store: StateStore) -> None:
    fingerprints.record_first(store, replace(HERE, app_root_url="", database_uuid=""), "ann")
    [adoption] = fingerprints.in_force(store)
    more = replace(HERE, server={**HERE.server, "server_uid": "x"})
    fingerprints.complete(store, adoption, more)
    [completed] = fingerprints.in_force(store)
    assert completed.fingerprint == more
    assert (completed.by, completed.adopted) == ("ann", adoption.adopted)
    assert completed.fingerprint.differences(replace(more, server={**HERE.server, "server_uid": "y"}))


def test_a_store_in_use_for_another_database_is_not_taken_from_it(store: StateStore) -> None:
    served.require(store, "itop")
    fingerprints.record_first(store, HERE, "ann")
    token = leases.acquire(store, "task/ExecAsyncTask", this_process(), 60)
    assert token is not None
    other = replace(HERE, database_name="itop_test")
    with pytest.raises(ConflictError, match=r"an itopd works with the state store .* for the database 'itop'"):
        fingerprints.adopt(store, other, "bob", beside=False)
    served.require(store, "itop")
    with store.write() as connection:
        connection.execute(sa.text("UPDATE itopd_lease SET expires = '2020-01-01 00:00:00'"))
    fingerprints.adopt(store, other, "bob", beside=False)
    with store.read() as connection:
        assert connection.execute(sa.select(SERVED.c.name)).scalars().all() == ["itop_test"]
