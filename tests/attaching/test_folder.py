"""The folder of an iTop, and the sockets beside it."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from itopd.attaching import find_itop, sockets
from itopd.attaching.folder import SOCKETS
from itopd.errors import MissingFile
from itopd.settings import Settings
from tests.support.permissions import closed


@pytest.mark.parametrize("closed_one", [".", "conf", "conf/production", "data"])
def test_a_folder_that_is_closed_to_this_account_is_told(tmp_path: Path, closed_one: str) -> None:
    root = tmp_path / "itop"
    for name in ("conf/production", "data"):
        (root / name).mkdir(parents=True)
    (root / "conf/production/config-itop.php").touch()
    (root / "data/datamodel-production.xml").touch()
    assert find_itop(root, "production").root == root
    with closed(root / closed_one), pytest.raises(MissingFile, match=r"let itopd's account into its folder"):
        find_itop(root, "production")


def test_a_socket_in_a_closed_folder_is_no_socket_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "mysql"
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "s"))
        monkeypatch.setattr("itopd.attaching.folder.SOCKETS", (folder / "s",))
        settings = Settings(db_host="localhost")
        assert sockets(settings) == [folder / "s"]
        with closed(folder):
            assert sockets(settings) == []


def test_no_socket_is_looked_for_where_everybody_can_make_one() -> None:
    for folder in {path.parent for path in SOCKETS}:
        for above in (folder, *folder.parents):
            assert not above.exists() or not above.stat().st_mode & stat.S_IWOTH, above
