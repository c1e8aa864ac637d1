"""Runs for workers elsewhere: how they are queued, who takes them, and what a message that comes twice does.

The brokers themselves are in ``tests/crash/test_celery.py``.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from itopd.clock import FixedClock
from itopd.heartbeat import Heartbeat, Periodic, QueueAway, Task, status, status_text, tick
from itopd.heartbeat.claiming import Claimed
from itopd.heartbeat.executing.records import RunReport
from itopd.heartbeat.executing.remote_runs import claim_by_id
from itopd.heartbeat.executing.supervisor import Supervisor
from itopd.state import Owner, Run, RunState, StateStore, Subject, SubjectKind, TaskStatus, ledger, this_process
from itopd.state.tables import LEASE
from tests.heartbeat.support import NOW, PARIS, MemoryRows, heartbeat_of, not_called
from tests.support.invariants import assert_at_rest, assert_sound

TASK = Subject(SubjectKind.TASK, "Succeed")


@dataclass
class Queue:
    """A broker in memory."""

    sent: list[str] = field(default_factory=list)
    away: str = ""

    def send(self, run_id: str, lane: str) -> None:
        if self.away:
            raise QueueAway(self.away)
        assert lane == "tasks"
        self.sent.append(run_id)

    def problem(self) -> str:
        return self.away


@dataclass
class Site:
    """A daemon's heartbeat, whose lanes have a queue, and the same at a worker."""

    state: StateStore
    queue: Queue = field(default_factory=Queue)
    rows: MemoryRows = field(default_factory=MemoryRows)
    clock: FixedClock = field(default_factory=lambda: FixedClock(NOW))

    @property
    def beat(self) -> Heartbeat:
        task = Task("Succeed", Periodic(10), not_called)
        return heartbeat_of(self.state, task, rows=self.rows, clock=self.clock, queue=self.queue)

    def run(self) -> Run:
        return ledger.heads(self.state)[TASK].run

    def hear(self, run_id: str) -> RunReport | str:
        """Do what a worker does that hears of a run."""
        claimed = claim_by_id(self.beat, run_id)
        if isinstance(claimed, str):
            return claimed
        return self.carry_out(claimed)

    def carry_out(self, claimed: Claimed) -> RunReport:
        async def work() -> RunReport:
            return await Supervisor(self.beat).carry_out(claimed)

        return asyncio.run(work())

    def expire(self) -> None:
        """Let the time of every lease, and of every message, be over."""
        with self.state.write() as connection:
            connection.execute(
                LEASE.update().values(expires=sa.literal(NOW - timedelta(days=9999), LEASE.c.expires.type))
            )


@pytest.fixture
def site(state: StateStore) -> Site:
    return Site(state)


def test_what_is_due_waits_for_a_worker_and_is_done_once(site: Site) -> None:
    report = tick(site.beat)
    assert (report.runs, report.queued, report.exit_code) == ((), (TASK,), 0)
    run = site.run()
    assert (run.state, run.attempts, site.queue.sent) == (RunState.QUEUED, 0, [run.id])
    assert_sound(site.state)
    assert tick(site.beat).queued == (), "it is in the queue already"
    text = status_text(status(site.beat), PARIS)
    assert "task Succeed queued: waits for a worker" in text

    first = site.hear(run.id)
    assert isinstance(first, RunReport)
    assert first.succeeded
    assert site.hear(run.id) == "it is done already"
    assert (site.run().state, site.run().attempts) == (RunState.DONE, 1)
    assert site.rows.one("Succeed").total_exec_count == 1
    site.clock.advance(10)
    tick(site.beat)
    assert site.hear(run.id) == "the ledger has a newer run in its place, or none"
    assert_at_rest(site.state)


def test_of_two_workers_that_hear_of_a_run_one_does_it(site: Site) -> None:
    tick(site.beat)
    claimed = claim_by_id(site.beat, site.run().id)
    assert isinstance(claimed, Claimed)
    assert site.hear(claimed.run.id) == f"{this_process()} works on it"
    assert site.carry_out(claimed).succeeded
    assert_at_rest(site.state)


