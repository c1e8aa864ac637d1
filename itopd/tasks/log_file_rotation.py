"""LogFileRotationProcess: gives log files of past periods a name of their own, and deletes old ones (§10)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Final

import structlog

from itopd.errors import SettingsError
from itopd.tasks.log_periods import Rotation, is_due, rotated_name
from itopd.tasks.work import Work

FILES: Final = ("setup.log", "error.log", "tools.log", "itop-fence.log")
_PURGED: Final = frozenset({".log", ".sql", ".xml"})
_DAY: Final = 86_400
_LOCK_SECONDS: Final = 60

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LogFiles:
    """Which files, and what becomes of them."""

    folder: Path
    rotation: Rotation
    max_keep_days: int | None
    """Whole days that files are kept; ``None``: for ever."""


def log_file_rotation(work: Work, files: LogFiles) -> str:
    """Rotate what is due, then purge; return iTop's message, which is empty.

    No file is ever overwritten. iTop, which rotates before it writes, is kept out of each file by its own mutex. Raises
    :class:`SettingsError` naming the files that could not be renamed or deleted; the others were.
    """
    problems = [*_rotate_all(work, files), *_purge(work, files)]
    if problems:
        raise SettingsError(f"{'; '.join(problems)}: let this account write in {files.folder}")
    return ""


def _rotate_all(work: Work, files: LogFiles) -> Iterator[str]:
    """Rotate; yield what went wrong."""
    for path in (files.folder / name for name in FILES):
        try:
            if not _due_since(work, files.rotation, path):
                continue
            with work.database.named_lock(f"log_rotation_{path}", _LOCK_SECONDS):
                modified = _due_since(work, files.rotation, path)  # iTop may have been faster
                if modified is not None:
                    target = _free(path, rotated_name(files.rotation, path.name, modified, work.database.timezone))
                    path.rename(target)
                    _log.info("log_rotated", file=str(path), became=target.name)
        except OSError as error:
            yield f"{path} could not be renamed ({error.strerror})"


def _due_since(work: Work, rotation: Rotation, path: Path) -> datetime | None:
    """Return when a file that is to be rotated was last written; ``None``: it is not, or is not there."""
    try:
        modified = _modified(path)
    except FileNotFoundError:
        return None
    return modified if is_due(rotation, modified, work.clock.now(), work.database.timezone) else None


def _free(path: Path, name: str) -> Path:
    """Return the path of a new name; with a counter where a file of that name is there (§12)."""
    target = path.with_name(name)
    numbered = (target.with_name(f"{target.stem}.{number}{target.suffix}") for number in count(2))
    return target if not target.exists() else next(one for one in numbered if not one.exists())


def _purge(work: Work, files: LogFiles) -> Iterator[str]:
    """Delete what is too old; yield what went wrong."""
    if files.max_keep_days is None or not files.folder.is_dir():
        return
    for path in sorted(files.folder.iterdir()):
        try:
            if path.suffix not in _PURGED or not path.is_file() or path.is_symlink():
                continue
            if (work.clock.now() - _modified(path)).total_seconds() // _DAY <= files.max_keep_days:
                continue
            path.unlink()
            _log.info("log_deleted", file=str(path))
        except FileNotFoundError:  # somebody else has deleted it
            continue
        except OSError as error:
            yield f"{path} could not be deleted ({error.strerror})"


def _modified(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)
