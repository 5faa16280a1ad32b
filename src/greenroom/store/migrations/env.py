"""Alembic's entry: runs the migrations on the connection that ``database.migrate`` passes in."""

from __future__ import annotations

from alembic import context

# The caller has begun the transaction, with BEGIN IMMEDIATE on SQLite, and commits it: the schema
# changes and the version row become visible together or not at all. Left to itself pysqlite
# commits before each DDL statement, and a migration that fails half-way cannot be tried again.
context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
context.run_migrations()
