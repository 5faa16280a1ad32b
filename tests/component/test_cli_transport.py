"""HTTP over the unix socket."""

from __future__ import annotations

import itertools
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.component.cli_daemon import ONE, FakeDaemon, problem, running

from greenroom.cli.client import Client
from greenroom.cli.transport import Reply, accepts, send
from greenroom.errors import (
    BugError,
    Fault,
    GreenroomError,
    NotProvedError,
    OperationError,
    RefusedError,
    UsageError,
)

EVENTS = "/v1/operations/op-1/events"


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[FakeDaemon]:
    with running(tmp_path / "d.sock") as fake:
        yield fake


@pytest.fixture
def client(daemon: FakeDaemon) -> Client:
    return Client(str(daemon.socket_path))


def reply_of(*pieces: bytes) -> Reply:
    """A reply whose bytes arrive in these pieces."""
    ours, theirs = socket.socketpair()
    ours.settimeout(5)

    def feed() -> None:
        with theirs:
            for piece in pieces:
                theirs.sendall(piece)

    threading.Thread(target=feed).start()
    return Reply(ours, "GET /x")


def cut(content: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(content) + 1) for place in places), len(content)]
    return [content[a:b] for a, b in itertools.pairwise(edges)]


LINES = [b'{"a": 1}', b"", b"x" * 300, b"last"]
PLAIN = b"HTTP/1.1 200 OK\r\nX-A: b\r\n\r\n" + b"\n".join(LINES)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(
    b"%X;ext=1\r\n%s\r\n" % (len(part), part) for part in cut(b"\n".join(LINES), [3, 9, 100])
).replace(b"0;ext=1\r\n\r\n", b"")


@settings(deadline=None)
@given(st.lists(st.integers(0, 2000), max_size=6), st.sampled_from([PLAIN, CHUNKED + b"0\r\n\r\n"]))
def test_lines_are_the_same_wherever_the_bytes_are_cut(places: list[int], content: bytes) -> None:
    lines = [line for line in reply_of(*cut(content, places)).lines(None, None) if line]
    assert lines == [line for line in LINES if line]


@settings(deadline=None)
@given(st.lists(st.integers(0, 2000), max_size=6))
def test_a_chunked_body_is_whole_wherever_the_bytes_are_cut(places: list[int]) -> None:
    content = CHUNKED + b"0\r\n\r\n"
    assert reply_of(*cut(content, places)).body() == b"\n".join(LINES)


