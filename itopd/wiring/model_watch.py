"""Whether iTop's set-up has run since: the data model that an attached daemon works with must be the one in force.

Every run loads the model in its own process, from the file as it is at that moment, so no run has an old one and a run
under way keeps the one it began with. The watch is the daemon's: it notices a new file, new dictionaries or new rows in
``priv_module_install``, and lets nothing that writes begin while the new model cannot be loaded or does not fit the
tables, as in the middle of a set-up.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from itopd.clock import to_itop
from itopd.database import Database
from itopd.errors import DatabaseError, ItopdError
from itopd.settings import Settings
from itopd.wiring.databases import attached_texts, open_configured_database

_INSTALLATIONS = "ModuleInstallation"
_SHOWN = 3


@dataclass(slots=True)
class ModelWatch:
    """The watch over one data model; used by one thread at a time."""

    settings: Settings
    database: Database
    """As it was opened at the start; only rows of iTop's own installation are read through it."""
    _generation: str | None = None
    _problem: str = ""
    _accepted: frozenset[str] = field(default_factory=frozenset)
    """Where the tables differed from the model at the start already: 'itopd check' tells of that."""

    def generation(self) -> str:
        """Return which model is in force, for people; another text whenever iTop's set-up has run.

        Empty: the bundled model, which never changes. Raises :class:`DatabaseError` when the database is away.
        """
        if not self.settings.data_model:
            return ""
        path = Path(self.settings.data_model)
        texts = attached_texts(self.settings)
        files = [_version(path), *([_version(texts.folder)] if texts is not None else [])]
        installed, rows = self._installations()
        digest = hashlib.sha256(repr((files, installed, rows)).encode()).hexdigest()[:8]
        written = to_itop(datetime.fromtimestamp(files[0][1] / 1e9, UTC), self.settings.zone)
        return f"{path} of {written}, set-up of iTop {installed or 'never recorded'} ({digest})"

    def problem(self) -> str:
        """Return why nothing that writes may begin with the model in force; empty: it may.

        Looks again after every change, and as long as there is something wrong.
        """
        generation = self.generation()
        if generation and (generation != self._generation or self._problem):
            first = self._generation is None
            self._problem = self._look(first=first)
            self._generation = generation
        return self._problem

    def _look(self, *, first: bool) -> str:
        try:
            database = open_configured_database(self.settings)
        except DatabaseError:
            raise
        except ItopdError as error:
            return f"the data model in force cannot be loaded, nothing that writes begins until it can: {error.message}"
        try:
            differences = frozenset(database.missing())
        finally:
            database.close()
        if first:
            self._accepted = differences
        new = sorted(differences - self._accepted)
        if not new:
            return ""
        more = f"; and {len(new) - _SHOWN} more" if len(new) > _SHOWN else ""
        return (
            "the tables do not fit the data model in force, nothing that writes begins until they do (is iTop's set-up "
            f"still running?): {'; '.join(new[:_SHOWN])}{more}"
        )

    def _installations(self) -> tuple[str, int]:
        """Return when the newest module was installed, and how many rows tell of installations."""
        if _INSTALLATIONS not in self.database.model:
            return "", 0
        table = self.database.table(_INSTALLATIONS)
        query = sa.select(sa.func.max(table.c.installed), sa.func.count())
        with self.database.read() as connection:
            newest, rows = connection.execute(query).one()
        return str(newest or ""), rows


def _version(path: Path) -> tuple[str, int, int, int]:
    try:
        status = path.stat()
    except OSError:  # loading it tells what is wrong
        return str(path), 0, 0, 0
    return str(path), status.st_mtime_ns, status.st_size, status.st_ino
