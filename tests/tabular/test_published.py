"""Files that appear whole: what takes whose place, and what never does."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from itopd.errors import MissingFile
from itopd.tabular import published


def test_a_file_appears_with_the_rights_of_any_other(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with published(path) as file:
        file.write(b"new")
        assert not path.exists()
    plain = tmp_path / "plain"
    plain.touch()
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError):
        write_half(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def write_half(path: Path) -> None:
    with published(path) as file:
        file.write(b"half")
        raise RuntimeError


def test_a_link_is_followed(tmp_path: Path) -> None:
    real, link = tmp_path / "real.csv", tmp_path / "link.csv"
    real.write_bytes(b"old")
    link.symlink_to(real)
    with published(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    with published(pipe) as file:
        file.write(b"through")
    reader.join()
    assert read == [b"through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("name", [".", "missing/a.csv"])
def test_a_folder_and_a_missing_folder_are_refused_first(tmp_path: Path, name: str) -> None:
    with pytest.raises(MissingFile), published(tmp_path / name):
        raise AssertionError("never entered")
