"""Names that lead from one stack into another: what is found is what rights were asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.component import api_stage
from tests.component.api_stage import ROOT, ApiStage, standing
from tests.component.page_stage import BLUEPRINT, BlueprintStage, PageStage

from greenroom.model.access import Role
from greenroom.model.audit import AuditFilter
from greenroom.model.requests import CreateRequest

RAW = "shop/x"
"""A raw branch of the stack photos that looks like an environment of the stack shop."""

SPELT = "photos/shop-x-906ecb"

ROUTES = [
    ("GET", ""),
    ("GET", "/logs"),
    ("GET", "/command?machine=backend1&arg=id"),
    ("POST", "/flows"),
    ("POST", "/extend"),
]


TYPED = [f"{SPELT}x", SPELT.partition("/")[2], "main_line", "main_lin", RAW]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiStage]:
    """An environment of a misleading branch, and production of a branch that is no slug."""
    folder = tmp_path_factory.mktemp("foreign")
    (folder / "code").mkdir()
    (folder / "code" / "backend-main_line.tar.gz").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api_stage, "Stage", BlueprintStage)
        with standing(folder) as made:
            assert boot(made, RAW) == SPELT
            assert boot(made, "main_line") == "photos/main-line"
            yield made


def boot(stage: ApiStage, branch: str) -> str:
    path = stage.stage.folder / "greenroom.yaml"
    path.write_text(f"default_branch: main_line\n{BLUEPRINT}")
    begun = stage.stage.control.submit(CreateRequest(blueprint=path, branch=branch))
    view, result = stage.stage.finish(begun.id)
    assert result.code is None, result
    return view.environment


@pytest.mark.parametrize(("method", "rest"), ROUTES)
def test_a_raw_branch_is_no_way_into_another_stack(stage: ApiStage, method: str, rest: str) -> None:
    login = stage.token("operator", "shop", f"sam{ROUTES.index((method, rest))}")
    body = {} if rest == "/extend" else None

    answer = stage.ask(method, f"/v1/environments/{RAW}{rest}", login, json_body=body)

    assert answer.json()["code"] == "E_NO_ENVIRONMENT"
    assert "photos" not in answer.text


def test_a_raw_branch_is_no_way_into_production(stage: ApiStage) -> None:
    login = stage.token("developer", "photos", "dave")
    target = "/v1/environments/photos/{}/command?machine=backend1&arg=id"

    assert stage.ask("GET", target.format("main-line"), login).json()["code"] == "E_FORBIDDEN"
    assert stage.ask("GET", target.format("main_line"), login).json()["code"] == "E_NO_ENVIRONMENT"
    assert stage.ask("GET", target.format(SPELT.partition("/")[2]), login).status_code == 200


@pytest.mark.parametrize("typed", TYPED)
def test_names_of_other_stacks_are_not_told(stage: ApiStage, typed: str) -> None:
    login = stage.token("developer", "other", f"otto{TYPED.index(typed)}")
    body = {"kind": "destroy", "environment": typed}

    answer = stage.ask("POST", "/v1/operations", login, json_body=body)

    assert answer.json()["code"] == "E_NO_ENVIRONMENT"
    assert answer.json()["hint"] == "greenroom create makes one"


def test_the_page_leads_to_no_other_stack_either(tmp_path: Path) -> None:
    page = PageStage(BlueprintStage(tmp_path))
    assert page.create(RAW) == SPELT
    viewer = page.visitor(Role.VIEWER, "shop")

    for rest in ("", "/log"):
        answer = viewer.get(f"/environments/{RAW}{rest}")
        assert (answer.status_code, "photos" in answer.text) == (404, False)
    operator = page.visitor()
    assert operator.get("/audit?before=100000000000000000000000").status_code == 422
    assert operator.get("/audit?until=0001-01-01T00:00%2B14:00").status_code == 422
    page.close()


def test_a_body_that_is_nested_without_end_is_a_mistake_of_the_sender(stage: ApiStage) -> None:
    login = stage.token("developer", "photos", "deep")
    content = "[" * 200_000 + "\\u0000"

    answer = stage.ask("POST", "/v1/operations", login, content=content)

    assert (answer.status_code, answer.json()["code"]) == (400, "E_REQUEST")


KINDS = ["deploy", "destroy", "recover", "stop", "start", "replace", "drill"]


@pytest.mark.parametrize("kind", KINDS)
def test_whoever_may_not_see_it_is_told_of_nothing_there(stage: ApiStage, kind: str) -> None:
    login = stage.token("operator", "shop", f"kim{KINDS.index(kind)}")

    def asked(environment: str) -> tuple[int, str]:
        body = {"kind": kind, "environment": environment}
        answer = stage.ask("POST", "/v1/operations", login, json_body=body)
        return answer.status_code, answer.text.replace(environment, "ENV")

    assert asked(SPELT) == asked("photos/main-line") == asked("photos/nothing")
    assert asked(SPELT)[0] == 404


@pytest.mark.parametrize(("method", "rest"), [*ROUTES, ("GET", "/logs?follow=true")])
def test_an_address_tells_as_little(stage: ApiStage, method: str, rest: str) -> None:
    login = stage.token("operator", "shop", f"lea{len(method) + len(rest)}")
    body = {} if rest == "/extend" else None

    def asked(environment: str) -> tuple[int, str]:
        answer = stage.ask(method, f"/v1/environments/{environment}{rest}", login, json_body=body)
        return answer.status_code, answer.text

    assert asked(SPELT) == asked("photos/main-line") == asked("photos/nothing")
    assert asked(SPELT)[0] == 403


def test_a_lookup_and_a_built_in_job_tell_as_little(stage: ApiStage) -> None:
    login = stage.token("operator", "shop", "mia")

    def asked(environment: str) -> list[tuple[int, str]]:
        run = {"job": "greenroom:destroy", "options": {"environment": environment}}
        answers = [
            stage.ask("GET", f"/v1/lookup?name={environment}", login),
            stage.ask("POST", "/v1/executions", login, json_body=run),
        ]
        return [(each.status_code, each.text.replace(environment, "ENV")) for each in answers]

    assert asked(SPELT) == asked("photos/main-line") == asked("photos/nothing")
    assert [status for status, _ in asked(SPELT)] == [404, 404]


def test_an_operation_of_another_stack_is_none(stage: ApiStage) -> None:
    operation = stage.stage.control.operations(ROOT, SPELT, None, 1)[0][1].id
    login = stage.token("operator", "shop", "noa")

    def asked(operation: str) -> list[tuple[int, str]]:
        routes = [("GET", ""), ("GET", "/events"), ("GET", "/timings"), ("POST", "/cancel")]
        answers = [
            stage.ask(method, f"/v1/operations/{operation}{rest}", login) for method, rest in routes
        ]
        return [(each.status_code, each.text.replace(operation, "OP")) for each in answers]

    assert asked(operation) == asked("op-000000000000")
    assert {status for status, _ in asked(operation)} == {404}


def test_the_audit_log_keeps_what_the_caller_is_not_told(stage: ApiStage) -> None:
    login = stage.token("operator", "shop", "ola")
    for kind in ("destroy", "deploy"):
        body = {"kind": kind, "environment": SPELT if kind == "destroy" else "photos/nothing"}
        stage.ask("POST", "/v1/operations", login, json_body=body)
    stage.ask("GET", f"/v1/lookup?name={SPELT}", login)

    wanted = AuditFilter(by="ola")
    looked, deploy, destroy = (
        each.entry for each in stage.access.audit.newest(ROOT, wanted, before=None, limit=9)
    )

    why = "read on stack photos takes the role viewer; ola has no role there"
    assert (destroy.action, destroy.stack, destroy.subject) == ("destroy", "photos", SPELT)
    assert (destroy.code, destroy.message) == ("E_FORBIDDEN", why)
    assert (looked.action, looked.code, looked.message) == ("read", "E_FORBIDDEN", why)
    assert (deploy.code, deploy.message) == (
        "E_NO_ENVIRONMENT",
        "there is no environment 'photos/nothing'",
    )


def test_the_buttons_of_a_page_tell_as_little(tmp_path: Path) -> None:
    page = PageStage(BlueprintStage(tmp_path))
    name = page.create("feature_x")
    visitor = page.visitor(Role.OPERATOR, "shop")

    def asked(environment: str) -> list[tuple[int, bool]]:
        answers = [
            visitor.get(f"/environments/{environment}"),
            *(visitor.post(f"/environments/{environment}/{each}") for each in KINDS),
            visitor.post(f"/environments/{environment}/extend"),
            visitor.post(f"/environments/{environment}/prove"),
        ]
        return [(each.status_code, "E_FORBIDDEN" in each.text) for each in answers]

    assert asked(name) == asked("photos/nothing")
    page.close()
