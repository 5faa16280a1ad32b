"""After a crash of the daemon every execution has an end, or goes on; nothing is run by chance."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.component.app_stage import TIMEOUT_S
from tests.component.jobs_stage import ANNA, ENVIRONMENT, ROOT, STRANGER, VERA, JobStage, job

from greenroom.app.jobs.built_in import BUILT_IN_JOBS, follow_to_end
from greenroom.app.jobs.stop import Stop, Why
from greenroom.errors import InputError, RefusedError
from greenroom.model.events import Event
from greenroom.model.jobs import Concurrency, ExecutionStatus, MachineTarget, Retries
from greenroom.model.requests import DestroyRequest


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[JobStage]:
    made = JobStage(tmp_path, (job(),))
    yield made
    made.close()


def test_what_ran_is_interrupted_and_its_log_stays(stage: JobStage) -> None:
    execution = stage.run()
    program = stage.processes.wait_for(1, TIMEOUT_S)
    program.write(b"half way\n")
    stage.until(execution.id, lambda _: stage.texts(execution) == ["half way"])
    stage.crash()
    stage.rise()
    view = stage.jobs.history.one(execution.id, ROOT)

    assert stage.processes.left_over_ended == 1
    assert (view.status, view.code) == (ExecutionStatus.INTERRUPTED, "E_JOB_INTERRUPTED")
    assert view.message == "photos/count was interrupted: the daemon ended while it ran"
    assert stage.texts(view) == ["half way"]
    assert view.retried_by is None


def test_what_ran_is_tried_again_if_its_definition_says_so(stage: JobStage) -> None:
    stage.register(job(retries=Retries(times=1, interrupted=True)))
    execution = stage.run()
    stage.processes.wait_for(1, TIMEOUT_S)
    stage.crash()
    stage.rise()
    stage.processes.wait_for(1, TIMEOUT_S).exit()
    again = stage.jobs.history.one(execution.id, ROOT).retried_by

    assert again is not None
    assert stage.ended(again).status is ExecutionStatus.SUCCEEDED


def test_what_waited_runs_with_the_next_daemon(stage: JobStage) -> None:
    stage.register(job(concurrency=Concurrency(key="k")))
    stage.run()
    waiting = stage.run()
    stage.processes.wait_for(1, TIMEOUT_S)
    stage.crash()
    stage.rise()
    stage.processes.wait_for(1, TIMEOUT_S).exit()

    assert stage.ended(waiting).status is ExecutionStatus.SUCCEEDED


def test_a_daemon_that_ends_in_good_order_interrupts_too(stage: JobStage) -> None:
    execution = stage.run()
    program = stage.processes.wait_for(1, TIMEOUT_S)
    stage.jobs.close()

    assert stage.jobs.history.one(execution.id, ROOT).status is ExecutionStatus.INTERRUPTED
    assert program.is_closed
    stage.rise()


def test_a_built_in_job_is_its_operation(stage: JobStage) -> None:
    stage.create()
    execution = stage.run("greenroom:destroy", environment="feature_x")
    view = stage.ended(execution)

    assert (view.status, view.stack) == (ExecutionStatus.SUCCEEDED, "photos")
    assert view.environment == "photos/feature-x"
    assert view.operation is not None
    assert stage.stage.control.operation(view.operation).kind == "destroy"
    assert stage.texts(view)[-1].startswith("photos/feature-x")
    assert stage.stage.control.environments() == ()


def test_a_built_in_job_takes_the_rights_of_its_operation(stage: JobStage) -> None:
    stage.create("master")
    with pytest.raises(RefusedError, match="deploy on production of stack photos takes the role"):
        stage.run("greenroom:deploy", by=ANNA, environment="master")

    assert stage.jobs.history.page(ROOT) == ()


def test_nobody_writes_into_the_history_of_a_stack_that_is_not_theirs(stage: JobStage) -> None:
    stage.create()
    for name in ("destroy", "extend", "replace"):
        with pytest.raises(InputError, match="there is no environment 'photos/feature-x'"):
            stage.run(f"greenroom:{name}", by=STRANGER, environment="photos/feature-x")
        with pytest.raises(RefusedError, match=f"{name} on stack photos takes the role developer"):
            stage.run(f"greenroom:{name}", by=VERA, environment="photos/feature-x")

    assert stage.jobs.history.page(ROOT) == ()


def test_a_built_in_job_goes_on_with_its_operation_after_a_crash(stage: JobStage) -> None:
    stage.create()
    stage.stage.world.faults.hang_at = "deploy"
    execution = stage.run("greenroom:deploy", environment="feature_x")
    assert stage.stage.world.wait_until_hanging(TIMEOUT_S)
    stage.until(execution.id, lambda view: view.operation is not None)
    stage.crash()
    stage.rise()
    stage.stage.world.release()
    view = stage.ended(execution)

    assert view.status is ExecutionStatus.SUCCEEDED
    assert view.operation is not None
    # As many lines as events: what the first daemon wrote is not written twice.
    assert len(stage.texts(view)) == len(stage.stage.control.wait(view.operation, 0, 0.0))


def test_a_built_in_job_goes_on_with_its_operation_after_an_end_in_good_order(
    stage: JobStage,
) -> None:
    stage.create()
    stage.stage.world.faults.hang_at = "deploy"
    execution = stage.run("greenroom:deploy", environment="feature_x")
    assert stage.stage.world.wait_until_hanging(TIMEOUT_S)
    stage.until(execution.id, lambda view: view.operation is not None)
    stage.jobs.close()
    stage.rise()
    running = stage.jobs.history.one(execution.id, ROOT)
    stage.stage.world.release()
    view = stage.ended(execution)

    assert (running.status, running.code) == (ExecutionStatus.RUNNING, None)
    assert view.operation is not None
    assert view.status is ExecutionStatus.SUCCEEDED
    assert len(stage.texts(view)) == len(stage.stage.control.wait(view.operation, 0, 0.0))


def test_the_end_of_the_daemon_does_not_wait_until_an_aborted_operation_is_undone(
    stage: JobStage,
) -> None:
    waited: list[int] = []
    cancelled: list[int] = []

    def wait(seq: int) -> tuple[Event, ...]:
        # As another of the daemon's threads does meanwhile.
        stop.ask(Why.CLOSING)
        waited.append(seq)
        assert len(waited) == 1
        return ()

    stop = Stop()
    stop.ask(Why.ABORT, "anna")
    writer = stage.jobs.book.writer("ex1")
    end = follow_to_end(
        BUILT_IN_JOBS[1], writer, stop, wait=wait, cancel=lambda: cancelled.append(1)
    )
    writer.close()

    assert end is None
    assert cancelled


def test_a_job_whose_environment_went_away_meanwhile_fails_with_its_name(stage: JobStage) -> None:
    stage.create()
    target = MachineTarget(role="backend", environment="environment")
    stage.register(job(options=(ENVIRONMENT,), target=target, concurrency=Concurrency(key="k")))
    stage.run(environment="feature_x")
    waiting = stage.run(environment="feature_x")
    program = stage.processes.wait_for(1, TIMEOUT_S)
    stage.stage.run(DestroyRequest(environment="feature_x"))
    program.exit()
    view = stage.ended(waiting)

    assert (view.status, view.code) == (ExecutionStatus.FAILED, "E_NO_ENVIRONMENT")
    assert view.message == "there is no environment 'photos/feature-x'"
    assert stage.texts(view) == [view.message]


def test_every_built_in_job_asks_for_what_its_operation_takes(stage: JobStage) -> None:
    found = {view.name: view.options for view in stage.jobs.definitions.all(ROOT) if view.built_in}
    names = [
        "create",
        "deploy",
        "recover",
        "destroy",
        "stop",
        "start",
        "replace",
        "drill",
        "extend",
    ]

    assert list(found) == [f"greenroom:{name}" for name in names]
    for name, options in found.items():
        required = {option.name for option in options if option.required}
        assert required == ({"blueprint"} if name == "greenroom:create" else {"environment"})


def test_a_stop_and_a_start_run_as_jobs(stage: JobStage) -> None:
    stage.create()
    for name, status in (("stop", "stopped"), ("start", "ready")):
        view = stage.ended(stage.run(f"greenroom:{name}", environment="feature_x"))
        assert (view.status, view.message) == (ExecutionStatus.SUCCEEDED, "")
        assert stage.stage.control.environments()[0].status == status


def test_an_extend_that_cannot_be_says_why(stage: JobStage) -> None:
    stage.create()
    view = stage.ended(stage.run("greenroom:extend", environment="feature_x", ttl="8h"))
    assert (view.status, view.code) == (ExecutionStatus.FAILED, "E_NEVER_EXPIRES")
    with pytest.raises(InputError, match="option 'ttl' 'soon' does not match"):
        stage.run("greenroom:extend", environment="feature_x", ttl="soon")
