"""Log files: new names at the end of a period, nothing overwritten, old ones deleted."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itopd.database import Database
from itopd.errors import SettingsError
from itopd.tasks.log_file_rotation import LogFiles, log_file_rotation
from itopd.tasks.log_periods import Rotating, Rotation, is_due, next_rotation, rotated_name
from tests.support.sample import new_sqlite
from tests.tasks.work import work_on

PARIS = ZoneInfo("Europe/Paris")
FIRST = datetime(2027, 1, 31, 23, 0, 2, tzinfo=UTC)
"""2027-02-01 00:00:02 in Paris."""


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    """Give a database; which one matters to the mutex only."""
    with new_sqlite(tmp_path) as database:
        yield database


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Give a folder of log files."""
    folder = tmp_path / "log"
    folder.mkdir()
    return folder


def file(folder: Path, name: str, modified: datetime, text: str = "x") -> None:
    (folder / name).write_text(text)
    os.utime(folder / name, (modified.timestamp(), modified.timestamp()))


def rotate(database: Database, folder: Path, keep: int | None = None, rotation: Rotation = Rotation.MONTHLY) -> None:
    assert log_file_rotation(work_on(database, now=FIRST), LogFiles(folder, rotation, keep)) == ""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_files_of_a_past_period_get_its_name(sqlite: Database, logs: Path) -> None:
    before, now = FIRST - timedelta(seconds=3), FIRST - timedelta(seconds=1)
    file(logs, "error.log", before, "January")
    file(logs, "setup.log", now)
    file(logs, "itop-fence.log", FIRST - timedelta(days=60))
    file(logs, "other.log", before)
    rotate(sqlite, logs)
    assert names(logs) == [
        "error.2027-month01.log", "itop-fence.2026-month12.log", "other.log", "setup.log"
    ]  # fmt: skip
    assert (logs / "error.2027-month01.log").read_text() == "January"
    rotate(sqlite, logs)
    assert len(names(logs)) == 4


def test_nothing_is_overwritten(sqlite: Database, logs: Path) -> None:
    before = FIRST - timedelta(days=1)
    for number in range(3):
        file(logs, "error.log", before, str(number))
        rotate(sqlite, logs)
    assert names(logs) == ["error.2027-month01.2.log", "error.2027-month01.3.log", "error.2027-month01.log"]
    assert [(logs / name).read_text() for name in names(logs)] == ["1", "2", "0"]


def test_it_waits_for_an_itop_that_is_rotating(database: Database, logs: Path) -> None:
    file(logs, "error.log", FIRST - timedelta(days=1))
    held, leave = threading.Event(), threading.Event()

    def itop() -> None:
        with database.named_lock(f"log_rotation_{logs / 'error.log'}"):
            held.set()
            leave.wait(30)
            (logs / "error.log").rename(logs / "error.2027-month01.log")
            file(logs, "error.log", FIRST)

    other = threading.Thread(target=itop)
    other.start()
    assert held.wait(30)
    threading.Timer(0.2, leave.set).start()
    rotate(database, logs)
    other.join()
    assert names(logs) == ["error.2027-month01.log", "error.log"]


def test_old_files_are_deleted_when_asked(sqlite: Database, logs: Path) -> None:
    day = timedelta(days=1)
    for name in ("old.log", "old.sql", "old.xml", "old.txt"):
        file(logs, name, FIRST - 31 * day)
    file(logs, "edge.log", FIRST - 31 * day + timedelta(seconds=1))
    (logs / "folder.log").mkdir()
    rotate(sqlite, logs)
    assert len(names(logs)) == 6
    rotate(sqlite, logs, keep=30)
    assert names(logs) == ["edge.log", "folder.log", "old.txt"]


def test_a_folder_that_is_not_there_is_no_error(sqlite: Database, logs: Path) -> None:
    rotate(sqlite, logs / "none", keep=1)


def test_what_cannot_be_renamed_is_named_and_the_others_are(
    sqlite: Database, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("setup.log", "error.log"):
        file(logs, name, FIRST - timedelta(days=1))
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if self.name == "setup.log":
            raise PermissionError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(SettingsError, match=r"setup\.log could not be renamed \(Permission denied\): let this account"):
        rotate(sqlite, logs)
    assert names(logs) == ["error.2027-month01.log", "setup.log"]


zones = st.sampled_from(["Europe/Paris", "Asia/Beirut", "America/Sao_Paulo", "UTC", "Australia/Lord_Howe"]).map(
    ZoneInfo
)
instants = st.integers(0, 40 * 366 * 86_400).map(
    lambda seconds: datetime(2000, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)


@given(st.sampled_from(Rotation), zones, instants, st.timedeltas(timedelta(0), timedelta(days=800)))
def test_files_get_other_names_exactly_when_they_are_due(
    rotation: Rotation, zone: ZoneInfo, modified: datetime, age: timedelta
) -> None:
    now = modified + age
    other = rotated_name(rotation, "error.log", modified, zone) != rotated_name(rotation, "error.log", now, zone)
    assert is_due(rotation, modified, now, zone) == other


@given(st.sampled_from(Rotation), zones, instants)
def test_the_next_rotation_is_the_first_instant_of_another_period(
    rotation: Rotation, zone: ZoneInfo, now: datetime
) -> None:
    following = next_rotation(rotation, now, zone)
    assert following > now
    assert is_due(rotation, now, following, zone)
    assert not is_due(rotation, now, following - timedelta(seconds=1), zone)
    assert Rotating(rotation).next(now, now, zone) == following


def test_a_builder_that_does_not_rotate_is_no_error_an_unknown_one_is() -> None:
    assert Rotation.named("DefaultLogFileNameBuilder") is None
    with pytest.raises(SettingsError, match="'Hourly' is unknown; use DailyRotatingLogFileNameBuilder"):
        Rotation.named("Hourly")
