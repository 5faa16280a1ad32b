"""Names that lead from one stack into another: what is found is what rights were asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import api_stage
import pytest
from api_stage import ApiStage, standing
from page_stage import BLUEPRINT, BlueprintStage, PageStage

from greenroom.model.access import Role
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
