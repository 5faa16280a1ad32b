"""Executions: queued, run, logged, ended, kept."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.component.app_stage import TIMEOUT_S
from tests.component.jobs_stage import (
    ANNA,
    ENVIRONMENT,
    OLGA,
    ROOT,
    STRANGER,
    VERA,
    JobStage,
    job,
    option,
)

from greenroom.app.jobs import executions
from greenroom.app.jobs.queue import Queue
from greenroom.app.jobs.run import Assignment, Run
from greenroom.app.jobs.stop import Stop
from greenroom.errors import GreenroomError, InputError, OperationError, RefusedError
from greenroom.model.jobs import (
    Concurrency,
    ExecutionStatus,
    MachineTarget,
    Retries,
    Trigger,
)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[JobStage]:
    made = JobStage(tmp_path, (job(options=(option("date"),)),))
    yield made
    made.close()


def test_a_job_runs_and_its_end_is_kept(stage: JobStage) -> None:
    execution = stage.run(date="2026-11-23")
    program = stage.processes.wait_for(1, TIMEOUT_S)
    program.write(b"one\ntw")
    program.write(b"o\nthree")
    program.exit(0)
    view = stage.ended(execution)

    assert (view.status, view.exit_code, view.code) == (ExecutionStatus.SUCCEEDED, 0, None)
    assert (view.job, view.asked_by, view.trigger) == ("photos/count", "anna", Trigger.CALLER)
    assert view.options == (("date", "2026-11-23"),)
    assert stage.texts(execution) == ["one", "two", "three"]
    assert [line["seq"] for line in stage.lines(execution)] == [1, 2, 3]
    assert view.log_lines == 3
    assert stage.jobs.history.page(ANNA) == (view,)
    assert program.is_closed


def test_a_program_gets_its_options_by_its_environment_only(stage: JobStage) -> None:
    execution = stage.run(date="x y; rm -rf /")
    program = stage.processes.wait_for(1, TIMEOUT_S)

    assert program.command.argv == ("/bin/true",)
    assert dict(program.command.environment) == {
        "LANG": "C.UTF-8",
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "GREENROOM_JOB": "photos/count",
        "GREENROOM_EXECUTION": execution.id,
        "GREENROOM_CALLER": "anna",
        "GREENROOM_STACK": "photos",
        "GREENROOM_ENVIRONMENT": "",
        "OPTION_DATE": "x y; rm -rf /",
    }
    program.exit()


def test_a_program_that_fails_fails_its_execution(stage: JobStage) -> None:
    execution = stage.run()
    stage.processes.wait_for(1, TIMEOUT_S).exit(3)
    view = stage.ended(execution)

    assert (view.status, view.exit_code, view.code) == (ExecutionStatus.FAILED, 3, "E_JOB_FAILED")
    assert view.message == "photos/count ended with 3"


def test_a_program_that_cannot_start_fails_its_execution(stage: JobStage) -> None:
    stage.processes.fault = OperationError("E_JOB_START", "no folder", hint="make one")
    view = stage.ended(stage.run())

    assert (view.status, view.code, view.hint) == (
        ExecutionStatus.FAILED,
        "E_JOB_START",
        "make one",
    )
    assert stage.texts(view) == ["no folder"]


def test_an_abort_ends_what_runs(stage: JobStage) -> None:
    execution = stage.run()
    program = stage.processes.wait_for(1, TIMEOUT_S)
    program.write(b"so far\n")
    stage.jobs.executions.abort(execution.id, ANNA)
    view = stage.ended(execution)

    assert (view.status, view.code) == (ExecutionStatus.ABORTED, "E_JOB_ABORTED")
    assert view.message == "photos/count was aborted by anna"
    assert program.is_closed
    assert stage.texts(view) == ["so far"]


def test_an_abort_of_what_has_ended_changes_nothing(stage: JobStage) -> None:
    execution = stage.run()
    stage.processes.wait_for(1, TIMEOUT_S).exit()
    ended = stage.ended(execution)

    assert stage.jobs.executions.abort(execution.id, ANNA) == ended


def test_a_job_is_ended_at_its_time_limit(stage: JobStage) -> None:
    execution = stage.run()
    program = stage.processes.wait_for(1, TIMEOUT_S)
    stage.clock.step(60.0)
    program.write(b"late\n")
    view = stage.ended(execution)

    assert (view.status, view.code) == (ExecutionStatus.FAILED, "E_JOB_TIMEOUT")
    assert view.message == "photos/count did not end within 60 s"


def test_executions_of_one_key_take_turns(stage: JobStage) -> None:
    limit = Concurrency(key="rows", limit=1)
    stage.register(job("count", concurrency=limit), job("other", concurrency=limit))
    first, second = stage.run("count"), stage.run("other")
    program = stage.processes.wait_for(1, TIMEOUT_S)

    assert stage.jobs.history.one(second.id, ANNA).status is ExecutionStatus.QUEUED
    program.exit()
    stage.ended(first)
    stage.processes.wait_for(2, TIMEOUT_S).exit()
    assert stage.ended(second).status is ExecutionStatus.SUCCEEDED


def test_a_limit_per_option_counts_each_value_by_itself(stage: JobStage) -> None:
    limit = Concurrency(key="rows", limit=1, per="date")
    stage.register(job(concurrency=limit, options=(option("date"),)))
    stage.run(date="1")
    stage.run(date="2")
    waiting = stage.run(date="1")

    for program in (stage.processes.wait_for(1, TIMEOUT_S), stage.processes.wait_for(2, TIMEOUT_S)):
        assert program.command.environment["OPTION_DATE"] in "12"
    assert stage.jobs.history.one(waiting.id, ANNA).status is ExecutionStatus.QUEUED


def test_what_waits_is_aborted_before_it_begins(stage: JobStage) -> None:
    stage.register(job(concurrency=Concurrency(key="k")))
    stage.run()
    stage.processes.wait_for(1, TIMEOUT_S)
    view = stage.jobs.executions.abort(stage.run().id, ANNA)

    assert view.status is ExecutionStatus.ABORTED
    assert view.message == "photos/count was aborted by anna before it began"
    assert len(stage.processes.started) == 1


def test_a_failure_is_tried_again_as_often_as_the_definition_says(stage: JobStage) -> None:
    stage.register(job(retries=Retries(times=1, delay_s=30.0)))
    first = stage.run()
    stage.processes.wait_for(1, TIMEOUT_S).exit(1)
    again = stage.ended(first).retried_by

    assert again is not None
    stage.tick()
    assert len(stage.processes.started) == 1
    stage.clock.step(30.0)
    stage.tick()
    stage.processes.wait_for(2, TIMEOUT_S).exit(1)
    view = stage.ended(again)
    assert (view.attempt, view.retry_of, view.trigger) == (2, first.id, Trigger.RETRY)
    assert view.retried_by is None


def test_a_clock_that_is_set_back_does_not_stop_the_queue(stage: JobStage) -> None:
    stage.register(job(retries=Retries(times=1, delay_s=30.0)))
    first = stage.run()
    stage.processes.wait_for(1, TIMEOUT_S).exit(1)
    again = stage.ended(first).retried_by
    # An end is written before the next try is queued, and what is queued later is due later.
    assert again is not None
    stage.queued(again)
    stage.clock.jump(-86400)
    stage.clock.step(30.0)
    stage.tick()
    stage.processes.wait_for(2, TIMEOUT_S).exit()


def test_only_so_many_executions_wait(stage: JobStage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executions, "WAITING_MAX", 2)
    stage.register(job(concurrency=Concurrency(key="k")))
    running = stage.run()
    program = stage.processes.wait_for(1, TIMEOUT_S)
    waiting = stage.run()
    stage.run()
    with pytest.raises(RefusedError, match="2 executions wait already; photos/count") as told:
        stage.run()
    assert told.value.code == "E_JOB_QUEUE_FULL"

    stage.jobs.executions.abort(waiting.id, ANNA)
    last = stage.run()
    program.exit()
    stage.ended(running)
    stage.processes.wait_for(2, TIMEOUT_S).exit()
    stage.processes.wait_for(3, TIMEOUT_S).exit()
    assert stage.ended(last).status is ExecutionStatus.SUCCEEDED


def test_who_joins_the_queue_is_looked_at_alone(
    stage: JobStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not with all who wait: a daemon may begin with thousands of them."""
    stage.register(job(concurrency=Concurrency(key="k")))
    stage.run()
    program = stage.processes.wait_for(1, TIMEOUT_S)
    looked_at = []
    may_start = Queue._may_start
    monkeypatch.setattr(
        Queue, "_may_start", lambda *given: looked_at.append(1) or may_start(*given)
    )
    waiting = [stage.run() for _ in range(20)]

    assert len(looked_at) == 20
    for number in range(20):
        program.exit()
        program = stage.processes.wait_for(number + 2, TIMEOUT_S)
        assert program.command.environment["GREENROOM_EXECUTION"] == waiting[number].id
    program.exit()
    stage.ended(waiting[-1])


