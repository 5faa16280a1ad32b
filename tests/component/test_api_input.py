"""What no request may be, and the problem that it gets: a table of cases with their words."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from tests.component.api_stage import ApiStage, standing

from greenroom.web.limits import BODY_MAX_BYTES
from greenroom.web.peer import HEAD_MAX_BYTES, PeerProtocol

JSON = {"Content-Type": "application/json"}
OPERATIONS = "/v1/operations"
_HEAD = b"GET /v1/status HTTP/1.1\r\nHost: x\r\n"
"""Heads of just one byte too much: the server has read them whole when it closes."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiStage]:
    with standing(tmp_path_factory.mktemp("input")) as made:
        made.login = made.token("operator")  # type: ignore[attr-defined]
        yield made


@pytest.mark.parametrize(
    ("method", "target", "content", "status", "code", "message"),
    [
        (
            "POST",
            OPERATIONS,
            b"{",
            400,
            "E_REQUEST",
            "the body is not JSON: line 1, column 2: expecting property name enclosed in double "
            "quotes",
        ),
        ("POST", OPERATIONS, b"", 400, "E_REQUEST", "the request has no body; expected JSON"),
        (
            "POST",
            OPERATIONS,
            b'{"kind": "\xff"}',
            400,
            "E_REQUEST",
            "the body is not UTF-8: its byte 11 is 0xff",
        ),
        (
            "POST",
            OPERATIONS,
            b"[" * 100_000 + b"]" * 100_000,
            400,
            "E_REQUEST",
            "the body is nested deeper than any request is",
        ),
        (
            "POST",
            OPERATIONS,
            b'{"kind": "deploy", "environment": "a\\u0000b"}',
            422,
            "E_NUL",
            "a text of the body holds a NUL, and no name does",
        ),
        (
            "POST",
            OPERATIONS,
            b'{"kind": "deploy", "environment": "a", "colour": 1}',
            400,
            "E_REQUEST",
            "body /colour is not known here",
        ),
        (
            "POST",
            OPERATIONS,
            b'{"kind": "deploy"}',
            400,
            "E_REQUEST",
            "body /environment is missing; expected a string",
        ),
        (
            "POST",
            OPERATIONS,
            b'{"kind": "deploy", "environment": ["a"]}',
            400,
            "E_REQUEST",
            "body /environment is a list of 1; expected a string",
        ),
        (
            "POST",
            OPERATIONS,
            b" " * (BODY_MAX_BYTES + 1),
            413,
            "E_BODY_SIZE",
            "the body of the request has more than 1024 KiB",
        ),
        (
            "POST",
            "/v1/tokens",
            b'{"name": "a", "grants": [{"role": "emperor"}]}',
            400,
            "E_REQUEST",
            "body /grants/0/role is 'emperor'; expected viewer, developer or operator",
        ),
        ("GET", "/v1/nothing", b"", 404, "E_NO_ROUTE", "there is no /v1/nothing here"),
        ("GET", "/v1/tokens/", b"", 404, "E_NO_ROUTE", "there is no /v1/tokens/ here"),
        (
            "PUT",
            "/v1/tokens",
            b"",
            405,
            "E_METHOD",
            "PUT /v1/tokens: expected GET, POST",
        ),
        (
            "OPTIONS",
            OPERATIONS,
            b"",
            405,
            "E_METHOD",
            "OPTIONS /v1/operations: expected GET, POST",
        ),
        (
            "GET",
            "/v1/operations/op-0",
            b"",
            404,
            "E_NO_OPERATION",
            "there is no operation 'op-0'",
        ),
        (
            "GET",
            "/v1/environments/a/b",
            b"",
            404,
            "E_NO_ENVIRONMENT",
            "there is no environment 'a/b'",
        ),
        (
            "GET",
            "/v1/operations?cursor=abc",
            b"",
            422,
            "E_CURSOR",
            "'abc' is no cursor of this list",
        ),
        (
            "GET",
            "/v1/operations?limit=0",
            b"",
            400,
            "E_REQUEST",
            "query parameter limit is '0'; expected a whole number (1 to 500)",
        ),
        (
            "GET",
            "/v1/audit?bye=ann",
            b"",
            400,
            "E_REQUEST",
            "query parameter bye is not known here; did you mean 'by'?",
        ),
        (
            "GET",
            "/v1/audit?since=0001-01-01T00:00:00%2B01:00",
            b"",
            422,
            "E_TIME",
            "0001-01-01T00:00:00+01:00 is no time in UTC",
        ),
        (
            "GET",
            "/v1/audit?by=a&by=b",
            b"",
            400,
            "E_REQUEST",
            "query parameter by is there 2 times",
        ),
        (
            "GET",
            "/v1/lookup?name=a%00b",
            b"",
            422,
            "E_NUL",
            "the address of the request holds a NUL, and no name does",
        ),
    ],
)
def test_what_cannot_be_is_answered_with_a_problem(
    stage: Any, method: str, target: str, content: bytes, status: int, code: str, message: str
) -> None:
    answer = stage.ask(method, target, {**stage.login, **JSON}, content=content)

    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["message"]) == (status, code, message)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (problem["status"], problem["detail"]) == (status, message)
    assert problem["hint"] != ""
    if status == 405:
        assert answer.headers["allow"] == message.partition("expected ")[2]