def test_a_message_that_nobody_heard_is_sent_again(site: Site) -> None:
    tick(site.beat)
    site.expire()
    tick(site.beat)
    tick(site.beat)
    assert site.queue.sent == [site.run().id] * 2
    assert site.run().attempts == 0


def test_runs_wait_while_the_broker_is_away_and_health_says_so(site: Site) -> None:
    site.queue.away = "the broker amqp://host does not answer"
    with capture_logs() as logs:
        report = tick(site.beat)
    assert (report.queued, report.problems, report.exit_code) == ((TASK,), (site.queue.away,), 1)
    assert [entry["error"] for entry in logs if entry["event"] == "queue_away"] == [site.queue.away]
    assert status(site.beat).problems == (site.queue.away,)
    site.queue.away = ""
    site.clock.advance(3600)
    (problem,) = status(site.beat).problems
    assert problem.startswith("lane tasks: 1 runs wait for a worker, the oldest since 2027-02-10 10:00:00")
    site.expire()
    tick(site.beat)
    assert site.queue.sent == [site.run().id]


@pytest.mark.parametrize("how", ["dead here", "silent elsewhere"])
def test_a_run_of_a_lost_worker_is_queued_again(site: Site, how: str) -> None:
    tick(site.beat)
    here, elsewhere = replace(this_process(), started="1"), Owner("elsewhere", 1, "1")
    owner = here if how == "dead here" else elsewhere
    run = ledger.take_over(site.state, ledger.heads(site.state)[TASK], owner=owner, now=NOW, lease_seconds=60)
    assert run is not None
    ledger.start(site.state, run, pid=None, now=NOW)
    if how == "silent elsewhere":
        assert site.hear(run.id) == f"{elsewhere} works on it"
        assert tick(site.beat).queued == ()
        site.expire()
    assert tick(site.beat).queued == (TASK,)
    assert (site.run().state, site.run().attempts, site.run().deaths) == (RunState.QUEUED, 1, 1)
    done = site.hear(run.id)
    assert isinstance(done, RunReport)
    assert (done.succeeded, site.run().attempts, site.run().deaths) == (True, 2, 0)
    assert_at_rest(site.state)


def test_a_run_that_kills_worker_after_worker_is_given_up(site: Site) -> None:
    for _ in range(3):
        tick(site.beat)
        dead = replace(this_process(), started="1")
        run = ledger.take_over(site.state, ledger.heads(site.state)[TASK], owner=dead, now=NOW, lease_seconds=60)
        assert run is not None
        ledger.start(site.state, run, pid=None, now=NOW)
    assert tick(site.beat).queued == ()
    assert (site.run().state, site.run().deaths) == (RunState.FAILED, 3)
    assert "is set aside" in status(site.beat).problems[0]
    assert_at_rest(site.state)


def test_a_run_that_was_handed_back_is_queued_again(site: Site) -> None:
    tick(site.beat)
    claimed = claim_by_id(site.beat, site.run().id)
    assert isinstance(claimed, Claimed)
    ledger.hand_back(site.state, claimed.run, reason="the worker stops")
    assert tick(site.beat).queued == (TASK,)
    assert (site.run().state, site.run().attempts, len(site.queue.sent)) == (RunState.QUEUED, 0, 2)


def test_what_may_not_begin_stays_queued(site: Site) -> None:
    tick(site.beat)
    run_id = site.run().id
    assert claim_by_id(replace(site.beat, closed=lambda: "maintenance"), run_id) == "maintenance"
    assert claim_by_id(replace(site.beat, writes_refused=lambda: "a clone"), run_id) == "a clone"
    assert "there is no task Succeed here" in str(claim_by_id(replace(site.beat, tasks=()), run_id))
    site.rows.update("Succeed", {"status": TaskStatus.PAUSED})
    assert claim_by_id(site.beat, run_id) == "the row of task Succeed is paused"
    assert site.run().state is RunState.QUEUED


def test_a_lane_that_has_no_queue_any_more_does_what_waited_in_it(site: Site) -> None:
    tick(site.beat)
    here = heartbeat_of(site.state, *site.beat.tasks, rows=site.rows, clock=site.clock)
    (run,) = tick(here).runs
    assert (run.run_id, run.succeeded) == (site.queue.sent[0], True)
    assert site.hear(run.run_id) == "it is done already"
