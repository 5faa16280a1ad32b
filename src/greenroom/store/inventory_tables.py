"""The inventory's tables: machines as they stand, and every change of them."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, Text

from greenroom.store.tables import UtcDateTime, metadata

machines = Table(
    "machines",
    metadata,
    Column("environment", String(80), primary_key=True),
    Column("name", String(64), primary_key=True),
    # What machines are found by, and what the list for Prometheus consists of; the whole record
    # is in record_json.
    Column("stack", String(24), nullable=False),
    Column("slug", String(40), nullable=False),
    Column("branch", Text, nullable=False),
    Column("type", String(64), nullable=False),
    Column("role", String(255), nullable=False),
    Column("address", String(45), nullable=False),
    Column("health", String(16), nullable=False),
    Column("record_json", Text, nullable=False),
)
Index("machines_role_slug", machines.c.role, machines.c.slug)
Index("machines_role_branch", machines.c.role, machines.c.branch)
Index(
    # Holds all of the list for Prometheus, so that it is read without the records' text.
    "machines_targets",
    machines.c.environment,
    machines.c.name,
    machines.c.stack,
    machines.c.slug,
    machines.c.branch,
    machines.c.type,
    machines.c.role,
    machines.c.address,
    machines.c.health,
)
Index("machines_slug", machines.c.slug)
Index("machines_branch", machines.c.branch)

machine_changes = Table(
    "machine_changes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("environment", String(80), nullable=False),
    Column("machine", String(64), nullable=False),
    # {"before": …, "after": …}: whole records, or null; of a change only the fields that differ.
    Column("change_json", Text, nullable=False),
)
Index("machine_changes_at", machine_changes.c.at)

machine_history = Table(
    "machine_history",
    metadata,
    Column("id", Integer, primary_key=True),
    # The instant since which all changes are kept; older ones have been forgotten.
    Column("kept_since", UtcDateTime, nullable=False),
)

peer_notices = Table(
    "peer_notices",
    metadata,
    Column("id", Integer, primary_key=True),
    # Who is to be told, and of whom.
    Column("environment", String(80), nullable=False),
    Column("machine", String(64), nullable=False),
    Column("peer_environment", String(80), nullable=False),
    Column("peer", String(64), nullable=False),
    Column("notice_json", Text, nullable=False),
    Column("tries", Integer, nullable=False),
)
Index("peer_notices_machine", peer_notices.c.environment, peer_notices.c.machine)
