"""Watched folders: what is taken when, by whom, and where it ends, also when processes die on the way."""

from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from itopd.errors import MissingFile, SettingsError
from itopd.heartbeat.jobs.hot_folder import HotFolder, Signature, Watch, working_folder
from itopd.heartbeat.jobs.taking import Taken, Taker


def watched(folder: Path, pattern: str = "*.csv") -> Watch:
    return Watch.parse(f"{folder}/{pattern}")


def ready(watch: Watch) -> list[tuple[str, Signature]]:
    return list(watch.candidates().items())


def taken_from(folder: Path, run_id: str = "RUN") -> Taken | None:
    watch = watched(folder)
    return Taker(watch, "job").take(ready(watch), run_id)


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_text(f"content of {name}")


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


class TestWatch:
    def test_it_is_a_folder_and_a_pattern(self) -> None:
        assert Watch.parse("data/in box/*.csv") == Watch(Path("data/in box"), "*.csv")

    @pytest.mark.parametrize("text", ["*.csv", "/", "data/", "da*ta/*.csv", "data/..", "data[1]/x"])
    def test_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(SettingsError, match=r"write (watch = |a job)"):
            Watch.parse(text)

    def test_only_whole_files_of_the_pattern_count(self, tmp_path: Path) -> None:
        put(tmp_path, "b.csv", "a.csv", "a.txt", ".c.csv", "d.csv.part", "e.CSV.tmp", "f.csv~", "g.csv.filepart")
        (tmp_path / "folder.csv").mkdir()
        (tmp_path / "link.csv").symlink_to(tmp_path / "a.txt")
        os.mkfifo(tmp_path / "pipe.csv")
        assert list(watched(tmp_path).candidates()) == ["a.csv", "b.csv"]
        assert list(watched(tmp_path, "*").candidates()) == ["a.csv", "a.txt", "b.csv"]


class TestHotFolder:
    def test_a_file_counts_once_it_stayed_the_same_for_a_while(self, tmp_path: Path) -> None:
        folder = HotFolder(watched(tmp_path), "job", settle_seconds=2)
        assert (folder.look(0), folder.unsettled) == (False, False)
        put(tmp_path, "a.csv")
        assert (folder.look(10), folder.unsettled) == (False, True)
        assert not folder.look(11.9)
        (tmp_path / "a.csv").write_text("more")
        assert not folder.look(12)
        assert not folder.look(13.9)
        assert (folder.look(14), folder.unsettled) == (True, False)
        os.utime(tmp_path / "a.csv", ns=(1, 1))
        assert not folder.look(20), "touched: somebody is still at it"

    def test_what_an_earlier_run_left_is_work_at_once(self, tmp_path: Path) -> None:
        left = working_folder(watched(tmp_path), "job")
        left.mkdir(parents=True)
        assert not HotFolder(watched(tmp_path), "job").look(0)
        put(left, "RUN.0-1.a.csv")
        assert HotFolder(watched(tmp_path), "job").look(0)
        assert not HotFolder(watched(tmp_path), "other").look(0)

    def test_a_folder_that_is_away_is_a_problem_until_it_is_back(self, tmp_path: Path) -> None:
        folder = HotFolder(watched(tmp_path / "share"), "job")
        assert not folder.look(0)
        assert folder.problem.endswith("cannot be read (No such file or directory): make the folder, or correct watch")
        (tmp_path / "share").mkdir()
        assert not folder.look(1)
        assert folder.problem == ""


