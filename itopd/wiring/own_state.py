"""The state store that belongs to an application."""

from __future__ import annotations

from itopd.settings import Settings
from itopd.state import StateStore, open_state
from itopd.wiring.application import Application


def open_own_state(settings: Settings, application: Application) -> StateStore:
    """Open the state store of the application's database, and of no other; the caller closes it."""
    return open_state(settings.effective_state_url, serves=application.database.identity)
