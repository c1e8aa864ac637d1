"""``make bench`` runs to its end, and its table says what it should; how fast things are is not asked here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from statistics import fmean

import pytest

from benchmarks import beside, copies, databases, heartbeat, table
from benchmarks.__main__ import main
from benchmarks.beside import Beside, Stretch

ROOT = Path(__file__).resolve().parents[2]
ROWS = 200
JOBS = [
    *("import create", "import unchanged", "export csv", "mail delivery"),
    *("write create", "write update", "write delete"),
]


def test_every_job_is_done_by_both_and_becomes_one_line_of_the_table() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", f"--rows={ROWS}", "--repeat=1", "--engine=SQLite"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:2] == table.header().splitlines()
    rows = [_cells(line) for line in lines[2 : 2 + len(JOBS)]]
    assert [row[:3] for row in rows] == [
        ["import create", "SQLite", "200"],
        ["import unchanged", "SQLite", "200"],
        ["export csv", "SQLite", "201"],  # the person of the administrator too
        ["mail delivery", "SQLite", "20"],
        ["write create", "SQLite", "200"],
        ["write update", "SQLite", "200"],
        ["write delete", "SQLite", "200"],
    ]
    for row in rows:
        itopd, raw, ratio, speed, statements, peak, over_idle = [float(cell.replace(",", "")) for cell in row[3:10]]
        assert min(itopd, ratio, speed, statements, peak) > 0
        assert min(raw, over_idle) >= 0
        assert over_idle < peak
        assert row[0] in {"write update", "write delete"} or row[10].startswith("iTop 3.2: ")


def test_rows_of_a_missing_server_are_left_out_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(databases.PORTS, "MariaDB", 1)
    monkeypatch.delenv("CI", raising=False)
    assert main(["--rows=1", "--repeat=1", "--engine=MariaDB"]) == 0
    output = capsys.readouterr().out
    assert "MariaDB at 127.0.0.1:1 (user root, no password) cannot be used" in output
    assert "Its rows are left out." in output


def test_a_missing_server_is_an_error_in_ci(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(databases.PORTS, "MariaDB", 1)
    monkeypatch.setenv("CI", "true")
    assert main(["--rows=1", "--engine=MariaDB"]) == 66
    captured = capsys.readouterr()
    assert "cannot be used" in captured.err
    assert captured.out == ""


def test_copies_are_measured_for_every_pair_of_engines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(copies, "ENGINES", ["SQLite"])
    assert copies.main(["--rows=100"]) == 0
    [_, row] = capsys.readouterr().out.splitlines()
    assert row.split()[:2] == ["SQLite", "SQLite"]
    assert int(row.split()[2]) > 3 * 100  # and what an installation holds


@pytest.mark.parametrize("rows", ["0", "-5", "many"])
def test_a_number_of_rows_that_is_none_is_refused(rows: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main([f"--rows={rows}"])
    assert raised.value.code == 2
    assert "--rows" in capsys.readouterr().err


def _cells(line: str) -> list[str]:
    """Return the cells of a line, cut where the columns are."""
    cells, start = [], 0
    for width in table.WIDTHS:
        cells.append(line[start : start + width].strip())
        start += width + 2
    return [*cells, line[start:]]


def test_a_figure_knows_whether_it_meets_its_target() -> None:
    assert heartbeat.Figure("x", 0.4, "s", 0.5).is_met
    assert not heartbeat.Figure("x", 0.5, "s", 0.5).is_met
    assert heartbeat.Figure("x", 50, "%", 50, at_least=True).is_met
    assert str(heartbeat.Figure("x", 49, "%", 50, at_least=True)).endswith("target >= 50  MISSED")


def test_mails_beside_runs_are_compared_with_those_around_them() -> None:
    def stretches(*speeds: float) -> list[Stretch]:
        return [Stretch(speed, working=0.5, waiting=0.25, burned=1.5) for speed in speeds]

    measured = Beside(alone=stretches(100, 300, 100, 100), beside=stretches(100, 100, 60))
    assert measured.ratios == [0.5, 0.5, 0.6]
    assert measured.ratio == 0.5
    assert measured.noise == [3, 0.5]
    rest = "mails/s; the sender worked 50% of the time, waited 25% for a processor, the rest for others; "
    rest += "heavy runs had 1.50 processors"
    assert measured.details() == [
        "3 times: 50 to 60 %; noise (alone beside alone): 50 to 300 %",
        f"alone:  150 {rest}",
        f"beside: 87 {rest}",
    ]
    figure = heartbeat.Figure("mails", 100 * measured.ratio, "%", 50, at_least=True, details=measured.details())
    assert [line.split(":")[0].strip() for line in str(figure).splitlines()[1:]] == ["3 times", "alone", "beside"]


def test_mails_are_sent_alone_and_beside_runs_that_are_heavy(tmp_path: Path) -> None:
    with databases.new_place("SQLite", tmp_path / "place") as place:
        heartbeat.prepare(place)
        measured = beside.mails_beside_runs(place, mails=100, rounds=2)
    assert (len(measured.alone), len(measured.beside)) == (3, 2)
    assert min(stretch.per_second for stretch in (*measured.alone, *measured.beside)) > 0
    burned_alone, burned_beside = (
        fmean(stretch.burned for stretch in kind) for kind in (measured.alone, measured.beside)
    )
    assert burned_alone < burned_beside
