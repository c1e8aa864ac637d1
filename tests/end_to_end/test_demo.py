"""``itopd demo``: the main job from an empty folder to delivered mail, as often as one likes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from itopd.cli.demo import MARKER
from tests.cli.calls import call, process


@pytest.mark.timeout(120)
def test_the_demonstration_runs_to_its_end_over_what_an_earlier_one_left(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    for name in (MARKER, "itopd.db", "itopd-state.db", "jobs/old.params", "mails/port", "mails/received"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("1\n")
    answer = process("demo", f"--folder={folder}", cwd=tmp_path)
    assert (answer.code, "Traceback" in answer.err) == (0, False), answer
    out = answer.out
    assert re.findall(r"^(\d)\. ", out, re.MULTILINE) == [str(act) for act in range(1, 8)]
    assert "TO DO" not in out
    objects, classes = map(int, re.findall(r"A sample CMDB: (\d+) objects of (\d+) classes", out)[0])
    assert objects >= 500
    assert classes >= 10
    assert "#Issues: 3   #Created: 1997   #Updated: 0   #Unchanged: 0" in out
    assert "#Issues: 0   #Created: 3   #Updated: 0   #Unchanged: 1997" in out
    assert "#Issues: 0   #Created: 0   #Updated: 0   #Unchanged: 2000" in out
    assert re.search(r"at the server: 5[01] mails, 50 different, [01] repeated", out)
    assert "the queue is empty" in out
    assert re.search(r"servers\.csv, \d{2,} lines: ", out)
    assert re.search(r"people\.jsonl, \d{3,} lines: ", out)
    assert "new numbers of Vienna" in out
    assert re.search(r"All acts in \d+\.\d s", out)
    assert not (folder / "jobs" / "old.params").exists()
    assert call("--config", folder / "itopd.params", "status").code == 0


def test_a_folder_with_files_of_somebody_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    answer = call("demo", f"--folder={tmp_path}")
    assert answer.code == 69
    assert "name another one with --folder" in answer.err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("make", [Path.touch, lambda path: path.symlink_to("/tmp")], ids=["file", "link"])
def test_what_is_no_folder_is_refused_and_left_alone(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "demo")
    answer = call("demo", f"--folder={tmp_path}/demo")
    assert answer.code == 69
    assert f"{tmp_path}/demo cannot be made (File exists)" in answer.err
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]


def test_a_folder_that_cannot_be_made_is_refused() -> None:
    answer = call("demo", "--folder=/etc/hostname/demo")
    assert answer.code == 69
    assert "/etc/hostname/demo cannot be made (Not a directory)" in answer.err
