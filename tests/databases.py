"""The database that a test's ledger lies in: a SQLite file, or, with
GREENROOM_TEST_DATABASE=postgresql, a database of a real PostgreSQL server that this process starts.

A folder names its ledger: who asks for the same folder again gets the same ledger again.
"""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from hashlib import sha256
from pathlib import Path

import psycopg

from greenroom.store.database import Database

PROGRAMS = Path("/usr/lib/postgresql/15/bin")
START_S = 60.0


def make_database(folder: Path) -> Database:
    """The ledger of ``folder``, not migrated."""
    if os.environ.get("GREENROOM_TEST_DATABASE") == "postgresql":
        return Database(server().url_of(folder))
    return Database.in_file(folder / "ledger.db")


def make_ledger(folder: Path) -> Database:
    """The ledger of ``folder``, migrated. It begins as a copy of one that was migrated already: the
    migrations have tests of their own, and cost more than most of what is tried on a ledger."""
    path = folder / "ledger.db"
    if os.environ.get("GREENROOM_TEST_DATABASE") == "postgresql":
        server().url_of(folder, template=server().empty_ledger)
    elif not path.exists():
        path.write_bytes(_empty_ledger())
    database = make_database(folder)
    database.migrate()
    return database


@cache
def _empty_ledger() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        database = Database.in_file(path)
        database.migrate()
        database.close()
        # SQLite moves what its log holds into the file when the last connection closes.
        assert not path.with_name("ledger.db-wal").exists()
        return path.read_bytes()


class PostgresServer:
    """A PostgreSQL of our own: it listens on a socket in its folder, and nowhere else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        self.made: set[str] = set()

    def initialise(self) -> None:
        user = pwd.getpwnam("postgres")
        os.chown(self.folder, user.pw_uid, user.pw_gid)
        options = ["--no-sync", "--auth=trust", "--locale=C.UTF-8"]
        subprocess.run(
            [*as_postgres("initdb"), *options, f"--pgdata={self.folder / 'data'}"],
            check=True,
            capture_output=True,
            cwd="/",
        )

    def start(self) -> None:
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            [
                *as_postgres("postgres"),
                *("-D", str(self.folder / "data"), "-k", str(self.folder)),
                *("-c", "listen_addresses=", "-c", "max_connections=200"),
                # What a test writes need not survive a power failure.
                *("-c", "fsync=off", "-c", "full_page_writes=off"),
                # With a database for each test it would never rest.
                *("-c", "autovacuum=off"),
            ],
            stdout=log,
            stderr=log,
            cwd="/",
        )
        deadline = time.monotonic() + START_S
        while not self._answers():
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        """At once, as a failing host would: connections are cut."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        self.process.wait(START_S)
        self.process = None

    def remove(self) -> None:
        if self.process is not None:
            self.stop()
        shutil.rmtree(self.folder)

    def url_of(self, folder: Path, template: str = "template1") -> str:
        """The database of ``folder``; if it is not there yet, it begins as ``template`` is."""
        name = "t" + sha256(str(folder).encode()).hexdigest()[:16]
        if name not in self.made:
            self._create(name, template)
            self.made.add(name)
        return self._url(name)

    @cached_property
    def empty_ledger(self) -> str:
        """The name of a database that was migrated, and that nobody is connected to."""
        name = "empty_ledger"
        self._create(name, "template1")
        database = Database(self._url(name))
        database.migrate()
        database.close()
        return name

    def _create(self, name: str, template: str) -> None:
        # As files: otherwise the whole copy goes through the server's log as well.
        how = f"TEMPLATE {template} STRATEGY FILE_COPY"
        with self._connected("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name} {how}")

    def _url(self, name: str) -> str:
        return f"postgresql://postgres@/{name}?host={self.folder}"

    def _answers(self) -> bool:
        try:
            with self._connected("postgres"):
                return True
        except psycopg.OperationalError:
            return False

    @contextmanager
    def _connected(self, name: str) -> Iterator[psycopg.Connection]:
        with psycopg.connect(self._url(name), autocommit=True) as connection:
            yield connection


@cache
def server() -> PostgresServer:
    """The one of this process."""
    made = make_server()
    atexit.register(made.remove)
    return made


def make_server() -> PostgresServer:
    made = PostgresServer(Path(tempfile.mkdtemp(prefix="greenroom-pg-")))
    made.initialise()
    made.start()
    return made


def as_postgres(program: str) -> list[str]:
    """PostgreSQL refuses to run as root."""
    user = ["--reuid=postgres", "--regid=postgres", "--clear-groups"]
    # setpriv drops its own death signal with its rights, so it sets it anew.
    return ["setpriv", *user, "--pdeathsig=INT", str(PROGRAMS / program)]
