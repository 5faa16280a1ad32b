"""Connections by real sockets: half requests end, and a crowd of one user's keeps nobody out."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from greenroom.providers.local.neighbours import user_at_other_end
from greenroom.web.crowd import CONNECTIONS_MAX, Crowd, connections_max
from greenroom.web.door import Door, GuestProtocol

BOUND_S = 60.0
ASK = b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
STREAM = b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"
HALF_BODY = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf"
HURRIED = {"head_within_s": 0.1, "body_within_s": 0.1}
PATIENT = {"head_within_s": 3600.0, "body_within_s": 3600.0}


class Hall:
    """An application, and what is known of it; ``go_on`` has its streams say the rest."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.gone = asyncio.Event()
        paths = {"/hello": self._hello, "/echo": self._echo, "/stream": self._stream}
        methods = ["GET", "POST"]
        self.application = Starlette(
            routes=[Route(p, f, methods=methods) for p, f in paths.items()]
        )
        self.port = 0
        self.came = 0
        self.users: dict[int, int] = {}

    async def open(self, user: int = 0) -> Guest:
        """A connection of that user's."""
        connection = socket.socket()
        connection.setblocking(False)
        connection.bind(("127.0.0.1", 0))
        self.users[connection.getsockname()[1]] = user
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", self.port))
        return Guest(*await asyncio.open_connection(sock=connection))

    def user_of(self, connection: socket.socket) -> int | None:
        self.came += 1
        return self.users.get(connection.getpeername()[1])

    async def _hello(self, request: Request) -> Response:
        return PlainTextResponse("hello")

    async def _echo(self, request: Request) -> Response:
        try:
            return Response(await request.body())
        except ClientDisconnect:
            self.gone.set()
            return Response()

    async def _stream(self, request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"first"
            await self.go_on.wait()
            yield b"last"

        return StreamingResponse(pieces())


class Guest:
    """A client's end of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def say(self, data: bytes) -> Guest:
        self._writer.write(data)
        return self

    async def hear(self, until: bytes) -> bytes:
        return await asyncio.wait_for(self._reader.readuntil(until), BOUND_S)

    async def hear_end(self) -> bytes:
        """Everything until the other side closes."""
        try:
            return await asyncio.wait_for(self._reader.read(), BOUND_S)
        except ConnectionResetError:
            return b""

    def leave(self) -> None:
        self._writer.close()


@asynccontextmanager
async def hall_with(at_most: int, times: dict[str, float]) -> AsyncIterator[tuple[Hall, Crowd]]:
    hall, crowd = Hall(), Crowd(at_most)
    listener = socket.create_server(("127.0.0.1", 0))
    hall.port = listener.getsockname()[1]
    door = Door(crowd=crowd, user_of=hall.user_of, **times)
    config = uvicorn.Config(
        hall.application,
        http=partial(GuestProtocol, door),  # type: ignore[arg-type]
        log_config=None,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield hall, crowd
    finally:
        hall.go_on.set()
        server.should_exit = True
        await serving


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(BOUND_S):
        while not holds():
            await asyncio.sleep(0.005)


async def _last_words(hall: Hall, sent: bytes) -> bytes:
    """What is said to who sends this and no more. Who is kept from sending it by a busy machine
    is sent away without a word, and comes again."""
    async with asyncio.timeout(BOUND_S):
        while True:
            words = await (await hall.open()).say(sent).hear_end()
            if words:
                return words


async def _heard(hall: Hall, sent: bytes, until: bytes) -> Guest:
    """Who has sent this and heard that; they come again likewise."""
    async with asyncio.timeout(BOUND_S):
        while True:
            guest = (await hall.open()).say(sent)
            with suppress(asyncio.IncompleteReadError, ConnectionResetError):
                await guest.hear(until)
                return guest


def _problem(words: bytes) -> tuple[int, Any]:
    """Status and body."""
    head, _, body = words.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    return int(head.split()[1]), json.loads(body)


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (b"GET /hello HT", "the head of the request was not there after 0.1 s"),
        (b"GET /hello HTTP/1.1\r\nHost: x\r\n", "the head of the request was not there after"),
        (HALF_BODY, "the body of the request was not there after 0.1 s"),
    ],
)
def test_half_a_request_is_answered_and_its_connection_closed(sent: bytes, message: str) -> None:
    async def ask() -> bytes:
        async with hall_with(8, HURRIED) as (hall, _):
            return await _last_words(hall, sent)

    status, body = _problem(asyncio.run(ask()))

    assert (status, body["code"]) == (408, "E_REQUEST_SLOW")
    assert body["detail"].startswith(message)


def test_a_connection_that_says_nothing_is_closed_without_a_word() -> None:
    async def listen() -> bytes:
        async with hall_with(8, HURRIED) as (hall, _):
            return await (await hall.open()).hear_end()

    assert asyncio.run(listen()) == b""


def test_a_byte_after_an_answer_does_not_keep_the_connection() -> None:
    async def linger() -> bytes:
        async with hall_with(8, HURRIED) as (hall, _):
            guest = await _heard(hall, ASK, b"hello")
            return await guest.say(b"G").hear_end()

    assert b"200" not in asyncio.run(linger())


def test_a_head_that_comes_byte_by_byte_gets_no_more_time() -> None:
    async def trickle() -> int:
        async with hall_with(8, HURRIED) as (hall, crowd):
            guest = await hall.open()
            await _until(lambda: hall.came == 1)
            async with asyncio.timeout(BOUND_S):
                while len(crowd):
                    guest.say(b"x")
                    await asyncio.sleep(0.005)
            return len(crowd)

    assert asyncio.run(trickle()) == 0


def test_who_waits_for_the_rest_of_a_body_hears_that_nobody_is_there() -> None:
    async def ask() -> bool:
        async with hall_with(8, HURRIED) as (hall, _):
            await _last_words(hall, HALF_BODY)
            return await asyncio.wait_for(hall.gone.wait(), BOUND_S)

    assert asyncio.run(ask())


def test_an_answer_may_take_longer_than_its_request() -> None:
    async def follow() -> bytes:
        async with hall_with(8, HURRIED) as (hall, _):
            guest = await _heard(hall, STREAM, b"first")
            # Whoever comes after it and says nothing is sent away before it.
            assert await (await hall.open()).hear_end() == b""
            hall.go_on.set()
            return await guest.hear(b"last")

    assert b"last" in asyncio.run(follow())


def test_one_users_half_requests_keep_neither_others_nor_themselves_out() -> None:
    async def flood() -> None:
        async with hall_with(4, PATIENT) as (hall, crowd):
            many = [(await hall.open(user=1)).say(b"GET /hel") for _ in range(20)]
            for user in (1, 2):
                guest = (await hall.open(user=user)).say(ASK)
                assert (await guest.hear(b"hello")).startswith(b"HTTP/1.1 200")
                assert len(crowd) <= 4
            for each in many[:16]:
                assert await each.hear_end() == b""

    asyncio.run(flood())


def test_one_users_streams_give_way_to_another_user() -> None:
    async def crowd_out() -> bytes:
        async with hall_with(4, PATIENT) as (hall, _):
            streams = [(await hall.open(user=1)).say(STREAM) for _ in range(4)]
            for each in streams:
                await each.hear(b"first")
            guest = (await hall.open(user=2)).say(ASK)
            assert (await guest.hear(b"hello")).startswith(b"HTTP/1.1 200")
            rest = await streams[0].hear_end()
            hall.go_on.set()
            assert b"last" in await streams[1].hear(b"last")
            return rest

    assert b"last" not in asyncio.run(crowd_out())


def test_a_user_whose_streams_fill_the_door_is_told_so() -> None:
    async def one_too_many() -> bytes:
        async with hall_with(2, PATIENT) as (hall, _):
            # Kept, as a connection that nobody holds is closed.
            streams = [(await hall.open(user=1)).say(STREAM) for _ in range(2)]
            for each in streams:
                await each.hear(b"first")
            return await (await hall.open(user=1)).hear_end()

    status, body = _problem(asyncio.run(one_too_many()))

    assert (status, body["code"]) == (429, "E_CONNECTIONS")
    assert body["detail"].startswith("uid 1 has most of the 2 connections that there may be")


class Seat:
    """A guest that waits, or does not."""

    def __init__(self, user: str, waiting: bool) -> None:
        self.user, self.waiting, self.out = user, waiting, False

    def is_waiting(self) -> bool:
        return self.waiting

    def turn_out(self) -> None:
        self.out = True


@given(
    st.integers(1, 6),
    st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.booleans()), max_size=40),
)
def test_a_crowd_is_never_too_large_and_takes_from_nobody_who_has_less(
    at_most: int, events: list[tuple[str, bool, bool]]
) -> None:
    crowd, inside = Crowd(at_most), list[Seat]()
    for user, waiting, leaves in events:
        held = {name: sum(1 for each in inside if each.user == name) for name in "abc"}
        seat = Seat(user, waiting)
        if crowd.enter(seat, user):
            inside.append(seat)
        else:
            assert held[user] + 1 >= max(held.values())
        for each in [each for each in inside if each.out]:
            inside.remove(each)
            assert each.user == user or held[each.user] > held[user] + 1
        if leaves and inside:
            crowd.leave(inside[0], inside.pop(0).user)
        assert len(crowd) == len(inside) <= at_most


@pytest.mark.parametrize(
    ("descriptors", "connections"), [(4, 1), (1024, 128), (4096, 512), (1 << 20, CONNECTIONS_MAX)]
)
def test_most_descriptors_are_left_to_machines(descriptors: int, connections: int) -> None:
    assert connections_max(descriptors) == connections


_CONNECT = """\
import os, socket, sys
os.setgroups([])
os.setuid(65534)
with socket.socket() as connection:
    connection.connect(("127.0.0.1", int(sys.argv[1])))
    connection.recv(1)
"""


def test_the_kernel_tells_whose_a_connection_is() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        argv = [sys.executable, "-c", _CONNECT, port]
        with subprocess.Popen(argv) as theirs:
            connection, _ = listener.accept()
            with connection:
                assert user_at_other_end(connection) == 65534
                connection.send(b"x")
            assert theirs.wait(BOUND_S) == 0


def test_a_connection_that_was_closed_already_is_nobodys() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        socket.create_connection(listener.getsockname()).close()
        connection, _ = listener.accept()
        with connection:
            assert user_at_other_end(connection) is None
