"""One HTTP server for the whole account: each call is logged, broken if a test wants it so, and
answered by the fake, by a wait handle, or by moto."""

from __future__ import annotations

import io
import json
import socket
import threading
import traceback
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any
from urllib.parse import unquote

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import BaseWSGIServer, make_server

from tests.cloud.fake import query as wire
from tests.cloud.fake.actions import Actions
from tests.cloud.fake.calls import Call, CallLog, recognize
from tests.cloud.fake.engine import Engine
from tests.cloud.fake.faults import CallFault, Faults
from tests.cloud.fake.handles import BUCKET, Handles

_STATUS = {200: "200 OK", 400: "400 Bad Request", 403: "403 Forbidden", 404: "404 Not Found"}
_JSON_SERVICES = frozenset({"ssm", "pricing", "logs", "tagging", "secretsmanager"})

StartResponse = Callable[[str, list[tuple[str, str]]], Any]


class Moto(DomainDispatcherApplication):
    """Looks through the folders of moto's services once for each host, not with each request."""

    get_backend_for_host = cache(DomainDispatcherApplication.get_backend_for_host)


class QuietHandler(MotoRequestHandler):
    """Says nothing of each request."""

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        """pytest's output is for pytest."""


class Site:
    """What a server serves at the moment; a test's end gives it new parts."""

    def __init__(self, *, log: CallLog) -> None:
        self.log = log
        self.moto = Moto(create_backend_app)
        # moto's backends take no care of threads.
        self.moto_lock = threading.RLock()
        self.engine: Engine | None = None
        self.actions: Actions | None = None
        self.faults: Faults | None = None
        self.handles: Handles | None = None

    def __call__(self, environ: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        """The WSGI application."""
        path, query = environ["PATH_INFO"], environ.get("QUERY_STRING", "")
        if path.startswith(BUCKET) and environ["REQUEST_METHOD"] == "PUT":
            return self._signal(environ, start, path, query)
        body = _read_body(environ)
        call = recognize(
            environ["REQUEST_METHOD"],
            path,
            query + ("&copy" if "HTTP_X_AMZ_COPY_SOURCE" in environ else ""),
            environ.get("HTTP_AUTHORIZATION", ""),
            environ.get("HTTP_X_AMZ_TARGET", ""),
            body,
        )
        if call is None:
            return self._moto(environ, start)
        self.log.add(call)
        fault = self.faults.hit(call.name) if self.faults and not call.own else None
        if fault is not None:
            return self._break(fault, call, environ, start, body)
        return self._answer(call, environ, start, body)

    def _answer(
        self, call: Call, environ: dict[str, Any], start: StartResponse, body: bytes
    ) -> Iterable[bytes]:
        if call.service != "cloudformation" or self.actions is None:
            return self._moto(environ, start)
        try:
            asked = wire.parse(body.decode())
            result = self.actions.answer(call.region, asked)
            return _xml(start, 200, wire.render_answer(asked.action, result))
        except wire.ApiError as exc:
            return _xml(start, exc.status, wire.render_error(exc.code, exc.message, exc.status))
        except Exception:  # noqa: BLE001 - else werkzeug tells stderr, and no test fails
            assert self.engine is not None
            self.engine.bugs.append(traceback.format_exc())
            return _xml(start, 400, wire.render_error("FakeBug", traceback.format_exc(), 400))

    def _moto(self, environ: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        with self.moto_lock:
            return list(self.moto(environ, start))

    def _signal(
        self, environ: dict[str, Any], start: StartResponse, path: str, query: str
    ) -> Iterable[bytes]:
        body = _read_body(environ)
        assert self.handles is not None
        try:
            self.handles.put(unquote(path), query, environ.get("CONTENT_TYPE", ""), body)
        except wire.ApiError as exc:
            text = f"<Error><Code>{exc.code}</Code><Message>{exc.message}</Message></Error>"
            return _xml(start, exc.status, text)
        return _xml(start, 200, "")

    def _break(
        self,
        fault: CallFault,
        call: Call,
        environ: dict[str, Any],
        start: StartResponse,
        body: bytes,
    ) -> Iterable[bytes]:
        if fault.error is None:
            if fault.late:
                self._answer(call, environ, lambda *_: None, body)
            return _cut(environ, start, half=fault.half)
        error = fault.error(call.name, call.resource)
        return _error(call, error, start)


def _read_body(environ: dict[str, Any]) -> bytes:
    """The body, which stays to be read again."""
    length = environ.get("CONTENT_LENGTH")
    if not length:
        return b""
    body: bytes = environ["wsgi.input"].read(int(length))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _xml(start: StartResponse, status: int, text: str) -> Iterable[bytes]:
    body = text.encode()
    headers = [("Content-Type", "text/xml"), ("Content-Length", str(len(body)))]
    start(_STATUS.get(status, f"{status} Error"), headers)
    return [body]


def _error(call: Call, error: wire.ApiError, start: StartResponse) -> Iterable[bytes]:
    """The error in the protocol of the call's service."""
    if call.service in _JSON_SERVICES:
        body = json.dumps({"__type": error.code, "message": error.message}).encode()
        headers = [
            ("Content-Type", "application/x-amz-json-1.1"),
            ("Content-Length", str(len(body))),
        ]
        start(_STATUS.get(error.status, f"{error.status} Error"), headers)
        return [body]
    inner = f"<Error><Code>{error.code}</Code><Message>{error.message}</Message></Error>"
    match call.service:
        case "ec2":
            text = f"<Response><Errors>{inner}</Errors><RequestID>r</RequestID></Response>"
        case "s3":
            text = inner
        case _:
            text = wire.render_error(error.code, error.message, error.status)
    return _xml(start, error.status, text)


def _cut(environ: dict[str, Any], start: StartResponse, *, half: bool) -> Iterable[bytes]:
    """No answer or half of one: the client's socket is closed under it."""
    connection = environ["werkzeug.socket"]
    if half:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n<CreateCh")
    connection.shutdown(socket.SHUT_RDWR)
    start(_STATUS[200], [])
    return []


class Server:
    """``Site`` on a port of 127.0.0.1, or of ``host``, in threads."""

    def __init__(self, site: Any, host: str = "127.0.0.1") -> None:
        self._server: BaseWSGIServer = make_server(
            host, 0, site, threaded=True, request_handler=QuietHandler
        )
        self.url = f"http://{host}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=10)
