"""Signs of life of the processes that carry out runs."""

from __future__ import annotations

from datetime import timedelta

from itopd.state import Owner, StateStore, instances, this_process
from itopd.state.columns import database_now
from itopd.state.tables import INSTANCE
from tests.support.processes import dead_process

OTHER = Owner("elsewhere/1/pid:[1]", 1, "1")


def silence(store: StateStore, owner: Owner, seconds: int) -> None:
    change = INSTANCE.update().where(INSTANCE.c.owner == str(owner)).values(seen=database_now(-seconds))
    store.transact(lambda connection: connection.execute(change))


def test_a_process_is_listed_with_what_it_says_of_itself(store: StateStore) -> None:
    instances.enter(store, OTHER, "daemon", "1.2.3")
    assert instances.beat(store, OTHER, state="stopping", problems=["the broker is away", "«é»"])
    (seen,) = instances.listed(store)
    assert (seen.owner, seen.kind, seen.version, seen.state) == (str(OTHER), "daemon", "1.2.3", "stopping")
    assert seen.problems == ("the broker is away", "«é»")
    assert seen.started <= seen.seen
    assert not seen.is_dead


def test_silence_is_told_by_the_clock_of_the_database_and_ended_by_a_sign_of_life(store: StateStore) -> None:
    instances.enter(store, OTHER, "daemon", "1")
    silence(store, OTHER, 90)
    assert 90 <= instances.listed(store)[0].silent_seconds < 3600
    instances.beat(store, OTHER)
    assert instances.listed(store)[0].silent_seconds < 80


def test_who_leaves_is_listed_no_more_and_is_told_so_by_the_next_beat(store: StateStore) -> None:
    instances.enter(store, OTHER, "daemon", "1")
    instances.leave(store, OTHER)
    assert instances.listed(store) == []
    assert not instances.beat(store, OTHER)


def test_a_new_process_forgets_the_dead_of_its_kind_and_nobody_else(store: StateStore) -> None:
    killed = dead_process()
    instances.enter(store, OTHER, "daemon", "1")
    instances.enter(store, killed, "daemon", "1")
    assert [one.is_dead for one in instances.listed(store)] == [False, True]
    instances.enter(store, this_process(), "worker", "1")
    assert str(killed) in {one.owner for one in instances.listed(store)}
    instances.enter(store, this_process(), "daemon", "1")
    assert {one.owner for one in instances.listed(store)} == {str(OTHER), str(this_process())}


def test_who_was_silent_for_a_day_is_forgotten(store: StateStore) -> None:
    instances.enter(store, OTHER, "worker", "1")
    silence(store, OTHER, int(timedelta(days=1).total_seconds()) + 60)
    instances.enter(store, this_process(), "daemon", "1")
    assert [one.owner for one in instances.listed(store)] == [str(this_process())]
