"""A client that reads while something happens: what it counts, and what it calls a fault."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.component.app_stage import make_stack, request

from greenroom.app.clock import SystemClock
from greenroom.app.visitor import Visitor, _count, _gap_s, _Tally
from greenroom.model.stack import HttpCheck, Machine
from greenroom.model.visits import Answer
from greenroom.providers.local import visit
from greenroom.providers.local.proxy import _routes
from greenroom.providers.local.visit import judged, visit_endpoint

GOOD = Answer(fault="", seconds=0.01)
CHECK = HttpCheck(path="/health", port=80, status=200, contains="ok", deadline_s=5.0)


def test_the_longest_gap_lies_between_two_good_answers() -> None:
    tally = _Tally()
    for began_s, ended_s, fault in (
        (0.0, 0.1, ""),
        (0.2, 0.3, ""),
        (0.4, 3.4, "503"),
        (3.6, 3.7, ""),
        (3.8, 3.9, "timeout"),
    ):
        _count(tally, Answer(fault=fault, seconds=ended_s - began_s), began_s, ended_s)

    assert (tally.requests, dict(tally.errors)) == (5, {"503": 1, "timeout": 1})
    assert tally.longest_gap_s == pytest.approx(3.4)
    assert tally.slowest_s == pytest.approx(0.1)
    # What lasts since the last good answer counts too.
    assert _gap_s(tally, 5.0) == pytest.approx(3.4)
    assert _gap_s(tally, 10.0) == pytest.approx(6.3)


def test_what_never_answered_well_has_no_gap() -> None:
    tally = _Tally()
    _count(tally, Answer(fault="connection refused", seconds=0.1), 0.0, 0.1)
    assert _gap_s(tally, 5.0) is None


def test_a_visitor_reads_until_it_leaves_and_sums_up_all_endpoints() -> None:
    calls = {"api": 0, "www": 0}
    lock = threading.Lock()

    def api() -> Answer:
        with lock:
            calls["api"] += 1
        return GOOD

    def www() -> Answer:
        with lock:
            calls["www"] += 1
        return Answer(fault="503", seconds=0.01)

    visitor = Visitor([api, www], SystemClock())
    visitor.arrive()
    assert visitor.since <= datetime.now(UTC)
    seen = visitor.leave()

    assert min(calls.values()) >= 1
    assert seen.requests == sum(calls.values())
    assert seen.errors == (("503", calls["www"]),)
    assert seen.longest_gap_s is not None and seen.slowest_s == 0.01 and seen.whole
    # It has left: whoever was reading has ended.
    assert [t.name for t in threading.enumerate() if t.name.startswith("visitor-")] == []


def test_a_visitor_settles_at_the_first_good_answer() -> None:
    broken = threading.Event()
    broken.set()
    visitor = Visitor(
        [lambda: Answer(fault="503" if broken.is_set() else "", seconds=0.0)], SystemClock()
    )
    visitor.arrive()
    broken.clear()
    visitor.settle()
    seen = visitor.leave()
    assert dict(seen.errors)["503"] >= 1
    assert seen.requests > dict(seen.errors)["503"]


def test_one_reader_that_hangs_does_not_blind_the_others() -> None:
    hang, first, others = threading.Event(), threading.Semaphore(1), threading.Event()

    def answer() -> Answer:
        if first.acquire(blocking=False):
            hang.wait(20)
        else:
            others.set()
        return GOOD

    visitor = Visitor([answer], SystemClock())
    assert others.wait(20)
    assert not hang.is_set()
    hang.set()
    assert visitor.leave().requests >= 2


@pytest.mark.parametrize(
    ("status", "body", "check", "fault"),
    [
        (200, b"it is ok", CHECK, ""),
        (200, b"it is not", CHECK, "wrong content"),
        (404, b"ok", CHECK, "wrong content"),
        (500, b"", CHECK, "wrong content"),
        (502, b"", CHECK, "502"),
        (503, b"", CHECK, "503"),
        (504, b"", None, "504"),
        (500, b"", None, "wrong content"),
        (302, b"", None, ""),
    ],
)
def test_an_answer_is_held_against_the_check_of_its_port(
    status: int, body: bytes, check: HttpCheck | None, fault: str
) -> None:
    assert judged(status, body, check) == fault


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return make_stack(tmp_path, request()).machines[0]


@contextmanager
def server(behave: type[http.server.BaseHTTPRequestHandler]) -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), behave) as made:
        thread = threading.Thread(target=made.serve_forever, daemon=True)
        thread.start()
        try:
            yield made.server_port
        finally:
            made.shutdown()


def test_a_visit_asks_by_the_endpoints_name(machine: Machine) -> None:
    asked: list[tuple[str, str | None]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["Host"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            return

    with server(Handler) as port:
        answer = visit_endpoint(port, machine)
    assert answer.fault == ""
    assert asked == [("/", f"api.feature-x.photos.localhost:{port}")]


def test_each_way_of_not_answering_has_its_kind(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visit, "TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        # Accepted by the kernel, answered by nobody.
        assert visit_endpoint(port, machine).fault == "timeout"
    assert visit_endpoint(port, machine).fault == "connection refused"

    def hang_up(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        connection.close()

    monkeypatch.setattr(visit, "TIMEOUT_S", 5.0)
    with socket.create_server(("127.0.0.1", 0)) as rude:
        thread = threading.Thread(target=hang_up, args=(rude,))
        thread.start()
        assert visit_endpoint(rude.getsockname()[1], machine).fault == "connection broken"
        thread.join()


def test_the_endpoint_of_a_machine_that_is_away_leads_to_another_of_its_type(
    tmp_path: Path,
) -> None:
    from dataclasses import replace

    stack = make_stack(tmp_path, request())
    first, database = stack.machines
    second = replace(first, name="backend2", address=stack.subnet[12], endpoint=None)
    two = replace(stack, machines=(first, second, database))
    host = "api.feature-x.photos.localhost"
    assert _routes(two, "") == [(host, "10.213.0.10", 80)]
    assert _routes(two, "backend1") == [(host, "10.213.0.12", 80)]
    assert _routes(two, "backend2") == _routes(two, "db1") == _routes(two, "")
    assert _routes(stack, "backend1") == [(host, "10.213.0.10", 80)]
