"""Jobs that people run, and the executions of each."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the two tables."""
    instant = sa.DateTime(timezone=True)
    op.create_table(
        "jobs",
        sa.Column("stack", sa.String(24), primary_key=True),
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("definition_json", sa.Text, nullable=False),
        sa.Column("blueprint", sa.Text, nullable=False),
        sa.Column("registered_by", sa.String(128), nullable=False),
        sa.Column("registered_at", instant, nullable=False),
        sa.Column("looked_at", instant, nullable=False),
    )
    op.create_table(
        "executions",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("accepted", sa.Integer, nullable=False),
        sa.Column("stack", sa.String(24), nullable=False),
        sa.Column("job", sa.String(64), nullable=False),
        sa.Column("definition_json", sa.Text, nullable=False),
        sa.Column("environment", sa.String(80)),
        sa.Column("options_json", sa.Text, nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("trigger_kind", sa.String(12), nullable=False),
        sa.Column("asked_by", sa.String(128), nullable=False),
        sa.Column("decided_by", sa.String(128)),
        sa.Column("created_at", instant, nullable=False),
        sa.Column("not_before", instant, nullable=False),
        sa.Column("started_at", instant),
        sa.Column("ended_at", instant),
        sa.Column("exit_code", sa.Integer),
        sa.Column("error_code", sa.String(64)),
        sa.Column("error_message", sa.Text),
        sa.Column("error_hint", sa.Text),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("retry_of", sa.String(32)),
        sa.Column("retried_by", sa.String(32)),
        sa.Column("operation", sa.String(32)),
        sa.Column("log_lines", sa.Integer, nullable=False),
        sa.Column("log_truncated", sa.Boolean, nullable=False),
    )
    op.create_index("executions_accepted", "executions", ["accepted"])
    op.create_index("executions_job", "executions", ["job", "accepted"])
    op.create_index("executions_environment", "executions", ["environment", "accepted"])
    op.create_index("executions_status", "executions", ["status"])
