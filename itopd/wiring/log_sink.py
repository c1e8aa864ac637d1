"""Where log lines go: a stream or a file, each line in one piece although many processes write.

A line is one ``write`` to a descriptor that appends, so lines of a daemon and of its children never mix in a file (in
a pipe: up to what the kernel writes in one piece, 4 KiB). A file that was renamed or removed, as logrotate does, is
noticed at the next line and opened anew, by each process for itself. A log that cannot be written stops nobody: lines
go to standard error, and what not even that takes is counted and told later.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from pathlib import Path
from typing import Final, Protocol, TextIO

from itopd.errors import SettingsError

_MODE: Final = 0o640


class Sink(Protocol):
    """Takes whole lines."""

    def write(self, line: str) -> None:
        """Write a line, which has no line end yet; never raises for a log that cannot be written."""
        ...


class StreamSink:
    """Standard output or standard error."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        try:
            self.descriptor: int | None = stream.fileno()
        except OSError:  # a stream in memory, as tests have
            self.descriptor = None
        self._lock = threading.Lock()
        self._lost = 0

    @property
    def in_journal(self) -> bool:
        """Return whether systemd's journal reads this stream (``systemd.exec(5)``, ``JOURNAL_STREAM``)."""
        if self.descriptor is None:
            return False
        status = os.fstat(self.descriptor)
        return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"

    @property
    def is_terminal(self) -> bool:
        """Return whether a person reads along."""
        return self.descriptor is not None and os.isatty(self.descriptor)

    def write(self, line: str) -> None:
        """Write a line."""
        with self._lock:
            if self._lost:
                line, lost = f"({self._lost} log lines could not be written)\n{line}", self._lost
            else:
                lost = 0
            try:
                if self.descriptor is None:
                    self._stream.write(line + "\n")
                else:
                    _write(self.descriptor, line)
                self._lost -= lost
            except OSError:  # nobody reads any more: there is nowhere to tell it but here, later
                self._lost += 1


class FileSink:
    """A file that is opened anew when it was moved away."""

    def __init__(self, path: Path) -> None:
        """Open ``path``; raises :class:`SettingsError` when that cannot be done."""
        self._path = path
        self._fallback = StreamSink(sys.stderr)
        self._lock = threading.Lock()
        self._failing = False
        try:
            self._descriptor = _open(path)
        except OSError as error:
            raise SettingsError(
                f"the log file {path} (log_file) cannot be opened ({error.strerror}): make its folder, let this "
                "account write there, or name another"
            ) from error

    def write(self, line: str) -> None:
        """Write a line; to standard error, with the reason, while the file takes none."""
        with self._lock:
            try:
                if self._was_moved():
                    descriptor = _open(self._path)
                    os.close(self._descriptor)
                    self._descriptor = descriptor
                _write(self._descriptor, line)
                self._failing = False
            except OSError as error:
                if not self._failing:
                    self._fallback.write(
                        f"{self._path} (log_file) cannot be written: {error.strerror}; its lines go here"
                    )
                self._failing = True
                self._fallback.write(line)

    def __del__(self) -> None:
        """Close the file."""
        with contextlib.suppress(AttributeError, OSError):  # it was never opened
            os.close(self._descriptor)

    def _was_moved(self) -> bool:
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return True
        ours = os.fstat(self._descriptor)
        return (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino)


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _MODE)


def _write(descriptor: int, line: str) -> None:
    data = (line + "\n").encode("utf-8", "backslashreplace")
    while data:  # a disk that is nearly full, or a pipe, may take a part
        data = data[os.write(descriptor, data) :]
