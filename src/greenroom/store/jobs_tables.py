"""The tables of jobs and their executions."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text

from greenroom.store.tables import UtcDateTime, metadata

jobs = Table(
    "jobs",
    metadata,
    Column("stack", String(24), primary_key=True),
    Column("name", String(32), primary_key=True),
    Column("definition_json", Text, nullable=False),
    # The file that the stack's jobs come from: only it, or a person, may replace them.
    Column("blueprint", Text, nullable=False),
    Column("registered_by", String(128), nullable=False),
    Column("registered_at", UtcDateTime, nullable=False),
    # Up to when its schedules were looked at.
    Column("looked_at", UtcDateTime, nullable=False),
)

executions = Table(
    "executions",
    metadata,
    Column("id", String(32), primary_key=True),
    # The order in which they came: the clock may have been set back between two.
    Column("accepted", Integer, nullable=False),
    Column("stack", String(24), nullable=False),
    Column("job", String(64), nullable=False),
    # The definition as it was then.
    Column("definition_json", Text, nullable=False),
    Column("environment", String(80)),
    # Never holds a secret.
    Column("options_json", Text, nullable=False),
    Column("status", String(20), nullable=False),
    Column("trigger_kind", String(12), nullable=False),
    Column("asked_by", String(128), nullable=False),
    Column("decided_by", String(128)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("not_before", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Column("exit_code", Integer),
    Column("error_code", String(64)),
    Column("error_message", Text),
    Column("error_hint", Text),
    Column("attempt", Integer, nullable=False),
    Column("retry_of", String(32)),
    Column("retried_by", String(32)),
    Column("operation", String(32)),
    Column("log_lines", Integer, nullable=False),
    Column("log_truncated", Boolean, nullable=False),
)
Index("executions_accepted", executions.c.accepted)
Index("executions_job", executions.c.job, executions.c.accepted)
Index("executions_environment", executions.c.environment, executions.c.accepted)
Index("executions_status", executions.c.status)
