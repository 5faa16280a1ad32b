"""The inventory's tables: machines as they stand, and every change of them."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, Text

from greenroom.store.tables import UtcDateTime, metadata

machines = Table(
    "machines",
    metadata,
    Column("environment", String(80), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("record_json", Text, nullable=False),
)

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
