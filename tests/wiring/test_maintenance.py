"""iTop's maintenance: what waits for its end, and what does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from itopd.errors import RefusedError
from itopd.settings import Settings
from itopd.wiring import is_attached, require_open
from itopd.wiring.maintenance import reason_closed
from tests.support.permissions import closed


def test_without_markers_everything_goes_on(tmp_path: Path) -> None:
    require_open(Settings(data_folder=tmp_path), writes=True)


def test_maintenance_stops_everything(tmp_path: Path) -> None:
    (tmp_path / ".maintenance").touch()
    with pytest.raises(RefusedError, match="maintenance"):
        require_open(Settings(data_folder=tmp_path), writes=False)


def test_a_read_only_itop_is_read_but_not_written(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / ".readonly").touch()
    settings = Settings(itop_root=tmp_path)
    assert is_attached(settings)
    require_open(settings, writes=False)
    with pytest.raises(RefusedError, match=r"\.readonly"):
        require_open(settings, writes=True)


@pytest.mark.parametrize(("mode", "is_closed"), [(0, True), (1, True), (2, False), (3, False)])
def test_the_access_mode_closes_writes_without_its_second_bit(tmp_path: Path, mode: int, is_closed: bool) -> None:
    settings = Settings(data_folder=tmp_path, access_mode=mode)
    assert bool(reason_closed(settings, writes=True)) is is_closed
    assert not reason_closed(settings, writes=False)


@pytest.mark.parametrize("writes", [False, True])
def test_what_cannot_be_known_closes_everything(tmp_path: Path, writes: bool) -> None:
    data = tmp_path / "data"
    data.mkdir()
    with closed(data), pytest.raises(RefusedError, match=r"whether iTop is under maintenance is unknown: let itopd's"):
        require_open(Settings(itop_root=tmp_path), writes=writes)
