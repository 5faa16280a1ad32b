"""Operations know who asked for them, and in which order they were accepted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the two columns; what was accepted before was asked for by root."""
    asked_by = sa.Column("asked_by", sa.String(128), nullable=False, server_default="root")
    accepted = sa.Column("accepted", sa.Integer, nullable=False, server_default="0")
    op.add_column("operations", asked_by)
    op.add_column("operations", accepted)
    # Only SQLite has ledgers of the former schema; its rows are numbered as they came.
    if op.get_bind().dialect.name == "sqlite":
        op.execute("UPDATE operations SET accepted = rowid")
    op.create_index("operations_accepted", "operations", ["accepted"])
