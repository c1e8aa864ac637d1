"""The tables of the state store, as the code uses them. What makes them is in ``migrations/``; a test compares both."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from itopd.state.columns import Instant, Seconds

metadata = sa.MetaData()

VERSION_TABLE = "itopd_version"
"""Which migration was the last (alembic's table, under our name)."""

RUN = sa.Table(
    "itopd_run",
    metadata,
    sa.Column("id", sa.String(26), primary_key=True, doc="sorts by time of claim"),
    sa.Column("kind", sa.String(8), nullable=False, doc="task or job"),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("due", Instant, nullable=False),
    sa.Column("next_due", Instant, nullable=False, doc="planned when this run was claimed, corrected at its end"),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("owner", sa.String(255), nullable=False),
    sa.Column("token", sa.Integer, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, doc="counted at the claim; a hand-back gives it back"),
    sa.Column("failures", sa.Integer, nullable=False, doc="runs that failed in a row, this one included"),
    sa.Column("deaths", sa.Integer, nullable=False, server_default="0", doc="processes that died in a row"),
    sa.Column("version", sa.String(64), nullable=False, server_default="", doc="what it was when it was claimed"),
    sa.Column("stop_asked", sa.Integer, nullable=False, server_default="0", doc="an operator wants it to end early"),
    sa.Column("pid", sa.Integer, nullable=True, doc="of the process that does the work"),
    sa.Column("claimed", Instant, nullable=False),
    sa.Column("started", Instant, nullable=True),
    sa.Column("finished", Instant, nullable=True),
    sa.Column("exit_code", sa.Integer, nullable=True),
    sa.Column("progress", sa.String(255), nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("counters", sa.Text, nullable=False, doc="JSON object"),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("last_success", Instant, nullable=True, doc="end of the newest run of this task or job that succeeded"),
    sa.UniqueConstraint("kind", "name", "due", name="itopd_run_once"),
)

LEASE = sa.Table(
    "itopd_lease",
    metadata,
    sa.Column("name", sa.String(255), primary_key=True),
    sa.Column("owner", sa.String(255), nullable=False, doc="empty: nobody"),
    sa.Column("token", sa.Integer, nullable=False, doc="grows whenever the lease changes hands"),
    sa.Column("acquired", Instant, nullable=False),
    sa.Column("expires", Instant, nullable=False),
    sa.Column("run_id", sa.String(26), nullable=True, doc="the newest run of a task or job"),
)

RUN_LOG = sa.Table(
    "itopd_run_log",
    metadata,
    sa.Column("run_id", sa.String(26), primary_key=True),
    sa.Column("lines", sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql"), nullable=False, doc="separated by \\n"),
)

INSTANCE = sa.Table(
    "itopd_instance",
    metadata,
    sa.Column("owner", sa.String(255), primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False, doc="daemon or worker"),
    sa.Column("version", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False, doc="working or stopping"),
    sa.Column("started", Instant, nullable=False),
    sa.Column("seen", Instant, nullable=False, doc="its last sign of life, by the database's clock"),
    sa.Column("problems", sa.Text, nullable=False, doc="JSON list of texts"),
)

TASK = sa.Table(
    "itopd_task",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("kind", sa.String(8), nullable=False, doc="task or job"),
    sa.Column("schedule", sa.String(255), nullable=False, doc="the text that next_run_date was planned by"),
    sa.Column("class_name", sa.String(255), nullable=False),
    sa.Column("first_run_date", Instant, nullable=True),
    sa.Column("latest_run_date", Instant, nullable=True),
    sa.Column("next_run_date", Instant, nullable=True),
    sa.Column("total_exec_count", sa.Integer, nullable=False),
    sa.Column("latest_run_duration", Seconds, nullable=False),
    sa.Column("min_run_duration", Seconds, nullable=False),
    sa.Column("max_run_duration", Seconds, nullable=False),
    sa.Column("average_run_duration", Seconds, nullable=False),
    sa.Column("running", sa.Integer, nullable=False),
    sa.Column("status", sa.String(8), nullable=False, doc="active, paused or removed"),
    sa.Column("system_user", sa.String(255), nullable=False),
    sa.UniqueConstraint("kind", "class_name", name="itopd_task_once"),
)
