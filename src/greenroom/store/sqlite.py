"""SQLite under the ledger: how its connections are prepared, and what its errors mean."""

from __future__ import annotations

import sqlite3
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from greenroom.errors import HostError
from greenroom.store.engines import DEFERRED, READ_ONLY, Engines

_BUSY_TIMEOUT_MS = 30_000


def sqlite_engines(url: URL) -> Engines:
    """Readers and the writer share one pool of plain connections: opening one and setting its
    pragmas anew for every transaction would cost more than most of our transactions."""
    # Parameters are hidden, as an error's text goes into the log and they hold the environments'
    # secrets.
    engine = create_engine(
        url, poolclass=QueuePool, pool_size=8, max_overflow=24, hide_parameters=True
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return Engines(
        writer=engine,
        deferred=engine.execution_options(**{DEFERRED: True}),
        reader=engine.execution_options(**{READ_ONLY: True}),
    )


def sqlite_error(engine: Engine, error: DBAPIError) -> HostError | None:
    """What a full or failing disk means; None for an error of ours."""
    name = getattr(error.orig, "sqlite_errorname", "")
    place = engine.url.database
    words = f"the ledger {place} cannot be written: {error.orig}"
    if name == "SQLITE_FULL":
        return HostError("E_LEDGER_FULL", words, hint=f"free some space on the disk of {place}")
    if name.startswith(("SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN")):
        return HostError("E_LEDGER", words, hint="dmesg tells what is wrong with the disk")
    return None


def _prepare(connection: sqlite3.Connection, _record: Any) -> None:
    # None hands BEGIN over to us: the sqlite3 module would begin late and commit before DDL.
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout = {_BUSY_TIMEOUT_MS}",
        "journal_mode = WAL",
        "foreign_keys = ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get(READ_ONLY, False):
        connection.exec_driver_sql("BEGIN")
        return
    # FULL, so that the ledger is never behind the engine's own database (NORMAL there) after a
    # power failure: an operation that ended here is not begun again for want of its end. It cannot
    # be set within a transaction.
    synchronous = "NORMAL" if options.get(DEFERRED, False) else "FULL"
    connection.exec_driver_sql(f"PRAGMA synchronous = {synchronous}")
    # A deferred transaction that reads first and writes later fails at once when somebody wrote
    # in between (SQLITE_BUSY_SNAPSHOT), and no timeout helps: writers therefore say so at BEGIN.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
