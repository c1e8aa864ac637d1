"""Processes change hands: what was is remembered, what somebody else changed is left, either side can be repeated."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from itopd.attaching import Outcome, give_back, take_over
from itopd.attaching.hand_over import CRON
from itopd.clock import FixedClock
from itopd.database import Database
from itopd.errors import ConflictError
from itopd.state import (
    Run,
    RunState,
    StateStore,
    Subject,
    SubjectKind,
    TaskRow,
    TaskStatus,
    ledger,
    open_state,
    taken_over,
    this_process,
)
from itopd.tasks.background_rows import BackgroundTaskRows

NOW = datetime(2026, 2, 3, 9, 0, tzinfo=UTC)
MAILS, WATCHES, BACKUP = "ExecAsyncTask", "CheckStopWatchThresholds", "BackupExec"


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateStore]:
    store = open_state(f"sqlite:///{tmp_path}/state.db")
    yield store
    store.close()


@pytest.fixture
def rows(database: Database) -> BackgroundTaskRows:
    rows = BackgroundTaskRows(database)
    rows.insert([TaskRow(MAILS), TaskRow(WATCHES), TaskRow(BACKUP, status=TaskStatus.PAUSED)])
    return rows


class Site:
    """A database and a state store, taken over and given back without patience."""

    def __init__(self, database: Database, state: StateStore) -> None:
        self.database, self.state, self.said = database, state, list[str]()

    def take(self, *processes: str, named: bool = False, wait: float = 0) -> list[Outcome]:
        clock = FixedClock(NOW)
        return take_over(self.database, self.state, clock, processes, named=named, wait=wait, say=self.said.append)

    def give(self, *processes: str, wait: float = 0) -> list[Outcome]:
        return give_back(self.database, self.state, processes or None, wait=wait, say=self.said.append)

    def statuses(self) -> dict[str, str]:
        return {row.class_name: row.status.value for row in BackgroundTaskRows(self.database).read()}


@pytest.fixture
def site(database: Database, state: StateStore, rows: BackgroundTaskRows) -> Site:
    del rows
    return Site(database, state)


def test_active_processes_are_paused_and_come_back(site: Site) -> None:
    assert [outcome.text for outcome in site.take(MAILS, WATCHES)] == ["runs here now (its row was active)"] * 2
    assert site.statuses() == {MAILS: "paused", WATCHES: "paused", BACKUP: "paused"}
    assert taken_over.names(site.state) == {MAILS, WATCHES}
    assert [outcome.text for outcome in site.give(MAILS)] == ["is back with iTop: its row is active again"]
    assert site.statuses() == {MAILS: "active", WATCHES: "paused", BACKUP: "paused"}
    assert taken_over.names(site.state) == {WATCHES}
    site.give()
    assert site.statuses() == {MAILS: "active", WATCHES: "active", BACKUP: "paused"}
    assert taken_over.read(site.state) == []


def test_both_can_be_repeated(site: Site) -> None:
    site.take(MAILS)
    (again,) = site.take(MAILS)
    assert again == Outcome(MAILS, "runs here already, since 2026-02-03 09:00 UTC")
    site.give()
    assert site.give() == []
    assert site.give(MAILS) == [Outcome(MAILS, "was not taken over: nothing to do")]
    assert site.statuses()[MAILS] == "active"


def test_what_somebody_has_paused_is_taken_only_by_name_and_stays_paused_afterwards(site: Site) -> None:
    (outcome,) = site.take(BACKUP)
    assert not outcome.done
    assert "--processes BackupExec" in outcome.text
    assert taken_over.names(site.state) == frozenset()
    (outcome,) = site.take(BACKUP, named=True)
    assert outcome == Outcome(BACKUP, "runs here now (its row was paused)")
    site.give()
    assert site.statuses()[BACKUP] == "paused"


def test_processes_without_a_row_or_unknown_to_itop_are_told(site: Site, rows: BackgroundTaskRows) -> None:
    rows.update(WATCHES, {"status": TaskStatus.REMOVED})
    missing, removed = site.take("InlineImageGC", WATCHES)
    assert not missing.done
    assert "let iTop's cron.php run once" in missing.text
    assert not removed.done
    assert "removed" in removed.text
    assert site.statuses()[WATCHES] == "removed"


def test_all_rows_of_a_process_are_paused(site: Site, rows: BackgroundTaskRows) -> None:
    rows.insert([TaskRow(MAILS)])
    site.take(MAILS)
    assert [row.status.value for row in rows.read() if row.class_name == MAILS] == ["paused", "paused"]
    site.give()
    assert [row.status.value for row in rows.read() if row.class_name == MAILS] == ["active", "active"]


def test_what_others_changed_since_is_left_and_told(site: Site, rows: BackgroundTaskRows) -> None:
    site.take(MAILS, WATCHES)
    rows.update(MAILS, {"status": TaskStatus.ACTIVE})
    rows.update(WATCHES, {"status": TaskStatus.REMOVED})
    watches, mails = site.give()
    assert mails.text == "is back with iTop: somebody had set its row to active already"
    assert watches == Outcome(WATCHES, "iTop has set its row to removed since; it was left so", done=False)
    assert site.statuses() == {MAILS: "active", WATCHES: "removed", BACKUP: "paused"}


def test_a_process_that_somebody_set_active_is_taken_over_again(site: Site, rows: BackgroundTaskRows) -> None:
    site.take(MAILS)
    rows.update(MAILS, {"status": TaskStatus.ACTIVE})
    assert [outcome.text for outcome in site.take(MAILS)] == ["runs here now (its row was active)"]
    assert site.statuses()[MAILS] == "paused"


def test_a_row_that_is_gone_or_another_ones_is_not_restored(site: Site) -> None:
    site.take(MAILS)
    record = taken_over.read(site.state)[0]
    with site.database.write() as connection:
        table = site.database.table("BackgroundTask")
        connection.execute(table.update().where(table.c.id == record.row_id).values(class_name="Other"))
    (outcome,) = site.give()
    assert not outcome.done
    assert "gone" in outcome.text
    assert site.statuses()["Other"] == "paused"


def test_itops_cron_is_awaited_but_not_for_ever(site: Site) -> None:
    with site.database.named_lock(CRON), pytest.raises(ConflictError, match=r"cron\.php still holds.*--wait"):
        site.take(MAILS)
    assert "waiting until its round ends" in site.said[0]
    assert site.statuses()[MAILS] == "active"
    assert taken_over.read(site.state) == []


def test_the_hand_over_begins_when_the_round_of_cron_ends(site: Site) -> None:
    ends, began = threading.Event(), threading.Event()

    def cron() -> None:
        with site.database.named_lock(CRON):
            began.set()
            ends.wait(90)

    thread = threading.Thread(target=cron)
    thread.start()
    began.wait(90)
    site.said.clear()
    clock = FixedClock(NOW)
    take_over(site.database, site.state, clock, [MAILS], named=False, wait=30, say=lambda _text: ends.set())
    thread.join()
    assert site.statuses()[MAILS] == "paused"


def test_a_run_under_way_is_awaited_before_its_process_is_given_back(site: Site) -> None:
    site.take(MAILS)
    run = ledger.claim(
        site.state, Subject(SubjectKind.TASK, MAILS), due=NOW, next_due=NOW + timedelta(seconds=2),
        owner=this_process(), seen=None, now=NOW, lease_seconds=60,
    )  # fmt: skip
    assert isinstance(run, Run)
    with pytest.raises(ConflictError, match=r"ExecAsyncTask still run\(s\) here.*call this again"):
        site.give()
    assert site.statuses()[MAILS] == "paused"
    assert taken_over.names(site.state) == frozenset(), "no new run begins"
    assert [outcome.text for outcome in site.take(MAILS)] == ["runs here now (its row was paused)"]
    assert taken_over.names(site.state) == {MAILS}, "the give-back is called off"

    def end(text: str) -> None:
        site.said.append(text)
        ledger.finish(site.state, run, succeeded=True, exit_code=0, now=NOW, next_due=NOW + timedelta(seconds=2))

    give_back(site.database, site.state, None, wait=30, say=end)
    assert site.statuses()[MAILS] == "active"
    assert ledger.heads(site.state)[run.subject].run.state is RunState.DONE


def test_only_one_hand_over_is_at_work_at_a_time(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.take(MAILS)
    forget, met = taken_over.forget, list[str]()

    def meanwhile(state: StateStore, row_ids: Collection[int]) -> None:
        """Rows are restored and their records about to be deleted: a take-over now would be forgotten at once."""
        for other in (site.take, site.give):
            with pytest.raises(ConflictError, match=r"another 'itopd attach --take_over' or 'itopd detach' is at work"):
                other(MAILS)
            met.append(other.__name__)
        forget(state, row_ids)

    monkeypatch.setattr(taken_over, "forget", meanwhile)
    site.give(MAILS)
    assert met == ["take", "give"]
    assert (site.statuses()[MAILS], taken_over.read(site.state)) == ("active", [])