def test_a_retry_has_the_same_options(stage: JobStage) -> None:
    execution = stage.run(date="2026-01-01")
    stage.processes.wait_for(1, TIMEOUT_S).exit(1)
    stage.ended(execution)
    again = stage.jobs.executions.retry(execution.id, ROOT)
    program = stage.processes.wait_for(2, TIMEOUT_S)

    assert again.options == execution.options
    assert (again.asked_by, again.retry_of, again.attempt) == ("root", execution.id, 2)
    program.exit()


def test_a_retry_waits_for_the_end(stage: JobStage) -> None:
    execution = stage.run()

    with pytest.raises(RefusedError, match=f"execution {execution.id} of photos/count is ") as told:
        stage.jobs.executions.retry(execution.id, ANNA)
    assert told.value.code == "E_JOB_RUNS"


def test_a_machine_job_runs_in_every_machine_of_the_role(stage: JobStage) -> None:
    stage.create()
    target = MachineTarget(role="backend", environment="environment")
    stage.register(job(options=(ENVIRONMENT,), target=target))
    execution = stage.run(environment="feature_x")
    program = stage.processes.wait_for(1, TIMEOUT_S)
    program.write(b"flushed\n")
    program.exit(7)
    view = stage.ended(execution)

    assert program.machine == "backend1"
    assert program.command.environment["GREENROOM_MACHINE"] == "backend1"
    assert program.command.environment["GREENROOM_ENVIRONMENT"] == "photos/feature-x"
    assert "PATH" not in program.command.environment
    assert view.environment == "photos/feature-x"
    assert view.message == "photos/count failed on 1 of 1 machines: backend1 (7)"
    assert stage.lines(view)[0]["machine"] == "backend1"


