"""Which processes carry out runs and how they are, and when each task or job last succeeded."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from itopd.state.columns import Instant

revision = "0007"
down_revision = "0006"

_OPTIONS: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    """Add the table; the last successes of before are found among the runs that are remembered."""
    op.create_table(
        "itopd_instance",
        sa.Column("owner", sa.String(255), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("started", Instant, nullable=False),
        sa.Column("seen", Instant, nullable=False),
        sa.Column("problems", sa.Text, nullable=False),
        **_OPTIONS,
    )
    op.add_column("itopd_run", sa.Column("last_success", Instant, nullable=True))
    run = sa.table("itopd_run", *(sa.column(name) for name in ("kind", "name", "state", "finished", "last_success")))
    newest = sa.select(run.c.kind, run.c.name, sa.func.max(run.c.finished)).where(run.c.state == "done")
    connection = op.get_bind()
    for kind, name, finished in connection.execute(newest.group_by(run.c.kind, run.c.name)).all():
        of_this = (run.c.kind == kind, run.c.name == name)
        connection.execute(run.update().where(*of_this).values(last_success=finished))