class TestTaking:
    def test_files_are_taken_in_the_order_of_their_names_and_put_away_with_their_reports(self, tmp_path: Path) -> None:
        put(tmp_path, "b.csv", "a.csv")
        for number, verdict in enumerate(("done", "failed")):
            taken = taken_from(tmp_path, f"RUN{number}")
            assert taken is not None
            taken.output.write_text(f"report {number}")
            taken.decide(verdict)  # type: ignore[arg-type]
            assert taken.put_away(".txt") == tmp_path / verdict / taken.name
        assert taken_from(tmp_path) is None
        assert tree(tmp_path) == ["done/a.csv", "done/a.csv.report.txt", "failed/b.csv", "failed/b.csv.report.txt"]
        assert (tmp_path / "done" / "a.csv").read_text() == "content of a.csv"
        assert (tmp_path / "failed" / "b.csv.report.txt").read_text() == "report 1"

    def test_nothing_is_overwritten(self, tmp_path: Path) -> None:
        for _ in range(3):
            put(tmp_path, "a.csv")
            taken = taken_from(tmp_path)
            assert taken is not None
            taken.output.write_text("report")
            taken.decide("done")
            taken.put_away(".txt")
        (tmp_path / "done" / "a-4.csv.report.txt").write_text("somebody else's")
        put(tmp_path, "a.csv")
        taken = taken_from(tmp_path)
        assert taken is not None
        taken.output.touch()
        taken.decide("done")
        assert taken.put_away(".txt").name == "a-5.csv"
        assert (tmp_path / "done" / "a-4.csv.report.txt").read_text() == "somebody else's"
        names = {path.name for path in (tmp_path / "done").iterdir()} - {"a-4.csv.report.txt"}
        assert names == {f"a{number}.csv{end}" for number in ("", "-2", "-3", "-5") for end in ("", ".report.txt")}

    def test_a_file_that_changed_since_the_look_is_left(self, tmp_path: Path) -> None:
        put(tmp_path, "a.csv", "b.csv")
        watch = watched(tmp_path)
        seen = ready(watch)
        (tmp_path / "a.csv").write_text("still being written")
        taken = Taker(watch, "job").take([*seen, ("gone.csv", Signature(1, 2, 3))], "RUN")
        assert taken is not None
        assert taken.name == "b.csv"

    def test_a_file_given_back_comes_first_and_its_failures_are_counted(self, tmp_path: Path) -> None:
        put(tmp_path, "b.csv")
        taken = taken_from(tmp_path, "RUN1")
        for failed in (True, False, True):
            assert taken is not None
            taken.output.write_text("half")
            taken.give_back(failed=failed)
            put(tmp_path, "a.csv")
            taken = taken_from(tmp_path, "RUN2")
        assert taken is not None
        assert (taken.name, taken.failures, taken.deaths, taken.run_id) == ("b.csv", 2, 0, "RUN1")

    def test_a_file_in_the_hands_of_another_process_is_left_to_it(self, tmp_path: Path) -> None:
        put(tmp_path, "a.csv")
        taken = taken_from(tmp_path)
        assert taken is not None
        assert taken_from(tmp_path) is None
        assert Taker(watched(tmp_path), "job").is_held()
        assert taken.lock is not None
        os.close(taken.lock)  # its process ended
        again = taken_from(tmp_path)
        assert again is not None
        assert (again.name, again.deaths) == ("a.csv", 1)

    def test_where_there_are_no_locks_the_lease_is_enough(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def no_locks(*_: object) -> None:
            raise OSError(37, "No locks available")

        monkeypatch.setattr(fcntl, "flock", no_locks)
        put(tmp_path, "a.csv")
        assert taken_from(tmp_path) is not None

    def test_where_there_are_no_links_files_are_moved(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def no_links(*_: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(Path, "hardlink_to", no_links)
        for _ in range(2):
            put(tmp_path, "a.csv")
            taken = taken_from(tmp_path)
            assert taken is not None
            taken.output.write_text("report")
            taken.decide("done")
            taken.put_away(".txt")
        assert [(tmp_path / "done" / name).read_text() for name in ("a.csv", "a-2.csv")] == ["content of a.csv"] * 2
        assert (tmp_path / "done" / "a-2.csv.report.txt").read_text() == "report"
        assert tree(tmp_path / "working") == []

    def test_a_place_that_cannot_be_written_is_told(self, tmp_path: Path) -> None:
        put(tmp_path, "a.csv", "working")
        with pytest.raises(
            MissingFile, match=r"cannot be moved to .*working/job \(Not a directory\): let this account"
        ):
            taken_from(tmp_path)

    def test_a_file_that_cannot_be_moved_does_not_keep_the_others_waiting(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put(tmp_path, "a.csv", "b.csv")
        rename = Path.rename

        def immutable(path: Path, target: Path) -> Path:
            if path.name == "a.csv":
                raise PermissionError(errno.EPERM, "Operation not permitted")
            return rename(path, target)

        monkeypatch.setattr(Path, "rename", immutable)
        taken = taken_from(tmp_path)
        assert taken is not None
        assert taken.name == "b.csv"
        taken.output.write_bytes(b"")
        taken.decide("done")
        taken.put_away(".txt")
        with pytest.raises(MissingFile, match="Operation not permitted"):
            taken_from(tmp_path)


class Died(BaseException):
    """The process ends here."""


@contextmanager
def dies_at(step: int) -> Iterator[list[int]]:
    """Let the process die at the n-th change of the file system, before or after it is made."""
    calls = [0]
    kept: dict[str, Callable[..., Any]] = {}

    def dying(name: str) -> Callable[..., Any]:
        def change(path: Path, *arguments: Any, **options: Any) -> Any:
            calls[0] += 1
            number = calls[0]
            if number * 2 - 1 == step:
                raise Died
            result = kept[name](path, *arguments, **options)
            if number * 2 == step:
                raise Died
            return result

        return change

    with pytest.MonkeyPatch.context() as patch:
        for name in ("rename", "replace", "hardlink_to", "unlink", "mkdir"):
            kept[name] = getattr(Path, name)
            patch.setattr(Path, name, dying(name))
        yield calls


def test_whenever_the_process_dies_the_file_is_worked_off_and_nothing_is_lost_or_overwritten(tmp_path: Path) -> None:
    step = works = changes = 0
    while step <= changes * 2:
        step += 1
        folder = tmp_path / str(step)
        (folder / "done").mkdir(parents=True)
        put(folder, "a.csv", "done/a.csv")
        (folder / "a.csv").write_text("new")
        worked = 0
        for life in (1, 2):
            taken = None
            with dies_at(step if life == 1 else 0) as calls:
                try:
                    taken = taken_from(folder, f"RUN{life}")
                    if taken is not None:
                        if taken.verdict is None:
                            worked += 1
                            taken.output.write_text("report")
                            taken.decide("done")
                        taken.put_away(".txt")
                except Died:
                    _close_files_of(folder)
            changes = max(changes, calls[0])
        assert taken_from(folder) is None
        assert tree(folder) == ["done/a-2.csv", "done/a-2.csv.report.txt", "done/a.csv"], step
        assert (folder / "done" / "a-2.csv").read_text() == "new"
        assert (folder / "done" / "a-2.csv.report.txt").read_text() == "report"
        assert (folder / "done" / "a.csv").read_text() == "content of done/a.csv"
        works = max(works, worked)
    assert changes > 8
    assert works == 2  # dying between the end of the work and the note of it means to do it again


def _close_files_of(folder: Path) -> None:
    """Close what the dead process had open, as its end does."""
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            if str(descriptor.readlink()).startswith(str(folder)):
                os.close(int(descriptor.name))
        except FileNotFoundError:  # the descriptor of this very listing
            continue


def _take_all(folder: str, names: Any) -> None:
    while (taken := taken_from(Path(folder), f"RUN{os.getpid()}")) is not None:
        taken.output.write_text("report")
        taken.decide("done")
        names.put(taken.put_away(".txt").name)
    names.put("")


def test_of_several_takers_each_file_is_taken_by_one(tmp_path: Path) -> None:
    wanted = [f"{number:03}.csv" for number in range(60)]
    put(tmp_path, *wanted)
    context = multiprocessing.get_context("fork")
    names = context.Queue()
    takers = [context.Process(target=_take_all, args=(str(tmp_path), names)) for _ in range(4)]
    for one in takers:
        one.start()
    found: list[str] = []
    for _ in takers:
        found += iter(lambda: names.get(timeout=60), "")
    for one in takers:
        one.join(60)
    assert sorted(found) == wanted
    assert tree(tmp_path) == sorted(f"done/{name}{end}" for name in wanted for end in ("", ".report.txt"))
