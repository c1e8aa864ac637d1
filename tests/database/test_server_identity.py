"""What tells a server or a file from its copies: it stays over restarts and moves, and copies have another."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from itopd.database import Database, server_identity
from itopd.errors import DatabaseError
from tests.support.sample import new_sqlite
from tests.support.servers import opened

FACTS = {
    "sqlite": {"engine", "file"},
    "mysql": {"engine", "host", "port"},
    "postgresql": {"engine", "system_identifier", "address"},
}


def test_every_engine_tells_the_same_again_to_a_new_connection(database: Database) -> None:
    found = server_identity(database)
    assert FACTS[database.dialect] <= found.keys()
    assert all(found.values())
    database.close()
    assert server_identity(database) == found


def test_a_copied_file_is_another_a_moved_one_the_same(tmp_path: Path) -> None:
    with new_sqlite(tmp_path) as database:
        original, path = server_identity(database), Path(database.name)
    copy = shutil.copy2(path, tmp_path / "copy.db")
    moved = path.rename(tmp_path / "moved.db")
    with opened(f"sqlite:///{copy}") as copied, opened(f"sqlite:///{moved}") as same:
        assert server_identity(copied)["file"] != original["file"]
        assert server_identity(same) == original


def test_a_file_that_takes_the_number_of_a_deleted_one_is_told_by_its_birth(tmp_path: Path) -> None:
    with new_sqlite(tmp_path) as database:
        found = server_identity(database)
    if "born" not in found:
        pytest.skip("this file system does not tell when a file was made")
    copy = Path(shutil.copy2(database.name, tmp_path / "copy.db"))
    with opened(f"sqlite:///{copy}") as copied:
        assert server_identity(copied)["born"] > found["born"]


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path}/nothing.db") as database, pytest.raises(DatabaseError, match=r"nothing\.db"):
        server_identity(database)


@pytest.mark.parametrize(("text", "known"), [("0123456789abcdef" * 2, True), ("uninitialized", False), ("", False)])
def test_a_machine_is_known_by_a_digest_of_its_id_where_it_has_one(
    text: str, known: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "machine-id").write_text(f"{text}\n")
    monkeypatch.setattr("itopd.database.servers._MACHINE", tmp_path / "machine-id")
    with new_sqlite(tmp_path) as database:
        machine = server_identity(database).get("machine", "")
    assert bool(machine) is known
    assert machine == "" or machine not in text
