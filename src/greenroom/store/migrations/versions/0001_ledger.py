"""The ledger: environments, operations, events, intents."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from greenroom.store.tables import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the four tables."""
    _create_environments()
    _create_operations()
    _create_events()
    _create_intents()


def _create_environments() -> None:
    op.create_table(
        "environments",
        sa.Column("name", sa.String(80), primary_key=True),
        sa.Column("stack", sa.String(24), nullable=False),
        sa.Column("slug", sa.String(40), nullable=False),
        sa.Column("branch", sa.Text, nullable=False),
        sa.Column("subnet_index", sa.Integer, nullable=False, unique=True),
        sa.Column("secret", sa.String(64), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("production", sa.Boolean, nullable=False),
        sa.Column("stack_json", sa.Text, nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("proof_json", sa.Text),
        sa.Column("reports_json", sa.Text, nullable=False),
        sa.Column("created_by", sa.String(32), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("ready_at", UtcDateTime),
    )


def _create_operations() -> None:
    op.create_table(
        "operations",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("environment", sa.String(80), nullable=False),
        sa.Column("request_json", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("ended_at", UtcDateTime),
        sa.Column("cancel_requested", sa.Boolean, nullable=False),
        sa.Column("error_code", sa.String(64)),
        sa.Column("error_message", sa.Text),
        sa.Column("error_hint", sa.Text),
        sa.Column("exit_code", sa.Integer),
        sa.Column("receipt_json", sa.Text),
    )
    unfinished = sa.text("status IN ('queued', 'running')")
    op.create_index(
        "operations_one_unfinished",
        "operations",
        ["environment"],
        unique=True,
        sqlite_where=unfinished,
        postgresql_where=unfinished,
    )


def _create_events() -> None:
    op.create_table(
        "events",
        sa.Column("operation", sa.String(32), sa.ForeignKey("operations.id"), primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("phase", sa.String(32), nullable=False),
        sa.Column("machine", sa.String(64)),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("seconds", sa.Float),
        sa.Column("status", sa.String(16)),
        sa.Column("code", sa.String(64)),
        sa.Column("hint", sa.Text),
        sa.Column("exit_code", sa.Integer),
    )


def _create_intents() -> None:
    op.create_table(
        "intents",
        sa.Column("operation", sa.String(32), sa.ForeignKey("operations.id"), primary_key=True),
        sa.Column("kind", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("environment", sa.String(80), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("undone_at", UtcDateTime),
    )
    op.create_index("intents_environment", "intents", ["environment"])
