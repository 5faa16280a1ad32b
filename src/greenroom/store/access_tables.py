"""The ledger's tables of access: tokens, the audit log, and who the ledger is."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, Text

from greenroom.store.tables import UtcDateTime, metadata, unique_while

identity = Table(
    "identity",
    metadata,
    # One row, made by the migration. Every token bears its tag, so that one of another region is
    # told apart from one that never existed.
    Column("tag", String(8), primary_key=True),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("name", String(40), nullable=False),
    # Of the whole text. A random secret of 256 bits needs no salt and no slow hash.
    Column("sha256", String(64), nullable=False, unique=True),
    Column("grants_json", Text, nullable=False),
    Column("created_by", String(128), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("last_used_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
)
unique_while("tokens_one_of_a_name", tokens.c.name, "revoked_at IS NULL")

audit = Table(
    "audit",
    metadata,
    # Triggers of the migration refuse to change or delete a row.
    Column("seq", Integer, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("caller", String(128), nullable=False),
    Column("origin", String(64), nullable=False),
    Column("action", String(32), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("stack", String(24), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("parameters_json", Text, nullable=False),
    Column("code", String(64)),
    Column("message", Text, nullable=False),
    Column("reference", String(64)),
)
Index("audit_at", audit.c.at)
Index("audit_caller", audit.c.caller, audit.c.seq)
Index("audit_subject", audit.c.subject, audit.c.seq)
Index("audit_reference", audit.c.reference)

answers = Table(
    "answers",
    metadata,
    # A hash of the caller and of the key that they chose.
    Column("key", String(64), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    # Empty while the request runs.
    Column("status", Integer),
    Column("content_type", String(128), nullable=False),
    Column("body", Text),
)
Index("answers_at", answers.c.at)
