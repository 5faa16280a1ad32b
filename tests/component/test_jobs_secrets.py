"""A secret is in the process and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.component.app_stage import TIMEOUT_S
from tests.component.jobs_stage import ANNA, ROOT, TOKEN, JobStage, job, option

from greenroom.app.jobs.views import execution_json
from greenroom.errors import InputError
from greenroom.model.access import Role
from greenroom.model.job_words import Outcome
from greenroom.model.jobs import MASK, Approval, ExecutionStatus, Retries, Webhook, Who

SECRET = "hunter2-geheim"
HOOK = Webhook(url="http://127.0.0.1:1/hook", on=(Outcome.SUCCESS, Outcome.FAILURE))


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[JobStage]:
    made = JobStage(tmp_path, (job(options=(TOKEN, option("x")), notify=(HOOK,)),))
    yield made
    made.close()


def everything_kept(stage: JobStage) -> bytes:
    """All that is on disk of the ledger and the logs."""
    files = [path for path in stage.folder.rglob("*") if path.is_file()]
    return b"".join(path.read_bytes() for path in files)


def test_a_secret_is_in_no_file_no_answer_and_no_message(stage: JobStage) -> None:
    execution = stage.run(token=SECRET, x="plain")
    program = stage.processes.wait_for(1, TIMEOUT_S)
    program.write(f"using {SECRET}\n".encode())
    program.write(b"again hunter2")
    program.write(b"-geheim and so on\n")
    program.exit(1)
    view = stage.ended(execution)

    assert program.command.environment["OPTION_TOKEN"] == SECRET
    assert SECRET not in " ".join(program.command.argv)
    assert view.options == (("token", MASK), ("x", "plain"))
    assert stage.texts(view) == [f"using {MASK}", f"again {MASK} and so on"]
    assert SECRET.encode() not in everything_kept(stage)
    # Its thread tells after the end; once it is joined, it has.
    stage.jobs.close()
    ((_, told),) = stage.told
    assert SECRET.encode() not in execution_json(told)
    assert json.loads(execution_json(told))["status"] == "failed"


def test_a_refused_secret_is_not_repeated(stage: JobStage) -> None:
    with pytest.raises(InputError) as told:
        stage.run(token="ab1")
    assert "ab1" not in f"{told.value.message} {told.value.hint}"


def test_a_retry_asks_for_the_secret_again(stage: JobStage) -> None:
    execution = stage.run(token=SECRET)
    stage.processes.wait_for(1, TIMEOUT_S).exit(1)
    stage.ended(execution)

    with pytest.raises(InputError) as told:
        stage.jobs.executions.retry(execution.id, ANNA)
    assert told.value.code == "E_JOB_SECRET"
    assert told.value.message == (
        f"the secrets of execution {execution.id} were not kept: give token again"
    )
    stage.jobs.executions.retry(execution.id, ANNA, {"token": SECRET})
    program = stage.processes.wait_for(2, TIMEOUT_S)
    assert program.command.environment["OPTION_TOKEN"] == SECRET
    program.exit()


def test_a_retry_by_itself_still_has_the_secret(stage: JobStage) -> None:
    stage.register(job(options=(TOKEN,), retries=Retries(times=1)))
    stage.run(token=SECRET)
    stage.processes.wait_for(1, TIMEOUT_S).exit(1)
    program = stage.processes.wait_for(2, TIMEOUT_S)

    assert program.command.environment["OPTION_TOKEN"] == SECRET
    program.exit()


def test_what_waits_with_a_secret_does_not_outlive_the_daemon(stage: JobStage) -> None:
    who = Who(role=Role.OPERATOR)
    stage.register(job(options=(TOKEN,), approval=Approval(who=who, expires_s=60)))
    execution = stage.run(token=SECRET)
    stage.crash()
    stage.rise()
    view = stage.jobs.history.one(execution.id, ROOT)

    assert (view.status, view.code) == (ExecutionStatus.INTERRUPTED, "E_JOB_INTERRUPTED")


def test_a_command_does_not_print_its_environment(stage: JobStage) -> None:
    stage.run(token=SECRET)
    program = stage.processes.wait_for(1, TIMEOUT_S)
    assert SECRET not in repr(program.command)
    program.exit()
