"""A ledger that is away for a while loses no end, no decision and no run that was due."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection
from tests.component.app_stage import TIMEOUT_S
from tests.component.jobs_stage import ANNA, OLGA, ROOT, JobStage, job

from greenroom.app.jobs import ending
from greenroom.errors import HostError
from greenroom.model.access import Role
from greenroom.model.events import Event
from greenroom.model.job_words import Missed
from greenroom.model.jobs import (
    Approval,
    Concurrency,
    ExecutionStatus,
    Retries,
    Schedule,
    Trigger,
    Who,
)
from greenroom.store.executions import set_started

APPROVAL = Approval(who=Who(role=Role.OPERATOR), expires_s=3600.0)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[JobStage]:
    made = JobStage(tmp_path, (job(),))
    yield made
    made.close()


@pytest.fixture
def away(stage: JobStage, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Undone, the ledger is back."""
    monkeypatch.setattr(ending, "_PASSING_RETRY_S", 0.005)
    return monkeypatch


def take_away(stage: JobStage, away: pytest.MonkeyPatch) -> list[int]:
    """Returns a list with one item for each write that was refused."""
    refused: list[int] = []

    @contextmanager
    def write() -> Iterator[Connection]:
        refused.append(1)
        raise HostError("E_LEDGER_AWAY", "the ledger does not answer")
        yield

    away.setattr(stage.stage.database, "write", write)
    return refused


def test_an_end_waits_for_the_ledger(stage: JobStage, away: pytest.MonkeyPatch) -> None:
    execution = stage.run()
    program = stage.processes.wait_for(1, TIMEOUT_S)
    refused = take_away(stage, away)
    program.exit()
    stage.until(execution.id, lambda _: len(refused) > 1)
    away.undo()

    assert stage.ended(execution).status is ExecutionStatus.SUCCEEDED


def test_what_is_aborted_before_its_end_is_written_is_not_tried_again(
    stage: JobStage, away: pytest.MonkeyPatch
) -> None:
    stage.register(job(retries=Retries(times=1)))
    execution = stage.run()
    program = stage.processes.wait_for(1, TIMEOUT_S)
    refused = take_away(stage, away)
    program.exit(1)
    stage.until(execution.id, lambda _: len(refused) > 1)
    stage.jobs.executions.abort(execution.id, ANNA)
    away.undo()
    view = stage.ended(execution)

    assert (view.exit_code, view.retried_by) == (1, None)
    assert stage.jobs.waiting.count == 0


def test_what_is_to_begin_meanwhile_waits_for_the_ledger(
    stage: JobStage, away: pytest.MonkeyPatch
) -> None:
    stage.register(job(retries=Retries(times=1, delay_s=5.0)))
    first = stage.run()
    stage.processes.wait_for(1, TIMEOUT_S).exit(1)
    again = stage.ended(first).retried_by
    assert again is not None
    stage.until(again, lambda _: stage.jobs.waiting.count == 1)
    refused = take_away(stage, away)
    stage.clock.step(5)
    stage.jobs.tick()
    stage.until(again, lambda _: len(refused) > 1)
    away.undo()
    stage.processes.wait_for(2, TIMEOUT_S).exit()

    assert stage.ended(again).status is ExecutionStatus.SUCCEEDED


def test_an_operation_is_followed_on_when_the_ledger_is_back(
    stage: JobStage, away: pytest.MonkeyPatch
) -> None:
    stage.create()
    stage.stage.world.faults.hang_at = "deploy"
    execution = stage.run("greenroom:deploy", environment="feature_x")
    assert stage.stage.world.wait_until_hanging(TIMEOUT_S)
    stage.until(execution.id, lambda view: view.operation is not None)
    refused: list[str] = []

    def wait(operation: str, *_: object) -> tuple[Event, ...]:
        refused.append(operation)
        raise HostError("E_LEDGER_AWAY", "the ledger does not answer")

    away.setattr(stage.stage.control, "wait", wait)
    stage.until(execution.id, lambda _: len(refused) > 1)
    away.undo()
    stage.stage.world.release()

    assert stage.ended(execution).status is ExecutionStatus.SUCCEEDED


