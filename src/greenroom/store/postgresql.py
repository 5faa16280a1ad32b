"""PostgreSQL under the ledger: one daemon may write, and what its errors mean.

That there is only one writer is a session lock of the server's (``pg_try_advisory_lock``), held
by the one connection on which everything is written. It cannot come to pass that we write without
the lock: who loses the connection loses both, and the next connection asks for it again.
"""

from __future__ import annotations

import os
import socket
import time
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from greenroom.errors import GreenroomError, HostError, RefusedError
from greenroom.store.engines import DEFERRED, Engines

_LOCK = 0x67726E726D  # "grnrm": of the whole database, since a database holds one ledger.
_LOCK_PATIENCE_S = 3.0
"""A daemon that was killed holds the lock until the server notices that its connection is gone."""
_LOCK_PAUSE_S = 0.1
_LIVELINESS = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    # The same at the server's end, which otherwise holds the lock of a connection that is gone for
    # hours: a network that was cut tells neither side.
    "options": "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3",
}
"""How soon each end notices that the other is gone (libpq's and the server's settings)."""
_WAITING_WRITERS_S = 60.0
_FULL = ("53100",)


def postgresql_engines(url: URL) -> Engines:
    """The writer's pool is a single connection, which holds the ledger's lock."""
    name = f"greenroom {socket.gethostname()} {os.getpid()}"
    connect = {"application_name": name[:63], **_LIVELINESS}
    # Parameters are hidden, as an error's text goes into the log and they hold the environments'
    # secrets. Connections are tried before use: the server may have been restarted meanwhile.
    shared: dict[str, Any] = {
        "poolclass": QueuePool,
        "hide_parameters": True,
        "pool_pre_ping": True,
        "connect_args": connect,
    }
    writer = create_engine(
        url, pool_size=1, max_overflow=0, pool_timeout=_WAITING_WRITERS_S, **shared
    )
    event.listen(writer, "connect", _Lock().take)
    event.listen(writer, "begin", _begin)
    reader = create_engine(url, pool_size=8, max_overflow=24, **shared)
    snapshot = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    return Engines(
        writer=writer,
        deferred=writer.execution_options(**{DEFERRED: True}),
        reader=reader.execution_options(**snapshot),
    )


def postgresql_error(engine: Engine, error: DBAPIError) -> HostError | None:
    """What it means that the server is away or its disk is full; None for an error of ours."""
    place = engine.url.render_as_string()
    cause = " ".join(str(error.orig).split())
    if getattr(error.orig, "sqlstate", None) in _FULL:
        return HostError(
            "E_LEDGER_FULL",
            f"the ledger {place} cannot be written: {cause}",
            hint="free some space on the disk of the PostgreSQL server",
        )
    if error.connection_invalidated or _is_away(error.orig):
        return HostError(
            "E_LEDGER_AWAY",
            f"the ledger {place} does not answer: {cause}",
            hint="start the PostgreSQL server; what waits for it goes on by itself",
        )
    return None


def _is_away(error: BaseException | None) -> bool:
    """Class 08 is a lost connection, 57P the server's shutdown or start; none at all: never met."""
    if not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return False
    state = error.sqlstate
    return state is None or state.startswith(("08", "57P"))


class _Lock:
    """The ledger's lock, as one daemon takes it with each new connection."""

    def __init__(self) -> None:
        self._held_once = False

    def take(self, connection: psycopg.Connection[Any], _record: Any) -> None:
        """Raises RefusedError E_LEDGER_HELD; for a daemon that held it before, whose own lost
        connection may be what the server still holds it for, HostError E_LEDGER_AWAY."""
        deadline = time.monotonic() + _LOCK_PATIENCE_S
        while not _locked(connection):
            if time.monotonic() > deadline:
                raise self._refusal(connection)
            time.sleep(_LOCK_PAUSE_S)
        self._held_once = True

    def _refusal(self, connection: psycopg.Connection[Any]) -> GreenroomError:
        info = connection.info
        held = f"the ledger {info.dbname} on {info.host} is held by {_holder(connection)}"
        if self._held_once:
            hint = "stop one of two daemons; a connection that is dead ends by itself"
            return HostError("E_LEDGER_AWAY", held, hint=hint)
        return RefusedError(
            "E_LEDGER_HELD",
            held,
            hint="one daemon writes a ledger: stop the other, or give this one a database of its "
            "own",
        )


def _locked(connection: psycopg.Connection[Any]) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK]).fetchone()
    # Ended here: the lock is the session's, and an open transaction would only stand in the way.
    connection.commit()
    return row is not None and bool(row[0])


def _holder(connection: psycopg.Connection[Any]) -> str:
    """``greenroom HOST PID``, as the holder calls itself."""
    # A key of 64 bits stands in two halves (pg_locks in PostgreSQL's manual).
    row = connection.execute(
        "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
        "WHERE l.locktype = 'advisory' AND l.granted "
        "AND (l.classid::bigint << 32 | l.objid::bigint) = %s AND l.database = "
        "(SELECT oid FROM pg_database WHERE datname = current_database())",
        [_LOCK],
    ).fetchone()
    connection.commit()
    return "another daemon" if row is None or not row[0] else str(row[0])


def _begin(connection: Connection) -> None:
    if connection.get_execution_options().get(DEFERRED, False):
        connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
