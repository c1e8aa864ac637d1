"""Taking files from a hot folder and putting them away: what the child process of a run does with its file.

Every step is one change of the file system, and can be repeated by the next owner when the process dies after it.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Literal

from itopd.errors import MissingFile
from itopd.heartbeat.jobs.hot_folder import ENTRY, Signature, Watch, left_files, signature_of, working_folder

Verdict = Literal["done", "failed"]

_VERDICTS: tuple[Verdict, Verdict] = ("done", "failed")
_LONGEST_NAME = 200
"""Bytes of a name that leave room, within the 255 of file systems, for what is put before and behind it."""
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}


@dataclass(slots=True)
class Taken:
    """A file that is ours: it lies in the working folder, locked as long as this process lives."""

    name: str
    """As it was called when it appeared; the front of its stem, where that was too long to put anything before it."""
    path: Path
    failures: int
    """How often work on it failed."""
    deaths: int
    """How many processes in a row died over it."""
    run_id: str
    """Of the run that took it first."""
    verdict: Verdict | None
    """Set when an earlier owner had finished the work and died before the file was put away."""
    lock: int | None
    """The descriptor that holds the lock; ``None``: the file may not be opened, the lease of the job has to do."""
    unreadable: str = ""
    """Why it may not be opened."""

    @property
    def output(self) -> Path:
        """Return where what the service prints is kept while it works."""
        return self._hidden("output")

    @property
    def _folder(self) -> Path:
        return self.path.parent

    def decide(self, verdict: Verdict) -> None:
        """Note, in one step, that the work is over and how: from here on the file is only put away."""
        self.output.replace(self._hidden(verdict))
        self.verdict = verdict

    def give_back(self, *, failed: bool) -> None:
        """Leave the file to a later run; ``failed``: it may have been the file's fault, and is counted."""
        self.output.unlink(missing_ok=True)
        self.path = self.path.rename(self._folder / _entry_name(self.run_id, self.failures + failed, 0, self.name))
        self._unlock()

    def put_away(self, suffix: str) -> Path:
        """Move the file, and beside it its report, to where its verdict says; return the file's new place.

        Nothing is overwritten: where the name is taken the file gets a number. It can be repeated after a crash at any
        point: what is done already is recognised.
        """
        if self.verdict is None:
            raise ValueError(f"{self.path}: nothing was decided")
        report = self._hidden(self.verdict)
        folder = self._folder.parent.parent / self.verdict
        folder.mkdir(exist_ok=True)
        for name in _numbered(self.name):
            place, place_of_report = folder / name, folder / f"{name}.report{suffix}"
            if _lexists(place) and not _is_same(self.path, place):
                continue
            if not _link(report, place_of_report):
                continue
            if not _link(self.path, place):
                place_of_report.unlink()
                continue
            self.path.unlink(missing_ok=True)
            report.unlink(missing_ok=True)
            self._unlock()
            return place
        raise AssertionError("there are always more names")

    def _unlock(self) -> None:
        if self.lock is not None:
            os.close(self.lock)

    def _hidden(self, kind: str) -> Path:
        return self._folder / f".{self.run_id}.{kind}"


