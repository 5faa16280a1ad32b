"""What the ledger needs of a database, whichever it is."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine

READ_ONLY = "greenroom_read_only"
DEFERRED = "greenroom_deferred"
"""Execution options by which a transaction says at its beginning what it is for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """Three ways into one database. ``deferred`` is the writer for what a power failure may take
    back; ``reader`` gives one snapshot and never waits for the writer."""

    writer: Engine
    deferred: Engine
    reader: Engine

    def dispose(self) -> None:
        """Give back all connections."""
        self.writer.dispose()
        self.reader.dispose()
