"""Who owns a run: a process, named so that another process on the same machine can tell whether it still lives."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Owner:
    """One process: where its number means something, the number, and when it started."""

    place: str
    """Host name, boot and process namespace: two containers with one host name are two places."""
    pid: int
    started: str
    """The kernel's start time of the process, so that a reused number is not mistaken for it."""

    def __str__(self) -> str:
        return f"{self.place} pid {self.pid} start {self.started}"

    @classmethod
    def parse(cls, text: str) -> Owner | None:
        """Return the owner that ``text`` (``str(owner)``) names, or ``None`` when it is no such text."""
        place, separator, rest = text.partition(" pid ")
        pid, second, started = rest.partition(" start ")
        return cls(place, int(pid), started) if separator and second and pid.isdigit() else None

    def is_dead(self) -> bool:
        """Return whether this process surely has ended; for another place nobody can know, so ``False``."""
        if self.place != _place():
            return False
        found = _start_time(self.pid)
        return found == "" or (_UNKNOWN not in (found, self.started) and found != self.started)


_UNKNOWN = "?"


def this_process() -> Owner:
    """Return the owner that the running process is."""
    return Owner(_place(), os.getpid(), _start_time(os.getpid()))


def process_is_alive(pid: int) -> bool:
    """Return whether a process of this place with that number exists (zombies do not count)."""
    return _start_time(pid) != ""


@cache
def _place() -> str:
    boot = _read(Path("/proc/sys/kernel/random/boot_id")).strip()[:8]
    try:
        namespace = Path("/proc/self/ns/pid").readlink().name
    except OSError:  # no /proc: the host name alone has to do
        namespace = ""
    return f"{socket.gethostname()}/{boot}/{namespace}"


def _start_time(pid: int) -> str:
    """Return when a living process started (ticks since boot), ``?`` if it lives unseen, empty when it is gone."""
    status = _read(Path(f"/proc/{pid}/stat"))
    if status:
        fields = status.rpartition(")")[2].split()  # the name before may hold blanks and parentheses
        return "" if fields[0] in "ZX" else fields[19]
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        return _UNKNOWN
    return _UNKNOWN


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # not there, or not ours to see: the caller asks in another way
        return ""