@dataclass(frozen=True, slots=True)
class Taker:
    """The child's side of a watched folder."""

    watch: Watch
    job: str

    def take(self, ready: Iterable[tuple[str, Sequence[int]]], run_id: str) -> Taken | None:
        """Take a file that an earlier run left, else the first of ``ready`` that is still as it was seen.

        Returns ``None`` when there is none that nobody else has. Raises :class:`MissingFile` when none of them can be
        moved here: one that cannot does not keep the others waiting.
        """
        working = working_folder(self.watch, self.job)
        obstacle: OSError | None = None
        try:
            working.mkdir(parents=True, exist_ok=True)
            _forget_finished(working)
            for entry in left_files(working):
                taken = _take_up(entry)
                if taken is not None:
                    return taken
            for name, signature in ready:
                try:
                    taken = self._take_new(working, name, Signature(*signature), run_id)
                except OSError as error:
                    obstacle = obstacle or error
                    continue
                if taken is not None:
                    return taken
            if obstacle is not None:
                raise obstacle
        except OSError as error:
            raise MissingFile(
                f"files of {self.watch.folder} cannot be moved to {working} ({error.strerror}): "
                "let this account write in both"
            ) from error
        return None

    def is_held(self) -> bool:
        """Return whether the working folder holds a file, which then is another process's."""
        return any(True for _ in left_files(working_folder(self.watch, self.job)))

    def _take_new(self, working: Path, name: str, signature: Signature, run_id: str) -> Taken | None:
        source, entry = self.watch.folder / name, working / _entry_name(run_id, 0, 0, _short(name))
        try:
            if signature_of(source.stat(follow_symlinks=False)) != signature:
                return None
            source.rename(entry)
        except FileNotFoundError:  # another taker was faster
            return None
        return _take_up(entry)


def _take_up(entry: Path) -> Taken | None:
    """Lock a file of the working folder and count our death beforehand; ``None`` when another process has it."""
    parts = ENTRY.fullmatch(entry.name)
    if parts is None:
        return None
    run_id, failures, deaths, name = parts[1], int(parts[2]), int(parts[3]), parts[4]
    try:
        lock = os.open(entry, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except PermissionError as error:
        return Taken(name, entry, failures, deaths, run_id, _verdict(entry, run_id), None, error.strerror or str(error))
    try:
        if not _locked(lock) or not _is_same(entry, lock):
            os.close(lock)
            return None
        verdict = _verdict(entry, run_id)
        if verdict is None:
            entry = entry.rename(entry.parent / _entry_name(run_id, failures, deaths + 1, name))
    except BaseException:
        os.close(lock)
        raise
    return Taken(name, entry, failures, deaths, run_id, verdict, lock)


def _verdict(entry: Path, run_id: str) -> Verdict | None:
    """Return what an earlier owner decided about a file of the working folder."""
    return next((one for one in _VERDICTS if (entry.parent / f".{run_id}.{one}").exists()), None)


def _entry_name(run_id: str, failures: int, deaths: int, name: str) -> str:
    return f"{run_id}.{failures}-{deaths}.{name}"


def _short(name: str) -> str:
    """Return a name to which something can be added, with its extension."""
    stem, extension = Path(name).stem, Path(name).suffix
    while len(os.fsencode(stem + extension)) > _LONGEST_NAME:
        stem, extension = (stem[:-1], extension) if stem else (extension, "")
    return stem + extension


def _locked(file: int) -> bool:
    """Lock a file for as long as this process has it open; where there are no locks, the lease of the job is enough."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    return True


def _forget_finished(working: Path) -> None:
    """Remove what belongs to files that are gone: their owners died after everything was put away."""
    names = [path.name for path in working.iterdir()]
    present = {name.partition(".")[0] for name in names if not name.startswith(".")}
    for name in names:
        if name.startswith(".") and name[1:].partition(".")[0] not in present:
            (working / name).unlink(missing_ok=True)


def _numbered(name: str) -> Iterator[str]:
    """Yield a name, then the same with a number before its extension."""
    stem, dot, extension = name.partition(".")
    yield name
    yield from (f"{stem}-{number}{dot}{extension}" for number in count(2))


def _link(source: Path, target: Path) -> bool:
    """Give a file a second name, or its new name where there are no links; return whether ``target`` is that file."""
    try:
        target.hardlink_to(source)
    except FileExistsError:
        return _is_same(source, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        try:
            target.open("xb").close()
        except FileExistsError:
            return False
        source.replace(target)
    return True


def _is_same(path: Path, other: Path | int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.stat(other))  # noqa: PTH116 - of a path or a descriptor
    except FileNotFoundError:
        return False


def _lexists(path: Path) -> bool:
    return os.path.lexists(path)
