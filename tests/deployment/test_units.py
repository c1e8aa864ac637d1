"""The systemd units: accepted by systemd itself, hardened, and true to the settings."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from itopd.cli import COMMANDS
from itopd.settings import Settings, setting_names

FOLDER = Path(__file__).parents[2] / "systemd"
SERVICES = ("itopd.service", "itopd-tick.service")
BOUND = 2.0
"""Exposure, 0 safe to 10 unsafe, as ``systemd-analyze security`` counts."""

ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(
    ANALYZE is None and os.environ.get("CI") != "true", reason="systemd-analyze is missing: apt-get install systemd"
)


class Unit(configparser.RawConfigParser):
    """A unit file: names keep their case, of a name given twice the last counts."""

    def __init__(self, name: str) -> None:
        super().__init__(strict=False, comment_prefixes=("#",), delimiters=("=",))
        self.read(FOLDER / name)

    def optionxform(self, optionstr: str) -> str:
        return optionstr


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """Give copies whose program exists here."""
    for path in FOLDER.iterdir():
        (tmp_path / path.name).write_text(path.read_text().replace("/opt/itopd/bin/itopd", "/bin/true"))
    return sorted(tmp_path.iterdir())


def _analyze(*words: str | Path) -> subprocess.CompletedProcess[str]:
    assert ANALYZE is not None, "CI needs systemd-analyze: apt-get install systemd"
    return subprocess.run([ANALYZE, *map(str, words)], capture_output=True, text=True, check=False)


@needs_systemd
def test_systemd_finds_nothing_to_say_of_the_units(units: list[Path]) -> None:
    done = _analyze("verify", *units)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_systemd
def test_systemd_finds_what_is_wrong(units: list[Path]) -> None:
    unit = next(path for path in units if path.name == "itopd.service")
    unit.write_text(unit.read_text().replace("WatchdogSec=120", "WatchdogSeconds=120"))
    assert "WatchdogSeconds" in _analyze("verify", unit).stderr


@needs_systemd
@pytest.mark.parametrize("name", SERVICES)
def test_the_services_are_hardened(units: list[Path], name: str) -> None:
    unit = next(path for path in units if path.name == name)
    done = _analyze("security", "--offline=true", unit)
    found = re.search(r"exposure level for \S+: (\d+\.\d+)", done.stdout)
    assert found is not None, done
    assert float(found[1]) <= BOUND


@pytest.mark.parametrize("name", SERVICES)
def test_the_services_call_commands_that_exist_and_settings_that_exist(name: str) -> None:
    service = Unit(name)["Service"]
    program, option, settings, command = service["ExecStart"].split()
    assert (program, option) == ("/opt/itopd/bin/itopd", "--config")
    assert settings == "/etc/itopd/itopd.params"
    assert command in COMMANDS
    for variable in re.findall(r"(ITOPD_\w+)=", service["Environment"]):
        assert variable.removeprefix("ITOPD_").lower() in setting_names()


def test_the_daemon_is_watched_and_has_time_to_stop() -> None:
    service = Unit("itopd.service")["Service"]
    assert (service["Type"], service["NotifyAccess"], service["KillMode"]) == ("notify", "main", "mixed")
    assert int(service["WatchdogSec"]) > 60
    assert int(service["TimeoutStopSec"]) > Settings().stop_timeout
    assert service["LoadCredential"] == "itopd:/etc/itopd/credentials"


def test_the_tick_is_as_hardened_as_the_daemon() -> None:
    daemon, tick = (Unit(name)["Service"] for name in SERVICES)
    own = {"Type", "NotifyAccess", "ExecStart", "ExecReload", "WatchdogSec", "Restart", "RestartSec"}
    own |= {"RestartPreventExitStatus", "SuccessExitStatus"}
    assert {key: value for key, value in daemon.items() if key not in own} == {
        key: value for key, value in tick.items() if key not in own
    }


def test_the_timer_starts_the_tick() -> None:
    assert (FOLDER / "itopd-tick.timer").stem == (FOLDER / "itopd-tick.service").stem
    assert Unit("itopd-tick.timer")["Timer"]["OnCalendar"] == "minutely"
