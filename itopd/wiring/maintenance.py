"""Whether iTop lets anybody write now: its marker files and its access mode (``spec/heartbeat.md`` §1)."""

from __future__ import annotations

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
    if (folder / ".maintenance").exists():
        return f"iTop is under maintenance ({folder / '.maintenance'} exists): try again when it is gone"
    if writes and (folder / ".readonly").exists():
        return f"iTop is read-only ({folder / '.readonly'} exists): try again when it is gone"
    if writes and not settings.access_mode & _ADMINISTRATORS_WRITE:
        return f"writing is closed even to administrators (access_mode = {settings.access_mode})"
    return ""
