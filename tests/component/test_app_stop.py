"""An environment is stopped and started: its machines go and come, what they hold stays."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.component.app_stage import Stage, request

from greenroom.errors import InputError, RefusedError
from greenroom.jobs.memory import Crash
from greenroom.model.access import ITSELF, Caller, Grant, Role
from greenroom.model.events import OperationStatus
from greenroom.model.incidents import Ended, Part
from greenroom.model.names import EnvironmentName
from greenroom.model.proof import Verdict
from greenroom.model.receipt import ResourceKind
from greenroom.model.requests import (
    DeployRequest,
    DestroyRequest,
    RecoverRequest,
    Request,
    StartRequest,
    StopRequest,
)
from greenroom.model.views import EnvironmentStatus

NAME = EnvironmentName("photos", "feature-x")
STOP = StopRequest(environment="feature-x")
START = StartRequest(environment="feature-x")
RUNNING = {ResourceKind.CONTAINER, ResourceKind.CGROUP, ResourceKind.PROCESS, ResourceKind.ROUTE}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    stage.run(request())
    yield stage
    stage.close()


def status(stage: Stage) -> EnvironmentStatus:
    return stage.control.environments()[0].status


def test_a_stop_ends_the_machines_and_keeps_what_they_hold(stage: Stage) -> None:
    volumes = set(stage.world.held(NAME).volumes)
    ended, result = stage.run(STOP)
    (view,) = stage.control.environments()

    assert (ended.status, result.message) == (
        OperationStatus.SUCCEEDED,
        "photos/feature-x is stopped, and keeps what its machines hold",
    )
    assert (view.status, view.verdict, view.url) == (
        EnvironmentStatus.STOPPED,
        Verdict.NOT_VERIFIED,
        None,
    )
    assert view.stopped_at is not None
    assert stage.world.held(NAME).volumes == volumes != set()
    assert stage.observe() == stage.intents() != ()
    assert RUNNING & {resource.kind for resource in stage.observe()} == set()


def test_a_start_boots_it_from_its_own_disks_and_proves_it_again(stage: Stage) -> None:
    before = stage.observe()
    restores = stage.control.environment("feature-x").restores
    stage.run(STOP)
    stage.world.calls.clear()
    ended, _ = stage.run(START)
    detail = stage.control.environment("feature-x")

    assert ended.status is OperationStatus.SUCCEEDED
    assert (detail.summary.status, detail.summary.stopped_at) == (EnvironmentStatus.READY, None)
    assert detail.restores == restores != ()
    assert stage.observe() == before == stage.intents()
    done = [phase for phase, name in stage.world.calls if name == str(NAME)]
    assert done == ["restart", "proof", "publish"]
    assert stage.world.held(NAME).published


@pytest.mark.parametrize(
    "asked", [DeployRequest(environment="feature-x"), RecoverRequest(environment="feature-x"), STOP]
)
def test_what_needs_machines_is_refused_while_there_are_none(stage: Stage, asked: Request) -> None:
    stage.run(STOP)
    with pytest.raises(RefusedError) as refused:
        stage.control.submit(asked)
    assert refused.value.code == "E_NOT_READY"
    assert refused.value.message.endswith("of photos/feature-x refused: it is stopped")
    assert refused.value.hint == "greenroom start photos/feature-x boots it from its own disks"


def test_neither_a_proof_nor_a_command_is_asked_of_what_is_stopped(stage: Stage) -> None:
    stage.run(STOP)
    for ask in (
        lambda: stage.control.prove("feature-x"),
        lambda: stage.control.standing_stack_of("feature-x", "exec"),
    ):
        with pytest.raises(RefusedError) as refused:
            ask()
        assert refused.value.code == "E_NOT_READY"
        assert refused.value.hint.startswith("greenroom start photos/feature-x")


def test_a_create_of_what_is_stopped_says_how_it_comes_back(stage: Stage) -> None:
    stage.run(STOP)
    with pytest.raises(InputError) as refused:
        stage.create()
    assert refused.value.code == "E_ENVIRONMENT_EXISTS"
    assert refused.value.hint == (
        "greenroom start photos/feature-x, or greenroom destroy photos/feature-x first"
    )


def test_only_what_is_stopped_is_started(stage: Stage) -> None:
    with pytest.raises(RefusedError) as refused:
        stage.control.submit(START)
    assert (refused.value.code, refused.value.message) == (
        "E_NOT_READY",
        "start of photos/feature-x refused: it is ready",
    )
    assert refused.value.hint == (
        "its machines run; greenroom stop photos/feature-x ends them, and greenroom recover "
        "photos/feature-x looks at them again"
    )


@pytest.mark.parametrize(
    "asked", [STOP, DeployRequest(environment="feature-x"), RecoverRequest(environment="feature-x")]
)
def test_what_is_stopped_is_told_to_be_started(stage: Stage, asked: Request) -> None:
    stage.run(STOP)
    with pytest.raises(RefusedError) as refused:
        stage.control.submit(asked)
    assert (refused.value.code, refused.value.hint) == (
        "E_NOT_READY",
        "greenroom start photos/feature-x boots it from its own disks",
    )
    assert refused.value.message.endswith(" of photos/feature-x refused: it is stopped")


def test_what_failed_is_not_started_but_recovered(stage: Stage) -> None:
    stage.run(STOP)
    stage.world.faults.fail_at = "restart"
    stage.run(START)
    with pytest.raises(RefusedError) as refused:
        stage.control.submit(START)
    assert (refused.value.code, refused.value.message, refused.value.hint) == (
        "E_NOT_READY",
        "start of photos/feature-x refused: it is failed",
        "greenroom show photos/feature-x tells why; greenroom recover photos/feature-x brings it "
        "back",
    )


def test_a_stopped_environment_is_shown_and_destroyed(stage: Stage) -> None:
    stage.run(STOP)
    assert stage.control.environment("feature-x").machines
    assert stage.run(DestroyRequest(environment="feature-x"))[0].status is OperationStatus.SUCCEEDED
    assert stage.observe() == () == stage.intents()


def test_a_restart_of_the_daemon_or_the_host_leaves_it_stopped(stage: Stage) -> None:
    stage.run(STOP)
    stage.control.close()
    stage.world.reboot()
    stage.rise()
    stage.control.bring_back()
    assert status(stage) is EnvironmentStatus.STOPPED
    assert stage.world.held(NAME).reports == {}
    assert stage.run(START)[0].status is OperationStatus.SUCCEEDED


def test_the_end_of_machines_that_are_stopped_is_no_incident(stage: Stage) -> None:
    told = stage.watched()
    stage.run(STOP)
    told(
        Ended(
            environment=NAME,
            machine="db1",
            part=Part.MACHINE,
            service="",
            pid=7,
            how="exited",
            at=datetime.now(UTC),
        )
    )
    stage.control.close()
    stage.rise()
    assert status(stage) is EnvironmentStatus.STOPPED
    assert stage.control.environment("feature-x").incidents == ()


def test_a_proof_that_took_longer_than_the_stop_does_not_revive_it(stage: Stage) -> None:
    stage.world.faults.hang_at = "proof"
    proving = threading.Thread(target=stage.control.prove, args=("feature-x",))
    proving.start()
    assert stage.world.wait_until_hanging(20)
    stage.run(STOP)
    stage.world.release()
    proving.join(20)
    assert not proving.is_alive()
    assert status(stage) is EnvironmentStatus.STOPPED


def test_a_stop_that_fails_says_how_to_go_on_and_can_be_tried_again(stage: Stage) -> None:
    stage.world.faults.fail_at = "halt"
    ended, result = stage.run(STOP)
    assert (ended.status, result.code) == (OperationStatus.FAILED, "E_SIMULATED")
    assert result.hint == (
        "greenroom stop photos/feature-x tries again, "
        "greenroom recover photos/feature-x brings it back"
    )
    assert status(stage) is EnvironmentStatus.FAILED
    stage.world.faults.fail_at = None
    assert stage.run(STOP)[0].status is OperationStatus.SUCCEEDED
    assert status(stage) is EnvironmentStatus.STOPPED


def test_a_start_that_fails_is_recovered_and_nothing_is_lost(stage: Stage) -> None:
    stage.run(STOP)
    stage.world.faults.fail_at = "restart"
    _, result = stage.run(START)
    assert result.code == "E_SIMULATED"
    assert status(stage) is EnvironmentStatus.FAILED
    stage.world.faults.fail_at = None
    ended, _ = stage.run(RecoverRequest(environment="feature-x"))
    assert ended.status is OperationStatus.SUCCEEDED
    (view,) = stage.control.environments()
    assert (view.status, view.stopped_at) == (EnvironmentStatus.READY, None)
    assert stage.observe() == stage.intents()


def test_a_stop_is_not_cancelled(stage: Stage) -> None:
    stage.world.faults.hang_at = "halt"
    operation = stage.control.submit(STOP)
    assert stage.world.wait_until_hanging(20)
    with pytest.raises(RefusedError) as refused:
        stage.control.cancel(operation.id)
    assert refused.value.code == "E_NOT_CANCELLABLE"
    stage.world.release()
    assert stage.finish(operation.id)[0].status is OperationStatus.SUCCEEDED


def test_who_may_not_change_it_neither_stops_nor_starts_it(stage: Stage) -> None:
    viewer = Caller(name="eve", grants=(Grant(stack="photos", role=Role.VIEWER),))
    with pytest.raises(RefusedError) as refused:
        stage.control.submit(STOP, viewer)
    assert refused.value.code == "E_FORBIDDEN"
    stage.run(STOP)
    with pytest.raises(RefusedError) as refused:
        stage.control.submit(START, viewer)
    assert refused.value.code == "E_FORBIDDEN"


@pytest.mark.parametrize(
    ("asked", "steps", "phases", "status_after"),
    [
        (STOP, ("stop",), ("halt",), EnvironmentStatus.STOPPED),
        (
            START,
            ("images", "machines", "proof", "publish"),
            ("restart", "proof", "publish"),
            EnvironmentStatus.READY,
        ),
    ],
)
def test_a_crash_at_any_point_of_a_stop_or_a_start_is_made_good(
    stage: Stage,
    asked: Request,
    steps: tuple[str, ...],
    phases: tuple[str, ...],
    status_after: EnvironmentStatus,
) -> None:
    for crash_after, crash_in in (*((s, None) for s in steps), *((None, p) for p in phases)):
        if asked is START:
            stage.run(STOP)
        stage.control.close()
        stage.rise(crash_after=crash_after)
        stage.world.faults.fail_at, error = crash_in, stage.world.faults.error
        stage.world.faults.error = Crash(crash_in or "")
        operation = stage.control.submit(asked, ITSELF).id
        stage.control.close()
        assert not stage.control.operation(operation).status.final
        stage.world.faults.fail_at, stage.world.faults.error = None, error

        stage.rise()
        assert stage.finish(operation)[0].status is OperationStatus.SUCCEEDED
        assert status(stage) is status_after
        assert stage.observe() == stage.intents() != ()
        if asked is STOP:
            stage.run(START)


def test_a_stop_that_nobody_takes_up_changes_nothing(stage: Stage) -> None:
    stage.engine.close()
    with pytest.raises(RefusedError, match="the daemon is stopping"):
        stage.control.submit(STOP)
    assert status(stage) is EnvironmentStatus.READY
    stage.rise()
    stage.run(STOP)
    stage.engine.close()
    with pytest.raises(RefusedError, match="the daemon is stopping"):
        stage.control.submit(START)
    assert status(stage) is EnvironmentStatus.STOPPED
    assert stage.observe() == stage.intents()