@pytest.mark.parametrize(
    "content",
    [CHUNKED, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", b"HTTP/1.1 200", b""],
)
def test_a_daemon_that_dies_in_the_middle_is_an_error(content: bytes) -> None:
    with pytest.raises(OperationError) as caught:
        reply_of(content).body()
    assert caught.value.code == "E_DAEMON_GONE"


@pytest.mark.parametrize("content", [b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n"])
def test_what_is_not_http_is_a_bug(content: bytes) -> None:
    with pytest.raises(BugError) as caught:
        reply_of(content)
    assert "is not HTTP" in caught.value.message


def test_an_idle_stream_ticks(daemon: FakeDaemon, client: Client) -> None:
    go = threading.Event()

    def lines() -> Iterator[dict[str, int]]:
        yield {"seq": 1}
        go.wait(10)
        yield {"seq": 2}

    daemon.answer("GET", EVENTS, lines=lines())
    seen: list[int | None] = []
    for event in client.events("op-1", after=0, tick_s=0.01, wake_fd=None):
        seen.append(event and event["seq"])
        if seen.count(None) >= 2:
            go.set()
    assert seen[0] == 1
    assert seen[-1] == 2
    assert seen.count(None) >= 2


def test_a_wake_up_ends_the_wait_at_once(daemon: FakeDaemon, client: Client) -> None:
    go = threading.Event()
    daemon.answer("GET", EVENTS, lines=iter(lambda: go.wait(10) and None, None))
    read, write = os.pipe()
    os.write(write, b"!")
    events = client.events("op-1", after=0, tick_s=None, wake_fd=read)
    assert next(events) is None
    go.set()
    events.close()  # type: ignore[attr-defined]
    os.close(read)
    os.close(write)


def test_queries_are_quoted_and_absent_ones_left_out(daemon: FakeDaemon, client: Client) -> None:
    daemon.answer("GET", f"{ONE}/logs", lines=[])
    list(client.logs("a/b &c=é#", machine=None, service="x y", follow=True))
    looked_up, asked = daemon.requests
    assert looked_up.query == {"name": ["a/b &c=é#"]}
    assert asked.query == {"service": ["x y"], "follow": ["1"]}


def test_the_words_of_a_command_arrive_one_by_one(daemon: FakeDaemon, client: Client) -> None:
    daemon.answer("GET", f"{ONE}/command", {"argv": ["crun"]})
    assert client.command("e", "m", ["sh", "-c", "a & b", ""], tty=False) == ["crun"]
    assert daemon.requests[1].query["arg"] == ["sh", "-c", "a & b", ""]
    assert daemon.requests[1].query["tty"] == ["0"]


@pytest.mark.parametrize(
    ("exit_code", "family"),
    [(1, OperationError), (2, UsageError), (3, NotProvedError), (4, RefusedError)],
)
def test_a_problem_becomes_the_error_of_its_family(
    daemon: FakeDaemon, client: Client, exit_code: int, family: type[GreenroomError]
) -> None:
    fault = {"file": "greenroom.yaml", "line": 3, "column": 5, "path": "a.b", "message": "no"}
    answer = problem(409, "E_X", "refused", hint="do", exit_code=exit_code, faults=[fault])
    daemon.routes["GET", "/v1/environments"] = answer
    with pytest.raises(family) as caught:
        client.environments()
    error = caught.value
    assert (error.code, error.message, error.hint) == ("E_X", "refused", "do")
    assert error.exit_code == exit_code
    assert error.faults == (Fault(**fault),)  # type: ignore[arg-type]


def test_a_problem_instead_of_a_stream_is_an_error_too(daemon: FakeDaemon, client: Client) -> None:
    daemon.routes["GET", EVENTS] = problem(404, "E_NO_OPERATION", "no operation op-1")
    with pytest.raises(OperationError, match="no operation op-1"):
        list(client.events("op-1", after=0, tick_s=None, wake_fd=None))


@pytest.mark.parametrize("value", [None, {"detail": "Not Found"}, [1], "text"])
def test_an_answer_without_a_problem_document_is_a_bug(
    daemon: FakeDaemon, client: Client, value: object
) -> None:
    daemon.answer("GET", "/v1/status", value, status=500)
    with pytest.raises(BugError) as caught:
        client.status()
    assert caught.value.code == "E_DAEMON_REPLY"
    assert "answered 500 to GET /v1/status" in caught.value.message


def test_a_name_that_is_not_utf8_is_refused_here(client: Client) -> None:
    for call in (
        lambda: client.environment("\udcff"),
        lambda: client.start_operation(
            {"kind": "destroy", "environment": "\udcff", "confirm": None}
        ),
    ):
        with pytest.raises(UsageError) as caught:
            call()
        assert caught.value.code == "E_NOT_UTF8"


def test_nobody_accepts_where_no_daemon_is(tmp_path: Path) -> None:
    path = tmp_path / "d.sock"
    assert not accepts(str(path))
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert not accepts(str(path))
    with pytest.raises(OperationError) as caught:
        send(str(path), "GET", "/v1/status?x=1")
    assert caught.value.message == "the daemon went away during GET /v1/status"


def test_a_silent_daemon_is_given_up(tmp_path: Path) -> None:
    path = str(tmp_path / "d.sock")
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(path)
        silent.listen()
        with pytest.raises(OperationError) as caught:
            send(path, "GET", "/v1/status", timeout_s=0.05)
    assert caught.value.code == "E_DAEMON_SILENT"
