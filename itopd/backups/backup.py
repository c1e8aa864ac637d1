"""One backup: dump, archive, name (``spec/heartbeat.md`` §11)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from itopd import __version__
from itopd.backups.archive import Member, write_archive
from itopd.backups.dumping import Programs, current_schema, dump
from itopd.backups.manifest import Content, Manifest, layout_of
from itopd.backups.naming import backup_name, place
from itopd.backups.stopping import Pace
from itopd.backups.work_folder import work_folder
from itopd.clock import Clock
from itopd.database import Database, HeldLock
from itopd.errors import ConflictError, SettingsError

_SLICE: Final = 1.0
"""Seconds between two looks whether to stop, while another one holds the mutex."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BackupPlan:
    """What goes into a backup, and where it goes."""

    folder: Path
    file_name_format: str
    environment: str
    """iTop's environment: part of the mutex's name."""
    programs: Programs = Programs()  # noqa: RUF009 - it never changes
    files: Sequence[Member] = ()
    """Files beside the dump; a folder stands for all files in it."""
    wait_seconds: float = 0
    """How long to wait while another backup or a restore is at work."""


def create_backup(database: Database, plan: BackupPlan, clock: Clock, pace: Pace) -> Path:
    """Make a backup and return its path; one that fails leaves nothing.

    It holds iTop's mutex ``backup.<environment>``. Raises :class:`ConflictError` when somebody else holds that too
    long, :class:`SettingsError` for a missing program, a file that cannot be read, a full disk; what
    :func:`~itopd.backups.dumping.dump` raises.
    """
    with backup_mutex(database, plan.environment, plan.wait_seconds, pace) as mutex:
        created = clock.now()
        wall = created.astimezone(database.timezone).replace(tzinfo=None)
        name = backup_name(plan.file_name_format, database, wall)
        members = list(_files(plan.files))
        with work_folder(plan.folder) as folder:
            dumped = dump(database, folder, plan.programs, pace)
            mutex.check()

            def manifest(held: dict[str, Content]) -> Manifest:
                return Manifest(
                    created=created,
                    itopd=__version__,
                    engine=database.dialect,
                    server=_server(database),
                    database=database.name,
                    prefix=database.prefix,
                    schema=current_schema(database) if database.dialect == "postgresql" else "",
                    layout=layout_of(database),
                    dump=dumped.name,
                    members=held,
                )

            archive = folder / "archive"
            write_archive(archive, [Member(dumped.name, dumped), *members], manifest, pace)
            path = place(archive, plan.folder, name)
    _log.info("backup_created", file=str(path), bytes=path.stat().st_size)
    return path


@contextmanager
def backup_mutex(database: Database, environment: str, wait: float, pace: Pace) -> Iterator[HeldLock]:
    """Hold ``backup.<environment>`` within the context; :class:`ConflictError` when others hold it too long."""
    until = time.monotonic() + wait
    with ExitStack() as stack:
        while True:
            pace.check()
            left = max(until - time.monotonic(), 0)
            try:
                held = stack.enter_context(database.named_lock(f"backup.{environment}", min(_SLICE, left)))
                break
            except ConflictError:
                if left == 0:
                    raise
        yield held


def _files(given: Sequence[Member]) -> Iterator[Member]:
    for member in given:
        if member.path.is_dir():
            inside = sorted(path for path in member.path.rglob("*") if path.is_file())
            yield from (Member(f"{member.name}/{path.relative_to(member.path)}", path) for path in inside)
        elif member.path.is_file():
            yield member
        else:
            raise SettingsError(
                f"{member.path}, which is to go into the backup, is no file or folder that this account may read: "
                "correct itop-backup.extra_files, or let it read that"
            )


def _server(database: Database) -> str:
    with database.look() as connection:
        version = connection.dialect.server_version_info or ()
    return ".".join(map(str, version))
