"""The host's clock is set hours forward or back: what exists, runs and is told does not follow."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.component.app_stage import Stage, request

from greenroom.app import caretaker
from greenroom.cli.text import age
from greenroom.errors import InputError, OperationError
from greenroom.model.events import OperationStatus
from greenroom.model.incidents import Ended, Part
from greenroom.model.names import EnvironmentName
from greenroom.model.requests import DeployRequest, DestroyRequest, RecoverRequest
from greenroom.model.views import EnvironmentStatus

NAME = EnvironmentName("photos", "feature-x")
HOURS = timedelta(hours=5)
STEPS = [pytest.param(HOURS, id="forward"), pytest.param(-HOURS, id="back")]


class SetClock:
    """The host's clock, and how far somebody has set it."""

    def __init__(self) -> None:
        self.off = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.off

    def monotonic_s(self) -> float:
        return time.monotonic()


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def stage(tmp_path: Path, clock: SetClock) -> Iterator[Stage]:
    stage = Stage(tmp_path, clock=clock)
    yield stage
    stage.close()


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("phase", ["images", "network", "volumes", "machines", "proof"])
def test_a_clock_that_is_set_during_a_create_changes_nothing_but_dates(
    stage: Stage, clock: SetClock, phase: str, step: timedelta
) -> None:
    stage.world.faults.hang_at = phase
    operation = stage.create()
    assert stage.world.wait_until_hanging(20)
    clock.off = step
    stage.world.release()
    assert stage.finish(operation.id)[0].status is OperationStatus.SUCCEEDED
    events = stage.control.events(operation.id)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert all(0 <= event.seconds < 60 for event in events if event.seconds is not None)
    detail = stage.control.environment("feature-x")
    assert detail.summary.status is EnvironmentStatus.READY
    # How long it took cannot be told from two dates of which the later is the smaller.
    assert (detail.create_s is None) == (step < timedelta())
    # Another command's clock, which is right by now.
    assert not age(detail.summary.created_at.isoformat(), clock.now()).startswith("-")


@pytest.mark.parametrize("step", STEPS)
def test_after_a_step_everything_can_be_done_with_what_was_made_before(
    stage: Stage, clock: SetClock, step: timedelta
) -> None:
    stage.run(request())
    clock.off = step
    for asked in (
        DeployRequest(environment="feature-x"),
        RecoverRequest(environment="feature-x"),
        DestroyRequest(environment="feature-x", confirm=None),
    ):
        operation, _ = stage.run(asked)
        assert operation.status is OperationStatus.SUCCEEDED
    assert stage.observe() == stage.intents() == ()


@pytest.mark.parametrize("step", STEPS)
def test_the_last_failure_is_the_last_one_accepted(
    stage: Stage, clock: SetClock, step: timedelta
) -> None:
    for code in ("E_FIRST", "E_SECOND"):
        stage.world.faults.fail_at = "machines"
        stage.world.faults.error = OperationError(code, "backend1: it broke")
        stage.run(request())
        clock.off = step
    with pytest.raises(InputError, match=r"its create failed \(E_SECOND: backend1: it broke\)"):
        stage.control.environment("feature-x")


def test_what_befalls_an_environment_is_shown_in_its_order_also_when_the_clock_went_back(
    stage: Stage, clock: SetClock
) -> None:
    stage.run(request())
    for pid, off in enumerate((timedelta(), -HOURS, HOURS, timedelta())):
        clock.off = off
        befall(stage, clock.now(), pid)
    told = [incident.message for incident in stage.control.environment("feature-x").incidents]
    assert [message.split()[2] for message in told] == ["0", "1", "2", "3"]


@pytest.mark.parametrize("step", STEPS)
def test_what_befell_a_namesake_that_is_gone_is_not_told(
    stage: Stage, clock: SetClock, step: timedelta
) -> None:
    stage.run(request())
    stage.control.fail(NAME, "db1", OperationError("E_X", "of the first one"))
    stage.run(DestroyRequest(environment="feature-x", confirm=None))
    clock.off = step
    stage.run(request())
    assert stage.control.environment("feature-x").incidents == ()


@pytest.mark.parametrize("step", STEPS)
def test_a_service_in_a_loop_is_given_up_also_when_the_clock_was_set(
    stage: Stage, clock: SetClock, step: timedelta
) -> None:
    stage.run(request())
    clock.off = step
    for _ in range(caretaker.SERVICE_ENDS_MAX + 1):
        befall(stage, clock.now())
    last = stage.control.environment("feature-x").incidents[-1]
    assert "time 11 in a minute: it is not started again" in last.message


def test_a_service_that_ended_before_the_clock_went_back_was_not_away_for_less_than_nothing(
    stage: Stage, clock: SetClock
) -> None:
    stage.run(request())
    at = clock.now()
    clock.off = -HOURS
    befall(stage, at)
    (incident,) = stage.control.environment("feature-x").incidents
    assert incident.away_s == 0.0


def befall(stage: Stage, at: datetime, pid: int = 4711) -> None:
    """A service ends; wait until that was written down and the environment is at rest again."""
    before = len(stage.control.environment("feature-x").incidents)
    stage.watched()(
        Ended(
            environment=NAME,
            machine="db1",
            part=Part.SERVICE,
            service="mariadb",
            pid=pid,
            how="was killed by SIGKILL",
            at=at,
        )
    )
    end = time.monotonic() + 20
    while len(stage.control.environment("feature-x").incidents) == before or (
        stage.control.environments()[0].status is EnvironmentStatus.NOT_PROVED
    ):
        assert time.monotonic() < end, "nothing was written down"
        time.sleep(0.005)
