"""The run ledger, the leases and the rows of itopd's own tasks. The first schema."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import DATETIME

revision = "0001"
down_revision = None

_INSTANT = sa.DateTime().with_variant(DATETIME(fsp=6), "mysql")
_SECONDS = sa.Numeric(8, 3).with_variant(sa.String(9), "sqlite")
_OPTIONS: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    """Create the three tables."""
    op.create_table(
        "itopd_run",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("due", _INSTANT, nullable=False),
        sa.Column("next_due", _INSTANT, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("owner", sa.String(255), nullable=False),
        sa.Column("token", sa.Integer, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("pid", sa.Integer, nullable=True),
        sa.Column("claimed", _INSTANT, nullable=False),
        sa.Column("started", _INSTANT, nullable=True),
        sa.Column("finished", _INSTANT, nullable=True),
        sa.Column("exit_code", sa.Integer, nullable=True),
        sa.Column("progress", sa.String(255), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("counters", sa.Text, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.UniqueConstraint("kind", "name", "due", name="itopd_run_once"),
        **_OPTIONS,
    )
    op.create_table(
        "itopd_lease",
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("owner", sa.String(255), nullable=False),
        sa.Column("token", sa.Integer, nullable=False),
        sa.Column("acquired", _INSTANT, nullable=False),
        sa.Column("expires", _INSTANT, nullable=False),
        sa.Column("run_id", sa.String(26), nullable=True),
        **_OPTIONS,
    )
    op.create_table(
        "itopd_task",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("schedule", sa.String(255), nullable=False),
        sa.Column("class_name", sa.String(255), nullable=False),
        sa.Column("first_run_date", _INSTANT, nullable=True),
        sa.Column("latest_run_date", _INSTANT, nullable=True),
        sa.Column("next_run_date", _INSTANT, nullable=True),
        sa.Column("total_exec_count", sa.Integer, nullable=False),
        sa.Column("latest_run_duration", _SECONDS, nullable=False),
        sa.Column("min_run_duration", _SECONDS, nullable=False),
        sa.Column("max_run_duration", _SECONDS, nullable=False),
        sa.Column("average_run_duration", _SECONDS, nullable=False),
        sa.Column("running", sa.Integer, nullable=False),
        sa.Column("status", sa.String(8), nullable=False),
        sa.Column("system_user", sa.String(255), nullable=False),
        sa.UniqueConstraint("kind", "class_name", name="itopd_task_once"),
        **_OPTIONS,
    )
