"""The inventory: machines as they stand, and every change of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from greenroom.store.tables import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "machines",
        sa.Column("environment", sa.String(80), primary_key=True),
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("stack", sa.String(24), nullable=False),
        sa.Column("slug", sa.String(40), nullable=False),
        sa.Column("branch", sa.Text, nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("role", sa.String(255), nullable=False),
        sa.Column("address", sa.String(45), nullable=False),
        sa.Column("health", sa.String(16), nullable=False),
        sa.Column("record_json", sa.Text, nullable=False),
    )
    op.create_index("machines_role_slug", "machines", ["role", "slug"])
    op.create_index("machines_role_branch", "machines", ["role", "branch"])
    op.create_index("machines_slug", "machines", ["slug"])
    op.create_index("machines_branch", "machines", ["branch"])
    op.create_table(
        "machine_changes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("environment", sa.String(80), nullable=False),
        sa.Column("machine", sa.String(64), nullable=False),
        sa.Column("change_json", sa.Text, nullable=False),
    )
    op.create_index("machine_changes_at", "machine_changes", ["at"])
    op.create_table(
        "machine_history",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kept_since", UtcDateTime, nullable=False),
    )
