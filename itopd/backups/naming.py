"""Where a backup goes and how it is called, and which older ones go (``spec/heartbeat.md`` §11)."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Final

import structlog

from itopd.database import Database
from itopd.errors import SettingsError

SUFFIX: Final = ".tar.gz"
_BACKUPS: Final = (".zip", SUFFIX)
_NO_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})

_log = structlog.get_logger(__name__)


def backup_name(name_format: str, database: Database, wall: datetime) -> str:
    """Return the name without extension; the words of the format are replaced after the letters of ``strftime``.

    Raises :class:`SettingsError` for a name that is none.
    """
    words = {
        "__HOST__": database.engine.url.host or socket.gethostname(),
        "__DB__": Path(database.name).stem if database.dialect == "sqlite" else database.name,
        "__SUBNAME__": database.prefix,
    }
    name = wall.strftime(name_format)
    for word, value in words.items():
        name = name.replace(word, value)
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise SettingsError(
            f"itop-backup: wrong format for setting 'file_name_format' ('{name_format}' makes '{name}'): name a file, "
            "without folders"
        )
    return name


def place(finished: Path, folder: Path, name: str) -> Path:
    """Give a finished archive its name in a folder of the same file system; return its path.

    Nothing is overwritten: where a file of that name is there, a counter is added.
    """
    for path in _candidates(folder, name):
        try:
            os.link(finished, path)
        except FileExistsError:
            continue
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            if path.exists():  # a file system without links, as of Windows' shares
                continue
            finished.rename(path)
        else:
            finished.unlink()
        return path
    raise AssertionError("the candidates never end")


def _candidates(folder: Path, name: str) -> Iterator[Path]:
    yield folder / f"{name}{SUFFIX}"
    for number in count(2):
        yield folder / f"{name}-{number}{SUFFIX}"


def retain(folder: Path, number: int, newest: Path) -> None:
    """Delete the oldest backups of a folder until ``number`` remain, never the ``newest``; 0 keeps all.

    Backups are all ``*.zip`` and ``*.tar.gz``, by the time of their last change. Raises :class:`SettingsError` naming
    those that cannot be deleted; the others are.
    """
    if number == 0:
        return
    problems = []
    for path in sorted((path for path in _backups(folder) if path != newest), key=_age)[: -(number - 1) or None]:
        try:
            path.unlink(missing_ok=True)
            _log.info("backup_deleted", file=str(path), retention_count=number)
        except OSError as error:
            problems.append(f"{path} could not be deleted ({error.strerror})")
    if problems:
        raise SettingsError(
            f"the backup {newest} was created, but of the old ones {'; '.join(problems)}: let this account write there"
        )


def _backups(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if path.name.endswith(_BACKUPS) and path.is_file())


def _age(path: Path) -> tuple[int, str]:
    try:
        return path.stat().st_mtime_ns, path.name
    except FileNotFoundError:  # somebody else has deleted it
        return 0, path.name
