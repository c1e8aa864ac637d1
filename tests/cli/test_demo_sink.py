"""The demonstration's mail server does not outlive it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

from tests.cli.calls import PATIENCE, wait_until

KILLED = """
import os, pathlib, sys, time
from itopd.cli.demo.stage import mail_sink
folder = pathlib.Path(sys.argv[1])
with mail_sink(folder):
    while not (folder / "port").exists():
        time.sleep(0.01)
    os.kill(os.getpid(), 9)
"""


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE).close()
    except ConnectionRefusedError:
        return False
    return True


def test_a_killed_demonstration_leaves_no_server(tmp_path: Path) -> None:
    assert subprocess.run([sys.executable, "-c", KILLED, tmp_path], check=False).returncode == -signal.SIGKILL
    port = int((tmp_path / "port").read_text())
    wait_until(lambda: not _listens(port), "the end of the mail server")
