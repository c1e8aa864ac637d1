"""Bringing the schema of the state store up to date (alembic)."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from itopd.errors import DatabaseError
from itopd.state.tables import VERSION_TABLE


def upgrade(connection: sa.Connection, shown: str) -> None:
    """Run the missing migrations on ``connection``, whose transaction and lock are the caller's.

    Raises :class:`DatabaseError` when the store was written by a newer itopd; ``shown`` names it in messages.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    current = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()
    known = {revision.revision for revision in ScriptDirectory.from_config(config).walk_revisions()}
    if current is not None and current not in known:
        raise DatabaseError(
            f"the state store {shown} has schema {current}, written by a newer itopd; upgrade itopd, or name another "
            "store in state_url"
        )
    command.upgrade(config, "head")
