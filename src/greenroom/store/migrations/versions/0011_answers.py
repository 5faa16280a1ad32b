"""Answers that are kept for a request that comes again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from greenroom.store.tables import UtcDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "answers",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("content_type", sa.String(128), nullable=False),
        sa.Column("body", sa.Text),
    )
    op.create_index("answers_at", "answers", ["at"])
