"""The ledger's tables, for SQLite and PostgreSQL alike.

The migrations create them; a test holds the two together.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.types import TypeDecorator


def unique_while(name: str, column: Column[str], condition: str) -> Index:
    """An index of the rows that meet ``condition`` (SQL): of them no two have one value."""
    rows = text(condition)
    return Index(name, column, unique=True, sqlite_where=rows, postgresql_where=rows)


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC in Python on both databases.

    SQLite has no time zones and gives naive values back, which would compare as wrong or not at
    all with the aware ones that everything else uses.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive value: nobody could say which instant it means."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the zone back that SQLite dropped."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData()

environments = Table(
    "environments",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("stack", String(24), nullable=False),
    Column("slug", String(40), nullable=False),
    Column("branch", Text, nullable=False),
    # The index of the /24 within the region, 0..254; unique, so no two environments share one.
    Column("subnet_index", Integer, nullable=False, unique=True),
    Column("secret", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("production", Boolean, nullable=False),
    Column("stack_json", Text, nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("proof_json", Text),
    Column("reports_json", Text, nullable=False),
    # The operation that created it: its events hold the phases that `show` prints.
    Column("created_by", String(32), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("ready_at", UtcDateTime),
    Column("owner", String(128), nullable=False, server_default="root"),
    # Empty: it never expires.
    Column("expires_at", UtcDateTime),
    Column("warned_at", UtcDateTime),
    # Until then working hours do not stop it: somebody wanted it outside of them.
    Column("awake_until", UtcDateTime),
    Column("stopped_at", UtcDateTime),
    Column("stopped_by", String(128)),
)

operations = Table(
    "operations",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("kind", String(16), nullable=False),
    # A name, not a reference: an operation outlives the environment that it destroyed.
    Column("environment", String(80), nullable=False),
    Column("request_json", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("cancel_requested", Boolean, nullable=False),
    Column("error_code", String(64)),
    Column("error_message", Text),
    Column("error_hint", Text),
    Column("exit_code", Integer),
    Column("receipt_json", Text),
    Column("asked_by", String(128), nullable=False, server_default="root"),
    Column("asked_from", String(64), nullable=False, server_default=""),
    # The order in which they came: the clock may have been set back between two.
    Column("accepted", Integer, nullable=False, server_default="0"),
)
Index("operations_accepted", operations.c.accepted)

unique_while(
    "operations_one_unfinished", operations.c.environment, "status IN ('queued', 'running')"
)

events = Table(
    "events",
    metadata,
    Column("operation", String(32), ForeignKey("operations.id"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("phase", String(32), nullable=False),
    Column("machine", String(64)),
    Column("message", Text, nullable=False),
    Column("seconds", Float),
    Column("status", String(16)),
    Column("code", String(64)),
    Column("hint", Text),
    Column("exit_code", Integer),
)

intents = Table(
    "intents",
    metadata,
    Column("operation", String(32), ForeignKey("operations.id"), primary_key=True),
    Column("kind", String(32), primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("environment", String(80), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("undone_at", UtcDateTime),
)
Index("intents_environment", intents.c.environment)

incidents = Table(
    "incidents",
    metadata,
    Column("id", Integer, primary_key=True),
    # Empty for what befell the region itself, which all environments share.
    Column("environment", String(80), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("subject", String(128), nullable=False),
    Column("message", Text, nullable=False),
    Column("away_s", Float),
)
Index("incidents_environment", incidents.c.environment, incidents.c.at)

timings = Table(
    "timings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    # Names, not references: a timing outlives the environment that it tells of.
    Column("operation", String(32), nullable=False),
    Column("environment", String(80), nullable=False),
    Column("stack", String(24), nullable=False),
    Column("kind", String(16), nullable=False),
    # None is the whole environment.
    Column("machine", String(64)),
    Column("restore_s", Float),
    Column("boot_s", Float),
    Column("total_s", Float, nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("seen_json", Text),
)
Index("timings_stack", timings.c.stack, timings.c.id)
Index("timings_operation", timings.c.operation)

sessions = Table(
    "sessions",
    metadata,
    # Of the cookie's value, which is random: whoever reads the ledger cannot log in with it.
    Column("sha256", String(64), primary_key=True),
    Column("caller", String(128), nullable=False),
    Column("grants_json", Text, nullable=False),
    # The token that was given at the login; empty for a login by the unix socket.
    Column("token", String(16), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
)
