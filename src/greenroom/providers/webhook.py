"""Webhooks: JSON sent by POST, a few times if need be, by a thread that nobody waits for."""

from __future__ import annotations

import logging
import queue
import threading
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

WAITING_MAX = 1000
"""Messages that wait to be sent; what comes beyond is dropped, with a line in the log."""
_TIMEOUT_S = 5.0
_DELAYS_S = (1.0, 5.0)
"""Waits between the tries; one try more than there are waits."""

_logger = logging.getLogger(__name__)


class WebhookSender:
    """Sends what it is given, in order. Safe to use from any thread."""

    def __init__(self, delays_s: tuple[float, ...] = _DELAYS_S) -> None:
        self._delays_s = delays_s
        self._waiting: queue.Queue[tuple[str, bytes]] = queue.Queue(WAITING_MAX)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._send_all, name="webhooks", daemon=True)
        self._thread.start()

    def send(self, url: str, body: bytes) -> None:
        """Have it sent soon. Never blocks, never raises."""
        try:
            self._waiting.put_nowait((url, body))
        except queue.Full:
            _logger.error("a webhook to %s was dropped: %s wait", _shown(url), WAITING_MAX)

    def close(self) -> None:
        """Drop what waits; a try that runs ends within its time."""
        self._closing.set()

    def _send_all(self) -> None:
        while True:
            url, body = self._waiting.get()
            for delay_s in (*self._delays_s, None):
                if self._closing.is_set() or _post(url, body) or delay_s is None:
                    break
                self._closing.wait(delay_s)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A webhook goes where its definition says, and nowhere else."""

    def redirect_request(self, *_args: Any, **_options: Any) -> None:
        """Follow none."""


_opener = urllib.request.build_opener(_NoRedirects, urllib.request.ProxyHandler({}))


def _post(url: str, body: bytes) -> bool:
    headers = {"Content-Type": "application/json", "User-Agent": "greenroom"}
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")
    try:
        with _opener.open(request, timeout=_TIMEOUT_S):
            return True
    except (urllib.error.URLError, HTTPException, OSError, ValueError) as error:
        _logger.warning("the webhook to %s failed: %s", _shown(url), error)
        return False


def _shown(url: str) -> str:
    """Without path and query, in which such an address often holds its password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}"
