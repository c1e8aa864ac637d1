"""Daemons that sleep beyond their leases, and daemons and children killed at random: what is left is sound."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from itopd.state import RunState, ledger
from tests.crash.daemons import World, wait_for_end
from tests.support.engines import EACH_ENGINE, empty_url, new_database
from tests.support.invariants import ALL, assert_counts_add_up, assert_none_owned_by_the_dead

pytestmark = pytest.mark.crash


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with contextlib.ExitStack() as stack:
        yield World(tmp_path, stack)


@pytest.mark.parametrize("engine", EACH_ENGINE)
def test_a_daemon_that_was_stopped_beyond_its_lease_writes_nothing_when_it_wakes(engine: str, tmp_path: Path) -> None:
    """Neither to the ledger nor to its row of ``priv_backgroundtask``, whatever happened to it meanwhile."""
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(new_database(engine, tmp_path))
        urls = {
            "database_url": database.engine.url.render_as_string(hide_password=False),
            "state_url": stack.enter_context(empty_url(engine, tmp_path)),
        }
        (tmp_path / "options.json").write_text(json.dumps({"lease_seconds": 2, **urls}))
        _stopped_beyond_its_lease(World(tmp_path, stack))


def _stopped_beyond_its_lease(world: World) -> None:
    os.mkfifo(world.folder / "started-Nap")
    first = world.daemon("Nap")
    child = world.started("Nap")
    first.until("run_started")
    first.send(signal.SIGSTOP)

    second = world.daemon("Nap")
    assert second.until("run_lost")["attempts"] == 1
    second.until("run_finished")
    recorded, row = world.run("Nap"), world.row("Nap")
    assert (recorded.state, recorded.message, row.total_exec_count) == (RunState.DONE, "attempt 2", 1)

    os.kill(child, signal.SIGCONT)  # it ends well, and has nobody to tell yet
    first.send(signal.SIGCONT)
    first.until("lease_lost")
    assert (world.run("Nap"), world.row("Nap")) == (recorded, row)
    for daemon in (first, second):
        daemon.send(signal.SIGTERM)
    assert [first.exit_code(), second.exit_code()] == [0, 0]
    assert (world.run("Nap"), world.row("Nap")) == (recorded, row)
    wait_for_end(child)
    world.assert_consistent()
    assert_counts_add_up(world.state, [*first.log, *second.log])


@pytest.mark.parametrize("seed", [1, 2])
def test_kills_at_random_points_leave_nothing_that_the_next_daemon_does_not_finish(world: World, seed: int) -> None:
    chance = random.Random(seed)
    names = [f"Succeed-{number}" for number in range(12)]
    for _ in range(2):
        daemon = world.daemon(*names)
        daemon.until("daemon_started")
        for _ in range(chance.randint(0, 25)):
            entry = daemon.until_any()
            if entry is None or (entry["event"] == "run_finished" and _all_done(world, names)):
                break
            if entry["event"] == "run_started" and chance.random() < 0.3:
                with contextlib.suppress(ProcessLookupError):  # it has ended already
                    os.kill(int(entry["pid"]), signal.SIGKILL)
        daemon.send(signal.SIGKILL)
        daemon.exit_code()
    last = world.daemon(*names)
    last.until("daemon_started")
    while not _all_done(world, names):
        last.until_any()
    assert_none_owned_by_the_dead(world.state)
    last.send(signal.SIGTERM)
    assert last.exit_code() == 0
    runs = ledger.recent(world.state, ALL)
    assert sorted(run.name for run in runs) == sorted(names), "one run each, whoever began it"
    assert all(world.row(name).total_exec_count <= 1 for name in names)
    world.assert_consistent()


def _all_done(world: World, names: list[str]) -> bool:
    closed = [run.name for run in ledger.recent(world.state, ALL) if not run.state.is_open]
    return sorted(closed) == sorted(names)
