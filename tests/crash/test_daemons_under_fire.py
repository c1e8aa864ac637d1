"""Real daemons at work on mails and jobs, stopped or killed at random moments: nothing is lost, nothing done twice."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from itopd.state import Owner, RunState, ledger
from tests.cli.calls import wait_until
from tests.crash.daemons import wait_for_end
from tests.crash.site import MAIL, STOP_TIMEOUT, Site, chance_of, site_on
from tests.support.engines import marked
from tests.support.invariants import ALL, assert_none_owned_by_the_dead, assert_sound

pytestmark = [pytest.mark.crash, pytest.mark.timeout(300)]

MAILS = 120
JOBS = ("first", "second")


@pytest.fixture
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    with site_on(request.param, tmp_path) as made:
        for name in JOBS:
            made.job(name)
        yield made


def all_jobs_ran(site: Site, times: int) -> bool:
    """Return whether each job has been done so often."""
    done = [run.name for run in ledger.recent(site.state, ALL) if run.state is RunState.DONE]
    return all(done.count(name) >= times for name in JOBS)


@pytest.mark.parametrize("site", [marked("mariadb"), marked("postgresql")], indirect=True)
def test_when_one_of_two_daemons_is_killed_the_other_does_the_rest_once(
    site: Site, request: pytest.FixtureRequest
) -> None:
    number = chance_of(request.node.name).randrange(1, MAILS)
    daemons = {daemon.process.pid: daemon for daemon in (site.launch(), site.launch())}
    for daemon in daemons.values():
        daemon.until("daemon_started")
    killed: list[Owner] = []

    def kill_who_sends() -> None:
        owner = Owner.parse(ledger.heads(site.state)[MAIL].owner)
        assert owner is not None
        killed.append(owner)
        os.kill(owner.pid, signal.SIGKILL)

    struck = site.when_mail_comes(number, kill_who_sends)
    ids = site.queue(MAILS)
    wait_until(lambda: site.all_arrived(ids), "the delivery of all mails")
    assert struck.is_set()
    victim = daemons.pop(killed[0].pid)
    (survivor,) = daemons.values()
    assert victim.process.wait() == -signal.SIGKILL
    survivor.until("run_lost", name=MAIL.name, owner=str(killed[0]))
    done = len(survivor.logged("run_finished", name=JOBS[0]))
    wait_until(lambda: len(survivor.logged("run_finished", name=JOBS[0])) > done, "another run of the job")
    assert_sound(site.state)
    assert survivor.stop() == 0
    assert_none_owned_by_the_dead(site.state)
    assert all_jobs_ran(site, 2)
    assert site.copies.keys() == ids.keys()
    assert site.copies.total() <= MAILS + 1, "more than the one in hand came twice"
    assert {run.state for run in ledger.recent(site.state, ALL)} <= {RunState.DONE, RunState.HANDED_BACK}
    site.assert_at_rest()


@pytest.mark.parametrize("site", [marked("sqlite"), marked("postgresql")], indirect=True)
def test_sigterm_at_any_moment_under_load_costs_nothing(site: Site, request: pytest.FixtureRequest) -> None:
    chance = chance_of(request.node.name)
    number = chance.randrange(1, MAILS // 2)
    first = site.start(mail_rate_limit=30)  # what is left takes longer than runs may go on after the signal
    struck = site.when_mail_comes(number, lambda: first.process.send_signal(signal.SIGTERM))
    ids = site.queue(MAILS)
    assert struck.wait(60)
    assert first.process.wait(STOP_TIMEOUT * 10) == 0
    for entry in first.logged("run_started"):
        wait_for_end(entry["pid"])
    assert number <= site.copies.total() < MAILS
    for run in ledger.recent(site.state, ALL):
        assert run.state in (RunState.DONE, RunState.HANDED_BACK), f"{run.subject} is {run.state}: {run.error}"
        assert run.attempts == (run.state is RunState.DONE), f"{run.subject}: being stopped has cost an attempt"
    site.assert_at_rest()

    second = site.start()
    wait_until(lambda: site.all_arrived(ids), "the delivery of the other mails")
    wait_until(lambda: all_jobs_ran(site, 1), "the jobs")
    assert second.stop() == 0
    assert site.copies == ids
    assert not [run for run in ledger.recent(site.state, ALL) if run.state is RunState.FAILED]
    site.assert_at_rest()
