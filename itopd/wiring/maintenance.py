"""Whether iTop lets anybody write now: its marker files and its access mode (``spec/heartbeat.md`` §1)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from itopd.errors import RefusedError
from itopd.settings import Settings

_ADMINISTRATORS_WRITE = 2


def is_attached(settings: Settings) -> bool:
    """Return whether the database belongs to an iTop of its own, whose processes are not ours to run unasked."""
    return settings.attached or settings.itop_config is not None or settings.itop_root is not None


def require_open(settings: Settings, *, writes: bool) -> None:
    """Raise :class:`RefusedError` with :func:`reason_closed` when there is one."""
    reason = reason_closed(settings, writes=writes)
    if reason:
        raise RefusedError(reason)


def reason_closed(settings: Settings, *, writes: bool) -> str:
    """Return why nothing may be done now: iTop's maintenance, and for ``writes`` a read-only iTop; empty: go on.

    The marker files lie in the data folder of the attached iTop, else in itopd's own.
    """
    folder = settings.itop_root / "data" if settings.itop_root else settings.data_folder
    try:
        marked = _reason_marked(folder, writes=writes)
    except OSError as error:
        return (
            f"{folder} cannot be looked at ({error.strerror}), so whether iTop is under maintenance is unknown: let "
            "itopd's account into that folder"
        )
    if marked:
        return marked
    if writes and not settings.access_mode & _ADMINISTRATORS_WRITE:
        return f"writing is closed even to administrators (access_mode = {settings.access_mode})"
    return ""


def marker(settings: Settings) -> Literal["", "readonly", "maintenance"]:
    """Return which marker file is there, the first that iTop's cron.php looks for; one it may not see is none."""
    folder = settings.itop_root / "data" if settings.itop_root else settings.data_folder
    names: tuple[Literal["readonly", "maintenance"], ...] = ("readonly", "maintenance")
    return next((name for name in names if os.access(folder / f".{name}", os.F_OK)), "")


def _reason_marked(folder: Path, *, writes: bool) -> str:
    if (folder / ".maintenance").exists():
        return f"iTop is under maintenance ({folder / '.maintenance'} exists): try again when it is gone"
    if writes and (folder / ".readonly").exists():
        return f"iTop is read-only ({folder / '.readonly'} exists): try again when it is gone"
    return ""
