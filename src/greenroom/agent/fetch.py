"""A small HTTP/1.1 client over a socket: metadata, buckets, checks and the signal need no more.

`http.client` drags in the email package (25 ms); `urllib` is imported for https:// only, which
happens on AWS and never in a local region. Follows RFC 9112 as far as a client must that sends
no body in pieces: lengths, chunks, or everything until the connection closes.
"""

from __future__ import annotations

from .errors import AgentError, one_line
from .lean import socket
from .value import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import BinaryIO

HEAD_LINES = 200
LINE_BYTES = 16 * 1024
READ_BYTES = 8 * 1024
CHUNK_BYTES = 256 * 1024
BODY_BYTES = 1024 * 1024
"""The limit of a body that is kept in memory."""


class FetchError(AgentError):
    """No answer, or one that is not HTTP. Another try may help."""


class Response(Value):
    """An answer; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as UTF-8."""
        return self.body.decode("utf-8", "replace")


class Downloaded(Value):
    """``sha256`` (hex) and ``size`` (bytes) are of what was written, which is nothing unless
    ``status`` is 200; then ``refusal`` is the beginning of the body."""

    status: int
    sha256: str
    size: int
    refusal: bytes


class Url(Value):
    """The parts of an http:// URL that a request needs."""

    host: str
    port: int
    target: str


def parse_url(url: str) -> Url:
    """Split ``http://host[:port]/target``; raises FetchError for what could alter the request."""
    scheme, separator, rest = url.partition("://")
    if scheme != "http" or not separator:
        raise FetchError(f"not an http:// URL: {url!r}")
    if any(ord(c) <= 32 or ord(c) == 127 for c in url):
        raise FetchError(f"a URL holds no spaces or control characters: {url!r}")
    authority, slash, target = rest.partition("/")
    host, _, port = authority.partition(":")
    if not host or (port and not port.isdigit()):
        raise FetchError(f"not an http:// URL: {url!r}")
    return Url(host=host, port=int(port or 80), target=slash + target or "/")


def quote(text: str, *, safe: str = "") -> str:
    """Percent-encode all but unreserved characters (RFC 3986, section 2.3) and ``safe``."""
    plain = "-._~" + safe
    return "".join(
        chr(b) if b < 128 and (chr(b).isalnum() or chr(b) in plain) else f"%{b:02X}"
        for b in text.encode()
    )


def connected(host: str, port: int, timeout_s: float) -> socket.socket:
    """A TCP connection over IPv4, which is what a machine's neighbours speak; raises OSError."""
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        found.settimeout(timeout_s)
        found.connect((host, port))
    except BaseException:
        found.close()
        raise
    return found


