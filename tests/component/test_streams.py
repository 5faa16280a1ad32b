"""What goes on without an end: how many of it a caller may have at once, and when it counts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from tests.component.api_stage import routes_of, standing
from tests.component.app_stage import Stage
from tests.component.page_stage import COOKIE, PageStage, Visitor, problem_of, somebody

from greenroom.app.access import Access
from greenroom.app.streams import STREAMS_MAX, Streams
from greenroom.errors import BusyError
from greenroom.model.access import Caller, Role
from greenroom.store.database import Database
from greenroom.web.event_stream import one_stream
from greenroom.web.peer import PeerProtocol

BOUND_S = 60.0


@contextmanager
def taken(streams: Streams, caller: Caller, count: int = STREAMS_MAX) -> Iterator[None]:
    """Somebody follows as much meanwhile."""
    with ExitStack() as each:
        for _ in range(count):
            each.enter_context(streams.one_of(caller))
        yield


def _caller(name: str, token: str = "") -> Caller:
    return Caller(name=name, grants=(), token=token)


def test_a_caller_has_so_many_streams_and_others_theirs() -> None:
    streams, ann = Streams(2), _caller("ann", "t1")
    with taken(streams, ann, 2):
        with pytest.raises(BusyError) as refused, streams.one_of(replace(ann, name="new name")):
            pass
        with streams.one_of(_caller("ann", "t2")), streams.one_of(_caller("ann")):
            pass
    with taken(streams, ann, 2):
        pass

    assert (refused.value.code, refused.value.retry_s) == ("E_STREAMS", 5.0)
    assert refused.value.message == "new name follows 2 streams already"


def test_every_streaming_route_of_the_api_refuses_one_too_many(tmp_path: Path) -> None:
    with standing(tmp_path) as stage:
        name = stage.created()
        login = stage.token("operator", name="ann")
        caller = stage.access.tokens.verify(login["Authorization"].removeprefix("Bearer "))
        paths = {
            context.path.format(
                stack=name.partition("/")[0],
                slug=name.partition("/")[2],
                operation_id="op-1",
                execution_id="1",
            ): next(iter(context.methods or ()))
            for context in routes_of(stage.api)
            if issubclass(_class_of(context), StreamingResponse)
        }
        with taken(stage.access.streams, caller):
            body = {"blueprint": "/x.yaml"}
            answers = {
                path: stage.ask(method, path, login, json_body=body if method == "POST" else None)
                for path, method in paths.items()
            }
            calm = stage.ask("GET", "/v1/environments", login)

    assert len(answers) == 4
    for answer in answers.values():
        assert (answer.status_code, answer.json()["code"]) == (429, "E_STREAMS")
        assert answer.headers["retry-after"] == "5"
    assert calm.status_code == 200


@pytest.fixture
def page(tmp_path: Path) -> Iterator[PageStage]:
    made = PageStage(Stage(tmp_path))
    yield made
    made.close()


@pytest.mark.parametrize(
    "path",
    [
        "/environments/stream",
        "/environments/photos/feature-x/stream?seen=x",
        "/environments/photos/feature-x/log",
        "/operations/op-1/stream",
        "/executions/1/stream",
        "/executions/1/log",
    ],
)
def test_every_stream_of_the_page_refuses_one_too_many(page: PageStage, path: str) -> None:
    with taken(page.access.streams, somebody(Role.OPERATOR)):
        answer = page.visitor().get(path)
        list_of_environments = page.visitor().get("/")

    assert (answer.status_code, problem_of(answer)) == (429, "E_STREAMS")
    assert answer.headers["retry-after"] == "5"
    assert list_of_environments.status_code == 200


def test_all_logins_by_one_token_count_together(page: PageStage) -> None:
    _, text = page.access.tokens.create(
        somebody(Role.OPERATOR), "bob", somebody(Role.VIEWER).grants
    )
    visitors = [_logged_in(page, text) for _ in range(2)]
    found = page.sessions.find(next(iter(visitors[0].cookies.values())))
    assert found is not None

    with taken(page.access.streams, found.caller):
        answers = [each.get("/environments/stream") for each in visitors]

    assert [problem_of(each) for each in answers] == ["E_STREAMS", "E_STREAMS"]


def _logged_in(page: PageStage, token: str) -> Visitor:
    return Visitor(page, {COOKIE: page.sessions.by_token(token, "here")})


def test_a_stream_counts_until_its_reader_goes_away(tmp_path: Path) -> None:
    database = Database.in_file(tmp_path / "ledger.db")
    database.migrate()
    api = FastAPI()
    api.state.access = replace(Access.on(database), streams=Streams(1))

    @api.get("/follow", dependencies=[one_stream()])
    def follow() -> StreamingResponse:
        async def lines() -> AsyncIterator[bytes]:
            yield b"first\n"
            await asyncio.Event().wait()

        return StreamingResponse(lines())

    asyncio.run(_follow_and_go(api, tmp_path / "socket"))
    database.close()


async def _follow_and_go(api: FastAPI, path: Path) -> None:
    streams: Streams = api.state.access.streams
    options: dict[str, Any] = {"uds": str(path), "http": PeerProtocol, "lifespan": "off"}
    server = uvicorn.Server(uvicorn.Config(api, **options, log_config=None))
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(BOUND_S):
        while not server.started:
            await asyncio.sleep(0.005)
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(b"GET /follow HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"first\n")
        assert not _has_room(streams)
        writer.close()
        while not _has_room(streams):
            await asyncio.sleep(0.005)
    server.should_exit = True
    await serving


def _has_room(streams: Streams) -> bool:
    try:
        with streams.one_of(_caller("root")):
            return True
    except BusyError:
        return False


def _class_of(context: Any) -> type:
    """The class of a route's answer."""
    found = context.original_route.response_class
    return found if isinstance(found, type) else found.value
