"""Talking to MariaDB through its own client, and a server in quarantine that nobody reaches."""

from __future__ import annotations

import os
import time

from .backoff import tries
from .command import Process, memory_file, run
from .errors import AgentError
from .manifest import Table, checksum_query, columns_query, identifier
from .value import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

SESSION = "SET NAMES utf8mb4; SET SESSION time_zone = '+00:00', sql_mode = '';\n"
"""Checksums are made of values as text, so that what decides the text is fixed."""

QUERY_S = 3600.0
START_S = 60.0
STOP_S = 120.0

ESCAPES = (("\\t", "\t"), ("\\n", "\n"), ("\\0", "\0"))


def client_argv(socket: str | None, *options: str) -> list[str]:
    """The command-line client as root, without anything that is meant for people."""
    where = [f"--socket={socket}"] if socket else []
    return [
        "mariadb",
        "--user=root",
        "--batch",
        "--skip-column-names",
        "--no-auto-rehash",
        "--connect-timeout=5",
        "--default-character-set=utf8mb4",
        *where,
        *options,
    ]


def query(socket: str | None, sql: str, *, timeout_s: float = QUERY_S) -> list[list[str]]:
    """Run statements; all rows of all answers. Raises AgentError with the server's words.

    ``socket`` None is the machine's ordinary server, as the client's own configuration says.
    """
    done = run(client_argv(socket), timeout_s=timeout_s, stdin=sql)
    if done.code != 0:
        raise AgentError(client_error(done.err) or f"mariadb exited with {done.code}")
    return [[_unescape(v) for v in line.split("\t")] for line in done.out.split("\n") if line]


def client_error(said: str) -> str:
    """The client's own words without the statement, which it repeats first (pure)."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return " ".join(errors[:1] or lines[-1:])[:500]


def _unescape(value: str) -> str:
    """Undo what ``--batch`` does to tabs, line ends, NUL and backslashes."""
    parts = value.split("\\\\")
    for index, part in enumerate(parts):
        for written, character in ESCAPES:
            part = part.replace(written, character)
        parts[index] = part
    return "\\".join(parts)


def observe_tables(socket: str | None, database: str) -> dict[str, Table]:
    """Rows, checksum and columns of every table, by two calls of the client."""
    names: dict[str, list[str]] = {}
    columns: dict[str, list[str]] = {}
    for table, column, kind, nullable in query(socket, SESSION + columns_query(database)):
        names.setdefault(table, []).append(column)
        null = "NULL" if nullable == "YES" else "NOT NULL"
        columns.setdefault(table, []).append(f"{column} {kind} {null}")
    if not names:
        return {}
    asked = "\n".join(checksum_query(database, table, names[table]) for table in names)
    counts = query(socket, SESSION + asked)
    return {
        table: Table(rows=int(rows), checksum=checksum, columns=tuple(columns[table]))
        for table, (rows, checksum) in zip(names, counts, strict=True)
    }


def prepare_sql(database: str) -> str:
    """The empty database."""
    return f"CREATE DATABASE {identifier(database)};\n"


def grant_sql(database: str, user: str) -> str:
    """The application's user: from anywhere, without a password, on its database only.

    The security group is the interface: who may not talk to the machine does not get here. In
    GRANT the signs _ and % of a database's name are wildcards and must be escaped.
    """
    account = f"{identifier(user)}@'%'"
    pattern = database.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%")
    return (
        f"SET SESSION sql_mode = '';\nCREATE USER IF NOT EXISTS {account};\n"
        f"GRANT ALL PRIVILEGES ON {identifier(pattern)}.* TO {account};\n"
    )


def install_argv(data_directory: str) -> list[str]:
    """Make the system tables; sizes and formats come from the server's own configuration.

    --cross-bootstrap leaves this machine's host name out of the grant tables (a clone has another
    name) and does not look it up; who may become root is decided by the local socket.
    """
    return [
        "mariadb-install-db",
        "--cross-bootstrap",
        f"--datadir={data_directory}",
        "--user=mysql",
        "--auth-root-authentication-method=socket",
        "--skip-test-db",
        "--skip-name-resolve",
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-doublewrite=0",
    ]


def server_argv(data_directory: str, buffer_mib: int) -> list[str]:
    """A server without a network. Nothing here changes the format of what is on disk.

    Durability is off while loading: the directory becomes `current` only after a clean shutdown,
    and what is not `current` is thrown away. Redo log and page sizes stay the configuration's,
    so that the service finds what it would have made itself.
    """
    return [
        "mariadbd",
        "--user=mysql",
        f"--datadir={data_directory}",
        "--skip-networking",
        f"--socket={data_directory}/restore.sock",
        f"--pid-file={data_directory}/restore.pid",
        "--skip-log-error",
        "--skip-log-bin",
        "--skip-slave-start",
        "--event-scheduler=OFF",
        "--performance-schema=OFF",
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-doublewrite=0",
        f"--innodb-buffer-pool-size={buffer_mib}M",
        "--innodb-buffer-pool-load-at-startup=OFF",
        "--innodb-fast-shutdown=1",
        "--max-allowed-packet=1G",
        "--skip-name-resolve",
    ]


def buffer_mib(limits: Sequence[str]) -> int:
    """A third of the memory that this machine may use, between 64 and 512 MiB.

    The limit may not be visible inside a container, hence the modest upper bound.
    """
    found = [value for path in limits if (value := _memory_mib(path))]
    return max(64, min(512, min(found, default=512) // 3))


MEMORY_LIMITS = (
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    "/proc/meminfo",
)


def _memory_mib(path: str) -> int:
    try:
        with open(path, encoding="ascii") as file:
            words = file.read(200).split()
    except OSError:
        return 0
    if words[:1] == ["MemTotal:"]:
        return int(words[1]) // 1024
    return int(words[0]) // 1024**2 if words and words[0].isdigit() else 0


class QuarantinedServer:
    """A running server on a directory; leaving the block by an error kills it."""

    def __init__(self, data_directory: str, log_path: str) -> None:
        self._directory = data_directory
        self._log_path = log_path
        self.socket = f"{data_directory}/restore.sock"

    def __enter__(self) -> QuarantinedServer:
        empty = memory_file("")
        log = os.open(self._log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        argv = server_argv(self._directory, buffer_mib(MEMORY_LIMITS))
        try:
            self._process = Process(argv, stdin=empty, stdout=log, stderr=log)
        finally:
            os.close(empty)
            os.close(log)
        try:
            self._wait_until_ready()
        except BaseException:
            self._process.kill()
            raise
        return self

    def _wait_until_ready(self) -> None:
        for _ in tries(time.monotonic() + START_S):
            if self._process.wait(0) is not None:
                raise AgentError(f"the database server ended at its start: {self._last_words()}")
            if os.path.exists(self.socket):  # it listens only when InnoDB is ready
                return
        raise AgentError(f"the database server did not start within {START_S:g} s")

    def stop(self) -> None:
        """A clean shutdown: everything is in the tables, nothing in the log. Raises AgentError."""
        self._process.terminate()
        code = self._process.wait(STOP_S)
        if code is None:
            raise AgentError(f"the database server did not stop within {STOP_S:g} s")
        if code != 0:
            raise AgentError(f"the database server stopped with {code}: {self._last_words()}")

    def _last_words(self) -> str:
        with open(self._log_path, encoding="utf-8", errors="replace") as file:
            lines = [line.strip() for line in file if "[ERROR]" in line] or ["no error in its log"]
        return " / ".join(lines[-3:])[:1000]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
