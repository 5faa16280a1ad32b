"""A request whose shape is wrong is told what, where and what to do; no secret comes back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.component.api_stage import ApiStage, standing

JSON = {"Content-Type": "application/json"}
OPERATIONS = "/v1/operations"
KINDS = "create, deploy, destroy, recover, stop, start, replace or drill"
SECRET = "hunter2"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiStage]:
    with standing(tmp_path_factory.mktemp("malformed")) as made:
        made.login = made.token("operator")  # type: ignore[attr-defined]
        yield made


@pytest.mark.parametrize(
    ("target", "body", "message", "hint"),
    [
        (
            OPERATIONS,
            {"kind": "deploy", "environment": ["a"]},
            "body /environment is a list of 1; expected a string",
            "send a string",
        ),
        (
            OPERATIONS,
            {"kind": "deploy", "environment": None},
            "body /environment is null; expected a string",
            "send a string",
        ),
        (
            OPERATIONS,
            {"kind": "replace", "environment": "a", "stateless": "maybe"},
            "body /stateless is 'maybe'; expected true or false",
            "send true or false",
        ),
        (
            OPERATIONS,
            {"kind": "create", "blueprint": "/b", "restore": {"a/b~c": 2}},
            "body /restore/a~1b~0c is 2; expected a string",
            "send a string",
        ),
        (OPERATIONS, [1], "body is a list of 1; expected an object", "send an object"),
        (
            OPERATIONS,
            {"kind": "deploy"},
            "body /environment is missing; expected a string",
            "add it: a string",
        ),
        (OPERATIONS, {}, f"body /kind is missing; expected {KINDS}", f"add it: {KINDS}"),
        (
            OPERATIONS,
            {"kind": "deploy", "environment": "a", "type": []},
            "body /type is not known here; did you mean 'types'?",
            "it takes kind, environment, types",
        ),
        (
            OPERATIONS,
            {"kind": "stop", "environment": "a", "stop": 1},
            "body /stop is not known here",
            "it takes kind, environment",
        ),
        (
            OPERATIONS,
            {"kind": "deply"},
            f"body /kind is 'deply'; expected {KINDS}",
            "did you mean 'deploy'?",
        ),
        (
            OPERATIONS,
            {"kind": "xyzzy"},
            f"body /kind is 'xyzzy'; expected {KINDS}",
            f"send one of {KINDS.replace(' or', ',')}",
        ),
        *(
            (
                OPERATIONS,
                {"kind": kind, "branch": ["x"]},
                f"body /kind is {shown}; expected {KINDS}",
                f"send one of {KINDS.replace(' or', ',')}",
            )
            for kind, shown in (
                (5, "5"),
                (None, "null"),
                (True, "true"),
                (["stop"], "a list of 1"),
                ("5", "'5'"),
            )
        ),
        (
            "/v1/tokens",
            {"name": "a", "grants": [{"role": "q"}]},
            "body /grants/0/role is 'q'; expected viewer, developer or operator",
            "send one of viewer, developer, operator",
        ),
        (
            "/v1/tokens",
            {"name": "a", "grants": []},
            "body /grants is a list of 0; expected a list (1 to 100 items)",
            "send a list (1 to 100 items)",
        ),
        (
            "/v1/environments/photos/feature-x/extend",
            {"ttl_s": "x" * 100},
            f"body /ttl_s is '{'x' * 59}…'; expected a number",
            "send a number",
        ),
    ],
)
def test_a_fault_of_a_body_has_its_place_and_the_next_step(
    stage: Any, target: str, body: Any, message: str, hint: str
) -> None:
    problem = _asked(stage, "POST", target, json.dumps(body).encode())

    assert (problem["code"], problem["message"], problem["hint"]) == ("E_REQUEST", message, hint)
    [fault] = problem["faults"]
    place = " ".join(filter(None, (fault["file"], fault["path"].removesuffix("/"))))
    assert f"{place} {fault['message']}" == message


@pytest.mark.parametrize(
    ("target", "message", "hint"),
    [
        (
            "/v1/operations?limit=five",
            "query parameter limit is 'five'; expected a whole number (1 to 500)",
            "send a whole number (1 to 500)",
        ),
        (
            "/v1/audit?outcome=dun",
            "query parameter outcome is 'dun'; expected accepted, done, refused, succeeded, failed "
            "or cancelled",
            "did you mean 'done'?",
        ),
        (
            "/v1/audit?since=2026-01-01T00:00:00",
            "query parameter since is '2026-01-01T00:00:00'; expected a time with its zone, such "
            "as 2026-11-23T08:00:00Z",
            "send a time with its zone, such as 2026-11-23T08:00:00Z",
        ),
        (
            "/v1/audit?after=-1",
            "query parameter after is '-1'; expected a whole number (at least 0, less than "
            "2147483648)",
            "send a whole number (at least 0, less than 2147483648)",
        ),
        (
            "/v1/lookup",
            "query parameter name is missing; expected a string",
            "add it: a string",
        ),
        (
            "/v1/inventory/as/ansibel",
            "path parameter format_ is 'ansibel'; expected ansible or ssh",
            "did you mean 'ansible'?",
        ),
    ],
)
def test_a_fault_of_a_parameter_has_its_name_and_the_next_step(
    stage: Any, target: str, message: str, hint: str
) -> None:
    problem = _asked(stage, "GET", target)

    assert (problem["code"], problem["message"], problem["hint"]) == ("E_REQUEST", message, hint)


def test_several_faults_are_listed_at_once(stage: Any) -> None:
    body = {"kind": "create", "blueprint": 3, "machines": ["a", 1], "colour": "red"}

    problem = _asked(stage, "POST", OPERATIONS, json.dumps(body).encode())

    assert problem["message"] == (
        "3 things are wrong with the request; the first: body /blueprint is 3; expected a path"
    )
    assert problem["hint"] == "/v1/openapi.json says what POST /v1/operations takes"
    assert {fault["path"] for fault in problem["faults"]} == {
        "/blueprint",
        "/machines/1",
        "/colour",
    }


def test_the_faults_of_a_query_are_listed_at_once(stage: Any) -> None:
    problem = _asked(
        stage, "GET", "/v1/operations?limit=0&foo=1&curser=2&environment=a&environment=b"
    )

    assert problem["message"] == (
        "4 things are wrong with the request; the first: query parameter foo is not known here"
    )
    assert {each["file"]: each["message"] for each in problem["faults"]} == {
        "query parameter foo": "is not known here",
        "query parameter curser": "is not known here; did you mean 'cursor'?",
        "query parameter environment": "is there 2 times",
        "query parameter limit": "is '0'; expected a whole number (1 to 500)",
    }


@pytest.mark.parametrize(
    ("target", "hint"),
    [
        ("/v1/operations?foo=1", "it takes cursor, environment, limit"),
        ("/v1/whoami?foo=1", "it takes no parameters"),
        ("/v1/operations?limit=1&limit=2", "give limit once"),
    ],
)
def test_one_fault_of_a_query_has_the_next_step(stage: Any, target: str, hint: str) -> None:
    problem = _asked(stage, "GET", target)

    assert problem["hint"] == hint
    assert len(problem["faults"]) == 1


def test_a_parameter_without_a_name_is_told_so_that_it_is_seen(stage: Any) -> None:
    problem = _asked(stage, "GET", "/v1/whoami?=1")

    assert problem["message"] == "query parameter '' is not known here"


def test_of_very_many_faults_the_first_are_listed(stage: Any) -> None:
    body = {"name": "a", "grants": [1] * 50}

    problem = _asked(stage, "POST", "/v1/tokens", json.dumps(body).encode())

    assert problem["message"].startswith("50 things are wrong with the request (20 of them are")
    assert len(problem["faults"]) == 20


def test_what_is_no_json_has_line_and_column(stage: Any) -> None:
    problem = _asked(stage, "POST", OPERATIONS, b'{\n  "kind": "deploy",\n  "x" 1}')

    assert problem["message"] == "the body is not JSON: line 3, column 7: expecting ':' delimiter"
    assert problem["hint"] == "check it with: python3 -m json.tool"
    [fault] = problem["faults"]
    assert (fault["line"], fault["column"]) == (3, 7)


@pytest.mark.parametrize(
    ("content_type", "message"),
    [
        (None, "the body has no Content-Type; expected application/json"),
        ("text/plain", "the body is 'text/plain'; expected application/json"),
        ("application/jsonx", "the body is 'application/jsonx'; expected application/json"),
    ],
)
def test_a_body_that_is_not_said_to_be_json_is_refused(
    stage: Any, content_type: str | None, message: str
) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}

    answer = stage.ask("POST", OPERATIONS, {**stage.login, **headers}, content=b"{}")

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (415, "E_CONTENT_TYPE")
    assert problem["message"] == message
    assert problem["hint"] == "send JSON, with the header Content-Type: application/json"


def test_json_may_say_its_charset(stage: Any) -> None:
    headers = {**stage.login, "Content-Type": "application/json; charset=utf-8"}

    answer = stage.ask("POST", OPERATIONS, headers, content=b"[]")

    assert answer.json()["message"] == "body is a list of 0; expected an object"


def test_a_body_that_is_too_large_is_told_what_to_leave_out(stage: Any) -> None:
    parts = [b" " * 65536] * 17

    for content in (b"".join(parts), iter(parts)):
        headers = {**stage.login, **JSON}
        problem = stage.ask("POST", OPERATIONS, headers, content=content).json()

        assert problem["code"] == "E_BODY_SIZE"
        assert problem["message"] == "the body of the request has more than 1024 KiB"
        assert problem["hint"].startswith("files are named by their path, never sent")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b'{"job": "a", "options": "hunter2"}',
            "body /options is a string; expected an object",
        ),
        (
            b'{"job": "a", "options": {"password": ["hunter2"]}}',
            "body /options/password is a list of 1; expected a string",
        ),
        (
            b'{"job": "a", "option": {"password": "hunter2"}}',
            "body /option is not known here; did you mean 'options'?",
        ),
        (b'{"job": "a", "password": "hunter2"}', "body /password is not known here"),
        (
            rb'"{\"options\": {\"password\": \"hunter2\"}}"',
            "body is a string; expected an object",
        ),
        (
            b'{"job": "a", "options": {"password": "hunter2" "x": 1}}',
            "the body is not JSON: line 1, column 48: expecting ',' delimiter",
        ),
    ],
)
def test_no_option_of_a_job_is_repeated(stage: Any, content: bytes, message: str) -> None:
    answer = stage.ask("POST", "/v1/executions", {**stage.login, **JSON}, content=content)

    assert answer.json()["message"] == message
    assert SECRET not in answer.text


def test_no_number_that_is_a_secret_is_repeated(stage: Any) -> None:
    content = b'{"job": "a", "options": {"pin": 731904}}'

    answer = stage.ask("POST", "/v1/executions", {**stage.login, **JSON}, content=content)

    assert answer.json()["message"] == "body /options/pin is a number; expected a string"
    assert "731904" not in answer.text


def test_no_token_is_repeated_wherever_it_was_put(stage: Any) -> None:
    token = stage.login["Authorization"].removeprefix("Bearer ")
    body = json.dumps({"name": "a", "grants": token})
    bodies = [
        stage.ask("POST", "/v1/tokens", {**stage.login, **JSON}, content=body),
        stage.ask("DELETE", f"/v1/tokens/{token}", stage.login),
        stage.ask("GET", f"/v1/lookup?name={token}", stage.login),
        stage.ask("GET", f"/v1/audit?{token}=1", stage.login),
        stage.ask("GET", f"/v1/operations?limit={token}", stage.login),
        stage.ask("GET", f"/v1/{token}", stage.login),
    ]

    assert [answer.status_code for answer in bodies] == [400, 404, 404, 400, 400, 404]
    assert [answer.text for answer in bodies if token[13:] in answer.text] == []


def test_no_token_is_kept_in_the_audit_log(stage: Any) -> None:
    token = stage.login["Authorization"].removeprefix("Bearer ")

    assert stage.ask("DELETE", f"/v1/tokens/{token}", stage.login).status_code == 404

    [entry, *_] = stage.ask("GET", "/v1/audit", stage.login).json()["items"]
    assert (entry["action"], entry["outcome"]) == ("tokens", "refused")
    assert entry["parameters"] == {"token": "grt_…"}
    assert entry["message"] == "there is no token 'grt_…'"


def _asked(stage: Any, method: str, target: str, content: bytes = b"") -> Any:
    answer = stage.ask(method, target, {**stage.login, **JSON}, content=content)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.json()
