"""Results of jobs: their names, and which earlier ones are too many."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itopd.heartbeat.jobs.results import Results
from tests.heartbeat.support import NOW, PARIS

OTHERS = (
    "people-2027-02-01.csv.bak",
    "people-2027-02-01.csvx",
    "xpeople-2027-02-01.csv",
    "people-2027-2-01.csv",
    "people-latest.csv",
    "other-2027-02-01.csv",
    ".people-2027-02-01.csv.x.part",
)


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


def test_the_newest_are_kept_and_only_files_of_the_own_pattern_go(tmp_path: Path) -> None:
    results = Results("people", f"{tmp_path}/{{name}}-{{date}}.csv", keep=2)
    for day in ("03", "01", "04", "02"):
        (tmp_path / f"people-2027-02-{day}.csv").write_text(day)
    for name in OTHERS:
        (tmp_path / name).write_text("somebody else's")
    (tmp_path / "people-2027-01-01.csv").mkdir()
    (tmp_path / "people-2026-01-01.csv").symlink_to(tmp_path / OTHERS[0])
    assert names(results.surplus()) == ["people-2027-02-01.csv", "people-2027-02-02.csv"]


def test_a_name_is_no_pattern_and_braces_are_themselves(tmp_path: Path) -> None:
    results = Results("a.b", f"{tmp_path}/{{{{x}}}}{{name}}_{{datetime}}+{{date}}.csv", keep=1)
    earlier = Path(results.path(NOW - timedelta(days=1), PARIS))
    assert earlier.name == "{x}a.b_2027-02-09_100000+2027-02-09.csv"
    for path in (earlier, Path(results.path(NOW, PARIS)), tmp_path / earlier.name.replace("a.b", "axb")):
        path.touch()
    assert results.surplus() == [earlier]


def test_the_folder_may_hold_the_name_of_the_job_and_need_not_exist(tmp_path: Path) -> None:
    results = Results("people", f"{tmp_path}/{{name}}/{{date}}.csv", keep=1)
    assert results.surplus() == []
    (tmp_path / "people").mkdir()
    for day in ("01", "02"):
        (tmp_path / "people" / f"2027-02-{day}.csv").touch()
    assert names(results.surplus()) == ["2027-02-01.csv"]


def test_without_keep_nothing_goes(tmp_path: Path) -> None:
    (tmp_path / "2027-02-01.csv").touch()
    assert Results("people", f"{tmp_path}/{{date}}.csv").surplus() == []


@pytest.mark.parametrize("template", ["{date}.csv", "{name}-{date}_{time}.csv.gz", "{datetime}", "{time}@{date}"])
@given(st.lists(st.integers(0, 10**9).map(lambda late: NOW + timedelta(seconds=late)), max_size=6), st.integers(1, 4))
def test_what_is_left_are_the_newest_results(
    tmp_path_factory: pytest.TempPathFactory, template: str, starts: list[datetime], keep: int
) -> None:
    folder = tmp_path_factory.mktemp("results")
    results = Results("people", f"{folder}/{template}", keep)
    by_start = [results.path(start, PARIS) for start in sorted(starts)]
    for path in by_start:
        Path(path).touch()
    wanted = list(dict.fromkeys(by_start))[-keep:]
    for surplus in results.surplus():
        surplus.unlink()
    assert sorted(map(str, folder.iterdir())) == sorted(wanted)
