"""Where the database is that itopd was started on: what the clone guard compares."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from itopd.state.columns import Instant

revision = "0004"
down_revision = "0003"

_OPTIONS: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    """Create the table of adoptions; the first start fills its first row."""
    op.create_table(
        "itopd_fingerprint",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("database_name", sa.String(255), nullable=False),
        sa.Column("server", sa.Text, nullable=False),
        sa.Column("app_root_url", sa.Text, nullable=False),
        sa.Column("database_uuid", sa.String(255), nullable=False),
        sa.Column("in_force", sa.Integer, nullable=False),
        sa.Column("adopted", Instant, nullable=False),
        sa.Column("adopted_by", sa.String(255), nullable=False),
        **_OPTIONS,
    )
