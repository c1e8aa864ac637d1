"""What each run logged, for ``itopd runs show``."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0008"
down_revision = "0007"

_OPTIONS: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    """Add the table; the runs of before have no log in it."""
    op.create_table(
        "itopd_run_log",
        sa.Column("run_id", sa.String(26), primary_key=True),
        sa.Column("lines", sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql"), nullable=False),
        **_OPTIONS,
    )