class Stream:
    """Lines and pieces of what a connection brings. The timeout is the connection's."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = b""

    def readline(self, limit_bytes: int) -> bytes:
        """Up to and with the next line feed, at most ``limit_bytes``; less only at the end."""
        while True:
            size = self._buffer.find(b"\n") + 1
            if size or len(self._buffer) >= limit_bytes:
                return self._take(min(size or limit_bytes, limit_bytes))
            piece = self._connection.recv(READ_BYTES)
            if not piece:
                return self._take(len(self._buffer))
            self._buffer += piece

    def read(self, limit_bytes: int) -> bytes:
        """What is there next, at most ``limit_bytes``; nothing only at the end."""
        return self._take(limit_bytes) if self._buffer else self._connection.recv(limit_bytes)

    def _take(self, size: int) -> bytes:
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken


class Connection:
    """One connection to one host. It is kept for the next request if the server agrees."""

    def __init__(self, host: str, port: int, *, timeout_s: float) -> None:
        self._address = (host, port)
        self._timeout_s = timeout_s
        self._socket: socket.socket | None = None
        self._stream: Stream | None = None

    def request(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Response:
        """Send one request and read its whole answer; raises FetchError."""
        try:
            status, answer, chunks = self.open(method, target, headers, body)
            data = bounded(chunks, BODY_BYTES)
        except (OSError, ValueError) as error:
            self.close()
            raise FetchError(one_line(error)) from error
        if answer.get("connection", "").lower() == "close" or answer[":version"] != "HTTP/1.1":
            self.close()
        return Response(status=status, headers=answer, body=data)

    def open(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, dict[str, str], Iterator[bytes]]:
        """Send one request; status, headers and the pieces of the body as they come."""
        if self._socket is None or self._stream is None:
            self._socket = connected(*self._address, self._timeout_s)
            self._stream = Stream(self._socket)
        host, port = self._address
        lines = [
            f"{method} {target} HTTP/1.1",
            f"Host: {host}:{port}" if port != 80 else f"Host: {host}",
        ]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if body or method in ("PUT", "POST"):
            lines.append(f"Content-Length: {len(body)}")
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        # A server that writes head and body apart waits for our acknowledgement in between, which
        # the kernel delays by 40 ms. The option lasts for a few segments only: set it each time.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        status, answer = read_head(self._stream)
        return status, answer, read_body(self._stream, status, answer)

    def close(self) -> None:
        """Forget the connection; the next request opens another."""
        if self._socket is not None:
            self._socket.close()
        self._socket = self._stream = None


def read_head(stream: Stream) -> tuple[int, dict[str, str]]:
    """The status and the headers; raises ValueError for what is not HTTP."""
    first = stream.readline(LINE_BYTES).decode("latin-1").split(None, 2)
    if not first:
        raise ConnectionError("the connection was closed before an answer")
    if len(first) < 2 or not first[0].startswith("HTTP/1.") or not first[1].isdigit():
        raise ValueError("the answer is not HTTP")
    headers = {":version": first[0]}
    for _ in range(HEAD_LINES):
        line = stream.readline(LINE_BYTES)
        if line in (b"\r\n", b"\n"):
            return int(first[1]), headers
        name, separator, value = line.decode("latin-1").partition(":")
        if not separator:
            raise ValueError("the answer's head is cut off")
        headers[name.strip().lower()] = value.strip()
    raise ValueError(f"the answer has more than {HEAD_LINES} headers")


def read_body(stream: Stream, status: int, headers: Mapping[str, str]) -> Iterator[bytes]:
    """The body in pieces; raises ValueError when it ends before it should."""
    if status in (204, 304):
        return
    if headers.get("transfer-encoding", "").lower() == "chunked":
        while size := int(stream.readline(LINE_BYTES).split(b";")[0] or b"x", 16):
            yield from _exactly(stream, size)
            stream.readline(LINE_BYTES)
        while stream.readline(LINE_BYTES) not in (b"\r\n", b"\n", b""):
            pass
    elif "content-length" in headers:
        yield from _exactly(stream, int(headers["content-length"]))
    else:
        while piece := stream.read(CHUNK_BYTES):
            yield piece


def _exactly(stream: Stream, size: int) -> Iterator[bytes]:
    left = size
    while left:
        piece = stream.read(min(left, CHUNK_BYTES))
        if not piece:
            raise ValueError(f"the body ended after {size - left} of {size} bytes")
        left -= len(piece)
        yield piece


def bounded(chunks: Iterator[bytes], limit_bytes: int) -> bytes:
    """All pieces as one; raises ValueError beyond ``limit_bytes``."""
    parts: list[bytes] = []
    size = 0
    for piece in chunks:
        size += len(piece)
        if size > limit_bytes:
            raise ValueError(f"the answer has more than {limit_bytes} bytes")
        parts.append(piece)
    return b"".join(parts)


def request(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    timeout_s: float = 10.0,
) -> Response:
    """One request on a connection of its own; any status is an answer. Raises FetchError."""
    if url.startswith("https://"):
        return _https(method, url, headers or {}, body, timeout_s)
    parts = parse_url(url)
    connection = Connection(parts.host, parts.port, timeout_s=timeout_s)
    try:
        wanted = {**(headers or {}), "Connection": "close"}
        return connection.request(method, parts.target, wanted, body)
    finally:
        connection.close()


def download(
    url: str,
    file: BinaryIO,
    *,
    limit_bytes: int,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = 30.0,
) -> Downloaded:
    """GET ``url`` into ``file``, if it is answered with status 200.

    ``timeout_s`` is the longest silence, not the whole time. Raises FetchError.
    """
    from hashlib import sha256

    digest, size, refusal = sha256(), 0, b""
    status, chunks, close = _stream(url, headers or {}, timeout_s)
    try:
        if status != 200:
            refusal = next(iter(chunks), b"")
            chunks = iter(())
        for piece in chunks:
            size += len(piece)
            if size > limit_bytes:
                raise ValueError(f"more than {limit_bytes} bytes")
            digest.update(piece)
            file.write(piece)
    except (OSError, ValueError) as error:
        raise FetchError(f"GET {url}: {one_line(error)}") from error
    finally:
        close()
    return Downloaded(status=status, sha256=digest.hexdigest(), size=size, refusal=refusal)


def _stream(
    url: str, headers: Mapping[str, str], timeout_s: float
) -> tuple[int, Iterator[bytes], _Close]:
    if url.startswith("https://"):
        return _https_stream(url, headers, timeout_s)
    parts = parse_url(url)
    connection = Connection(parts.host, parts.port, timeout_s=timeout_s)
    try:
        wanted = {**headers, "Connection": "close"}
        status, _, chunks = connection.open("GET", parts.target, wanted, b"")
    except (OSError, ValueError) as error:
        connection.close()
        raise FetchError(f"GET {url}: {one_line(error)}") from error
    return status, chunks, connection.close


def _https(
    method: str, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float
) -> Response:
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    data = body if body or method in ("PUT", "POST") else None
    asked = Request(url, data=data, headers=dict(headers), method=method)
    try:
        try:
            answer = urlopen(asked, timeout=timeout_s)
        except HTTPError as error:
            answer = error
        with answer:
            content = bounded(iter(lambda: answer.read(CHUNK_BYTES), b""), BODY_BYTES)
            names = {name.lower(): value for name, value in answer.headers.items()}
            return Response(status=answer.status, headers=names, body=content)
    except (OSError, ValueError) as error:
        raise FetchError(f"{method} {url}: {error}") from error


def _https_stream(
    url: str, headers: Mapping[str, str], timeout_s: float
) -> tuple[int, Iterator[bytes], _Close]:
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    try:
        answer = urlopen(Request(url, headers=dict(headers)), timeout=timeout_s)
    except HTTPError as error:
        answer = error
    except (OSError, ValueError) as error:
        raise FetchError(f"GET {url}: {error}") from error
    return answer.status, iter(lambda: answer.read(CHUNK_BYTES), b""), answer.close


if TYPE_CHECKING:
    from collections.abc import Callable

    _Close = Callable[[], None]
