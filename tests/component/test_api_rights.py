"""Every route says what it takes, and nobody gets past it: who has no role gets nothing, who has
one on another stack sees nothing of this one, and the matrix role × operation × stage holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.component.api_stage import ROOT, ApiStage, routes_of, standing

from greenroom.model.access import Action
from greenroom.model.audit import AuditFilter, Outcome
from greenroom.web.openapi import query_of
from greenroom.web.rights import Right, Scope

VALUES = {
    "stack": "photos",
    "slug": "feature-x",
    "operation_id": "op-000000000000",
    "digest": "0" * 64,
    "token": "nobody",
    "format_": "enc",
    "execution_id": "ex00",
}

QUERY = {
    "name": "photos/feature-x",
    "machine": "db1",
    "arg": "id",
    "environment": "photos/feature-x",
    "host": "db1.feature-x",
    "port": "9100",
}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[ApiStage]:
    with standing(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiStage]:
    """Nothing in these tests changes it."""
    with standing(tmp_path_factory.mktemp("shared")) as made:
        yield made


def rights(stage: ApiStage) -> dict[tuple[str, str], list[Right]]:
    found = {}
    for route in routes_of(stage.api):
        calls = [each.dependency for each in route.dependencies]
        for method in route.methods:
            key = (method, route.path)
            found[key] = [each for each in calls if isinstance(each, Right)]
    return found


def queries(stage: ApiStage) -> dict[tuple[str, str], dict[str, bool]]:
    return {
        (method, route.path): query_of(route.original_route)
        for route in routes_of(stage.api)
        for method in route.methods
    }


def test_a_route_takes_the_query_that_the_document_tells(shared: ApiStage) -> None:
    taken = queries(shared)
    document = shared.api.openapi()["paths"]

    assert taken["GET", "/v1/environments/{stack}/{slug}/command"]["arg"]
    for (method, path), known in taken.items():
        told = document[path][method.lower()].get("parameters", ())
        assert known == {
            each["name"]: each["schema"].get("type") == "array"
            for each in told
            if each["in"] == "query"
        }, path


def test_every_route_declares_the_right_that_it_takes(shared: ApiStage) -> None:
    declared = rights(shared)

    assert len(declared) > 15
    assert [key for key, found in declared.items() if len(found) != 1] == []


def test_a_route_with_a_stack_in_its_path_is_held_to_that_stack(shared: ApiStage) -> None:
    assert [
        key
        for key, (right,) in rights(shared).items()
        if ("{stack}" in key[1]) is not (right.scope is Scope.PLACE)
    ] == []


def test_what_changes_something_is_not_declared_as_reading(shared: ApiStage) -> None:
    assert [
        key
        for key, (right,) in rights(shared).items()
        if key[0] != "GET"
        and right.action in (None, Action.READ, Action.AUDIT)
        # A link that logs in gives no more than who asks for it has.
        and key[1] != "/v1/web/tickets"
    ] == []


def test_without_a_login_every_route_answers_401(shared: ApiStage) -> None:
    for method, path in rights(shared):
        answer = shared.ask(method, path.format(**VALUES))
        assert (answer.status_code, answer.json()["code"]) == (401, "E_TOKEN_MISSING"), path
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("header", ["Basic hunter2", "hunter2", "Digest username=x"])
def test_another_scheme_than_bearer_is_told_as_that(shared: ApiStage, header: str) -> None:
    answer = shared.ask("GET", "/v1/whoami", {"Authorization": header})

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (401, "E_TOKEN_MALFORMED")
    assert problem["message"] == "the header Authorization has another scheme than Bearer, or none"
    assert problem["hint"] == "send Authorization: Bearer grt_…"
    assert "hunter2" not in answer.text


def test_a_token_that_was_cut_short_is_told_as_that(shared: ApiStage) -> None:
    problem = shared.ask("GET", "/v1/whoami", {"Authorization": "Bearer grt_abc"}).json()

    assert problem["message"] == "this is not a token: one begins with grt_ and has 56 characters"


def test_a_viewer_of_another_stack_gets_nothing_of_this_one(stage: ApiStage) -> None:
    assert stage.created() == "photos/feature-x"
    made = stage.stage.control.operations(ROOT, None, None, 1)[0][1]
    other = stage.token("operator", "videos")
    values = {**VALUES, "operation_id": made.id}
    taken = queries(stage)

    for (method, path), (right,) in rights(stage).items():
        if right.scope is Scope.LOGIN:
            continue
        known = taken[method, path]
        query = "?" + "&".join(f"{k}={v}" for k, v in QUERY.items() if k in known)
        answer = stage.ask(method, path.format(**values) + query, other)
        if answer.status_code == 200 and not path.startswith("/v1/images"):
            body = answer.text
            assert "feature-x" not in body and made.id not in body, path
        else:
            assert answer.status_code in (200, 400, 403, 404), (path, answer.text)
        if right.scope is Scope.PLACE:
            assert answer.json()["code"] == "E_FORBIDDEN", path
        if "{operation_id}" in path:
            assert answer.json()["code"] == "E_NO_OPERATION", path


V, D, O = "viewer", "developer", "operator"  # noqa: E741
MATRIX = [
    # what is asked; who may on a branch's environment; who may on production
    ("GET /v1/environments/{name}", "VDO", "VDO"),
    ("GET /v1/environments/{name}/logs", "VDO", "VDO"),
    ("GET /v1/environments/{name}/command?machine=db1&arg=id", "DO", "O"),
    ("POST /v1/environments/{name}/flows", "DO", "O"),
    ("POST /v1/environments/{name}/extend {}", "DO", "O"),
    # Nobody knows of what was left whether it was production.
    ("DELETE /v1/orphans/{name}", "O", "O"),
    ('POST /v1/operations {"kind": "create", "branch": "{branch}2"}', "DO", "DO"),
    ('POST /v1/operations {"kind": "deploy", "environment": "{name}"}', "DO", "O"),
    ('POST /v1/operations {"kind": "recover", "environment": "{name}"}', "DO", "O"),
    ('POST /v1/operations {"kind": "stop", "environment": "{name}"}', "DO", "O"),
    ('POST /v1/operations {"kind": "start", "environment": "{name}"}', "DO", "O"),
    ('POST /v1/operations {"kind": "replace", "environment": "{name}"}', "DO", "O"),
    ('POST /v1/operations {"kind": "drill", "environment": "{name}"}', "DO", "O"),
    ('POST /v1/operations {"kind": "destroy", "environment": "{name}"}', "DO", "O"),
    ("POST /v1/operations/{operation}/cancel", "DO", "O"),
    ("GET /v1/operations/{operation}", "VDO", "VDO"),
    ("GET /v1/operations/{operation}/events", "VDO", "VDO"),
    ("GET /v1/operations/{operation}/timings", "VDO", "VDO"),
]
ON_ALL = [
    ("GET /v1/images", "VDO"),
    ("DELETE /v1/images/000", "O"),
    ('POST /v1/images/build {"blueprint": "/nonexistent"}', "O"),
    ("GET /v1/tokens", "O"),
    ('POST /v1/tokens {"name": "x", "grants": [{"stack": "photos", "role": "viewer"}]}', "O"),
    ("DELETE /v1/tokens/nobody", "O"),
    ("GET /v1/audit", "O"),
    ("GET /v1/environments", "VDO"),
    ("GET /v1/operations", "VDO"),
    ("GET /v1/drills", "VDO"),
    ("GET /v1/inventory", "VDO"),
    ("GET /v1/inventory/http_sd?port=9100", "VDO"),
    ("GET /v1/inventory/dotenv?name=nobody", "VDO"),
    ("GET /v1/inventory/machine/as/enc?host=db1", "VDO"),
    ("GET /v1/jobs", "VDO"),
    ("GET /v1/job?name=deploy", "VDO"),
    ('POST /v1/jobs/register {"blueprint": "greenroom.yaml"}', "O"),
    ("GET /v1/executions", "VDO"),
    ('POST /v1/executions {"job": "count"}', "DO"),
    ("GET /v1/executions/ex00", "VDO"),
    ("GET /v1/executions/ex00/log", "VDO"),
    ("POST /v1/executions/ex00/abort", "DO"),
    ("POST /v1/executions/ex00/approve", "DO"),
    ("POST /v1/executions/ex00/reject", "DO"),
    ("POST /v1/executions/ex00/retry {}", "DO"),
    ("GET /v1/inventory/changes?since=2026-01-01T00:00:00Z", "VDO"),
    ("GET /v1/orphans", "VDO"),
    ("GET /v1/status", "VDO"),
    ("POST /v1/web/tickets", "VDO"),
    ("GET /v1/whoami", "VDO"),
]


@pytest.mark.parametrize("production", [False, True], ids=["branch", "production"])
@pytest.mark.parametrize("role", [V, D, O])
def test_the_matrix_of_role_operation_and_stage_holds(
    stage: ApiStage, role: str, production: bool
) -> None:
    branch = "master" if production else "feature_x"
    name = stage.created(branch)
    made = stage.stage.control.operations(ROOT, name, None, 1)[0][1]
    login = stage.token(role, "photos")
    fill = {"{name}": name, "{branch}": branch, "{operation}": made.id}

    for what, on_branch, on_production in MATRIX:
        may = role[0].upper() in (on_production if production else on_branch)
        assert allowed(stage, what, login, fill) is may, what
        settle(stage)


@pytest.mark.parametrize("role", [V, D, O])
def test_the_matrix_of_what_belongs_to_no_stack_holds(stage: ApiStage, role: str) -> None:
    login = stage.token(role)

    for what, who in ON_ALL:
        assert allowed(stage, what, login, {}) is (role[0].upper() in who), what


def test_every_operation_is_in_the_matrix(shared: ApiStage) -> None:
    told = {what.split("?")[0].split(" {")[0] for what, *_ in [*MATRIX, *ON_ALL]}
    for placeholder, parameter in (
        ("{name}", "{stack}/{slug}"),
        ("{operation}", "{operation_id}"),
        ("/000", "/{digest}"),
        ("ex00", "{execution_id}"),
        ("as/enc", "as/{format_}"),
        ("nobody", "{token}"),
    ):
        told = {what.replace(placeholder, parameter) for what in told}

    assert {f"{method} {path}" for method, path in rights(shared)} - told == {
        "GET /v1/lookup",
        # It writes the region's key for ssh.
        "GET /v1/inventory/as/{format_}",
    }


def test_no_entry_tells_what_a_body_says_that_nobody_reads(stage: ApiStage) -> None:
    forged = {"kind": "destroy", "stack": "shop", "slug": "master", "confirm": "shop/master"}
    name = stage.created("feature_z")
    operation = stage.stage.control.operations(ROOT, None, None, 1)[0][1].id
    path = f"/v1/operations/{operation}/cancel"

    stage.ask("POST", path, stage.token("developer", name="forger"), json_body=forged)

    (told,) = stage.access.audit.newest(ROOT, AuditFilter(by="forger"), before=None, limit=9)
    assert (told.entry.action, told.entry.stack, told.entry.subject) == ("cancel", "photos", name)
    assert told.entry.parameters == (("operation_id", operation),)


def test_the_status_tells_with_which_addresses_and_ports_the_daemon_runs(stage: ApiStage) -> None:
    told = stage.ask("GET", "/v1/status", stage.token("viewer")).json()

    ports = (told["cidr"], told["proxy_port"], told["web_port"])
    assert ports == ("10.213.0.0/16", 8080, 8090)


def test_every_argument_of_a_command_is_told(stage: ApiStage) -> None:
    name = stage.created("feature_z")
    target = f"/v1/environments/{name}/command?machine=backend1&arg=mysqldump&arg=--all&arg=true"

    answer = stage.ask("GET", target, stage.token("developer", name="dumper"))

    (told,) = stage.access.audit.newest(ROOT, AuditFilter(by="dumper"), before=None, limit=9)
    assert (told.entry.action, told.entry.subject) == ("exec", name)
    # The words that were asked for and nothing else, though what runs is wrapped.
    assert told.entry.parameters == (
        ("arg", "mysqldump, --all, true"),
        ("machine", "backend1"),
    )
    assert answer.json()["argv"][-5:] == [name, "backend1", "mysqldump", "--all", "true"]


@pytest.mark.parametrize(
    ("method", "path", "body", "told"),
    [
        (
            "POST",
            "/v1/executions",
            {"job": "photos/count", "options": {}},
            ("run-job", "photos/count"),
        ),
        ("POST", "/v1/executions/ex-1/abort", None, ("run-job", "ex-1")),
        ("DELETE", "/v1/tokens/ci", None, ("tokens", "ci")),
        (
            "POST",
            "/v1/images/build",
            {"blueprint": "/srv/greenroom.yaml"},
            ("images", "/srv/greenroom.yaml"),
        ),
        ("GET", "/v1/audit", None, ("audit", "/v1/audit")),
        ("POST", "/v1/web/tickets", None, ("login-link", "")),
    ],
)
def test_the_audit_log_names_what_was_refused_and_not_only_its_address(
    stage: ApiStage, method: str, path: str, body: dict[str, Any] | None, told: tuple[str, str]
) -> None:
    viewer = stage.token("viewer", "photos", "v")
    stage.ask(method, path, viewer, json_body=body)
    (entry,) = stage.access.audit.newest(ROOT, AuditFilter(by="v"), before=None, limit=9)
    assert (entry.entry.outcome, entry.entry.code is None) == (Outcome.REFUSED, False)
    assert (entry.entry.action, entry.entry.subject) == told


@pytest.mark.parametrize("environment", ["photos/feature-z", "feature-z", "feature_z"])
def test_a_stacks_operator_sees_what_was_refused_there(stage: ApiStage, environment: str) -> None:
    stage.created("feature_z")
    body = {"kind": "destroy", "environment": environment}
    stage.ask("POST", "/v1/operations", stage.token("viewer", "photos", "v"), json_body=body)
    stage.ask("POST", "/v1/operations", stage.token("developer", "other", "o"), json_body=body)

    mine = stage.ask("GET", "/v1/audit?outcome=refused", stage.token("operator", "photos")).json()

    told = [(each["caller"], each["action"], each["stack"]) for each in mine["items"]]
    assert told == [("o", "destroy", "photos"), ("v", "destroy", "photos")]


@pytest.mark.parametrize(
    ("role", "branch", "asked", "message", "who_can"),
    [
        (
            V,
            "feature_x",
            {"kind": "stop", "environment": "feature_x"},
            "stop on stack photos takes the role developer; ann is only viewer",
            "developer of stack photos can do it; an operator can give a token that may",
        ),
        (
            D,
            "master",
            {"kind": "stop", "environment": "master"},
            "stop on production of stack photos takes the role operator; ann is only developer",
            "operator of stack photos can do it, or give a token that may",
        ),
        (
            V,
            "feature_x",
            {"kind": "create", "blueprint": "/nowhere", "branch": "y"},
            "create takes the role developer on a stack; ann is only viewer",
            "developer of a stack can do it; an operator can give a token that may",
        ),
    ],
)
def test_a_refusal_says_what_was_asked_where_and_the_least_role_that_may(
    stage: ApiStage, role: str, branch: str, asked: dict[str, str], message: str, who_can: str
) -> None:
    stage.created(branch)

    answer = stage.ask(
        "POST", "/v1/operations", stage.token(role, "photos", "ann"), json_body=asked
    )

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (403, "E_FORBIDDEN")
    assert (problem["message"], problem["hint"]) == (message, f"somebody who is {who_can}")


def test_a_refused_cancel_names_the_stack_to_who_may_read_it_alone(stage: ApiStage) -> None:
    stage.created()
    made = stage.stage.control.operations(ROOT, None, None, 1)[0][1].id
    path = f"/v1/operations/{made}/cancel"

    theirs = stage.ask("POST", path, stage.token(V, "photos", "ann")).json()
    others = stage.ask("POST", path, stage.token(V, "videos", "bo")).json()

    assert (
        theirs["message"] == "cancel on stack photos takes the role developer; ann is only viewer"
    )
    assert others["message"] == f"there is no operation {made!r}"


def test_a_refusal_is_audited_with_who_what_and_why(stage: ApiStage) -> None:
    name = stage.created()
    login = stage.token(V, "photos", name="ann")
    body = {"kind": "destroy", "environment": name, "confirm": "x" * 300}
    assert stage.ask("POST", "/v1/operations", login, json_body=body).status_code == 403
    assert stage.ask("POST", f"/v1/environments/{name}/flows", login).status_code == 403

    found = stage.access.audit.newest(ROOT, AuditFilter(by="ann"), before=None, limit=9)

    prove, destroy = (each.entry for each in found)
    assert (destroy.action, destroy.subject, destroy.code) == ("destroy", name, "E_FORBIDDEN")
    assert (prove.action, prove.subject, prove.stack) == ("prove", name, "photos")
    assert destroy.origin == prove.origin == "testclient"
    assert dict(destroy.parameters)["confirm"].endswith("…")


def allowed(stage: ApiStage, what: str, login: dict[str, str], fill: dict[str, str]) -> bool:
    """Whether it is not refused for want of a right; what it then comes to does not matter."""
    for placeholder, value in fill.items():
        what = what.replace(placeholder, value)
    request, _, body = what.partition(" {")
    method, path = request.split()
    content = "{" + body if body else None
    if content and '"create"' in content:
        content = content.replace("{", '{"blueprint": "greenroom.yaml", ', 1)
    answer = stage.ask(method, path, {**login, "Content-Type": "application/json"}, content=content)
    forbidden = answer.status_code == 403
    assert forbidden is (forbidden and answer.json()["code"] == "E_FORBIDDEN"), answer.text
    assert answer.status_code in (200, 201, 202, 403, 404, 409, 422), (what, answer.text)
    return not forbidden


def settle(stage: ApiStage) -> None:
    for _, view in stage.stage.control.operations(ROOT, None, None, 3):
        if not view.status.final:
            stage.stage.finish(view.id)