def test_a_body_that_does_not_say_its_length_is_counted_as_it_comes(stage: Any) -> None:
    parts = [b" " * 65536] * (BODY_MAX_BYTES // 65536) + [b" "]

    answer = stage.ask("POST", OPERATIONS, {**stage.login, **JSON}, content=iter(parts))

    assert (answer.status_code, answer.json()["code"]) == (413, "E_BODY_SIZE")


def test_half_a_surrogate_pair_is_no_text(stage: Any) -> None:
    body = b'{"name": "a", "grants": [{"stack": "\\ud800", "role": "viewer"}]}'

    answer = stage.ask("POST", "/v1/tokens", {**stage.login, **JSON}, content=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "E_STACK_NAME")
    assert answer.json()["message"] == "'\\ud800' is not the name of a stack"


def test_a_bug_is_a_problem_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with standing(tmp_path) as stage:
        login = stage.token("operator")
        monkeypatch.setattr(type(stage.stage.control), "environments", lambda _: 1 / 0)

        answer = stage.ask("GET", "/v1/environments", login)

    assert (answer.status_code, answer.json()["code"]) == (500, "E_BUG")
    assert answer.json()["message"] == "GET /v1/environments: ZeroDivisionError"


@pytest.mark.parametrize(
    ("head", "status", "code"),
    [
        (_HEAD + b"X: " + b"a" * (HEAD_MAX_BYTES - len(_HEAD) - 2), 431, "E_HEAD_SIZE"),
        ((_HEAD + b"X: y\r\n" * 20_000)[: HEAD_MAX_BYTES + 1], 431, "E_HEAD_SIZE"),
        (b"BANANA\r\n\r\n", 400, "E_HTTP"),
        (b"GET /v1/status HTTP/1.1\r\nHost: x\r\nX\0: y\r\n\r\n", 400, "E_HTTP"),
    ],
)
def test_a_head_that_is_too_large_or_no_http_is_refused(
    stage: Any, head: bytes, status: int, code: str
) -> None:
    answered, body = asyncio.run(_exchange(stage.api, head))

    assert (answered, body["code"]) == (status, code)


async def _exchange(api: Any, head: bytes) -> tuple[int, dict[str, Any]]:
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(api, http=PeerProtocol, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(head)
        first, _, body = (await asyncio.wait_for(reader.read(), 30)).partition(b"\r\n\r\n")
        writer.close()
    finally:
        server.should_exit = True
        await serving
    return int(first.split()[1]), json.loads(body)
