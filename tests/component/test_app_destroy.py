"""Destroying an environment: the receipt, the protection of production, what cannot be removed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.component.app_stage import TIMEOUT_S, Stage, request

from greenroom.errors import RefusedError
from greenroom.model.access import Caller, Grant, Role
from greenroom.model.events import OperationStatus
from greenroom.model.receipt import Resource, ResourceKind
from greenroom.model.requests import DeployRequest, DestroyRequest, RecoverRequest, Request
from greenroom.model.views import EnvironmentStatus


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.close()


def test_a_destroy_gives_a_receipt_with_nothing_left_over(stage: Stage) -> None:
    stage.run(request())
    intended = stage.intents()

    operation, result = stage.run(DestroyRequest(environment="feature-x"))

    assert operation.status is OperationStatus.SUCCEEDED
    assert operation.receipt is not None
    assert operation.receipt.removed == intended
    assert operation.receipt.left_over == ()
    gone = f"photos/feature-x is gone: {len(intended)} removed, 0 left over"
    assert (result.exit_code, result.message) == (0, gone)
    assert stage.control.environments() == ()
    assert stage.intents() == () == stage.observe()


def test_a_destroyed_environment_can_be_created_again(stage: Stage) -> None:
    for _ in range(2):
        assert stage.run(request())[0].status is OperationStatus.SUCCEEDED
        stage.run(DestroyRequest(environment="photos/feature-x"))

    assert stage.observe() == ()


def test_what_is_left_over_fails_the_destroy_and_keeps_the_environment(stage: Stage) -> None:
    stage.run(request())
    stuck = Resource(kind=ResourceKind.CGROUP, name="photos.feature-x.db1")
    stage.world.faults.sticks = (stuck,)

    operation, result = stage.run(DestroyRequest(environment="feature-x"))

    assert operation.status is OperationStatus.FAILED
    assert (result.code, result.exit_code) == ("E_LEFT_OVER", 1)
    assert result.message == (
        "the host still holds 1 thing of photos/feature-x: cgroup photos.feature-x.db1"
    )
    assert result.hint == "greenroom destroy photos/feature-x tries again"
    assert operation.receipt is not None
    assert operation.receipt.left_over == (stuck,)
    assert stage.control.environments()[0].status is EnvironmentStatus.FAILED
    assert stage.intents() == (stuck,)

    stage.world.faults.sticks = ()
    operation, _ = stage.run(DestroyRequest(environment="feature-x"))
    assert operation.status is OperationStatus.SUCCEEDED
    assert stage.control.environments() == ()


def test_a_destroy_that_breaks_leaves_a_failed_environment(stage: Stage) -> None:
    stage.run(request())
    stage.world.faults.fail_at = "destroy"

    operation, result = stage.run(DestroyRequest(environment="feature-x"))

    assert operation.status is OperationStatus.FAILED
    assert result.code == "E_SIMULATED"
    assert stage.control.environments()[0].status is EnvironmentStatus.FAILED


@pytest.mark.parametrize("confirm", [None, "yes", "photos", "Master"])
def test_production_is_not_destroyed_unless_its_name_is_typed(
    stage: Stage, confirm: str | None
) -> None:
    stage.run(request("master"))

    with pytest.raises(RefusedError) as refused:
        stage.control.submit(DestroyRequest(environment="master", confirm=confirm))

    assert (refused.value.code, refused.value.exit_code) == ("E_PRODUCTION", 4)
    assert refused.value.hint == "greenroom destroy photos/master --confirm photos/master"
    assert stage.control.environments()[0].status is EnvironmentStatus.READY


@pytest.mark.parametrize("confirm", ["master", "photos/master"])
def test_production_is_destroyed_when_its_name_is_typed(stage: Stage, confirm: str) -> None:
    stage.run(request("master"))

    operation, _ = stage.run(DestroyRequest(environment="master", confirm=confirm))

    assert operation.status is OperationStatus.SUCCEEDED


def test_what_is_being_created_is_not_destroyed(stage: Stage) -> None:
    stage.world.faults.hang_at = "machines"
    creating = stage.create()
    assert stage.world.wait_until_hanging(TIMEOUT_S)

    with pytest.raises(RefusedError) as refused:
        stage.control.submit(DestroyRequest(environment="feature-x"))

    assert refused.value.code == "E_BUSY"
    assert refused.value.message == f"photos/feature-x is busy: create {creating.id} runs on it"


def test_a_destroy_cannot_be_cancelled(stage: Stage) -> None:
    stage.run(request())
    stage.world.faults.hang_at = "destroy"
    operation = stage.control.submit(DestroyRequest(environment="feature-x"))
    assert stage.world.wait_until_hanging(TIMEOUT_S)
    assert stage.control.environments()[0].status is EnvironmentStatus.DESTROYING

    with pytest.raises(RefusedError) as refused:
        stage.control.cancel(operation.id)
    stage.world.release()

    assert refused.value.code == "E_NOT_CANCELLABLE"
    assert stage.finish(operation.id)[0].status is OperationStatus.SUCCEEDED


def test_a_cancel_that_comes_too_late_changes_nothing(stage: Stage) -> None:
    operation, _ = stage.run(request())

    assert stage.control.cancel(operation.id) == operation
    assert stage.control.environments()[0].status is EnvironmentStatus.READY


def test_what_a_destroy_has_left_half_is_not_booted_again(stage: Stage) -> None:
    stage.run(request())
    stage.world.faults.fail_at = "destroy"
    stage.run(DestroyRequest(environment="feature-x"))
    stage.world.faults.fail_at = None
    with pytest.raises(RefusedError, match="its destroy failed and has left parts") as refused:
        stage.control.submit(RecoverRequest(environment="feature-x"))
    assert refused.value.code == "E_HALF_REMOVED"
    assert refused.value.hint == "destroy it: greenroom destroy feature-x"
    assert stage.run(DestroyRequest(environment="feature-x"))[0].status is (
        OperationStatus.SUCCEEDED
    )


def test_what_a_compensation_has_left_is_not_booted(stage: Stage) -> None:
    stage.world.faults.fail_at = "machines"
    stage.world.faults.sticks = (Resource(kind=ResourceKind.CGROUP, name="photos.feature-x.db1"),)
    stage.run(request())
    with pytest.raises(RefusedError, match="its create failed and has left parts"):
        stage.control.submit(RecoverRequest(environment="feature-x"))


@pytest.mark.parametrize(
    "asked",
    [
        DestroyRequest(environment="feature-x"),
        DeployRequest(environment="feature-x"),
        RecoverRequest(environment="feature-x"),
    ],
)
def test_the_door_is_shut_to_those_without_the_right(stage: Stage, asked: Request) -> None:
    stage.run(request())
    viewer = Caller(name="ann", grants=(Grant(stack="photos", role=Role.VIEWER),))

    with pytest.raises(RefusedError, match="ann is only viewer"):
        stage.control.submit(asked, viewer)
    with pytest.raises(RefusedError, match="ann is only viewer"):
        stage.control.prove("feature-x", viewer)
