"""One database behind the ledger: SQLite in a file by default, PostgreSQL by URL."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import QueuePool

from greenroom.errors import HostError

HEAD = "0005"
"""The newest migration. Known here so that an up-to-date database, which is nearly always the
case, costs one query and not the import of Alembic (a fifth of a second) at every start."""

_BUSY_TIMEOUT_MS = 30_000
_READ_ONLY = "greenroom_read_only"
_DEFERRED = "greenroom_deferred"


class Database:
    """Transactions on the ledger's database.

    Writers of one process take turns on a lock of ours: SQLite lets a second writer sleep and
    poll (1, 2, 5, 10 … ms), which would be the slowest part of a short create.
    """

    def __init__(self, url: str | URL) -> None:
        """``url`` as SQLAlchemy reads it: ``sqlite:////var/lib/…/ledger.db``, ``postgresql+…``."""
        self._engine = _engine(url)
        self._reader = self._engine.execution_options(**{_READ_ONLY: True})
        self._deferred = self._engine.execution_options(**{_DEFERRED: True})
        self._write_lock = threading.Lock()

    @classmethod
    def in_file(cls, path: Path) -> Database:
        """A SQLite database in ``path``, whose folder exists."""
        return cls(URL.create("sqlite", database=str(path)))

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that may write; rolled back if the block raises.

        Raises HostError (E_LEDGER_FULL, E_LEDGER) if the disk under it is full or fails.
        """
        try:
            with self._write_lock, self._engine.begin() as connection:
                yield connection
        except OperationalError as error:
            raise self._translated(error) from error

    @contextmanager
    def write_deferred(self) -> Iterator[Connection]:
        """As ``write``, for what a power failure (not a crash) may take back: it reaches the disk
        with the next ``write``, and costs no wait for the disk of its own."""
        with self._write_lock, self._deferred.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads: one snapshot, never waits for a writer."""
        with self._reader.begin() as connection:
            yield connection

    def migrate(self) -> None:
        """Bring the schema to ``HEAD``, all or nothing. Raises HostError E_LEDGER_NEWER for a
        database that a newer greenroom has written."""
        with self.read() as connection:
            version = _version(connection)
        if version == HEAD:
            return
        if version is not None and version > HEAD:
            raise HostError(
                "E_LEDGER_NEWER",
                f"the ledger {self._engine.url.render_as_string()} has schema {version}, "
                f"this greenroom knows {HEAD}",
                hint="start the greenroom that wrote it, or a newer one",
            )
        with self.write() as connection:
            _upgrade(connection)

    def _translated(self, error: OperationalError) -> Exception:
        name = getattr(error.orig, "sqlite_errorname", "")
        place = self._engine.url.database
        words = f"the ledger {place} cannot be written: {error.orig}"
        if name == "SQLITE_FULL":
            return HostError("E_LEDGER_FULL", words, hint=f"free some space on the disk of {place}")
        if name.startswith(("SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN")):
            return HostError("E_LEDGER", words, hint="dmesg tells what is wrong with the disk")
        return error

    def close(self) -> None:
        """Give back all connections."""
        self._engine.dispose()


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return version


def _upgrade(connection: Connection) -> None:
    # Imported here: only a database that is not up to date pays for it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(files("greenroom.store") / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD)


def _engine(url: str | URL) -> Engine:
    # A pool of plain connections for SQLite too: opening one and setting its pragmas anew for
    # every transaction would cost more than most of our transactions.
    # Parameters are hidden, as an error's text goes into the log and they hold the environments'
    # secrets.
    engine = create_engine(
        url, poolclass=QueuePool, pool_size=8, max_overflow=24, hide_parameters=True
    )
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # None hands BEGIN over to us: the sqlite3 module would begin late and commit before DDL.
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout = {_BUSY_TIMEOUT_MS}",
        "journal_mode = WAL",
        "foreign_keys = ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get(_READ_ONLY, False):
        connection.exec_driver_sql("BEGIN")
        return
    # FULL, so that the ledger is never behind the engine's own database (NORMAL there) after a
    # power failure: an operation that ended here is not begun again for want of its end. It cannot
    # be set within a transaction.
    synchronous = "NORMAL" if options.get(_DEFERRED, False) else "FULL"
    connection.exec_driver_sql(f"PRAGMA synchronous = {synchronous}")
    # A deferred transaction that reads first and writes later fails at once when somebody wrote
    # in between (SQLITE_BUSY_SNAPSHOT), and no timeout helps: writers therefore say so at BEGIN.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
