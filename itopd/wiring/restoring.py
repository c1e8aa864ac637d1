"""A restore of this installation: who must not be at work, and what is told afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from itopd.backups import Manifest, Pace, RestorePlan, restore_backup
from itopd.database import Database
from itopd.errors import ConflictError, SettingsError
from itopd.mail import counts, redirection_of
from itopd.settings import Settings
from itopd.state import StateStore, fingerprints, instances, open_state
from itopd.wiring import needs
from itopd.wiring.backups import programs_of
from itopd.wiring.databases import open_configured_database
from itopd.wiring.maintenance import is_attached

_SILENT_SECONDS: Final = 120
"""A daemon of another host that gave no sign of life for so long does not live."""

_MARKED: Final = "itopd restore\n"
"""What the marker holds that a restore makes: one that was killed left it, the next one takes it away."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore has made."""

    manifest: Manifest
    where: str
    differences: tuple[str, ...]
    """Between the database and the data model."""
    waiting: int
    """Mails that would go to their recipients; none does until somebody adopts the database."""


def restore(
    settings: Settings, file: Path, pace: Pace, *, replace: bool, other_model: bool, while_running: bool
) -> Restored:
    """Put a backup in the place of the database of the settings.

    Raises :class:`ConflictError` while a daemon lives, and as :func:`itopd.backups.restore_backup`.
    """
    plan = RestorePlan(
        file=file,
        work_in=settings.data_folder.absolute(),
        environment=settings.itop_environment,
        programs=programs_of(settings),
        replace=replace,
        other_model=other_model,
        while_running=while_running,
    )
    with closing(open_state(settings.effective_state_url)) as state:
        if not while_running:
            _require_nobody(state)
        with closing(open_configured_database(settings)) as database, _maintenance(settings):
            manifest = restore_backup(database, plan, pace)
        with closing(open_configured_database(settings)) as database:
            waiting = _waiting(settings, database)
            if waiting:
                fingerprints.withdraw(state)
            return Restored(manifest, database.where, tuple(database.missing()), waiting)


def _require_nobody(state: StateStore) -> None:
    alive = [one for one in instances.listed(state) if not one.is_dead and one.silent_seconds < _SILENT_SECONDS]
    if alive:
        one = alive[0]
        raise ConflictError(
            f"a {one.kind} of itopd works on this database ({one.owner}, seen {one.silent_seconds:.0f} s ago): stop "
            "it, or say --while_running"
        )


@contextmanager
def _maintenance(settings: Settings) -> Iterator[None]:
    """Let no task or job of a stand-alone itopd begin within the context; iTop heeds the mutex of its own."""
    marker = settings.data_folder / ".maintenance"
    try:
        others = is_attached(settings) or (marker.exists() and marker.read_text(encoding="utf-8") != _MARKED)
        if not others:
            marker.write_text(_MARKED, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{marker} cannot be made ({error.strerror}): correct data_folder") from error
    if others:
        yield
        return
    try:
        yield
    finally:
        marker.unlink(missing_ok=True)


def _waiting(settings: Settings, database: Database) -> int:
    """Return how many mails of the backup would be sent again as soon as something runs."""
    if redirection_of(settings) or needs.lacking(database.model, "mails"):
        return 0
    with database.read() as connection:
        rows = counts(connection, database)
    return sum(one.rows for one in rows if (one.realclass, one.status) == ("AsyncSendEmail", "planned"))
