"""Creating an environment: it is ready and proved, or nothing of it is left."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.component.app_stage import TIMEOUT_S, Stage, request

from greenroom.errors import GreenroomError, InputError, RefusedError
from greenroom.model.events import EventKind, OperationStatus
from greenroom.model.proof import Verdict
from greenroom.model.receipt import Resource, ResourceKind
from greenroom.model.requests import DestroyRequest
from greenroom.model.views import EnvironmentStatus

PHASES = ("images", "network", "volumes", "machines", "proof", "publish")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.close()


def phases_told(stage: Stage, operation: str, kind: EventKind) -> list[str]:
    events = stage.control.events(operation)
    return [event.phase for event in events if event.kind is kind and event.machine is None]


def test_a_create_ends_proved_and_ready(stage: Stage) -> None:
    operation, result = stage.run(request())

    assert operation.status is OperationStatus.SUCCEEDED
    assert (result.exit_code, result.message) == (0, "photos/feature-x is proved")
    detail = stage.control.environment("feature_x")
    assert detail.summary.status is EnvironmentStatus.READY
    assert detail.summary.verdict is Verdict.PROVED
    assert detail.summary.url == "http://api.feature-x.photos.localhost:8080"
    assert detail.summary.operation is None
    assert detail.proof is not None
    assert detail.proof.verdict is Verdict.PROVED
    assert detail.create_s is not None
    assert 0 <= detail.create_s < TIMEOUT_S
    # Network and volumes run at once, so either may be told first.
    assert {phase.phase for phase in detail.phases if phase.machine is None} == set(PHASES)
    assert [restore.machine for restore in detail.restores] == ["db1"]
    assert [m.artifact is not None for m in detail.machines] == [True, False]


def test_each_phase_is_told_with_its_seconds(stage: Stage) -> None:
    operation, _ = stage.run(request())

    told = phases_told(stage, operation.id, EventKind.PHASE_STARTED)
    assert sorted(told[1:3]) == ["network", "volumes"]
    assert [told[0], *told[3:]] == ["images", "machines", "proof", "publish"]
    done = [e for e in stage.control.events(operation.id) if e.kind is EventKind.PHASE_DONE]
    assert all(event.seconds is not None and event.seconds >= 0 for event in done)


def test_what_the_ledger_intends_is_what_the_host_holds(stage: Stage) -> None:
    stage.run(request())

    stack = stage.control.stack_of("feature-x")
    assert stage.intents() == stage.provider.resources_of(stack)
    # The drill's link and namespace are the network's, so the host holds all that was intended.
    assert stage.observe() == stage.intents()


def test_intents_are_committed_before_the_first_effect(stage: Stage) -> None:
    stage.world.faults.hang_at = "images"
    stage.create()
    assert stage.world.wait_until_hanging(TIMEOUT_S)

    assert stage.observe() == ()
    stack = stage.control.stack_of("feature-x")
    assert stage.intents() == stage.provider.resources_of(stack)


def test_events_have_no_gap_and_end_with_one_result(stage: Stage) -> None:
    operation, result = stage.run(request())

    events = stage.control.events(operation.id)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert [event for event in events if event.kind is EventKind.RESULT] == [result]
    assert events[-1] == result
    assert stage.control.events(operation.id, after=result.seq - 1) == (result,)
    assert stage.control.events(operation.id, after=result.seq) == ()


@pytest.mark.parametrize("phase", PHASES)
def test_a_failure_in_any_phase_leaves_nothing_behind(stage: Stage, phase: str) -> None:
    stage.world.faults.fail_at = phase

    operation, result = stage.run(request())

    assert operation.status is OperationStatus.FAILED
    assert (result.code, result.exit_code) == ("E_SIMULATED", 1)
    assert result.message == "backend1: the simulated fault"
    assert phases_told(stage, operation.id, EventKind.PHASE_FAILED) == [phase]
    assert phases_told(stage, operation.id, EventKind.PHASE_DONE)[-1] == "compensate"
    assert stage.observe() == ()
    assert stage.intents() == ()
    assert stage.control.environments() == ()


@pytest.mark.parametrize("phase", PHASES)
def test_a_cancel_in_any_phase_leaves_nothing_behind(stage: Stage, phase: str) -> None:
    stage.world.faults.hang_at = phase
    operation = stage.create()
    assert stage.world.wait_until_hanging(TIMEOUT_S)

    stage.control.cancel(operation.id)
    stage.world.release()

    ended, result = stage.finish(operation.id)
    assert ended.status is OperationStatus.CANCELLED
    assert (result.code, result.exit_code) == ("E_CANCELLED", 1)
    assert result.message == ("create of photos/feature-x was cancelled; everything was taken back")
    assert stage.observe() == ()
    assert stage.intents() == ()
    assert stage.control.environments() == ()


def test_a_provider_that_waits_is_cancelled_while_it_waits(stage: Stage) -> None:
    stage.world.faults.hang_at = "machines"
    operation = stage.create()
    assert stage.world.wait_until_hanging(TIMEOUT_S)

    stage.control.cancel(operation.id)

    ended, _ = stage.finish(operation.id)
    assert ended.status is OperationStatus.CANCELLED


@pytest.mark.parametrize("phase", PHASES)
def test_a_bug_is_reported_as_one_and_compensated(
    stage: Stage, phase: str, caplog: pytest.LogCaptureFixture
) -> None:
    stage.world.faults.break_at = phase

    operation, result = stage.run(request())

    assert operation.status is OperationStatus.FAILED
    assert result.code == "E_BUG"
    assert result.message == f"{phase}: ZeroDivisionError: simulated bug"
    assert "Traceback" in caplog.text
    assert stage.observe() == ()


@pytest.mark.parametrize("verdict", [Verdict.FAILED, Verdict.NOT_VERIFIED])
def test_what_is_not_proved_is_kept_but_not_ready(stage: Stage, verdict: Verdict) -> None:
    stage.world.faults.verdict = verdict

    operation, result = stage.run(request())

    assert operation.status is OperationStatus.FAILED
    assert (result.code, result.exit_code) == ("E_NOT_PROVED", 3)
    assert result.message.startswith("photos/feature-x runs but is not proved: db1 to backend1")
    (environment,) = stage.control.environments()
    assert environment.status is EnvironmentStatus.NOT_PROVED
    assert environment.verdict is verdict
    assert stage.observe() == stage.intents()
    assert stage.control.environment("feature-x").create_s is None


def test_what_a_compensation_could_not_remove_is_said_and_kept_in_the_ledger(stage: Stage) -> None:
    stuck = Resource(kind=ResourceKind.NFT, name="environment photos.feature-x")
    stage.world.faults.fail_at = "machines"
    stage.world.faults.sticks = (stuck,)

    operation, result = stage.run(request())

    assert operation.status is OperationStatus.FAILED
    assert result.code == "E_SIMULATED"
    assert result.message == (
        "backend1: the simulated fault; the host still holds 1 thing of photos/feature-x: "
        "nft object environment photos.feature-x"
    )
    assert operation.receipt is not None
    assert operation.receipt.left_over == (stuck,)
    (environment,) = stage.control.environments()
    assert environment.status is EnvironmentStatus.FAILED
    assert stage.intents() == (stuck,) == stage.observe()


def test_a_compensation_that_fails_says_both_reasons(stage: Stage) -> None:
    stage.world.faults.fail_at = "network"
    stage.world.faults.break_at = "destroy"

    _, result = stage.run(request())

    assert result.message == (
        "backend1: the simulated fault; taking it back failed too: "
        "compensate: ZeroDivisionError: simulated bug"
    )
    (environment,) = stage.control.environments()
    assert environment.status is EnvironmentStatus.FAILED


def test_an_environment_that_exists_is_not_created_again(stage: Stage) -> None:
    stage.run(request())
    ready_at = stage.control.environments()[0].created_at

    with pytest.raises(InputError) as refused:
        stage.create()

    assert refused.value.code == "E_ENVIRONMENT_EXISTS"
    assert refused.value.message == (
        "environment photos/feature-x exists already "
        f"(branch feature_x, ready since {ready_at:%Y-%m-%d %H:%M} UTC)"
    )
    assert (
        refused.value.hint
        == "greenroom deploy photos/feature-x, or greenroom destroy photos/feature-x first"
    )


def test_a_failed_environment_is_in_the_way_as_well(stage: Stage) -> None:
    stage.world.faults.fail_at = "network"
    stage.world.faults.break_at = "destroy"
    stage.run(request())

    with pytest.raises(InputError) as refused:
        stage.create()

    assert "(branch feature_x, failed, created " in refused.value.message
    assert refused.value.hint == "greenroom destroy photos/feature-x first"


def test_of_two_creates_of_one_branch_at_once_exactly_one_wins(stage: Stage) -> None:
    stage.world.faults.hang_at = "machines"
    won: list[str] = []
    lost: list[GreenroomError] = []
    ready = threading.Barrier(2)

    def create() -> None:
        ready.wait()
        try:
            won.append(stage.create().id)
        except GreenroomError as error:
            lost.append(error)

    threads = [threading.Thread(target=create) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_S)
    stage.world.release()

    assert len(won) == 1
    assert [error.code for error in lost] == ["E_BUSY"]
    assert isinstance(lost[0], RefusedError)
    assert lost[0].message == f"photos/feature-x is busy: create {won[0]} runs on it"
    assert stage.finish(won[0])[0].status is OperationStatus.SUCCEEDED


def test_different_environments_are_created_at_once(stage: Stage) -> None:
    stage.world.faults.hang_at = "machines"
    branches = ("feature_x", "feature_y", "feature_z")
    operations = [stage.create(branch) for branch in branches]
    assert stage.world.wait_until_hanging(TIMEOUT_S)

    statuses = {e.name: e.status for e in stage.control.environments()}
    assert set(statuses.values()) == {EnvironmentStatus.CREATING}
    stage.world.release()

    for operation in operations:
        assert stage.finish(operation.id)[0].status is OperationStatus.SUCCEEDED
    subnets = {stage.control.stack_of(branch).subnet for branch in branches}
    assert len(subnets) == len(branches)


def test_a_missing_artifact_is_refused_at_the_door_and_reserves_nothing(stage: Stage) -> None:
    (stage.folder / "code" / "backend-master.tar.gz").unlink()

    with pytest.raises(InputError, match=r"backend1: .*/code holds no backend-feature_x"):
        stage.create()

    assert stage.control.environments() == ()
    assert stage.world.calls == []


def test_the_subnet_of_a_destroyed_environment_is_given_away_again(stage: Stage) -> None:
    for branch in ("a", "b", "c"):
        stage.run(request(branch))
    freed = stage.control.stack_of("b").subnet
    stage.run(DestroyRequest(environment="b"))

    stage.run(request("d"))

    assert stage.control.stack_of("d").subnet == freed


@pytest.mark.parametrize("text", ["feature-x", "feature_x", "photos/feature-x"])
def test_who_asks_for_an_environment_whose_create_failed_is_told_why(
    stage: Stage, text: str
) -> None:
    stage.world.faults.fail_at = "machines"
    _, result = stage.run(request())

    with pytest.raises(InputError) as raised:
        stage.control.environment(text)
    assert raised.value.code == "E_NO_ENVIRONMENT"
    assert raised.value.message == (
        f"there is no environment {text!r}: its create failed ({result.code}: {result.message})"
    )
