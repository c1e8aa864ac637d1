"""Runs of Celery workers on a real RabbitMQ and a real Redis: killed workers, messages that come twice, no broker."""

from __future__ import annotations

import contextlib
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from itopd.state import RunState
from tests.crash.daemons import Daemon, World, wait_for_end
from tests.support.brokers import EACH_BROKER, Broker, broker_for_test
from tests.support.invariants import assert_none_owned_by_the_dead
from tests.support.proxy import proxy_to

pytestmark = pytest.mark.crash


@pytest.fixture(params=EACH_BROKER)
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    with broker_for_test(request.param) as given:
        yield given


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with contextlib.ExitStack() as stack:
        yield World(tmp_path, stack)


def use(world: World, broker: Broker, port: int | None = None) -> None:
    """Let the daemons and workers of a test use a broker."""
    options = {"broker": broker.url(port), "prefix": broker.prefix}
    (world.folder / "options.json").write_text(json.dumps(options))


def worker(world: World, *names: str, stop_timeout: float = 20) -> Daemon:
    return world.process("tests.crash.heartbeat_daemon", world.folder, str(stop_timeout), "--worker", *names)


def stop(*processes: Daemon) -> None:
    for process in processes:
        process.send(signal.SIGTERM)
    assert [process.exit_code() for process in processes] == [0] * len(processes)


def test_a_run_of_a_killed_worker_is_finished_once_by_another(world: World, broker: Broker) -> None:
    from itopd.heartbeat.executing.celery_queue import CeleryQueue, celery_app  # noqa: PLC0415 - an extra

    use(world, broker)
    world.pipes("Wait")
    first, daemon = worker(world, "Wait"), world.daemon("Wait")
    child = world.started("Wait")
    first.until("run_started")
    first.send(signal.SIGKILL)
    assert first.exit_code() == -signal.SIGKILL
    wait_for_end(child)

    second = worker(world, "Wait")
    world.started("Wait")
    queue = CeleryQueue(celery_app(broker.url(), broker.prefix, ["tasks"], 60), broker.prefix)
    run_id = world.run("Wait").id
    for _ in range(3):
        queue.send(run_id, "tasks")
    second.until("message_ignored", run=run_id)
    assert_none_owned_by_the_dead(world.state)
    world.go("Wait", "twice")
    second.until("run_finished", name="Wait")
    queue.send(run_id, "tasks")
    assert second.until("message_ignored", reason="it is done already")["run"] == run_id
    stop(second, daemon)
    run = world.run("Wait")
    assert (run.id, run.state, run.attempts, run.message) == (run_id, RunState.DONE, 2, "told twice")
    assert (world.row("Wait").total_exec_count, world.row("Wait").running) == (1, False)
    starts = [entry["event"] for entry in (*first.log, *second.log)].count("run_started")
    assert starts == 2
    world.assert_consistent()


def test_runs_wait_while_the_broker_is_away_and_a_stopped_worker_hands_back(world: World, broker: Broker) -> None:
    with proxy_to(broker.port) as proxy:
        use(world, broker, proxy.port)
        proxy.cut()
        daemon, slow = world.daemon("Obey"), worker(world, "Obey")
        away = daemon.until("queue_away", name="Obey")
        assert "does not answer" in away["error"]
        assert "guest:guest" not in away["error"]
        assert world.run("Obey").state is RunState.QUEUED
        world.pipes("Obey")
        proxy.restore()
        world.started("Obey")
        slow.until("run_started")
        proxy.cut()  # a run goes on, whatever becomes of its message
        slow.until("celery")
        assert world.run("Obey").state is RunState.RUNNING
        slow.send(signal.SIGTERM)
        slow.until("worker_stopping")
        slow.send(signal.SIGTERM)
        assert slow.exit_code() == 0
        run = world.run("Obey")
        assert (run.state, run.attempts) in [(RunState.HANDED_BACK, 0), (RunState.QUEUED, 0)]
        stop(daemon)
        world.assert_consistent()
