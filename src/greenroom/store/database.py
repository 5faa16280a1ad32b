"""One database behind the ledger: SQLite in a file by default, PostgreSQL by URL."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError

from greenroom.errors import GreenroomError, HostError, InputError
from greenroom.store.engines import Engines
from greenroom.store.sqlite import sqlite_engines, sqlite_error

HEAD = "0012"
"""The newest migration. Known here so that an up-to-date database, which is nearly always the
case, costs one query and not the import of Alembic (a fifth of a second) at every start."""

PASSING = ("E_LEDGER_FULL", "E_LEDGER_AWAY")
"""The errors that end without us: somebody frees a disk, or starts a server."""


class Database:
    """Transactions on the ledger's database.

    Writers of one process take turns on a lock of ours: SQLite lets a second writer sleep and
    poll (1, 2, 5, 10 … ms), which would be the slowest part of a short create.
    """

    def __init__(self, url: str | URL) -> None:
        """``url`` as SQLAlchemy reads it: ``sqlite:////var/lib/…/ledger.db``,
        ``postgresql://USER@HOST/NAME``. Raises InputError E_DATABASE_URL for any other."""
        self._engines = _engines(url)
        self._write_lock = threading.Lock()

    @classmethod
    def in_file(cls, path: Path) -> Database:
        """A SQLite database in ``path``, whose folder exists."""
        return cls(URL.create("sqlite", database=str(path)))

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that may write; rolled back if the block raises.

        Raises HostError: E_LEDGER_FULL and E_LEDGER if the disk under it is full or fails,
        E_LEDGER_AWAY if the server does not answer; RefusedError E_LEDGER_HELD if another daemon
        writes this ledger.
        """
        with self._write_lock, self._begun(self._engines.writer) as connection:
            yield connection

    @contextmanager
    def write_deferred(self) -> Iterator[Connection]:
        """As ``write``, for what a power failure (not a crash) may take back: it reaches the disk
        with the next ``write``, and costs no wait for the disk of its own."""
        with self._write_lock, self._begun(self._engines.deferred) as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads: one snapshot, never waits for a writer."""
        with self._begun(self._engines.reader) as connection:
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
                f"the ledger {self._engines.writer.url.render_as_string()} has schema {version}, "
                f"this greenroom knows {HEAD}",
                hint="start the greenroom that wrote it, or a newer one",
            )
        with self.write() as connection:
            _upgrade(connection)

    @contextmanager
    def _begun(self, engine: Engine) -> Iterator[Connection]:
        try:
            with engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            translated = _translated(engine, error)
            if translated is None:
                raise
            raise translated from error

    def close(self) -> None:
        """Give back all connections."""
        self._engines.dispose()


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


def _engines(url: str | URL) -> Engines:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise _bad_url(str(url).partition(":")[0]) from error
    match parsed.get_backend_name():
        case "sqlite":
            return sqlite_engines(parsed)
        case "postgresql":
            # Imported here: psycopg takes 50 ms, and most ledgers are files.
            from greenroom.store.postgresql import postgresql_engines

            return postgresql_engines(parsed.set(drivername="postgresql+psycopg"))
        case other:
            raise _bad_url(other)


def _bad_url(kind: str) -> InputError:
    # Of a URL that cannot be read nobody knows where the password stands: none of it is shown.
    return InputError(
        "E_DATABASE_URL",
        f"the ledger's URL begins with {kind!r}: expected sqlite or postgresql",
        hint="such as postgresql://greenroom@db.internal/greenroom",
    )


def _translated(engine: Engine, error: DBAPIError) -> GreenroomError | None:
    if engine.dialect.name == "sqlite":
        return sqlite_error(engine, error)
    from greenroom.store.postgresql import postgresql_error

    return postgresql_error(engine, error)
