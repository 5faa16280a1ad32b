"""The inventory is asked in memory: its machines need neither indexes nor what these held."""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_INDEXES = (
    "machines_role_slug",
    "machines_role_branch",
    "machines_targets",
    "machines_slug",
    "machines_branch",
)
_COLUMNS = ("stack", "slug", "branch", "type", "role", "address", "health")


def upgrade() -> None:
    """Drop them; all of it stands in record_json as well."""
    for index in _INDEXES:
        op.drop_index(index, "machines")
    for column in _COLUMNS:
        op.drop_column("machines", column)
