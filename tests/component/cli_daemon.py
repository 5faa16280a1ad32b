"""A daemon for the CLI's tests: a real HTTP server on a unix socket with canned answers."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

JSON = "application/json"
ONE = "/v1/environments/photos/feature-x"
"""Whatever name is looked up, it is this environment's, unless a test says otherwise."""


@dataclass(kw_only=True)
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class Answer:
    """``lines`` streams; without a framing of its own the body ends with the connection."""

    value: Any = None
    status: int = 200
    lines: Iterable[Any] | None = None
    chunked: bool = False


@dataclass(kw_only=True)
class FakeDaemon:
    socket_path: Path
    routes: dict[tuple[str, str], Answer | Callable[[Request], Answer]] = field(
        default_factory=dict
    )
    requests: list[Request] = field(default_factory=list)

    def answer(self, method: str, path: str, value: Any = None, **more: Any) -> None:
        self.routes[method, path] = Answer(value=value, **more)

    def bodies(self, path: str) -> list[Any]:
        return [request.body for request in self.requests if request.path == path]

    def count(self, method: str, path: str) -> int:
        return sum(r.method == method and r.path == path for r in self.requests)

    def take(self, request: Request) -> Answer:
        self.requests.append(request)
        found = self.routes.get((request.method, request.path))
        if found is None and request.path == "/v1/lookup":
            found = Answer(value={"name": "photos/feature-x"})
        if found is None:
            return problem(404, "E_TEST_ROUTE", f"no route {request.method} {request.path}")
        return found(request) if callable(found) else found


def problem(status: int, code: str, message: str, **more: Any) -> Answer:
    fields = {"hint": "", "exit_code": 1, "faults": []} | more
    return Answer(status=status, value={"code": code, "message": message, **fields})


@contextmanager
def running(socket_path: Path) -> Iterator[FakeDaemon]:
    socket_path.parent.mkdir(parents=True, exist_ok=True)
    daemon = FakeDaemon(socket_path=socket_path)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            request = _read(self.rfile)
            if request is not None:
                try:
                    _write(self.wfile, daemon.take(request))
                except BrokenPipeError:
                    return

    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True
        block_on_close = False

    with Server(str(socket_path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield daemon
        finally:
            server.shutdown()
            thread.join(10)
            socket_path.unlink()


def _read(stream: Any) -> Request | None:
    first = stream.readline().decode("ascii")
    if not first:
        return None
    method, target, _ = first.split(" ")
    headers = {}
    while (line := stream.readline().strip().decode("latin-1")) != "":
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    content = stream.read(int(headers.get("content-length", "0")))
    parts = urlsplit(target)
    return Request(
        method=method,
        path=parts.path,
        query=parse_qs(parts.query, keep_blank_values=True),
        body=json.loads(content) if content else None,
        headers=headers,
    )


def _write(stream: Any, answer: Answer) -> None:
    head = f"HTTP/1.1 {answer.status} X\r\nconnection: close\r\n"
    if answer.lines is None:
        content = json.dumps(answer.value).encode()
        stream.write(f"{head}content-length: {len(content)}\r\n\r\n".encode() + content)
        return
    stream.write((head + "transfer-encoding: chunked\r\n" * answer.chunked + "\r\n").encode())
    for value in answer.lines:
        line = json.dumps(value).encode() + b"\n"
        stream.write(b"%x\r\n%s\r\n" % (len(line), line) if answer.chunked else line)
        stream.flush()
    if answer.chunked:
        stream.write(b"0\r\n\r\n")
