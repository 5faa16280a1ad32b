"""Incidents: what befell running parts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from greenroom.store.tables import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "incidents",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("environment", sa.String(80), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("subject", sa.String(128), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("away_s", sa.Float),
    )
    op.create_index("incidents_environment", "incidents", ["environment", "at"])