def test_a_job_on_production_takes_an_operator(stage: JobStage) -> None:
    stage.create("master")
    stage.register(job(options=(ENVIRONMENT,)))

    with pytest.raises(RefusedError, match="anna is only developer"):
        stage.run(environment="master")
    stage.run(by=ROOT, environment="master")
    stage.processes.wait_for(1, TIMEOUT_S).exit()


def test_what_cannot_run_in_a_machine_for_any_reason_has_failed(stage: JobStage) -> None:
    stage.create()
    target = MachineTarget(role="backend", environment="environment")
    stage.register(job(options=(ENVIRONMENT,), target=target))
    stage.processes.fault = OSError(errno.ENOSPC, "No space left on device")
    view = stage.ended(stage.run(environment="feature_x"))

    assert (view.status, view.code) == (ExecutionStatus.FAILED, "E_JOB_START")
    assert view.message == (
        "photos/count did not run to its end on backend1: No space left on device"
    )
    assert stage.texts(view) == [view.message]


def test_a_machine_for_which_there_is_no_thread_fails_and_leaves_the_others_to_their_end(
    stage: JobStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.create()
    stack = stage.stage.control.stack_of("photos/feature-x")
    machines = stack.machines[:2]
    record = stage.jobs.history.record(stage.run().id, ROOT)
    stage.processes.wait_for(1, TIMEOUT_S).exit()
    stage.ended(record.id)

    class Scarce(threading.Thread):
        def start(self) -> None:
            if self._args == (machines[1],):  # type: ignore[attr-defined]
                stage.processes.wait_for(2, TIMEOUT_S).exit()
                raise RuntimeError("can't start new thread")
            super().start()

    monkeypatch.setattr(threading, "Thread", Scarce)
    assignment = Assignment(record=record, values={}, stack=stack, machines=machines)
    writer = stage.jobs.book.writer("ex1")
    end = Run(assignment, stage.processes, writer, Stop(), stage.clock).run()
    writer.close()

    assert stage.processes.started[1].is_closed
    assert (end.status, end.code) == (ExecutionStatus.FAILED, "E_JOB_START")
    assert end.message == (
        f"photos/count did not run to its end on {machines[1].name}: RuntimeError"
    )


def test_what_runs_on_production_is_ended_by_an_operator_only(stage: JobStage) -> None:
    stage.create("master")
    stage.register(job(options=(ENVIRONMENT,)))
    execution = stage.run(by=OLGA, environment="master")
    stage.processes.wait_for(1, TIMEOUT_S)

    with pytest.raises(RefusedError, match="run-job on production of stack photos") as told:
        stage.jobs.executions.abort(execution.id, ANNA)
    assert told.value.code == "E_FORBIDDEN"
    stage.jobs.executions.abort(execution.id, ROOT)
    assert stage.ended(execution).status is ExecutionStatus.ABORTED


def test_an_operation_on_production_is_ended_by_who_may_cancel_it(stage: JobStage) -> None:
    stage.create("master")
    stage.stage.world.faults.hang_at = "deploy"
    execution = stage.run("greenroom:deploy", by=OLGA, environment="master")
    assert stage.stage.world.wait_until_hanging(TIMEOUT_S)
    stage.until(execution.id, lambda view: view.operation is not None)

    with pytest.raises(RefusedError, match="cancel on production of stack photos"):
        stage.jobs.executions.abort(execution.id, ANNA)
    stage.stage.world.release()
    assert stage.ended(execution).status is ExecutionStatus.SUCCEEDED


REFUSALS = [
    ("cuont", {}, "E_NO_JOB", "unknown job 'cuont'; did you mean 'count'?"),
    ("count", {"dat": "1"}, "E_JOB_OPTION", "unknown option 'dat'; did you mean 'date'?"),
    ("count", {"date": "x" * 9000}, "E_JOB_OPTION", "option 'date' has 9000 bytes; expected at"),
    ("count", {"date": "a\x00b"}, "E_JOB_OPTION", "option 'date' holds control characters"),
]


@pytest.mark.parametrize(("name", "given", "code", "message"), REFUSALS)
def test_what_is_refused_before_it_exists(
    stage: JobStage, name: str, given: dict[str, str], code: str, message: str
) -> None:
    with pytest.raises(GreenroomError) as told:
        stage.run(name, **given)
    assert told.value.code == code
    assert message in told.value.message
    assert stage.jobs.history.page(ROOT) == ()


def test_who_may_not_run_it_is_told_why(stage: JobStage) -> None:
    with pytest.raises(RefusedError, match="run-job on stack photos takes the role developer") as e:
        stage.run(by=VERA)
    assert e.value.code == "E_FORBIDDEN"


def test_another_stacks_jobs_and_executions_do_not_exist(stage: JobStage) -> None:
    execution = stage.run()

    with pytest.raises(InputError, match="unknown job 'photos/count'"):
        stage.run("photos/count", by=STRANGER)
    with pytest.raises(InputError, match=f"there is no execution '{execution.id}'"):
        stage.jobs.history.one(execution.id, STRANGER)
    assert stage.jobs.history.page(STRANGER) == ()
    assert [view.name for view in stage.jobs.definitions.all(STRANGER) if not view.built_in] == []


def test_the_history_is_paged_from_the_newest(stage: JobStage) -> None:
    made = [stage.run(date=str(number)).id for number in range(5)]
    for number in range(5):
        stage.processes.wait_for(number + 1, TIMEOUT_S).exit()

    first = stage.jobs.history.page(ROOT, job="count", limit=2)
    second = stage.jobs.history.page(ROOT, job="count", limit=9, before=first[-1].id)
    assert [view.id for view in (*first, *second)] == made[::-1]
