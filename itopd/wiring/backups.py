"""What a backup of this installation is: its folder, its files, the programs that make it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from itopd.backups import BackupPlan, Member, Pace, Programs
from itopd.clock import Clock
from itopd.database import Database
from itopd.errors import SettingsError
from itopd.settings import Settings
from itopd.tasks.backup_exec import backup_exec


def back_up(
    settings: Settings,
    config: Sequence[str],
    database: Database,
    clock: Clock,
    pace: Pace,
    *,
    folder: Path | None = None,
    wait_seconds: float = 0,
) -> str:
    """Make a backup of this installation; return the message of ``BackupExec``.

    In a ``folder`` of one's own nothing is deleted. Raises as :func:`itopd.tasks.backup_exec`.
    """
    plan = BackupPlan(
        folder=(folder or backup_folder(settings)).absolute(),
        file_name_format=settings.itop_backup_file_name_format,
        environment=settings.itop_environment,
        programs=programs_of(settings),
        files=tuple(_files(settings, config)),
        wait_seconds=wait_seconds,
    )
    return backup_exec(database, plan, 0 if folder else settings.itop_backup_retention_count, clock, pace)


def programs_of(settings: Settings) -> Programs:
    """Return where the servers' own programs are."""
    return Programs(settings.itop_backup_mysql_bindir, settings.backup_postgresql_bindir)


def backup_folder(settings: Settings) -> Path:
    """Return where scheduled backups go: beside an iTop to its own folder of them."""
    if settings.backup_folder is not None:
        return settings.backup_folder
    return (settings.itop_root / "data" if settings.itop_root else settings.data_folder) / "backups" / "auto"


def _files(settings: Settings, config: Sequence[str]) -> Iterator[Member]:
    """Yield what goes into a backup beside the dump: iTop's files under iTop's names, and itopd's own."""
    environment, root = settings.itop_environment, settings.itop_root
    if settings.itop_config is not None:
        yield Member("config-itop.php", settings.itop_config)
    if root is not None:
        data = root / "data"
        names = {"delta.xml": f"{environment}.delta.xml", f"{environment}-modules": f"{environment}-modules"}
        yield from (Member(name, data / path) for name, path in names.items() if (data / path).exists())
    elif settings.data_model:
        yield Member("datamodel.xml", Path(settings.data_model))
    for number, path in enumerate(map(Path, config)):
        yield Member(f"itopd/{number}-{path.name}" if number else f"itopd/{path.name}", path)
    if settings.jobs_folder.is_dir():
        yield Member("itopd/jobs", settings.jobs_folder)
    for name in settings.itop_backup_extra_files:
        inside = PurePosixPath(name)
        if inside.is_absolute() or ".." in inside.parts:
            raise SettingsError(
                f"itop-backup.extra_files: '{name}' is not below the folder of the installation: name files relative "
                "to itop_root, else to data_folder"
            )
        yield Member(str(inside), (root or settings.data_folder) / inside)
