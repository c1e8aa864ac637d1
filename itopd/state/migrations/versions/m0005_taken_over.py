"""Which rows of iTop's background processes itopd has paused, and what they were before."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import DATETIME

revision = "0005"
down_revision = "0004"

_INSTANT = sa.DateTime().with_variant(DATETIME(fsp=6), "mysql")
_OPTIONS: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "itopd_taken_over",
        sa.Column("row_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("class_name", sa.String(255), nullable=False),
        sa.Column("previous_status", sa.String(8), nullable=False),
        sa.Column("since", _INSTANT, nullable=False),
        sa.Column("giving_back", sa.Integer, nullable=False),
        **_OPTIONS,
    )
