"""The audit log: everything is told, by whom and how it ended, and nothing is ever changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError
from tests.component.app_stage import Stage, request

from greenroom.app.access import Access
from greenroom.app.audit import entry_of
from greenroom.errors import RefusedError
from greenroom.model.access import EVERY_STACK, Caller, Grant, Role
from greenroom.model.audit import PARAMETER_MAX, AuditFilter, AuditView, Outcome, shown
from greenroom.model.requests import DestroyRequest

ROOT = Caller(name="root", grants=(Grant(stack=EVERY_STACK, role=Role.OPERATOR),), origin="a test")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    made.close()


def log(stage: Stage, caller: Caller = ROOT, **wanted: object) -> list[AuditView]:
    audit = Access.on(stage.database).audit
    found = audit.since(caller, AuditFilter(**wanted), after=0, limit=1000)  # type: ignore[arg-type]
    backwards = audit.newest(caller, AuditFilter(**wanted), before=None, limit=1000)  # type: ignore[arg-type]
    assert backwards == found[::-1]
    return list(found)


def test_an_operation_is_told_when_it_is_accepted_and_when_it_has_ended(stage: Stage) -> None:
    ann = replace(ROOT, name="ann", origin="10.0.0.9")
    made = stage.control.submit(request("feature_x", machines=("backend=1", "db")), ann)
    stage.finish(made.id)

    accepted, ended = log(stage)

    assert (accepted.entry.outcome, ended.entry.outcome) == (Outcome.ACCEPTED, Outcome.SUCCEEDED)
    for view in (accepted, ended):
        entry = view.entry
        assert (entry.caller, entry.origin, entry.action) == ("ann", "10.0.0.9", "create")
        assert (entry.stack, entry.subject) == ("photos", "photos/feature-x")
        assert entry.reference == made.id
    assert accepted.entry.parameters == (
        ("blueprint", "greenroom.yaml"),
        ("branch", "feature_x"),
        ("machines", "backend=1, db"),
    )


def test_an_operation_that_fails_says_why(stage: Stage) -> None:
    stage.world.faults.fail_at = "machines"
    stage.finish(stage.create().id)

    accepted, ended = log(stage)

    assert (accepted.entry.outcome, ended.entry.outcome) == (Outcome.ACCEPTED, Outcome.FAILED)
    assert (ended.entry.code, ended.entry.caller) == ("E_SIMULATED", "greenroom:daemon")
    assert ended.entry.message == "backend1: the simulated fault"


@pytest.mark.parametrize(
    "change",
    ["UPDATE audit SET caller = 'nobody'", "DELETE FROM audit", "DELETE FROM audit WHERE 1 = 1"],
)
def test_nobody_changes_or_deletes_an_entry(stage: Stage, change: str) -> None:
    stage.finish(stage.create().id)
    before = log(stage)

    with (
        pytest.raises(DBAPIError, match="the audit log is append-only"),
        stage.database.write() as connection,
    ):
        connection.exec_driver_sql(change)

    assert log(stage) == before != []


def test_it_is_read_by_caller_subject_stack_action_outcome_and_time(stage: Stage) -> None:
    ann, bob = (replace(ROOT, name=name) for name in ("ann", "bob"))
    stage.finish(stage.control.submit(request("feature_x"), ann).id)
    last = stage.control.submit(DestroyRequest(environment="feature_x"), bob)
    stage.finish(last.id)
    everything = log(stage)

    assert len(everything) == 4
    assert log(stage, by="ann") == everything[:2]
    assert log(stage, action="destroy") == log(stage, reference=last.id) == everything[2:]
    assert log(stage, on="photos/feature-x") == log(stage, on="photos") == everything
    assert log(stage, on="videos") == []
    assert log(stage, outcome=Outcome.SUCCEEDED) == everything[1::2]
    assert log(stage, since=everything[2].at, until=everything[3].at) == everything[2:3]
    assert log(stage, since=datetime.now(UTC) + timedelta(days=1)) == []


def test_an_operator_reads_the_entries_of_their_stacks_alone(stage: Stage) -> None:
    access = Access.on(stage.database)
    for stack in ("photos", "videos", ""):
        access.audit.record(entry_of(ROOT, "create", Outcome.ACCEPTED, stack=stack))
    both = (
        Grant(stack="photos", role=Role.OPERATOR),
        Grant(stack="videos", role=Role.DEVELOPER),
    )

    mine = log(stage, Caller(name="ann", grants=both))

    assert [view.entry.stack for view in mine] == ["photos"]
    with pytest.raises(RefusedError, match="audit on every stack takes the role operator"):
        log(stage, Caller(name="bob", grants=both[1:]))


def test_parameters_are_shortened_and_secrets_masked() -> None:
    given = {"password": "hunter2", "words": "x" * 500, "restore": {"db": "none"}, "none": None}

    kept = dict(shown(given, secret={"password"}))

    assert kept == {
        "password": "********",
        "words": "x" * (PARAMETER_MAX - 1) + "…",
        "restore": "db=none",
    }
