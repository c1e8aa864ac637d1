"""One run on a watched folder: whose fault a failure is decides where the file goes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import pytest

from itopd.errors import ConflictError, DatabaseError, InputError, ItopdError, SettingsError
from itopd.heartbeat import RunOutcome, RunSpec
from itopd.heartbeat.jobs.hot_folder import Watch
from itopd.heartbeat.jobs.taking import Taker
from itopd.state import SubjectKind
from itopd.wiring.hot_folder import perform_on_file

NOW = datetime.now(UTC)
Work = Callable[[Path, BinaryIO], RunOutcome]


def spec_of(folder: Path, run_id: str = "RUN") -> RunSpec:
    watch = Watch.parse(f"{folder}/*.csv")
    keys = {"watch": watch.text, "ready": json.dumps(watch.candidates()), "settle_seconds": "0", "retries": "1"}
    return RunSpec(
        run_id=run_id, kind=SubjectKind.JOB, name="job", due=NOW, started=NOW, until=NOW + timedelta(hours=1), token=1,
        attempt=1, service="import", job_keys=keys,
    )  # fmt: skip


def working(path: Path, output: BinaryIO) -> RunOutcome:
    output.write(b"read " + path.read_bytes())
    return RunOutcome(succeeded=True, exit_code=1, message="3 created")


def raising(error: BaseException) -> Work:
    def work(_path: Path, output: BinaryIO) -> RunOutcome:
        output.write(b"half\n")
        raise error

    return work


def run(folder: Path, work: Work, run_id: str = "RUN") -> RunOutcome:
    return perform_on_file(spec_of(folder, run_id), ".txt", work)


def places(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """Give a folder in which a file waits."""
    (tmp_path / "a.csv").write_text("the data")
    return tmp_path


def test_a_file_that_was_worked_off_is_done_with_what_the_service_printed(inbox: Path) -> None:
    outcome = run(inbox, working)
    assert (outcome.succeeded, outcome.exit_code) == (True, 1)
    assert outcome.message == f"a.csv: 3 created; moved to {inbox}/done/a.csv"
    assert places(inbox) == ["done/a.csv", "done/a.csv.report.txt"]
    assert (inbox / "done/a.csv.report.txt").read_text() == "read the data"


def test_a_file_that_is_no_good_fails_at_once_with_its_reason(inbox: Path) -> None:
    outcome = run(inbox, raising(InputError("Unknown column: 'x'")))
    assert (outcome.succeeded, outcome.exit_code) == (False, 65)
    assert outcome.error == f"a.csv: Unknown column: 'x'; moved to {inbox}/failed/a.csv"
    assert (inbox / "failed/a.csv.report.txt").read_text() == "half\nERROR (65): Unknown column: 'x'\n"


@pytest.mark.parametrize("error", [SettingsError("no key"), ZeroDivisionError("boom"), ItopdError("odd")])
def test_what_may_be_its_fault_is_tried_again_as_often_as_the_job_says(inbox: Path, error: Exception) -> None:
    first = run(inbox, raising(error))
    assert first.error.startswith("a.csv will be tried again: ")
    assert [place.split("/")[0] for place in places(inbox)] == ["working"]
    second = run(inbox, raising(error), "RUN2")
    assert not second.succeeded
    assert places(inbox) == ["failed/a.csv", "failed/a.csv.report.txt"]
    if isinstance(error, ZeroDivisionError):
        assert "Traceback" in (inbox / "failed/a.csv.report.txt").read_text()


@pytest.mark.parametrize("error", [DatabaseError("away"), ConflictError("busy")])
def test_what_is_the_fault_of_others_leaves_it_waiting_for_ever(inbox: Path, error: ItopdError) -> None:
    for number in range(5):
        outcome = run(inbox, raising(error), f"RUN{number}")
        assert (outcome.exit_code, outcome.error) == (error.exit_code, f"a.csv waits: {error.message}")
    assert run(inbox, working, "LAST").succeeded
    assert places(inbox) == ["done/a.csv", "done/a.csv.report.txt"]


def test_a_run_that_obeyed_a_stop_leaves_it_to_the_next(inbox: Path) -> None:
    stopped = RunOutcome(succeeded=False, exit_code=75, message="stopped after 3 rows", unfinished=True)
    outcome = run(inbox, lambda _path, _output: stopped)
    assert (outcome.unfinished, outcome.message) == (True, "stopped after 3 rows")
    assert run(inbox, working).succeeded


def test_a_file_that_killed_two_processes_is_set_aside_by_the_third(inbox: Path) -> None:
    def dying(_path: Path, _output: BinaryIO) -> RunOutcome:
        raise KeyboardInterrupt  # as good as dead: nothing after it is done

    for number in range(2):
        with pytest.raises(KeyboardInterrupt):
            run(inbox, dying, f"RUN{number}")
        _release(inbox)
    outcome = run(inbox, dying, "RUN3")
    assert outcome.error == f"a.csv: 2 processes in a row died over it; moved to {inbox}/failed/a.csv"


def test_what_a_dead_run_had_finished_is_not_done_twice(inbox: Path) -> None:
    spec = spec_of(inbox)
    taken = Taker(Watch.parse(spec.job_keys["watch"]), "job").take(json.loads(spec.job_keys["ready"]).items(), "RUN")
    assert taken is not None
    taken.output.write_text("all of it")
    taken.decide("failed")
    _release(inbox)
    outcome = run(inbox, working, "RUN2")
    assert outcome.message == f"a.csv: an earlier run had finished with it; moved to {inbox}/failed/a.csv"
    assert (inbox / "failed/a.csv.report.txt").read_text() == "all of it"


def test_a_worker_that_was_told_of_no_file_looks_itself(inbox: Path) -> None:
    spec = spec_of(inbox)
    told_nothing = replace(spec, job_keys={**spec.job_keys, "ready": "{}"})
    assert perform_on_file(told_nothing, ".txt", working).message.startswith("a.csv: 3 created")


def test_a_file_that_is_gone_or_held_is_said(inbox: Path) -> None:
    spec = spec_of(inbox)
    assert perform_on_file(spec, ".txt", working).succeeded
    assert perform_on_file(spec, ".txt", working).message == "no file waits any more"
    (inbox / "b.csv").write_text("data")
    with pytest.raises(KeyboardInterrupt):
        run(inbox, raising(KeyboardInterrupt()))  # its lock stays, as that of a process that was stopped
    outcome = run(inbox, working)
    assert (outcome.exit_code, outcome.error.startswith("another process still holds")) == (75, True)
    _release(inbox)


@pytest.fixture
def inbox_of_nobody() -> Iterator[Path]:
    """Give an empty folder, and be an account that rights hold for: root may read everything."""
    with TemporaryDirectory() as folder:
        nobody = 65534 if os.geteuid() == 0 else os.geteuid()
        os.chown(folder, nobody, -1)
        before = os.geteuid()
        os.seteuid(nobody)
        try:
            yield Path(folder)
        finally:
            os.seteuid(before)


def test_a_file_that_may_not_be_read_fails_alone(inbox_of_nobody: Path) -> None:
    inbox = inbox_of_nobody
    (inbox / "a.csv").write_text("secret")
    (inbox / "a.csv").chmod(0)
    (inbox / "b.csv").write_text("the data")
    outcome = run(inbox, working)
    assert (outcome.exit_code, "may not be read (Permission denied)" in outcome.error) == (65, True)
    assert run(inbox, working).succeeded
    assert places(inbox) == ["done/b.csv", "done/b.csv.report.txt", "failed/a.csv", "failed/a.csv.report.txt"]


@pytest.mark.parametrize("name", ["n" * 251 + ".csv", "é" * 125 + "a.csv", "n.csv" + "e" * 100 + ".csv" * 37])
def test_a_name_as_long_as_can_be_loses_its_middle(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("the data")
    assert run(tmp_path, working).succeeded
    (kept,) = (tmp_path / "done").glob("*.csv")
    assert kept.read_text() == "the data"
    assert name.startswith(kept.stem)


def test_a_name_that_is_no_utf_8_can_stand_in_a_report(tmp_path: Path) -> None:
    (tmp_path / "caf\udce9.csv").write_text("the data")
    outcome = run(tmp_path, raising(InputError("'caf\udce9.csv' is odd")))
    assert outcome.exit_code == 65
    report = tmp_path / "failed/caf\udce9.csv.report.txt"
    assert report.read_text() == "half\nERROR (65): 'caf\\udce9.csv' is odd\n"


def _release(folder: Path) -> None:
    """Drop the locks that this process holds, as its death would."""
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            if str(descriptor.readlink()).startswith(f"{folder}/working"):
                os.close(int(descriptor.name))
        except FileNotFoundError:  # the descriptor of this very listing
            continue
