"""The state store that belongs to a database."""

from __future__ import annotations

from itopd.database import Database
from itopd.settings import Settings
from itopd.state import StateStore, open_state


def open_own_state(settings: Settings, database: Database) -> StateStore:
    """Open the state store of the database, and of no other; the caller closes it."""
    return open_state(settings.effective_state_url, serves=database.identity)
