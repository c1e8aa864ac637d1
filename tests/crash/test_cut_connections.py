"""A proxy cuts all connections in the middle of any commit, or for a while: nothing is lost or done twice."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from itopd.clock import FixedClock
from itopd.errors import DatabaseError
from itopd.heartbeat import Heartbeat, InlineExecutor, Periodic, RunOutcome, RunSpec, Task, tick
from itopd.heartbeat.executing.inline import InlineRun
from itopd.state import RunState, StateStore, SubjectKind, ledger, open_state
from itopd.state.tasks import OwnTaskRows
from tests.crash.daemons import World
from tests.heartbeat.support import NOW, heartbeat_of, not_called
from tests.support.engines import empty_url, marked
from tests.support.invariants import ALL, assert_at_rest
from tests.support.proxy import Proxy, proxy_to
from tests.support.servers import MARIADB_PORT, POSTGRESQL_PORT

pytestmark = [pytest.mark.crash, pytest.mark.timeout(300)]

COMMITS = 9
"""More than one round makes."""


class Works(InlineExecutor):
    """Counts the runs; one may have the server go away for half a second."""

    def __init__(self) -> None:
        super().__init__("not:called")
        self.runs: list[str] = []
        self.cut: Proxy | None = None
        self.coming_back: list[threading.Timer] = []

    def start(self, spec: RunSpec) -> InlineRun:
        return InlineRun(lambda _control: self._work(spec))

    def _work(self, spec: RunSpec) -> RunOutcome:
        self.runs.append(spec.run_id)
        if self.cut is not None:
            self.cut.cut()
            self.coming_back.append(threading.Timer(0.5, self.cut.restore))
            self.coming_back[-1].start()
            self.cut = None
        return RunOutcome(succeeded=True, exit_code=0)


@dataclass(frozen=True)
class Site:
    """A heartbeat whose databases are behind a proxy, and the state store as it is."""

    proxy: Proxy
    beat: Heartbeat
    clock: FixedClock
    works: Works
    truth: StateStore

    def round(self) -> None:
        """One tick, whatever becomes of it."""
        with suppress(DatabaseError):
            tick(self.beat)

    def until_done(self, count: int) -> None:
        """Tick until so many runs are done; a claim whose answer was lost waits for its lease, which is a second."""
        for _ in range(2000):
            with suppress(DatabaseError):
                tick(self.beat)
            states = [run.state for run in ledger.recent(self.truth, ALL)]
            if states.count(RunState.DONE) == count:
                return
            threading.Event().wait(0.05)
        raise AssertionError(f"not done: {ledger.recent(self.truth, ALL)}")


@pytest.fixture(params=[marked("mariadb"), marked("postgresql")])
def site(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr("itopd.heartbeat.executing.supervisor.pauses", lambda: lambda _attempt: 0.05)
    port = {"mariadb": MARIADB_PORT, "postgresql": POSTGRESQL_PORT}[request.param]
    with ExitStack() as stack:
        proxy = stack.enter_context(proxy_to(port))
        urls = [stack.enter_context(empty_url(request.param, tmp_path)) for _ in range(2)]
        behind = [sa.make_url(url).set(port=proxy.port).render_as_string(hide_password=False) for url in urls]
        state, data, truth = open_state(behind[0]), open_state(behind[1]), open_state(urls[0])
        for store in (state, data, truth):
            stack.callback(store.close)
        clock, works = FixedClock(NOW), Works()
        task = Task("Succeed", Periodic(60), not_called)
        rows = OwnTaskRows(data, SubjectKind.TASK)
        beat = heartbeat_of(state, task, rows=rows, clock=clock, executor=works, lease_seconds=1)
        tick(beat)
        yield Site(proxy, beat, clock, works, truth)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_cut_in_the_middle_of_any_commit_loses_and_doubles_nothing(
    site: Site, when: Literal["before", "after"]
) -> None:
    sprung = 0
    with capture_logs() as logs:
        for number in range(1, COMMITS + 1):
            site.clock.advance(60)
            site.proxy.cut_at(b"COMMIT", number, when)
            site.round()
            sprung += site.proxy.disarm()
            site.until_done(number + 1)
    runs = ledger.recent(site.truth, ALL)
    assert 4 <= sprung < COMMITS, "a round has fewer commits than that, and more than a few"
    assert {run.state for run in runs} == {RunState.DONE}
    assert len({run.due for run in runs}) == len(runs) == COMMITS + 1
    assert {run.id for run in runs} == set(site.works.runs)
    (row,) = site.beat.task_rows.read()
    assert row.total_exec_count == COMMITS + 1
    assert_at_rest(site.truth)
    assert "run_lost" not in {entry["event"] for entry in logs}, "no process died"


def test_a_server_that_is_away_at_the_end_of_a_run_is_waited_for(site: Site) -> None:
    site.clock.advance(60)
    site.works.cut = site.proxy
    (run,) = tick(site.beat).runs
    site.works.coming_back[0].join()
    assert run.succeeded
    assert site.works.runs.count(run.run_id) == 1
    assert [one.state for one in ledger.recent(site.truth, ALL)] == [RunState.DONE] * 2
    (row,) = site.beat.task_rows.read()
    assert (row.total_exec_count, row.running) == (2, False)
    assert_at_rest(site.truth)


@pytest.mark.parametrize("engine", [marked("mariadb"), marked("postgresql")])
def test_a_daemon_whose_server_fell_silent_stops_in_time(engine: str, tmp_path: Path) -> None:
    port = {"mariadb": MARIADB_PORT, "postgresql": POSTGRESQL_PORT}[engine]
    with ExitStack() as stack:
        url = stack.enter_context(empty_url(engine, tmp_path))
        proxy = stack.enter_context(proxy_to(port))
        behind = sa.make_url(url).set(port=proxy.port).render_as_string(hide_password=False)
        (tmp_path / "options.json").write_text(json.dumps({"state_url": behind}))
        world = World(tmp_path, stack)
        daemon = world.daemon("Succeed", stop_timeout=1)
        daemon.until("run_finished")
        proxy.fall_silent()
        daemon.send(signal.SIGTERM)
        assert daemon.exit_code() == DatabaseError.exit_code
        assert daemon.log[-1]["event"] == "daemon_hangs"
