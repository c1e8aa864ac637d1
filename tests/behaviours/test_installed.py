"""Behaviours of installed packages: found by entry point, or a clear word why not."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from itopd.behaviours import behaviours_of
from itopd.behaviours.installed import installed_behaviours
from itopd.errors import SettingsError
from itopd.settings import Settings

PROGRAM = """
from itopd.writing import Hooks
class Shout(Hooks):
    classes = frozenset({"Brand"})
    def prepare(self, present, drafts):
        return self
    def compute(self, draft):
        draft.set("name", draft.value("name").upper())
shout = Shout()
nothing = 3
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Install a package with an entry point."""

    def install(target: str) -> None:
        info = tmp_path / "shouting-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shouting\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[itopd.behaviours]\nshout = {target}\n")
        (tmp_path / "shouting_rules.py").write_text(PROGRAM)
        monkeypatch.syspath_prepend(str(tmp_path))

    installed_behaviours.cache_clear()
    yield install
    installed_behaviours.cache_clear()
    sys.modules.pop("shouting_rules", None)


def test_a_package_brings_a_behaviour(installed: Callable[[str], None]) -> None:
    before = len(behaviours_of(Settings()))
    installed_behaviours.cache_clear()
    installed("shouting_rules:shout")
    found = behaviours_of(Settings())
    assert len(found) == before + 1
    assert found[-1].classes == frozenset({"Brand"})


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("shouting_rules:missing", "behaviour 'shout' of shouting cannot be loaded"),
        ("no_such_module:shout", "behaviour 'shout' of shouting cannot be loaded"),
        ("shouting_rules:nothing", "'shouting_rules:nothing' of shouting is no behaviour"),
    ],
)
def test_a_package_that_brings_none_is_named(installed: Callable[[str], None], target: str, message: str) -> None:
    installed(target)
    with pytest.raises(SettingsError, match=message):
        behaviours_of(Settings())
