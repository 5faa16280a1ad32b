"""Whether servers answer, asked over bare sockets: no client program takes time from them."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Sequence

_PAUSE_S = 0.002
_PATIENCE_S = 60.0
_TRY_S = 2.0
_PROTOCOL_41, _SECURE, _PLUGIN = 0x200, 0x8000, 0x80000

Question = Callable[[], bool]


def wait_for(questions: Sequence[Question]) -> None:
    """Return as soon as each question was answered once; raises TimeoutError after a minute."""
    left = list(questions)
    end = time.monotonic() + _PATIENCE_S
    while left:
        left = [ask for ask in left if not _answered(ask)]
        if left and time.monotonic() > end:
            raise TimeoutError(f"{len(left)} of {len(questions)} servers do not answer")
        if left:
            time.sleep(_PAUSE_S)


def _answered(ask: Question) -> bool:
    try:
        return ask()
    except OSError:
        return False


def mariadb(address: str) -> Question:
    """The first query of the example's user, who has no password."""
    return lambda: _select(socket.create_connection((address, 3306), timeout=_TRY_S))


def _select(connection: socket.socket) -> bool:
    """``SELECT 1`` by the client protocol: greeting, response, OK, query, result set
    (mariadb.com/kb, «Client/Server Protocol»)."""
    with connection:
        if not _packet(connection):
            return False
        capabilities = _PROTOCOL_41 | _SECURE | _PLUGIN
        login = struct.pack("<IIB23x", capabilities, 1 << 24, 45)
        login += b"photos\0" + b"\0" + b"mysql_native_password\0"
        connection.sendall(len(login).to_bytes(3, "little") + b"\x01" + login)
        if _packet(connection)[:1] != b"\x00":
            return False
        query = b"\x03SELECT 1"
        connection.sendall(len(query).to_bytes(3, "little") + b"\x00" + query)
        # A result set begins with the number of its columns.
        return _packet(connection) == b"\x01"


def _packet(connection: socket.socket) -> bytes:
    header = _exactly(connection, 4)
    return _exactly(connection, int.from_bytes(header[:3], "little")) if header else b""


def _exactly(connection: socket.socket, count: int) -> bytes:
    received = b""
    while len(received) < count:
        chunk = connection.recv(count - len(received))
        if not chunk:
            return b""
        received += chunk
    return received


def redis(address: str) -> Question:
    """PING."""
    return lambda: _exchange(address, 6379, b"PING\r\n").startswith(b"+PONG")


def page(address: str, path: str) -> Question:
    """A page that answers 200."""
    request = f"GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n".encode()
    return lambda: b" 200 " in _exchange(address, 80, request).partition(b"\r\n")[0]


def _exchange(address: str, port: int, request: bytes) -> bytes:
    with socket.create_connection((address, port), timeout=_TRY_S) as connection:
        connection.sendall(request)
        return connection.recv(4096)
