"""``itopd backup`` and ``itopd restore``: a bad night, and the morning after."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from itopd.state import StateStore, instances, open_state, this_process
from tests.cli.calls import Place, place


def backup(made: Place) -> Path:
    answer = made.call("backup")
    assert answer.code == 0, answer
    path = Path(answer.out.removeprefix("Created the backup: ").strip())
    assert path.parent == made.folder / "backups" / "auto"
    return path


@contextmanager
def state_of(made: Place) -> Iterator[StateStore]:
    with closing(open_state(f"sqlite:///{made.folder}/itopd-state.db")) as store:
        yield store


def brand(made: Place, name: str) -> None:
    file = made.write("brands.csv", f"name\n{name}\n")
    assert made.call("import", "--class=Brand", f"--csvfile={file}", "--no_localize=1").code == 0


def brands(made: Place) -> list[tuple[object, ...]]:
    return made.query("SELECT Brand", "name")


def test_the_database_returns_as_it_was_backed_up(installed: Place, tmp_path: Path) -> None:
    brand(installed, "Kept")
    file = backup(installed)
    brand(installed, "Gone")
    refused = installed.call("restore", file)
    assert (refused.code, "--replace" in refused.err) == (69, True)
    assert len(brands(installed)) == 2
    answer = installed.call("restore", file, "--replace")
    assert answer.code == 0, answer
    assert answer.out.startswith(f"restored {file} of ")
    assert brands(installed) == [("Kept",)]
    assert not (tmp_path / ".maintenance").exists()
    assert installed.call("db", "check").code == 0


def test_a_backup_goes_to_an_empty_place_with_the_files_of_the_installation(installed: Place, tmp_path: Path) -> None:
    installed.write("jobs/people.params", "service = export\nschedule = every 1h\nexpression = SELECT Person\n")
    brand(installed, "Kept")
    elsewhere = tmp_path / "elsewhere"
    file = Path(installed.call("backup", "--folder", elsewhere).out.partition(": ")[2].strip())
    assert file.parent == elsewhere
    (tmp_path / "new").mkdir()
    new = place(tmp_path / "new")
    assert new.call("restore", file).code == 0
    assert brands(new) == [("Kept",)]
    with tarfile.open(file) as archive:
        assert archive.getnames() == [
            "itop.db",
            "itopd/itopd.params",
            "itopd/jobs/people.params",
            "itopd-manifest.json",
        ]


def test_mails_that_come_back_wait_for_a_person(installed: Place) -> None:
    queued = installed.call("mail", "enqueue", "--to=a@example.org", "--from=b@example.org", "--subject=s", "--body=b")
    assert queued.code == 0, queued
    file = backup(installed)
    assert "ExecAsyncTask: done" in installed.process("tick").out
    answer = installed.call("restore", file, "--replace")
    assert "1 mails wait in it, which may have been sent since the backup" in answer.out
    assert "ExecAsyncTask: done" not in installed.process("tick").out
    problems = json.loads(installed.call("status", "--json").out)["problems"]
    assert any("1 mails wait" in problem and "itopd adopt" in problem for problem in problems), problems
    assert installed.call("adopt", "--yes").code == 0
    assert "ExecAsyncTask: done" in installed.process("tick").out


def test_nothing_is_restored_while_a_daemon_lives(installed: Place) -> None:
    file = backup(installed)
    with state_of(installed) as state:
        instances.enter(state, this_process(), "daemon", "0")
        refused = installed.call("restore", file, "--replace")
        assert (refused.code, "a daemon of itopd works on this database" in refused.err) == (75, True)
        assert installed.call("restore", file, "--replace", "--while_running").code == 0


def test_the_marker_of_a_killed_restore_goes_that_of_a_person_stays(installed: Place) -> None:
    file = backup(installed)
    marker = installed.write(".maintenance", "itopd restore\n")
    assert installed.call("restore", file, "--replace").code == 0
    assert not marker.exists()
    marker.touch()
    assert installed.call("restore", file, "--replace").code == 0
    assert marker.exists()


def test_what_is_no_backup_touches_nothing(installed: Place) -> None:
    brand(installed, "Kept")
    bad = installed.write("bad.tar.gz", b"no archive")
    assert installed.call("restore", bad, "--replace").code == 65
    assert installed.call("restore", "/nowhere.tar.gz", "--replace").code == 66
    assert installed.call("restore", installed.folder, "--replace").code == 66
    assert brands(installed) == [("Kept",)]
