"""The programs that dump and load a server's database: found, told who they are without showing it, run, stopped."""

from __future__ import annotations

import os
import selectors
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from itopd.backups.stopping import Pace
from itopd.errors import DatabaseError, SettingsError

_CHUNK: Final = 1 << 18
_LOOK_SECONDS: Final = 0.2
_SHOWN: Final = 1500
"""Characters of what a failed tool said."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A program and how it connects: nothing in ``command`` or ``environ`` is secret."""

    command: Sequence[str]
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    @property
    def name(self) -> str:
        """Return the name of the program."""
        return Path(self.command[0]).name


def find_program(names: Sequence[str], folder: str, setting: str, package: str) -> str:
    """Return the path of the first program of these names that is there, in ``folder`` or else on the search path.

    Raises :class:`SettingsError` that names the package to install and the setting that names the folder.
    """
    for name in names:
        found = shutil.which(name, path=folder or None)
        if found is not None:
            return found
    where = f"in {folder} ({setting})" if folder else "on the search path"
    raise SettingsError(
        f"{' or '.join(names)} is not there {where}: install it (Debian's package {package}), or name its folder in "
        f"the setting {setting}"
    )


def read_from(tool: Tool, folder: Path, pace: Pace, take: Callable[[bytes], None]) -> None:
    """Run a tool and give ``take`` its output as it comes; a tool whose reader dies ends with it.

    Raises :class:`DatabaseError` with what a tool said that failed; what ``pace`` raises when it is to stop.
    """
    with _started(tool, folder, stdout=subprocess.PIPE) as process, selectors.DefaultSelector() as selector:
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            pace.check()
            if not selector.select(_LOOK_SECONDS):
                continue
            chunk = os.read(process.stdout.fileno(), _CHUNK)
            if not chunk:
                break
            take(chunk)
        _require_success(tool, folder, process.wait())


def feed(tool: Tool, folder: Path, source: BinaryIO, pace: Pace) -> None:
    """Run a tool whose input is a file, to its end: what it has begun may not be cut off.

    The tool reads the file itself, so it finishes even when this process is killed. Errors as of :func:`read_from`.
    """
    total = os.fstat(source.fileno()).st_size
    with _started(tool, folder, stdin=source, stdout=subprocess.DEVNULL) as process:
        while True:
            try:
                code = process.wait(_LOOK_SECONDS)
                break
            except subprocess.TimeoutExpired:
                pace.report(os.lseek(source.fileno(), 0, os.SEEK_CUR), total, "bytes loaded")  # they share the offset
        _require_success(tool, folder, code)


@contextmanager
def _started(
    tool: Tool, folder: Path, *, stdout: int, stdin: BinaryIO | int = subprocess.DEVNULL
) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(  # noqa: S603 - the command is made here
            tool.command, env=tool.environ, stdin=stdin, stdout=stdout, stderr=said, start_new_session=True
        )
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def _require_success(tool: Tool, folder: Path, code: int) -> None:
    if code == 0:
        return
    said = (folder / "said").read_text(encoding="utf-8", errors="replace").strip()[-_SHOWN:]
    raise DatabaseError(f"{tool.name} failed (exit code {code}): {said or 'it said nothing'}")
