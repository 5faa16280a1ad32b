"""What jobs do stands in the audit log, whoever has them do it, and once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.component.app_stage import TIMEOUT_S
from tests.component.jobs_stage import ANNA, ENVIRONMENT, OLGA, ROOT, TOKEN, JobStage, job

from greenroom.app.access import Access
from greenroom.model.audit import AuditEntry, AuditFilter, Outcome
from greenroom.model.jobs import Approval, Schedule, Who


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[JobStage]:
    made = JobStage(tmp_path)
    yield made
    made.close()


def told(stage: JobStage, **wanted: str) -> list[AuditEntry]:
    audit = Access.on(stage.stage.database).audit
    found = audit.since(ROOT, AuditFilter(**wanted), after=0, limit=100)  # type: ignore[arg-type]
    return [view.entry for view in found]


def test_an_execution_is_told_when_it_is_accepted_and_when_it_has_ended(stage: JobStage) -> None:
    stage.create()
    stage.register(job(options=(ENVIRONMENT, TOKEN)))
    anna = replace(ANNA, origin="10.0.0.9")
    run = stage.run(by=anna, environment="feature-x", token="hunter2")
    stage.processes.wait_for(1, TIMEOUT_S).exit(3)
    stage.ended(run)

    accepted, ended = told(stage, reference=run.id)

    assert (accepted.outcome, ended.outcome) == (Outcome.ACCEPTED, Outcome.FAILED)
    for entry in (accepted, ended):
        assert (entry.caller, entry.origin, entry.action) == ("anna", "10.0.0.9", "run-job")
        assert (entry.stack, entry.subject) == ("photos", "photos/count")
    assert dict(accepted.parameters) == {"environment": "photos/feature-x", "token": "******"}
    assert ended.code == "E_JOB_FAILED"


def test_a_schedule_is_told_under_its_own_name(stage: JobStage) -> None:
    stage.register(job(schedules=(Schedule(cron="5 12 * * *", zone="UTC"),)))
    stage.tick()
    stage.clock.step(300)
    stage.tick()
    stage.processes.wait_for(1, TIMEOUT_S).exit(0)
    (run,) = stage.jobs.history.page(ROOT)
    stage.ended(run)

    entries = told(stage, action="run-job")

    assert [each.outcome for each in entries] == [Outcome.ACCEPTED, Outcome.SUCCEEDED]
    assert {each.caller for each in entries} == {"greenroom:schedule"}


def test_what_nobody_allowed_is_told_as_cancelled(stage: JobStage) -> None:
    stage.register(job(approval=Approval(who=Who(role=OLGA.grants[0].role), expires_s=60.0)))
    run = stage.run()
    stage.jobs.waiting.reject(run.id, OLGA)

    assert [each.outcome for each in told(stage, reference=run.id)] == [
        Outcome.ACCEPTED,
        Outcome.CANCELLED,
    ]


def test_jobs_are_told_whoever_registers_them(stage: JobStage) -> None:
    stage.register(job("count"), job("tidy"))

    entry = told(stage, action="register-jobs")[-1]

    assert (entry.caller, entry.stack, entry.outcome) == ("root", "photos", Outcome.DONE)
    assert dict(entry.parameters)["jobs"] == "count, tidy"
