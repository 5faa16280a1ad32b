"""Environments have an owner and an end, and can be stopped."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from greenroom.store.tables import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; what exists already belongs to root and never expires."""
    owner = sa.Column("owner", sa.String(128), nullable=False, server_default="root")
    op.add_column("environments", owner)
    for name in ("expires_at", "warned_at", "awake_until", "stopped_at"):
        op.add_column("environments", sa.Column(name, UtcDateTime))
    op.add_column("environments", sa.Column("stopped_by", sa.String(128)))
