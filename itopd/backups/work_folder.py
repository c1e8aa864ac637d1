"""The folder in which a backup is made: it holds passwords and everybody's data, so it goes whatever happens.

While it is in use a file in it is locked, so that the next run knows what the dead have left behind.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import structlog

from itopd.errors import SettingsError

_PREFIX: Final = ".tmp-backup-"
_LOCK: Final = "in-use"

_log = structlog.get_logger(__name__)


@contextmanager
def work_folder(parent: Path) -> Iterator[Path]:
    """Give an empty folder (mode 0700) inside ``parent``, which is made where needed; removed at the end.

    What killed processes left in ``parent`` is removed first. An error of the file system inside the context, as of a
    full disk, leaves it as :class:`SettingsError`.
    """
    try:
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_leftovers(parent)
        folder = parent / f"{_PREFIX}{secrets.token_hex(6)}"
        folder.mkdir(mode=0o700)
        try:
            with (folder / _LOCK).open("xb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield folder
        finally:
            shutil.rmtree(folder)
    except OSError as error:
        what = f" {error.filename}" if error.filename else ""
        raise SettingsError(
            f"working in {parent} failed:{what} {error.strerror or error}: nothing was left there. Make room, let this "
            "account write there, or name another folder"
        ) from error


def _remove_leftovers(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        if _is_abandoned(folder):
            shutil.rmtree(folder, ignore_errors=False)
            _log.warning("backup_leftovers_removed", folder=str(folder))


def _is_abandoned(folder: Path) -> bool:
    """Return whether nobody works in a folder."""
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:  # killed between two lines above, or gone since
        return folder.is_dir()
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
