"""HTTP over the daemon's unix socket, as much of it as one request per connection needs.

``http.client`` would do, but it imports ``email`` and costs 36 ms of the 150 ms that ``list`` has.
Every request says ``Connection: close``, so a body ends with the connection or, where the server
frames it so, with its last chunk.
"""

from __future__ import annotations

import json
import os
import select
import socket
from collections.abc import Iterator

from greenroom.errors import BugError, OperationError, UsageError

REPLY_TIMEOUT_S = 30.0
TOKEN_VARIABLE = "GREENROOM_TOKEN"
_HEAD_MAX_BYTES = 64 * 1024
_BODY_MAX_BYTES = 64 * 1024 * 1024
_READ_BYTES = 64 * 1024


class Reply:
    """One answer: its status is known, its body comes as it is read."""

    def __init__(self, connection: socket.socket, request: str) -> None:
        self._connection = connection
        self._request = request
        head, rest = self._read_head()
        lines = head.decode("latin-1").split("\r\n")
        self.status = self._parse_status(lines[0])
        fields = (line.partition(":") for line in lines[1:])
        self.headers = {name.strip().lower(): value.strip() for name, _, value in fields}
        chunked = self.headers.get("transfer-encoding", "").lower() == "chunked"
        self._chunks = _Chunks() if chunked else None
        self._first = rest

    def body(self) -> bytes:
        """The whole body; raises OperationError if the daemon stopped in the middle of it."""
        parts = bytearray(self._decode(self._first))
        while not self._complete(len(parts)):
            data = self._receive()
            if not data:
                break
            parts += self._decode(data)
            if len(parts) > _BODY_MAX_BYTES:
                raise BugError("E_REPLY_SIZE", f"the answer to {self._request} is too large")
        if self._truncated(len(parts)):
            raise _gone(self._request)
        return bytes(parts)

    def lines(self, tick_s: float | None, wake_fd: int | None) -> Iterator[bytes | None]:
        """The body line by line; None whenever nothing came for ``tick_s`` or ``wake_fd`` woke.

        The caller gets a chance to animate and to see a signal without a thread of its own.
        """
        poll = select.poll()
        poll.register(self._connection, select.POLLIN)
        if wake_fd is not None:
            poll.register(wake_fd, select.POLLIN)
        self._connection.settimeout(None)
        timeout_ms = None if tick_s is None else tick_s * 1000
        pending = bytearray(self._decode(self._first))
        while True:
            *complete, tail = pending.split(b"\n")
            yield from (bytes(line) for line in complete if line.strip())
            pending = bytearray(tail)
            if self._ended():
                break
            ready = {fd for fd, _ in poll.poll(timeout_ms)}
            if self._connection.fileno() not in ready:
                yield None
                continue
            data = self._receive()
            if not data:
                break
            pending += self._decode(data)
        if pending.strip():
            yield bytes(pending)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _read_head(self) -> tuple[bytes, bytes]:
        received = bytearray()
        while b"\r\n\r\n" not in received:
            data = self._receive()
            if not data:
                raise _gone(self._request)
            received += data
            if len(received) > _HEAD_MAX_BYTES + _READ_BYTES:
                raise BugError("E_REPLY_HEAD", f"the answer to {self._request} has no end of head")
        head, _, rest = bytes(received).partition(b"\r\n\r\n")
        return head, rest

    def _parse_status(self, line: str) -> int:
        version, _, rest = line.partition(" ")
        if not version.startswith("HTTP/1.") or not rest[:3].isdigit():
            raise BugError("E_REPLY_HEAD", f"the answer to {self._request} is not HTTP: {line!r}")
        return int(rest[:3])

    def _receive(self) -> bytes:
        try:
            return self._connection.recv(_READ_BYTES)
        except TimeoutError as exc:
            raise OperationError(
                "E_DAEMON_SILENT",
                f"the daemon did not answer {self._request} "
                f"in {self._connection.gettimeout() or 0:.0f} s",
                hint="greenroom serve --stop ends it; the next command starts a new one",
            ) from exc
        except ConnectionError:
            return b""

    def _decode(self, data: bytes) -> bytes:
        return data if self._chunks is None else self._chunks.feed(data)

    def _ended(self) -> bool:
        return self._chunks is not None and self._chunks.ended

    def _complete(self, length: int) -> bool:
        if self._chunks is not None:
            return self._chunks.ended
        return "content-length" in self.headers and not self._truncated(length)

    def _truncated(self, length: int) -> bool:
        if self._chunks is not None:
            return not self._chunks.ended
        return length < int(self.headers.get("content-length", "0"))


class _Chunks:
    """Undoes ``Transfer-Encoding: chunked`` as the bytes come (RFC 9112, section 7.1)."""

    def __init__(self) -> None:
        self._raw = b""
        self.ended = False

    def feed(self, data: bytes) -> bytes:
        self._raw += data
        decoded = bytearray()
        while not self.ended:
            size_line, separator, rest = self._raw.partition(b"\r\n")
            if not separator:
                break
            size = int(size_line.partition(b";")[0], 16)
            if len(rest) < size + 2:
                break
            self.ended = size == 0
            decoded += rest[:size]
            self._raw = rest[size + 2 :]
        return bytes(decoded)


def accepts(socket_path: str) -> bool:
    """Whether somebody listens on the socket; raises PermissionError."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(REPLY_TIMEOUT_S)
        try:
            probe.connect(socket_path)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        return True


def send(
    socket_path: str, method: str, target: str, body: object = None, timeout_s: float | None = None
) -> Reply:
    """One request; returns when the head of the answer is there.

    ``target`` is the path with its query, quoted. Raises OperationError when nobody answers.
    """
    request = f"{method} {target.partition('?')[0]}"
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(timeout_s or REPLY_TIMEOUT_S)
    try:
        connection.connect(socket_path)
        connection.sendall(_request_bytes(method, target, body))
    except (FileNotFoundError, ConnectionError) as exc:
        connection.close()
        raise _gone(request) from exc
    return Reply(connection, request)


def _request_bytes(method: str, target: str, body: object) -> bytes:
    head = f"{method} {target} HTTP/1.1\r\nHost: greenroom\r\nConnection: close\r\n"
    head += _authorization()
    if body is None:
        return (head + "\r\n").encode("ascii")
    try:
        content = json.dumps(body, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as exc:
        raise UsageError(
            "E_NOT_UTF8",
            f"{exc.object[:80]!a} is not valid UTF-8",
            hint="type it in a terminal whose locale is UTF-8",
        ) from exc
    head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode("ascii") + content


def _authorization() -> str:
    """Whoever sets a token asks as its owner, and not as the process that they are."""
    token = os.environ.get(TOKEN_VARIABLE, "")
    if not token:
        return ""
    if not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError(
            "E_TOKEN_MALFORMED", f"{TOKEN_VARIABLE} is not a token", hint="one begins with grt_"
        )
    return f"Authorization: Bearer {token}\r\n"


def _gone(request: str) -> OperationError:
    return OperationError(
        "E_DAEMON_GONE",
        f"the daemon went away during {request}",
        hint="run the command again: it starts the daemon, which takes up what was interrupted",
    )
