"""From an archive back to a database: looked at wholly before anything is touched."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from itopd.backups.archive import read_archive
from itopd.backups.backup import backup_mutex
from itopd.backups.dumping import Programs, current_schema
from itopd.backups.loading import held, load
from itopd.backups.manifest import Manifest, layout_of
from itopd.backups.stopping import Pace
from itopd.backups.work_folder import work_folder
from itopd.database import Database
from itopd.errors import ConflictError, RefusedError

_CRON: Final = "cron"
"""The mutex that iTop's cron.php holds while it runs."""


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """What is restored, and how sure somebody is."""

    file: Path
    work_in: Path
    """Where the archive is unpacked."""
    environment: str
    programs: Programs = Programs()  # noqa: RUF009 - it never changes
    replace: bool = False
    """Whether what the database holds may go."""
    other_model: bool = False
    """Whether the data model may be another one than the backup's."""
    while_running: bool = False
    """Whether iTop's cron.php may be at work."""


def restore_backup(database: Database, plan: RestorePlan, pace: Pace) -> Manifest:
    """Put a backup in the place of what a database holds, and return what the backup says of itself.

    iTop's mutexes ``restore.<environment>`` (its users only read meanwhile), ``backup.<environment>`` and ``cron`` are
    held. Raises :class:`MissingFile`, :class:`InputError` for an archive that is not whole, :class:`RefusedError` for
    one of another engine, data model, prefix or schema and for a database that is not empty,
    :class:`ConflictError` where somebody works with it; nothing has changed then. What
    :func:`~itopd.backups.loading.load` raises.
    """
    with _mutexes(database, plan, pace):
        _require_room(database, plan)
        with work_folder(plan.work_in) as folder:
            manifest, dump = read_archive(plan.file, folder, pace)
            _require_fitting(database, manifest, plan)
            pace.check()
            load(database, dump, folder, plan.programs, pace)
    return manifest


@contextmanager
def _mutexes(database: Database, plan: RestorePlan, pace: Pace) -> Iterator[None]:
    with ExitStack() as stack:
        stack.enter_context(database.named_lock(f"restore.{plan.environment}"))
        stack.enter_context(backup_mutex(database, plan.environment, 0, pace))
        if not plan.while_running:
            try:
                stack.enter_context(database.named_lock(_CRON))
            except ConflictError as error:
                raise ConflictError(
                    f"iTop's cron.php is at work ({error.message}): stop it in its crontab and wait for its end, or "
                    "say --while_running"
                ) from error
        yield


def _require_room(database: Database, plan: RestorePlan) -> None:
    names = held(database)
    if names and not plan.replace:
        raise RefusedError(
            f"{database.where} is not empty (it holds {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}): name "
            "an empty database in database_url, or let all of it go with --replace"
        )


def _require_fitting(database: Database, manifest: Manifest, plan: RestorePlan) -> None:
    schema = current_schema(database) if database.dialect == "postgresql" else ""
    facts = (
        ("engine", manifest.engine, database.dialect, "restore it there, then 'itopd db copy'"),
        ("table prefix (db_subname)", manifest.prefix, database.prefix, "correct db_subname"),
        ("schema", manifest.schema, schema, "correct the search_path of the account"),
    )
    for what, theirs, ours, advice in facts:
        if theirs != ours:
            raise RefusedError(
                f"{plan.file} is of another {what}: '{theirs}', and {database.where} has '{ours}'; {advice}"
            )
    if manifest.layout != layout_of(database) and not plan.other_model:
        raise RefusedError(
            f"{plan.file} was made by itopd {manifest.itopd} with another data model than that of the settings: "
            "correct data_model (the archive may hold the right one), or say --other_model and look at "
            "'itopd db check' afterwards"
        )
