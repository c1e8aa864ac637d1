"""What an account chose about its own view (``spec/export.md`` §5)."""

from __future__ import annotations

import sqlalchemy as sa

from itopd.php import PhpError, unserialize
from itopd.service import Context


def shows_obsolete(context: Context, connection: sa.Connection) -> bool:
    """Return whether the account sees obsolete objects: its preference, else the setting."""
    table = context.database.table("appUserPreferences")
    query = sa.select(table.c.preferences).where(table.c.userid == context.account.user_id)
    stored = connection.execute(query).scalar()
    try:
        preferences = unserialize(stored.encode() if isinstance(stored, str) else stored) if stored else {}
    except PhpError as error:
        context.log.warning("preferences_unreadable", user=context.account.user_id, reason=error.message)
        preferences = {}
    chosen = preferences.get("show_obsolete_data") if isinstance(preferences, dict) else None
    return context.settings.obsolescence_show_obsolete_data if chosen is None else bool(chosen)
