"""Hot folders: files that appear in a folder are worked off one by one, by one run each, in the order of their names.

::

    inbox/persons.csv                      appears; is taken once it has stayed the same for a while
    inbox/working/JOB/RUN.0-1.persons.csv  taken by run RUN: a rename, so of several takers one gets it
    inbox/done/persons.csv                 worked off, beside it persons.csv.report.txt: what the service printed
    inbox/failed/persons.csv               unusable, or failed too often

The heartbeat only looks (:class:`HotFolder`); the child process of the run takes, and puts away
(:mod:`itopd.heartbeat.jobs.taking`). A file is at every moment in one of these places, so nothing is lost when a
process dies: what it leaves in ``working`` is taken up by the next run. The finished report, kept beside the file under
a hidden name until both are put away, tells that the work was done already.
"""

from __future__ import annotations

import json
import os
import re
import stat
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from itopd.errors import SettingsError

SETTLE_SECONDS = 2.0
"""How long a file must have stayed the same before it is taken."""
_WORKING = "working"
_UNFINISHED = re.compile(r"\..*|.*(?:~|\.(?:part|partial|tmp|temp|filepart|crdownload|swp|lock))", re.IGNORECASE)
"""Names under which programs write what is not complete yet."""
_MOST_READY = 100
"""Files handed to one run, which takes the first that it gets."""
FILE_SIGN = "{file}"
"""Stands for the name of the watched file in keys that name files to write."""
ENTRY = re.compile(r"([^.]+)\.(\d+)-(\d+)\.(.+)", re.DOTALL)
"""Run that took it first, failures, deaths (the present owner counted beforehand), name."""


class Signature(NamedTuple):
    """What changes when somebody writes to a file."""

    inode: int
    size: int
    modified: int
    """Nanoseconds."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What is watched: the files of one folder whose names fit a pattern."""

    folder: Path
    pattern: str

    @classmethod
    def parse(cls, text: str) -> Watch:
        """Read ``folder/*.csv``; :class:`SettingsError` when there is no such folder and pattern in it."""
        folder, pattern = os.path.split(text)
        if not folder or not pattern:
            raise SettingsError(f"'{text}' names no folder and pattern; write watch = data/inbox/*.csv")
        if any(sign in folder for sign in "*?["):
            raise SettingsError(f"'{text}': only the last part may hold a pattern; write a job for each folder")
        if "/" in pattern or pattern in {".", ".."}:
            raise SettingsError(f"'{text}' names no files; write watch = {folder}/*.csv")
        return cls(Path(folder), pattern)

    @property
    def text(self) -> str:
        """Return it as it is written."""
        return str(self.folder / self.pattern)

    def candidates(self) -> dict[str, Signature]:
        """Return the files that fit, by name. Raises :class:`OSError` when the folder cannot be read."""
        found = {}
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if not fnmatchcase(entry.name, self.pattern) or _UNFINISHED.fullmatch(entry.name):
                    continue
                try:
                    seen = entry.stat(follow_symlinks=False)
                except FileNotFoundError:  # gone since the folder was read
                    continue
                if stat.S_ISREG(seen.st_mode):
                    found[entry.name] = signature_of(seen)
        return dict(sorted(found.items()))


@dataclass(slots=True)
class HotFolder:
    """The heartbeat's view of a watched folder: it remembers what it saw, and takes nothing."""

    watch: Watch
    job: str
    settle_seconds: float = SETTLE_SECONDS
    problem: str = ""
    """Why the folder could not be read at the last look."""
    _seen: dict[str, tuple[Signature, float]] = field(default_factory=dict)
    """The signature of each file, and since when it is the same (monotonic seconds)."""
    _ready: dict[str, Signature] = field(default_factory=dict)

    def look(self, monotonic: float) -> bool:
        """Look into the folder; return whether there is a file to work on, a left one included."""
        found, left = self._candidates(), False
        if not self.problem:
            left = any(True for _ in left_files(working_folder(self.watch, self.job)))
        seen = {}
        for name, signature in found.items():
            before = self._seen.get(name)
            seen[name] = before if before is not None and before[0] == signature else (signature, monotonic)
        self._seen = seen
        settled = [name for name, (_, since) in seen.items() if monotonic - since >= self.settle_seconds]
        self._ready = {name: found[name] for name in settled[:_MOST_READY]}
        return left or bool(self._ready)

    def reach(self) -> bool:
        """Return whether the folder can be read; ``problem`` says why not."""
        self._candidates()
        return not self.problem

    def _candidates(self) -> dict[str, Signature]:
        try:
            found = self.watch.candidates()
        except OSError as error:
            self.problem = f"{self.watch.folder} cannot be read ({error.strerror}): make the folder, or correct watch"
            return {}
        self.problem = ""
        return found

    @property
    def unsettled(self) -> bool:
        """Return whether the last look saw files that may still be written."""
        return len(self._ready) < min(len(self._seen), _MOST_READY)

    def child_keys(self) -> Mapping[str, str]:
        """Return what the child needs to take a file."""
        return {
            "watch": self.watch.text,
            "ready": json.dumps(self._ready),
            "settle_seconds": repr(self.settle_seconds),
        }

    def wait_for_ready(self) -> Mapping[str, Signature]:
        """Look twice, and return what stayed the same: for a worker that is told of no file, since others looked."""
        self.look(time.monotonic())
        if not self._ready and self.unsettled:
            time.sleep(self.settle_seconds)
            self.look(time.monotonic())
        return self._ready


def working_folder(watch: Watch, job: str) -> Path:
    """Return where a job keeps the files that it works on."""
    return watch.folder / _WORKING / job


def name_of(entry: Path) -> str:
    """Return the name under which a file of the working folder appeared."""
    parts = ENTRY.fullmatch(entry.name)
    return parts[4] if parts is not None else entry.name


def left_files(working: Path) -> Iterator[Path]:
    """Yield the files of a working folder, those taken first first."""
    try:
        paths = sorted(working.iterdir())
    except FileNotFoundError:
        return
    yield from (path for path in paths if ENTRY.fullmatch(path.name) and not path.name.startswith("."))


def signature_of(seen: os.stat_result) -> Signature:
    """Return the signature of a file of which this was seen."""
    return Signature(seen.st_ino, seen.st_size, seen.st_mtime_ns)
