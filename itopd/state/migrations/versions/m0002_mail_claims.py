"""Who has which row of the mail queue in hand."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import DATETIME

revision = "0002"
down_revision = "0001"

_INSTANT = sa.DateTime().with_variant(DATETIME(fsp=6), "mysql")
_OPTIONS: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    """Create the table of claims."""
    op.create_table(
        "itopd_mail_claim",
        sa.Column("task_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("owner", sa.String(255), nullable=False),
        sa.Column("started", sa.String(19), nullable=False),
        sa.Column("stage", sa.String(8), nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("seen", _INSTANT, nullable=False),
        **_OPTIONS,
    )
