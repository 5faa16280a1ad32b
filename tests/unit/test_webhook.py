"""Webhooks: sent by POST, tried again, never followed elsewhere, never waited for."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue

import pytest

from greenroom.providers import webhook
from greenroom.providers.webhook import WebhookSender

TIMEOUT_S = 20.0


class Receiver(ThreadingHTTPServer):
    """Answers with the statuses that it is given, then with 200."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses: list[int] = []
        self.got: Queue[tuple[str, str, bytes]] = Queue()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook?key=s3cret"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.put((self.path, self.headers["Content-Type"], body))
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def test_it_is_posted_as_json(receiver: Receiver) -> None:
    sender = WebhookSender()
    sender.send(receiver.url, b'{"id":1}')
    assert receiver.got.get(timeout=TIMEOUT_S) == (
        "/hook?key=s3cret",
        "application/json",
        b'{"id":1}',
    )
    sender.close()


def test_it_is_tried_three_times_and_then_given_up(receiver: Receiver) -> None:
    receiver.statuses = [500, 302, 404]
    sender = WebhookSender(delays_s=(0.0, 0.0))
    sender.send(receiver.url, b"1")
    sender.send(receiver.url, b"2")
    bodies = [receiver.got.get(timeout=TIMEOUT_S)[2] for _ in range(4)]
    assert bodies == [b"1", b"1", b"1", b"2"]
    sender.close()


def drip(server: socket.socket, begun: threading.Event, ended: threading.Event) -> None:
    """Take one connection, and answer it a byte at a time without end."""
    line, _ = server.accept()
    begun.set()
    with line, contextlib.suppress(OSError):
        line.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while not ended.wait(0.01):
            line.sendall(b"x")
    ended.set()


@pytest.fixture
def dripper() -> Iterator[tuple[str, threading.Event, threading.Event]]:
    begun, ended = threading.Event(), threading.Event()
    with socket.create_server(("127.0.0.2", 0)) as server:
        thread = threading.Thread(target=drip, args=(server, begun, ended))
        thread.start()
        yield f"http://127.0.0.2:{server.getsockname()[1]}/", begun, ended
        ended.set()
        thread.join()


def test_one_that_answers_without_end_holds_up_no_other(
    receiver: Receiver, dripper: tuple[str, threading.Event, threading.Event]
) -> None:
    url, begun, ended = dripper
    sender = WebhookSender(delays_s=(), deadline_s=3600.0)
    sender.send(url, b"slow")
    assert begun.wait(TIMEOUT_S)
    sender.send(receiver.url, b"quick")
    assert receiver.got.get(timeout=TIMEOUT_S)[2] == b"quick"
    assert not ended.is_set()
    sender.close()


def test_one_that_answers_without_end_is_cut_off(
    dripper: tuple[str, threading.Event, threading.Event],
) -> None:
    url, _, ended = dripper
    sender = WebhookSender(delays_s=(), deadline_s=0.2)
    sender.send(url, b"slow")
    assert ended.wait(TIMEOUT_S)
    sender.close()


def test_a_full_queue_drops_what_comes_and_blocks_nobody(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(webhook, "_post", lambda *_: False)
    sender = WebhookSender(delays_s=(3600.0,))
    for _ in range(webhook.WAITING_MAX + 2):
        sender.send("http://chat.example/hook?key=s3cret", b"")
    assert "a webhook to http://chat.example was dropped" in caplog.text
    assert "s3cret" not in caplog.text
    sender.close()
