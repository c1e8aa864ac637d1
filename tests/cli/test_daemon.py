"""``itopd run`` as systemd starts it: a database that is away, a reload, a stop; told as it happens."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cli.calls import PATIENCE, Place, command, wait_until
from tests.heartbeat.test_notify import Manager

EXPORT = "service = export\nschedule = every 1h\nexpression = SELECT Person\nfields = name\noutput_file = {file}\n"


class Service:
    """A running daemon, what it tells and what it logs."""

    def __init__(self, made: Place, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made = made
        self.manager = Manager(str(folder / "notify"))
        for name, value in self.manager.environ(WATCHDOG_USEC="60000000").items():
            monkeypatch.setenv(name, value)
        made.configure(log_format="json", log_file=made.folder / "itopd.log")
        self.process = subprocess.Popen(command("--config", made.config, "run"), cwd=made.folder)

    def log(self, event: str) -> list[dict[str, Any]]:
        """Return what the log says of one kind of event."""
        return [entry for entry in map(json.loads, self.made.read("itopd.log").splitlines()) if entry["event"] == event]

    def wait_for(self, event: str) -> dict[str, Any]:
        wait_until(lambda: self.log(event) or self.process.poll() is not None, f"the event {event}")
        assert self.process.poll() is None, self.made.read("itopd.log")
        return self.log(event)[-1]

    def reload(self) -> dict[str, str]:
        """Send SIGHUP and return what is told when the reload is over."""
        self.process.send_signal(signal.SIGHUP)
        assert int(self.manager.until("RELOADING")["MONOTONIC_USEC"]) > 0
        return self.manager.until("READY")

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.manager.close()


def test_the_life_of_a_service(installed: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database, away = installed.folder / "itopd.db", installed.folder / "away.db"
    database.rename(away)
    service = Service(installed, tmp_path, monkeypatch)
    try:
        # Its database is away: it waits, and says so, but not that it is ready.
        assert service.manager.told()["STATUS"].startswith("waiting for the database: ")
        assert "holds no tables" in service.wait_for("database_away")["error"]
        away.replace(database)
        told = service.manager.until("READY")
        assert told["STATUS"] == "idle" or told["STATUS"].endswith(" under way")
        assert service.manager.until("WATCHDOG")

        # A wrong file: what held before still holds, and both log and service manager are told why.
        good = installed.config.read_text()
        installed.configure(stop_timeout=0)
        assert "settings kept, the files are wrong" in service.reload()["STATUS"]
        assert "setting 'stop_timeout' '0' is refused" in service.wait_for("settings_kept")["problem"]

        # A right one holds at once, for runs too; what cannot change is named. The log was moved away meanwhile.
        moved = installed.folder / "moved"
        moved.mkdir()
        (moved / "people.params").write_text(EXPORT.format(file=installed.folder / "people.csv"))
        installed.config.write_text(good)
        installed.configure(jobs_folder=moved, timezone="UTC", stop_timeout=7)
        (installed.folder / "itopd.log").rename(installed.folder / "itopd.log.1")
        assert "kept" not in service.reload()["STATUS"]
        assert service.wait_for("settings_loaded")["restart_for"] == ["timezone"]
        finished = service.wait_for("run_finished")
        assert (finished["name"], len(finished["run"])) == ("people", 26)
        (exported,) = service.log("export_done")
        assert (exported["run"], exported["name"]) == (finished["run"], "people"), "children log to the same place"

        service.process.send_signal(signal.SIGTERM)
        assert service.manager.until("STOPPING")["EXTEND_TIMEOUT_USEC"] == "17000000"
        assert service.process.wait(PATIENCE) == 0
        assert service.log("daemon_stopped")[0]["exit_code"] == 0
    finally:
        service.close()


def test_a_daemon_that_waits_for_its_database_stops_at_once(
    installed: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed.configure(database_url="mysql://root@127.0.0.1:1/x", state_url=f"sqlite:///{installed.folder}/s.db")
    service = Service(installed, tmp_path, monkeypatch)
    try:
        assert service.wait_for("database_away")["error"].startswith("cannot open database 'x' at 127.0.0.1:1")
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(PATIENCE) == 0
    finally:
        service.close()


def test_wrong_settings_at_the_start_are_not_waited_for(installed: Place) -> None:
    installed.configure(log_file=installed.folder / "nowhere" / "itopd.log")
    answer = installed.call("run")
    assert answer.code == 64
    assert "(log_file) cannot be opened" in answer.err
