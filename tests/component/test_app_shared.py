"""The shared environment in the ledger: beside every branch, and nobody's branch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.component.app_stage import Stage, request

from greenroom.errors import InputError
from greenroom.model.events import OperationStatus
from greenroom.model.requests import DestroyRequest
from greenroom.store.environments import branches_by_slug


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.close()


def create(stage: Stage, *branches: str) -> None:
    """The shared environment, and one for each branch."""
    for asked in (request(None, shared=("metrics",)), *(request(branch) for branch in branches)):
        operation, result = stage.run(asked)
        assert operation.status is OperationStatus.SUCCEEDED, result


def notices(stage: Stage, operation: str) -> list[str]:
    return [e.message for e in stage.control.events(operation) if e.kind == "notice"]


def test_it_stands_beside_the_branches_and_is_not_production(stage: Stage) -> None:
    create(stage, "master", "feature_x")
    assert [(v.name, v.shared, v.production) for v in stage.control.environments()] == [
        ("photos/feature-x", False, False),
        ("photos/master", False, True),
        ("photos/shared", True, False),
    ]


def test_the_default_branchs_name_means_the_branchs_environment(stage: Stage) -> None:
    create(stage, "master")
    assert stage.control.environment("master").summary.name == "photos/master"
    assert stage.control.environment("shared").summary.name == "photos/shared"


def test_its_slug_is_not_the_default_branchs(stage: Stage) -> None:
    create(stage, "feature_x")
    with stage.database.read() as connection:
        assert branches_by_slug(connection, "photos") == {"feature-x": "feature_x"}


def test_a_second_one_is_refused(stage: Stage) -> None:
    create(stage)
    with pytest.raises(InputError) as raised:
        stage.control.submit(request(None, shared=("inventory",)))
    assert raised.value.code == "E_ENVIRONMENT_EXISTS"
    assert raised.value.message.startswith(
        "environment photos/shared exists already (shared, ready since "
    )
    assert raised.value.hint.endswith("greenroom destroy photos/shared first")


def test_a_destroy_says_who_goes_on_without_it(stage: Stage) -> None:
    create(stage, "master", "feature_x")
    operation, result = stage.run(DestroyRequest(environment="shared"))
    assert result.exit_code == 0
    assert notices(stage, operation.id) == [
        "2 environments go on without backend1, db1: what is sent there from now on is lost"
    ]
    assert [view.name for view in stage.control.environments()] == [
        "photos/feature-x",
        "photos/master",
    ]


def test_a_destroy_of_what_serves_nobody_says_nothing(stage: Stage) -> None:
    create(stage)
    operation, _ = stage.run(DestroyRequest(environment="shared"))
    assert notices(stage, operation.id) == []
