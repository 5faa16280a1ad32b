"""Who may do what, and who did: tokens, the audit log, and the ledger's own tag."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

from greenroom.store.tables import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_APPEND_ONLY_ON_SQLITE = (
    "CREATE TRIGGER audit_keeps_{event} BEFORE {event} ON audit "
    "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
)
_REFUSAL_ON_POSTGRESQL = """
CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$
"""
# A trigger of the statement, since those of rows do not see TRUNCATE.
_APPEND_ONLY_ON_POSTGRESQL = (
    "CREATE TRIGGER audit_keeps BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
    "FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()"
)


def upgrade() -> None:
    """Create the tables, refuse changes of the audit log, and choose the tag."""
    identity = op.create_table("identity", sa.Column("tag", sa.String(8), primary_key=True))
    op.bulk_insert(identity, [{"tag": secrets.token_hex(4)}])
    asked_from = sa.Column("asked_from", sa.String(64), nullable=False, server_default="")
    op.add_column("operations", asked_from)
    _create_tokens()
    _create_audit()
    if op.get_bind().dialect.name == "sqlite":
        for event in ("UPDATE", "DELETE"):
            op.execute(_APPEND_ONLY_ON_SQLITE.format(event=event))
    else:
        op.execute(_REFUSAL_ON_POSTGRESQL)
        op.execute(_APPEND_ONLY_ON_POSTGRESQL)


def _create_tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False, unique=True),
        sa.Column("grants_json", sa.Text, nullable=False),
        sa.Column("created_by", sa.String(128), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.Column("last_used_at", UtcDateTime),
        sa.Column("revoked_at", UtcDateTime),
    )
    good = sa.text("revoked_at IS NULL")
    op.create_index(
        "tokens_one_of_a_name",
        "tokens",
        ["name"],
        unique=True,
        sqlite_where=good,
        postgresql_where=good,
    )


def _create_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("caller", sa.String(128), nullable=False),
        sa.Column("origin", sa.String(64), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("stack", sa.String(24), nullable=False),
        sa.Column("subject", sa.String(128), nullable=False),
        sa.Column("parameters_json", sa.Text, nullable=False),
        sa.Column("code", sa.String(64)),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("reference", sa.String(64)),
    )
    op.create_index("audit_at", "audit", ["at"])
    op.create_index("audit_caller", "audit", ["caller", "seq"])
    op.create_index("audit_subject", "audit", ["subject", "seq"])
    op.create_index("audit_reference", "audit", ["reference"])
