"""Webhooks: JSON sent by POST, a few times if need be, by threads that nobody waits for."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import ssl
import threading
from collections import deque
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

WAITING_MAX = 1000
"""Messages that wait to be sent; what comes beyond is dropped, with a line in the log."""
WORKERS_MAX = 8
"""Hosts that are written to at once; a message to any other waits for its turn."""
_TIMEOUT_S = 5.0
"""For a connection and for each piece of an answer."""
_DEADLINE_S = 10.0
"""For all of a try: who answers a byte at a time is cut off."""
_DELAYS_S = (1.0, 5.0)
"""Waits between the tries; one try more than there are waits."""

_logger = logging.getLogger(__name__)


class WebhookSender:
    """Sends what it is given, to each host in order. One host that is slow holds up no other. Safe
    to use from any thread."""

    def __init__(
        self, delays_s: tuple[float, ...] = _DELAYS_S, deadline_s: float = _DEADLINE_S
    ) -> None:
        self._delays_s = delays_s
        self._deadline_s = deadline_s
        self._lock = threading.Lock()
        # By host; one that is here without being ready is being written to.
        self._waiting: dict[str, deque[tuple[str, bytes]]] = {}
        self._ready: deque[str] = deque()
        self._count = 0
        self._workers = 0
        self._closing = threading.Event()

    def send(self, url: str, body: bytes) -> None:
        """Have it sent soon. Never blocks, never raises."""
        host = _shown(url)
        with self._lock:
            if self._count >= WAITING_MAX:
                _logger.error("a webhook to %s was dropped: %s wait", host, WAITING_MAX)
                return
            self._count += 1
            if host in self._waiting:
                self._waiting[host].append((url, body))
                return
            self._waiting[host] = deque([(url, body)])
            self._ready.append(host)
            if self._workers < WORKERS_MAX:
                self._workers += 1
                threading.Thread(target=self._work, name="webhooks", daemon=True).start()

    def close(self) -> None:
        """Drop what waits; a try that runs ends within its time."""
        self._closing.set()

    def _work(self) -> None:
        while (host := self._next()) is not None:
            url, body = self._waiting[host].popleft()
            self._try(url, body)
            with self._lock:
                self._count -= 1
                if self._waiting[host]:
                    self._ready.append(host)
                else:
                    del self._waiting[host]

    def _next(self) -> str | None:
        with self._lock:
            if self._ready and not self._closing.is_set():
                return self._ready.popleft()
            self._workers -= 1
            return None

    def _try(self, url: str, body: bytes) -> None:
        for delay_s in (*self._delays_s, None):
            if self._closing.is_set() or _post(url, body, self._deadline_s) or delay_s is None:
                return
            self._closing.wait(delay_s)


def _post(url: str, body: bytes, deadline_s: float) -> bool:
    """Whether it was taken. A redirect is a refusal: a webhook goes where its definition says."""
    try:
        status = _status(url, body, deadline_s)
    except (HTTPException, OSError, ValueError) as error:
        _logger.warning("the webhook to %s failed: %s", _shown(url), error)
        return False
    if not 200 <= status < 300:
        _logger.warning("the webhook to %s was answered with %s", _shown(url), status)
        return False
    return True


def _status(url: str, body: bytes, deadline_s: float) -> int:
    parts = urlsplit(url)
    host, is_tls = parts.hostname or "", parts.scheme == "https"
    with contextlib.ExitStack() as undo:
        raw = socket.create_connection((host, parts.port or (443 if is_tls else 80)), _TIMEOUT_S)
        undo.callback(raw.close)
        # A descriptor of its own, as the handshake takes the first one away from its socket.
        line = undo.enter_context(socket.socket(fileno=os.dup(raw.fileno())))
        timer = threading.Timer(deadline_s, _cut, (line,))
        undo.callback(timer.cancel)
        timer.daemon = True
        timer.start()
        connection = HTTPConnection(host, timeout=_TIMEOUT_S)
        undo.callback(connection.close)
        # Set before it connects by itself, which it then does not.
        connection.sock = raw
        if is_tls:
            context = ssl.create_default_context()
            connection.sock = context.wrap_socket(raw, server_hostname=host)
        path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        headers = {
            "Host": parts.netloc.rpartition("@")[2],
            "Content-Type": "application/json",
            "User-Agent": "greenroom",
            "Connection": "close",
        }
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        undo.callback(answer.close)
        return answer.status


def _cut(line: socket.socket) -> None:
    """End a connection, whoever reads from it."""
    with contextlib.suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)


def _shown(url: str) -> str:
    """Without path and query, in which such an address often holds its password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}"
