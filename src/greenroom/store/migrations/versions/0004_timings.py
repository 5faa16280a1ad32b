"""Timings: how long creates, recoveries, replacements and drills took."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from greenroom.store.tables import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "timings",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("operation", sa.String(32), nullable=False),
        sa.Column("environment", sa.String(80), nullable=False),
        sa.Column("stack", sa.String(24), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("machine", sa.String(64)),
        sa.Column("restore_s", sa.Float),
        sa.Column("boot_s", sa.Float),
        sa.Column("total_s", sa.Float, nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("seen_json", sa.Text),
    )
    op.create_index("timings_stack", "timings", ["stack", "id"])
    op.create_index("timings_operation", "timings", ["operation"])
