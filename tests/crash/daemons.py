"""Processes of itopd for crash tests, their logs, and the folder they share with a test."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

from itopd.state import Run, Subject, SubjectKind, TaskRow, ledger
from tests.crash.heartbeat_daemon import data_of, rows_of, state_of
from tests.support.invariants import assert_at_rest

ROOT = Path(__file__).parents[2]


class Daemon:
    """A daemon or worker in a process of its own."""

    def __init__(self, *words: str | Path) -> None:
        command = [sys.executable, "-u", "-m", *map(str, words)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._lines: IO[str] = self._process.stdout
        self.log: list[dict[str, Any]] = []

    @property
    def pid(self) -> int:
        return self._process.pid

    def until(self, event: str, **fields: object) -> dict[str, Any]:
        """Read the log up to an event with these fields, and return it."""
        for line in self._lines:
            entry: dict[str, Any] = json.loads(line)
            self.log.append(entry)
            if entry["event"] == event and all(entry.get(key) == value for key, value in fields.items()):
                return entry
        raise AssertionError(f"the daemon ended without {event}: {self.log}")

    def until_any(self) -> dict[str, Any] | None:
        """Read the next line of the log; ``None`` when there is none within two seconds."""
        if not select.select([self._lines], [], [], 2)[0]:
            return None
        line = self._lines.readline()
        assert line, f"the daemon ended: {self.log}"
        self.log.append(json.loads(line))
        return self.log[-1]

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def exit_code(self) -> int:
        """Wait for the end."""
        for line in self._lines:
            with contextlib.suppress(ValueError):  # a killed one may leave half a line
                self.log.append(json.loads(line))
        return self._process.wait(90)

    def close(self) -> None:
        self._process.kill()
        self._process.send_signal(signal.SIGCONT)
        self._process.wait()
        self._lines.close()


class World:
    """The folder of a test: pipes, daemons and what the state store says."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.folder = folder
        self.state = state_of(folder)
        stack.callback(self.state.close)
        self._data = data_of(folder)
        stack.callback(self._data.close)
        self._stack = stack

    def daemon(self, *names: str, stop_timeout: float = 20) -> Daemon:
        return self.process("tests.crash.heartbeat_daemon", self.folder, str(stop_timeout), *names)

    def process(self, *words: str | Path) -> Daemon:
        """Start a module with arguments; it ends with the test."""
        daemon = Daemon(*words)
        self._stack.callback(daemon.close)
        return daemon

    def pipes(self, name: str) -> None:
        """Make the pipes through which a waiting run and the test talk."""
        for word in ("started", "go"):
            os.mkfifo(self.folder / f"{word}-{name}")

    def started(self, name: str) -> int:
        """Wait until a run says that it works; return its process."""
        return int((self.folder / f"started-{name}").read_text())

    def go(self, name: str, word: str = "go") -> None:
        """Let a waiting run go on."""
        (self.folder / f"go-{name}").write_text(f"{word}\n")

    def run(self, name: str) -> Run:
        """Return the newest run of a task."""
        return ledger.heads(self.state)[Subject(SubjectKind.TASK, name)].run

    def row(self, name: str) -> TaskRow:
        return next(row for row in rows_of(self._data).read() if row.class_name == name)

    def assert_consistent(self) -> None:
        """Nothing is under way, nobody holds a lease, no process is left."""
        assert_at_rest(self.state)


def wait_for_end(pid: int) -> None:
    """Wait until a process that is not our child has ended."""
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        try:
            assert select.select([descriptor], [], [], 30)[0], f"process {pid} still lives"
        finally:
            os.close(descriptor)
