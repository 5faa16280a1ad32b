"""What machines are to be told of their peers; and an index that holds a whole list."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create table and index."""
    op.create_table(
        "peer_notices",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("environment", sa.String(80), nullable=False),
        sa.Column("machine", sa.String(64), nullable=False),
        sa.Column("peer_environment", sa.String(80), nullable=False),
        sa.Column("peer", sa.String(64), nullable=False),
        sa.Column("notice_json", sa.Text, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
    )
    columns = ["environment", "name", "stack", "slug", "branch", "type", "role", "address"]
    op.create_index("machines_targets", "machines", [*columns, "health"])
    op.create_index("peer_notices_machine", "peer_notices", ["environment", "machine"])
