"""After a crash at any step, the next start completes or compensates, and the host ends up with
exactly what the ledger says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.component.app_stage import Stage, request

from greenroom.errors import RefusedError
from greenroom.jobs.memory import Crash
from greenroom.model.events import EventKind, OperationStatus
from greenroom.model.requests import DestroyRequest
from greenroom.model.views import EnvironmentStatus

PHASES = ("images", "network", "volumes", "machines", "proof", "publish")
STEPS = ("images", "ground", "machines", "proof", "publish")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.close()


def crash(stage: Stage, step: str) -> str:
    """Create until the engine has recorded ``step``, and die there."""
    stage.control.close()
    stage.rise(crash_after=step)
    operation = stage.create().id
    stage.control.close()
    assert not stage.control.operation(operation).status.final
    return operation


@pytest.mark.parametrize("step", STEPS)
def test_a_create_that_a_crash_interrupted_is_completed(stage: Stage, step: str) -> None:
    operation = crash(stage, step)

    stage.rise()
    ended, result = stage.finish(operation)

    assert ended.status is OperationStatus.SUCCEEDED
    assert stage.control.environments()[0].status is EnvironmentStatus.READY
    assert stage.observe() == stage.intents() != ()
    events = stage.control.events(operation)
    numbers = [event.seq for event in events]
    assert numbers == sorted(set(numbers))
    assert [event for event in events if event.kind is EventKind.RESULT] == [result]
    (resumed,) = [e.seq for e in events if e.message == "resumed after a restart of the daemon"]
    # Who has seen more of the first process than it could write misses nothing of the second.
    before = [number for number in numbers if number < resumed]
    assert resumed - len(before) > 1000


@pytest.mark.parametrize("phase", PHASES)
def test_a_step_that_a_crash_cut_in_half_is_run_again_and_adopts_what_is_there(
    stage: Stage, phase: str
) -> None:
    stage.world.faults.fail_at = phase
    stage.world.faults.error = Crash(phase)
    operation = stage.create().id
    stage.control.close()
    assert not stage.control.operation(operation).status.final

    stage.world.faults.fail_at = None
    stage.rise()

    assert stage.finish(operation)[0].status is OperationStatus.SUCCEEDED
    assert stage.observe() == stage.intents() != ()


@pytest.mark.parametrize("step", STEPS)
def test_finished_steps_are_not_run_again_after_a_crash(stage: Stage, step: str) -> None:
    operation = crash(stage, step)

    stage.rise()
    stage.finish(operation)

    phases = [phase for phase, name in stage.world.calls if name == "photos/feature-x"]
    assert sorted(phases) == sorted({"network", "volumes", "machines", "proof", "publish"})


@pytest.mark.parametrize("step", STEPS)
def test_a_cancel_before_the_crash_is_remembered_after_it(stage: Stage, step: str) -> None:
    operation = crash(stage, step)
    stage.control.cancel(operation)

    stage.rise()
    ended, _ = stage.finish(operation)

    assert ended.status is OperationStatus.CANCELLED
    assert stage.observe() == () == stage.intents()
    assert stage.control.environments() == ()


def test_a_crash_within_the_compensation_leaves_nothing_and_keeps_the_first_reason(
    stage: Stage,
) -> None:
    stage.world.faults.fail_at = "machines"
    operation = crash(stage, "compensate")
    # Whatever would fail differently now: the outcome of the failed step is remembered.
    stage.world.faults.fail_at = None

    stage.rise()
    ended, result = stage.finish(operation)

    assert ended.status is OperationStatus.FAILED
    assert (result.code, result.message) == ("E_SIMULATED", "backend1: the simulated fault")
    assert stage.observe() == () == stage.intents()


def test_a_destroy_that_a_crash_interrupted_is_completed(stage: Stage) -> None:
    stage.run(request())
    stage.control.close()
    stage.rise(crash_after="destroy")
    operation = stage.control.submit(DestroyRequest(environment="feature-x")).id
    stage.control.close()

    stage.rise()
    ended, _ = stage.finish(operation)

    assert ended.status is OperationStatus.SUCCEEDED
    assert stage.control.environments() == ()
    assert stage.observe() == ()


def test_what_was_accepted_but_never_reached_the_engine_is_started(stage: Stage) -> None:
    operation = crash(stage, "images")
    stage.history.clear()

    stage.rise()

    assert stage.finish(operation)[0].status is OperationStatus.SUCCEEDED


def test_an_operation_that_ended_is_not_begun_again(stage: Stage) -> None:
    operation, _ = stage.run(request())
    stage.history.clear()
    calls = list(stage.world.calls)
    stage.control.close()

    stage.rise()
    stage.engine.start("create", operation.id)
    stage.engine.close()

    assert stage.world.calls == calls
    assert stage.control.operation(operation.id) == operation


def test_a_daemon_that_stops_takes_nothing_in_and_reserves_nothing(stage: Stage) -> None:
    stage.engine.close()

    with pytest.raises(RefusedError, match="the daemon is stopping"):
        stage.create()

    assert stage.control.environments() == ()
    assert stage.intents() == ()
    stage.rise()
    assert stage.run(request())[0].status is OperationStatus.SUCCEEDED
