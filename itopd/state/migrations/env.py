"""Runs migrations on the connection that ``itopd.state.migrating`` hands over; its transaction and lock are theirs."""

from __future__ import annotations

from alembic import context

from itopd.state.tables import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, version_table=VERSION_TABLE
)
with context.begin_transaction():
    context.run_migrations()
