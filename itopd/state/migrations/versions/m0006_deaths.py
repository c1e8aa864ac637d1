"""How often a task or job killed its process, what it ran with, and whether somebody asked its run to stop."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the columns; the runs of before died of nothing."""
    op.add_column("itopd_run", sa.Column("deaths", sa.Integer, nullable=False, server_default="0"))
    op.add_column("itopd_run", sa.Column("version", sa.String(64), nullable=False, server_default=""))
    op.add_column("itopd_run", sa.Column("stop_asked", sa.Integer, nullable=False, server_default="0"))
