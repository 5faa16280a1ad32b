"""An environment whose machines are gone is brought back from its disks, or kept as it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.component.app_stage import Stage, request

from greenroom.errors import RefusedError
from greenroom.jobs.memory import Crash
from greenroom.model.events import EventKind, OperationStatus
from greenroom.model.proof import Verdict
from greenroom.model.receipt import ResourceKind
from greenroom.model.requests import DestroyRequest, RecoverRequest, StartRequest, StopRequest
from greenroom.model.stack import Stack
from greenroom.model.views import EnvironmentStatus
from greenroom.providers.memory.provider import MemoryProvider

STEPS = ("images", "machines", "proof", "publish")
RECOVER = RecoverRequest(environment="feature-x")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    stage.run(request())
    # Who looks for the first time at what has rebooted recovers it, beside the test.
    stage.watched()
    yield stage
    stage.close()


def status(stage: Stage) -> EnvironmentStatus:
    return stage.control.environments()[0].status


def test_what_fails_while_the_host_has_no_pool_comes_back_with_it(stage: Stage) -> None:
    stage.world.reboot()
    stage.world.faults.fail_at, stage.world.faults.gone = "images", True

    ended, result = stage.run(RECOVER)

    assert (ended.status, result.code) == (OperationStatus.FAILED, "E_POOL_GONE")
    assert (result.message, result.hint) == ("the pool does not answer", "mount it anew")
    assert status(stage) is EnvironmentStatus.NOT_PROVED
    stage.control.close()
    stage.world.faults.fail_at, stage.world.faults.gone = None, False
    stage.rise()
    stage.control.bring_back()
    (environment,) = stage.control.environments()
    assert environment.operation is not None
    assert stage.finish(environment.operation)[0].status is OperationStatus.SUCCEEDED
    assert status(stage) is EnvironmentStatus.READY


@pytest.mark.parametrize("what", ["cancel", "start"])
def test_what_is_cancelled_or_wanted_a_start_does_not_come_back_unasked(
    stage: Stage, what: str
) -> None:
    stage.world.faults.gone = True
    if what == "cancel":
        stage.world.reboot()
        stage.world.faults.hang_at = "restart"
        operation = stage.control.submit(RECOVER).id
        assert stage.world.wait_until_hanging(20)
        stage.control.cancel(operation)
        ended, _ = stage.finish(operation)
    else:
        stage.run(StopRequest(environment="feature-x"))
        stage.world.faults.fail_at = "images"
        ended, _ = stage.run(StartRequest(environment="feature-x"))
    assert ended.status is not OperationStatus.SUCCEEDED
    assert status(stage) is EnvironmentStatus.FAILED


def test_after_a_reboot_the_daemon_brings_back_what_ran(stage: Stage) -> None:
    before = stage.control.environment("feature-x")
    stage.control.close()
    stage.world.reboot()
    stage.rise()

    stage.control.bring_back()

    (environment,) = stage.control.environments()
    assert environment.operation is not None
    ended, _ = stage.finish(environment.operation)
    assert (ended.kind, ended.status) == ("recover", OperationStatus.SUCCEEDED)
    after = stage.control.environment("feature-x")
    assert after.summary.status is EnvironmentStatus.READY
    assert stage.observe() == stage.intents() != ()
    # Nothing was restored or deployed anew: what is known of both is what was known before.
    assert after.restores == before.restores != ()
    assert [m.artifact for m in after.machines] == [m.artifact for m in before.machines]
    (reason,) = [e.message for e in stage.control.events(ended.id) if "did not run" in e.message]
    assert reason == "backend1, db1 did not run when the daemon started"


def test_what_runs_is_left_alone(stage: Stage) -> None:
    calls = len(stage.world.calls)
    stage.control.bring_back()
    assert stage.world.calls[calls:] == []
    assert status(stage) is EnvironmentStatus.READY


def test_an_environment_is_recovering_until_it_is_proved(stage: Stage) -> None:
    stage.world.reboot()
    stage.world.faults.hang_at = "restart"
    operation = stage.control.submit(RECOVER)
    assert stage.world.wait_until_hanging(20)
    (view,) = stage.control.environments()
    assert (view.status, view.verdict) == (EnvironmentStatus.RECOVERING, Verdict.NOT_VERIFIED)
    with pytest.raises(RefusedError, match="is recovering"):
        stage.control.prove("feature-x")
    with pytest.raises(RefusedError, match=f"recover {operation.id} runs on it"):
        stage.control.submit(DestroyRequest(environment="feature-x"))
    stage.world.release()
    stage.finish(operation.id)
    assert status(stage) is EnvironmentStatus.READY


@pytest.mark.parametrize("step", STEPS)
def test_a_recovery_that_a_crash_interrupted_is_completed(stage: Stage, step: str) -> None:
    stage.control.close()
    stage.world.reboot()
    stage.rise(crash_after=step)
    operation = stage.control.submit(RECOVER).id
    stage.control.close()
    assert not stage.control.operation(operation).status.final

    stage.rise()

    assert stage.finish(operation)[0].status is OperationStatus.SUCCEEDED
    assert status(stage) is EnvironmentStatus.READY
    assert stage.observe() == stage.intents() != ()


@pytest.mark.parametrize("phase", ["restart", "proof", "publish"])
def test_a_recovery_that_fails_keeps_every_disk_and_says_the_next_step(
    stage: Stage, phase: str
) -> None:
    disks = [r for r in stage.observe() if r.kind is ResourceKind.DIRECTORY]
    stage.world.reboot()
    stage.world.faults.fail_at = phase

    ended, result = stage.run(RECOVER)

    assert ended.status is OperationStatus.FAILED
    assert (result.code, result.message) == ("E_SIMULATED", "backend1: the simulated fault")
    assert result.hint == (
        "its disks and its data are as they were: greenroom recover photos/feature-x tries again, "
        "greenroom destroy photos/feature-x gives it up"
    )
    assert status(stage) is EnvironmentStatus.FAILED
    assert [r for r in stage.observe() if r.kind is ResourceKind.DIRECTORY] == disks != []
    incident = stage.control.environment("feature-x").incidents[-1]
    assert incident.message.startswith("could not be brought back (E_SIMULATED): backend1")

    stage.world.faults.fail_at = None
    assert stage.run(RECOVER)[0].status is OperationStatus.SUCCEEDED
    assert status(stage) is EnvironmentStatus.READY


def test_without_its_volume_a_machine_is_not_booted(stage: Stage) -> None:
    stage.world.reboot()
    stack = stage.control.stack_of("feature-x")
    stage.world.held(stack.environment).volumes.clear()

    _, result = stage.run(RECOVER)

    assert result.code == "E_DISK_LOST"
    assert stage.world.held(stack.environment).reports == {}


def test_a_recovery_cut_in_half_is_run_again_and_adopts_what_is_there(stage: Stage) -> None:
    stage.world.reboot()
    stage.world.faults.fail_at, stage.world.faults.error = "restart", Crash("restart")
    operation = stage.control.submit(RECOVER).id
    stage.control.close()
    stage.world.faults.fail_at = None

    stage.rise()

    assert stage.finish(operation)[0].status is OperationStatus.SUCCEEDED
    assert stage.observe() == stage.intents() != ()


def test_a_machine_that_ended_often_is_started_later_and_the_wait_can_be_cancelled(
    stage: Stage,
) -> None:
    operation = stage.control.submit(
        RecoverRequest(environment="feature-x", reason="db1 ended", delay_s=3600)
    )
    told = stage.control.wait(operation.id, 0, 20)
    while not any("waits 3600 s" in event.message for event in told):
        told = stage.control.wait(operation.id, told[-1].seq, 20)
    stage.control.cancel(operation.id)
    ended, result = stage.finish(operation.id)
    assert ended.status is OperationStatus.CANCELLED
    assert result.kind is EventKind.RESULT
    assert status(stage) is EnvironmentStatus.FAILED


def test_one_that_cannot_be_looked_at_keeps_no_other_from_being_brought_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.run(request("zebra"))
    stage.control.close()
    stage.world.reboot()
    stage.rise()
    looks = MemoryProvider.lost

    def breaks(provider: MemoryProvider, stack: Stack) -> tuple[str, ...]:
        if stack.environment.slug == "feature-x":
            raise ZeroDivisionError("simulated bug")
        return looks(provider, stack)

    monkeypatch.setattr(MemoryProvider, "lost", breaks)
    stage.control.bring_back()

    broken, other = stage.control.environments()
    assert (broken.status, broken.verdict) == (EnvironmentStatus.NOT_PROVED, Verdict.NOT_VERIFIED)
    (incident,) = stage.control.environment("feature-x").incidents
    assert incident.message == (
        "could not be looked at when the daemon started: simulated bug; "
        "greenroom recover feature-x looks again"
    )
    assert other.operation is not None
    assert stage.finish(other.operation)[0].status is OperationStatus.SUCCEEDED
