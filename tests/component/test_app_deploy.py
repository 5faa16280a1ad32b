"""Deploying on a running environment, and proving one again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.component.app_stage import TIMEOUT_S, Stage, request

from greenroom.errors import InputError, RefusedError
from greenroom.model.events import EventKind, OperationStatus
from greenroom.model.proof import Verdict
from greenroom.model.requests import DeployRequest
from greenroom.model.views import EnvironmentStatus


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.close()


def test_a_deploy_reaches_the_machines_with_code_and_proves_again(stage: Stage) -> None:
    stage.run(request())
    first = stage.control.environment("feature-x").proof
    stage.world.calls.clear()

    operation, result = stage.run(DeployRequest(environment="feature-x"))

    assert operation.status is OperationStatus.SUCCEEDED
    assert result.message == "photos/feature-x is proved"
    assert [phase for phase, _ in stage.world.calls] == ["deploy", "proof"]
    detail = stage.control.environment("feature-x")
    assert detail.proof != first
    assert [restore.machine for restore in detail.restores] == ["db1"]
    assert len(detail.machines) == 2


def test_after_a_deploy_that_failed_the_environment_is_proved_as_it_is_now(stage: Stage) -> None:
    stage.run(request())
    before = stage.control.environment("feature-x").proof
    stage.world.faults.fail_at = "deploy"

    operation, result = stage.run(DeployRequest(environment="feature-x"))

    assert operation.status is OperationStatus.FAILED
    assert result.code == "E_SIMULATED"
    detail = stage.control.environment("feature-x")
    assert detail.summary.status is EnvironmentStatus.READY
    assert detail.proof is not None
    assert detail.proof != before
    assert stage.observe() == stage.intents() != ()


def test_a_deploy_whose_proof_cannot_be_made_leaves_nothing_verified(stage: Stage) -> None:
    stage.run(request())
    stage.world.faults.fail_at = "proof"

    operation, result = stage.run(DeployRequest(environment="feature-x"))

    assert operation.status is OperationStatus.FAILED
    assert result.code == "E_SIMULATED"
    (environment,) = stage.control.environments()
    assert environment.status is EnvironmentStatus.NOT_PROVED
    assert environment.verdict is Verdict.NOT_VERIFIED
    assert stage.observe() == stage.intents() != ()


def test_a_cancelled_deploy_removes_nothing(stage: Stage) -> None:
    stage.run(request())
    stage.world.faults.hang_at = "deploy"
    operation = stage.control.submit(DeployRequest(environment="feature-x"))
    assert stage.world.wait_until_hanging(TIMEOUT_S)

    stage.control.cancel(operation.id)

    ended, result = stage.finish(operation.id)
    assert ended.status is OperationStatus.CANCELLED
    detail = stage.control.environment("feature-x")
    (artifact,) = [m.artifact for m in detail.machines if m.artifact is not None]
    assert result.message == (
        "deploy of photos/feature-x was cancelled; "
        f"in place: release {artifact.sha256[:12]} of {artifact.key} on backend1"
    )
    assert stage.observe() == stage.intents() != ()


def test_mounted_code_is_not_deployed_over(stage: Stage, tmp_path: Path) -> None:
    stage.run(request(mounts=(("backend", str(tmp_path)),)))
    stage.world.calls.clear()

    operation, _ = stage.run(DeployRequest(environment="feature-x"))

    notices = [e for e in stage.control.events(operation.id) if e.kind is EventKind.NOTICE]
    assert [(n.machine, n.message) for n in notices] == [
        ("backend1", f"its code is mounted from {tmp_path}: nothing to deploy")
    ]
    assert [phase for phase, _ in stage.world.calls] == ["proof"]


@pytest.mark.parametrize(
    ("types", "code", "message", "hint"),
    [
        (
            ("bakend",),
            "E_MACHINE_TYPE",
            "photos/feature-x: unknown machine type 'bakend'; did you mean 'backend'?",
            "machine types of photos/feature-x: backend, db",
        ),
        (
            ("db",),
            "E_NOTHING_TO_DEPLOY",
            "photos/feature-x: machine type 'db' has nothing to deploy",
            "machine types that deploy: backend",
        ),
    ],
)
def test_a_type_that_cannot_be_deployed_is_refused(
    stage: Stage, types: tuple[str, ...], code: str, message: str, hint: str
) -> None:
    stage.run(request())

    with pytest.raises(InputError) as refused:
        stage.control.submit(DeployRequest(environment="feature-x", types=types))

    assert (refused.value.code, refused.value.message) == (code, message)
    assert refused.value.hint == hint


def test_only_running_machines_are_deployed_to_and_proved(stage: Stage) -> None:
    stage.world.faults.fail_at = "network"
    stage.world.faults.break_at = "destroy"
    stage.run(request())

    with pytest.raises(RefusedError) as refused:
        stage.control.submit(DeployRequest(environment="feature-x"))
    assert refused.value.message == "deploy of photos/feature-x refused: it is failed"
    with pytest.raises(RefusedError, match="proof of photos/feature-x refused: it is failed"):
        stage.control.prove("feature-x")


def test_a_second_proof_decides_anew_whether_the_environment_is_ready(stage: Stage) -> None:
    stage.run(request())

    stage.world.faults.verdict = Verdict.FAILED
    assert stage.control.prove("feature-x").verdict is Verdict.FAILED
    assert stage.control.environments()[0].status is EnvironmentStatus.NOT_PROVED

    stage.world.faults.verdict = Verdict.PROVED
    proof = stage.control.prove("feature-x")
    detail = stage.control.environment("feature-x")
    assert detail.proof == proof
    assert detail.summary.status is EnvironmentStatus.READY


def test_a_proof_probes_from_the_other_environments_too(stage: Stage) -> None:
    stage.run(request("feature_y"))
    stage.run(request("feature_x"))

    proof = stage.control.environment("feature-x").proof

    assert proof is not None
    foreign = [flow for flow in proof.flows if flow.source == "photos/feature-y:backend1"]
    assert {flow.target for flow in foreign} == {"backend1", "db1"}
    assert not any(flow.declared for flow in foreign)
