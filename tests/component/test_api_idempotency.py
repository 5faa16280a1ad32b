"""A request that comes twice acts once; and nobody asks more often than is good for the others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message
from tests.component.api_stage import ROOT, ApiStage, standing
from tests.component.asgi_client import request, requested

from greenroom.app.answers import Answers
from greenroom.errors import RefusedError
from greenroom.model.peer import Peer
from greenroom.web.page.guard import Guard

DESTROY = {"kind": "destroy", "environment": "photos/feature-x"}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[ApiStage]:
    with standing(tmp_path) as made:
        made.created()
        yield made


def post(stage: ApiStage, login: dict[str, str], key: str, body: Any = DESTROY) -> Any:
    return stage.ask("POST", "/v1/operations", {**login, "Idempotency-Key": key}, json_body=body)


def kinds(stage: ApiStage) -> list[str]:
    found = stage.stage.control.operations(ROOT, None, None, 99)
    return [view.kind for _, view in found]


def test_the_same_request_gets_the_same_answer_and_acts_once(stage: ApiStage) -> None:
    login = stage.token("operator")
    first = post(stage, login, "k1")
    stage.stage.finish(first.json()["id"])

    again = post(stage, login, "k1")

    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert kinds(stage) == ["destroy", "create"]


def test_an_answer_by_tcp_is_given_again_too(stage: ApiStage) -> None:
    headers = stage.token("operator") | {"Idempotency-Key": "k1", "Host": "127.0.0.1"}
    guarded = Guard(stage.api, ())

    first = request(guarded, "POST", "/v1/operations", headers=headers, json_body=DESTROY)
    stage.stage.finish(first.json()["id"])
    again = request(guarded, "POST", "/v1/operations", headers=headers, json_body=DESTROY)

    assert first.headers["cache-control"] == "no-store"
    assert (again.status_code, again.json()) == (202, first.json())
    assert again.headers["idempotency-replayed"] == "true"


def test_a_key_of_another_request_is_refused(stage: ApiStage) -> None:
    login = stage.token("operator")
    post(stage, login, "k1")

    other = post(stage, login, "k1", {"kind": "recover", "environment": "photos/feature-x"})

    assert (other.status_code, other.json()["code"]) == (409, "E_IDEMPOTENCY_KEY")


def test_two_callers_may_choose_the_same_key(stage: ApiStage) -> None:
    first = post(stage, stage.token("operator", name="ann"), "k1")
    stage.stage.finish(first.json()["id"])

    other = post(stage, stage.token("operator", name="bob"), "k1")

    assert other.json()["code"] == "E_NO_ENVIRONMENT"


def test_what_was_refused_may_be_tried_again_with_the_same_key(stage: ApiStage) -> None:
    login = stage.token("operator")
    missing = {"kind": "destroy", "environment": "photos/later"}
    assert post(stage, login, "k1", missing).status_code == 404
    stage.stage.finish(stage.stage.create("later").id)

    assert post(stage, login, "k1", missing).status_code == 202


def test_of_two_at_the_same_time_one_acts_and_both_get_its_answer(stage: ApiStage) -> None:
    login = stage.token("operator")

    headers = {**login, "Idempotency-Key": "k1"}

    async def both() -> list[Any]:
        asks = [
            requested(stage.api, "POST", "/v1/operations", headers=headers, json_body=DESTROY)
            for _ in range(2)
        ]
        return await asyncio.gather(*asks)

    one, other = asyncio.run(both())

    assert (one.status_code, other.status_code) == (202, 202)
    assert one.json() == other.json()
    assert kinds(stage).count("destroy") == 1


def test_a_token_is_told_once_also_to_who_asks_again(stage: ApiStage) -> None:
    login = {**stage.token("operator"), "Idempotency-Key": "k1"}
    body = {"name": "ann", "grants": [{"role": "viewer"}]}
    made = stage.ask("POST", "/v1/tokens", login, json_body=body)

    again = stage.ask("POST", "/v1/tokens", login, json_body=body)

    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    assert (again.status_code, again.json()["code"]) == (409, "E_ANSWER_ONCE")
    with stage.stage.database.read() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM answers").all()
    assert made.json()["token"] not in repr(rows)


def test_a_login_link_is_told_once_and_not_kept(stage: ApiStage) -> None:
    root = {"peer": Peer(pid=1, uid=0, gid=0)}
    ask = partial(stage.ask, "POST", "/v1/web/tickets", {"Idempotency-Key": "k1"}, state=root)
    made = ask()

    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    assert ask().json()["code"] == "E_ANSWER_ONCE"
    with stage.stage.database.read() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM answers").all()
    assert made.json()["url"].partition("ticket=")[2] not in repr(rows)


def test_a_token_that_was_revoked_gets_no_kept_answer(stage: ApiStage) -> None:
    login = stage.token("operator", name="ann")
    assert post(stage, login, "k1").status_code == 202
    stage.access.tokens.revoke(ROOT, "ann")

    again = post(stage, login, "k1")

    assert (again.status_code, again.json()["code"]) == (401, "E_TOKEN_REVOKED")


def test_a_name_that_is_given_again_gets_no_answer_of_the_one_before(stage: ApiStage) -> None:
    first = post(stage, stage.token("operator", name="ann"), "k1")
    stage.stage.finish(first.json()["id"])
    stage.access.tokens.revoke(ROOT, "ann")

    other = post(stage, stage.token("operator", name="ann"), "k1")

    assert other.json()["code"] == "E_NO_ENVIRONMENT"


@pytest.mark.parametrize("key", [[], [(b"idempotency-key", b"k1")]])
def test_a_request_that_breaks_off_does_nothing(
    stage: ApiStage, key: list[tuple[bytes, bytes]]
) -> None:
    """Although what came could be read as a whole one."""
    token = stage.token("operator")["Authorization"].encode()
    json_type = (b"content-type", b"application/json")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/v1/operations",
        "root_path": "",
        "query_string": b"",
        "headers": [(b"authorization", token), json_type, *key],
        "client": ("testclient", 1),
    }
    part = {"type": "http.request", "body": json.dumps(DESTROY).encode(), "more_body": True}
    messages = iter([part])
    answers: list[Message] = []

    async def receive() -> Message:
        return next(messages, {"type": "http.disconnect"})

    async def send(message: Message) -> None:
        answers.append(message)

    with suppress(ClientDisconnect):
        asyncio.run(stage.api(scope, receive, send))

    assert kinds(stage) == ["create"]
    assert not [each for each in answers if 200 <= each.get("status", 0) < 300]


def test_an_answer_that_a_crash_took_is_called_lost(stage: ApiStage) -> None:
    answers = Answers(stage.stage.database)
    assert answers.begin("a" * 64, "f") is None

    with pytest.raises(RefusedError) as refused:
        answers.begin("a" * 64, "f")
    assert refused.value.code == "E_ANSWER_LOST"


@pytest.mark.parametrize("key", ["", "x" * 201, "a\tb"])
def test_a_key_that_is_none_is_refused(stage: ApiStage, key: str) -> None:
    answer = post(stage, stage.token("operator"), key)

    assert (answer.status_code, answer.json()["code"]) == (400, "E_REQUEST")
    assert kinds(stage) == ["create"]
