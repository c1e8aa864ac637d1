"""A watched folder with real daemons: killed in the middle of a file, and two at once."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from itopd.state import Run, open_state
from itopd.state.ledger import recent
from tests.cli.calls import PATIENCE, Place, command, wait_until
from tests.cli.conftest import installed, prepared

__all__ = ["installed", "prepared"]

pytestmark = pytest.mark.crash

JOB = """service = import
watch = {inbox}/*.csv
watch_settle = 0
class = Person
no_localize = 1
reconciliationkeys = name,first_name
"""


@contextmanager
def daemons(made: Place, count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run daemons side by side; they are killed at the end."""
    started = []
    try:
        for number in range(count):
            with (made.folder / f"daemon{number}.err").open("ab") as log:
                started.append(subprocess.Popen(command("--config", made.config, "run"), cwd=made.folder, stderr=log))
        yield started
    finally:
        for one in started:
            one.kill()
            one.wait(PATIENCE)


def inbox_of(made: Place) -> Path:
    inbox = made.folder / "inbox"
    inbox.mkdir()
    made.write("jobs/persons.params", JOB.format(inbox=inbox))
    return inbox


def arrive(inbox: Path, name: str, rows: int) -> None:
    """Let a file appear as a careful sender does: under another name first."""
    lines = [f"{name}-{number},Jane,My Company/Department" for number in range(rows)]
    part = inbox / f"{name}.csv.part"
    part.write_text("\n".join(["name,first_name,org_id->name", *lines]) + "\n")
    part.rename(inbox / f"{name}.csv")


def done(inbox: Path) -> list[str]:
    return sorted(path.name for path in (inbox / "done").glob("*.csv"))


def test_a_file_whose_daemon_is_killed_in_the_middle_is_finished_by_the_next(installed: Place) -> None:
    inbox = inbox_of(installed)
    arrive(inbox, "many", 6000)
    with daemons(installed, 1) as (first,):
        wait_until(lambda: _persons(installed) > 1000, "the first chunks of the import")
        first.send_signal(signal.SIGKILL)
        first.wait(PATIENCE)
    assert done(inbox) == []
    assert [path.name[-8:] for path in (inbox / "working" / "persons").glob("*.csv")] == ["many.csv"]
    with daemons(installed, 1):
        wait_until(lambda: done(inbox) == ["many.csv"], "the rest of the file")
    report = (inbox / "done" / "many.csv.report.txt").read_text()
    assert "#Data Lines: 6000" in report
    counters = dict(line[1:].split(": ") for line in report.splitlines() if line[1:].startswith(("Created", "Unch")))
    assert int(counters["Unchanged"]) >= 1000, "what the first daemon did is found, not done again"
    assert int(counters["Created"]) == 6000 - int(counters["Unchanged"])
    assert _persons(installed) == 6001
    assert list((inbox / "working" / "persons").iterdir()) == []


def test_two_daemons_on_one_folder_work_off_each_file_once(installed: Place) -> None:
    inbox = inbox_of(installed)
    names = [f"part{number}" for number in range(6)]
    with daemons(installed, 2):
        for name in names:
            arrive(inbox, name, 5)
        wait_until(lambda: len(_runs(installed)) == len(names), "the records of all files")
    assert done(inbox) == [f"{name}.csv" for name in names]
    reports = [(inbox / "done" / f"{name}.csv.report.txt").read_text() for name in names]
    assert [report.count("#Data Lines: 5") for report in reports] == [1] * len(names)
    assert _persons(installed) == 5 * len(names) + 1
    assert sorted(run.message.split(":")[0] for run in _runs(installed)) == [f"{name}.csv" for name in names]


def _runs(made: Place) -> list[Run]:
    """Return the runs that worked off a file."""
    state = open_state(f"sqlite:///{made.folder}/itopd-state.db")
    try:
        return [run for run in recent(state, 100) if run.name == "persons" and "moved to" in run.message]
    finally:
        state.close()


def _persons(made: Place) -> int:
    """Return how many persons are committed; asked often, so past all of itopd."""
    with closing(sqlite3.connect(made.folder / "itopd.db", timeout=PATIENCE)) as connection:
        (number,) = connection.execute("SELECT count(*) FROM person").fetchone()
    return int(number)