def test_a_decision_that_was_not_written_was_not_made(
    stage: JobStage, away: pytest.MonkeyPatch
) -> None:
    stage.register(job(approval=APPROVAL))
    execution = stage.run()
    take_away(stage, away)
    for decide in (
        stage.jobs.waiting.approve,
        stage.jobs.waiting.reject,
        stage.jobs.executions.abort,
    ):
        with pytest.raises(HostError):
            decide(execution.id, OLGA)
    stage.clock.step(3600)
    with pytest.raises(HostError):
        stage.tick()
    away.undo()

    assert stage.jobs.history.one(execution.id, ROOT).status is ExecutionStatus.AWAITING_APPROVAL
    stage.tick()
    assert stage.jobs.history.one(execution.id, ROOT).status is ExecutionStatus.EXPIRED


def test_what_waits_still_waits_when_its_abort_was_not_written(
    stage: JobStage, away: pytest.MonkeyPatch
) -> None:
    stage.register(job(concurrency=Concurrency(key="k")))
    stage.run()
    waiting = stage.run()
    program = stage.processes.wait_for(1, TIMEOUT_S)
    take_away(stage, away)
    with pytest.raises(HostError):
        stage.jobs.executions.abort(waiting.id, ANNA)
    away.undo()
    program.exit()
    stage.processes.wait_for(2, TIMEOUT_S).exit()

    assert stage.ended(waiting).status is ExecutionStatus.SUCCEEDED


def test_a_run_that_is_due_meanwhile_comes_once_the_ledger_is_back(
    stage: JobStage, away: pytest.MonkeyPatch
) -> None:
    stage.register(job(schedules=(Schedule(cron="0 * * * *", zone="UTC", missed=Missed.RUN),)))
    stage.tick()
    take_away(stage, away)
    stage.clock.step(3600)
    for _ in range(3):
        with pytest.raises(HostError):
            stage.scheduler.tick()
    stage.clock.step(600)
    away.undo()
    stage.tick()
    stage.tick()

    (view,) = stage.jobs.history.page(ROOT)
    assert view.trigger is Trigger.SCHEDULE
    stage.processes.wait_for(1, TIMEOUT_S).exit()


def test_what_runs_by_the_ledger_only_is_ended(stage: JobStage) -> None:
    stage.register(job(approval=APPROVAL))
    execution = stage.run()
    with stage.stage.database.write() as connection:
        set_started(connection, execution.id, stage.clock.now())
    stage.clock.step(31)
    stage.tick()
    view = stage.jobs.history.one(execution.id, ROOT)

    assert (view.status, view.code) == (ExecutionStatus.INTERRUPTED, "E_JOB_INTERRUPTED")
    assert "could not be written down" in view.message


def test_the_schedules_do_not_stand_still_for_an_end_that_cannot_be_written(
    stage: JobStage, away: pytest.MonkeyPatch
) -> None:
    stage.register(job(approval=APPROVAL))
    execution = stage.run()
    with stage.stage.database.write() as connection:
        set_started(connection, execution.id, stage.clock.now())
    take_away(stage, away)
    stage.clock.step(31)
    told: list[HostError] = []

    def look() -> None:
        with pytest.raises(HostError) as raised:
            stage.jobs.tick()
        told.append(raised.value)

    looking = threading.Thread(target=look)
    looking.start()
    looking.join(TIMEOUT_S)
    away.undo()
    looking.join(TIMEOUT_S)

    assert [error.code for error in told] == ["E_LEDGER_AWAY"]
    stage.tick()
    assert stage.jobs.history.one(execution.id, ROOT).status is ExecutionStatus.INTERRUPTED
