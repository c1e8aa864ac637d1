"""What systemd is told: the protocol, and a watchdog that only real progress feeds."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from itopd.heartbeat import Periodic, ServiceManager, Task, run
from itopd.state import StateStore
from tests.heartbeat.support import heartbeat_of, not_called

PATIENCE = 60.0


class Manager:
    """Stands for systemd: the other end of the socket."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)

    def environ(self, **more: str) -> dict[str, str]:
        return {"NOTIFY_SOCKET": self.address, **more}

    def told(self, seconds: float = PATIENCE) -> dict[str, str]:
        """Return the next message; empty when none comes."""
        self._socket.settimeout(seconds)
        try:
            return dict(line.split("=", 1) for line in self._socket.recv(65536).decode().split("\n"))
        except TimeoutError:
            return {}

    def until(self, name: str) -> dict[str, str]:
        """Return the next message that sets a variable."""
        while name not in (message := self.told()):
            assert message, f"nothing more is told, no {name}"
        return message

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    made = Manager(str(tmp_path / "notify") if request.param == "path" else f"@itopd-test-{secrets.token_hex(8)}")
    yield made
    made.close()


def test_each_message_as_systemd_reads_it(manager: Manager) -> None:
    environ = manager.environ(WATCHDOG_USEC="2500000", WATCHDOG_PID=str(os.getpid()), PATH="/bin")
    service = ServiceManager.of(environ)
    assert environ == {"PATH": "/bin"}, "children must not speak in our name"
    assert service.watchdog_seconds == 2.5
    service.ready("idle\nof two lines")
    assert manager.told() == {"READY": "1", "STATUS": "idle of two lines"}
    service.alive()
    assert manager.told() == {"WATCHDOG": "1"}
    service.reloading()
    told = manager.told()
    assert told.pop("RELOADING") == "1"
    assert int(told.pop("MONOTONIC_USEC")) > 0
    assert told == {}
    service.stopping("stopping", 60)
    assert manager.told() == {"STOPPING": "1", "STATUS": "stopping", "EXTEND_TIMEOUT_USEC": "70000000"}


@pytest.mark.parametrize(
    ("variables", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "1000000"}, 1.0),
        ({"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
    ],
)
def test_the_watchdog_that_is_meant_for_us(variables: dict[str, str], seconds: float | None) -> None:
    assert ServiceManager.of({"NOTIFY_SOCKET": "/run/notify", **variables}).watchdog_seconds == seconds


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1", "WATCHDOG_USEC": "5"}])
def test_without_a_socket_nothing_is_told(environ: dict[str, str]) -> None:
    service = ServiceManager.of(environ)
    service.ready("idle")
    service.alive()
    assert (service, service.lost) == (ServiceManager(), [])


def test_a_socket_that_is_gone_stops_nobody_and_is_remembered(tmp_path: Path) -> None:
    service = ServiceManager.of({"NOTIFY_SOCKET": str(tmp_path / "gone")})
    service.ready("idle")
    service.alive()
    assert service.lost == ["No such file or directory"]


def test_a_loop_that_hangs_lets_the_watchdog_fire(state: StateStore, tmp_path: Path) -> None:
    manager = Manager(str(tmp_path / "notify"))
    looks: list[bool] = []
    fed: list[bool] = []
    silent: list[bool] = []

    def wedged() -> str:
        """Hang at the third look, until the watchdog would have fired; then end the test."""
        looks.append(True)
        if len(looks) == 3:
            fed.append("WATCHDOG" in manager.until("WATCHDOG"))
            silence = threading.Event()
            for _ in range(int(PATIENCE)):
                if not manager.told(seconds=1.0):
                    silence.set()
                    break
            silent.append(silence.is_set())
            os.kill(os.getpid(), signal.SIGTERM)
        return ""

    beat = heartbeat_of(
        state, Task("Succeed", Periodic(86400), not_called), closed=wedged, poll_seconds=0.05, stop_timeout=5
    )
    service = ServiceManager.of(manager.environ(WATCHDOG_USEC="400000"))
    with capture_logs() as logs:
        assert run(beat, service) == 0
    manager.close()
    assert (fed, silent) == ([True], [True])
    assert {"event": "loop_hangs", "loop": "dispatch", "log_level": "error"} in logs


def test_a_daemon_tells_that_it_is_ready_and_that_it_stops(state: StateStore, tmp_path: Path) -> None:
    manager = Manager(str(tmp_path / "notify"))

    def stop() -> str:
        if len(looks := [*seen, True]) > 2:
            os.kill(os.getpid(), signal.SIGTERM)
        seen[:] = looks
        return ""

    seen: list[bool] = []
    beat = heartbeat_of(state, Task("Succeed", Periodic(86400), not_called), closed=stop, poll_seconds=0.05)
    assert run(beat, ServiceManager.of(manager.environ(WATCHDOG_USEC="60000000"))) == 0
    assert manager.until("READY")["READY"] == "1"
    assert manager.until("STOPPING")["STATUS"].startswith("stopping")
    manager.close()
