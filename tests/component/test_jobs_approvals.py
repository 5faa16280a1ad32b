"""Approvals: somebody else's consent, in time, by whoever may give it; and notifications."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.component.app_stage import TIMEOUT_S
from tests.component.jobs_stage import ANNA, OLGA, ROOT, STRANGER, VERA, JobStage, caller, job

from greenroom.app.access import Access
from greenroom.app.jobs.queue import Ticket
from greenroom.errors import GreenroomError, RefusedError
from greenroom.model.access import Caller, Grant, Role
from greenroom.model.job_words import Outcome
from greenroom.model.jobs import Approval, ExecutionStatus, Retries, Webhook, Who

APPROVAL = Approval(who=Who(role=Role.OPERATOR), expires_s=3600.0)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[JobStage]:
    made = JobStage(tmp_path, (job(approval=APPROVAL),))
    yield made
    made.close()


def test_nothing_runs_before_somebody_else_agrees(stage: JobStage) -> None:
    execution = stage.run()
    stage.tick()
    assert execution.status is ExecutionStatus.AWAITING_APPROVAL
    assert stage.processes.started == []

    stage.jobs.waiting.approve(execution.id, OLGA)
    stage.processes.wait_for(1, TIMEOUT_S).exit()
    view = stage.ended(execution)
    assert (view.status, view.decided_by) == (ExecutionStatus.SUCCEEDED, "olga")


def test_an_abort_in_the_moment_of_the_approval_is_not_lost(
    stage: JobStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = stage.run()
    queue = stage.jobs._queue
    add = queue.add
    aborting = threading.Thread(target=stage.jobs.executions.abort, args=(execution.id, ANNA))

    def add_late(ticket: Ticket) -> None:
        aborting.start()
        # If nothing holds it back, the abort finds nothing that waits and is over by then.
        aborting.join(0.2)
        add(ticket)

    monkeypatch.setattr(queue, "add", add_late)
    stage.jobs.waiting.approve(execution.id, OLGA)
    aborting.join(TIMEOUT_S)

    assert stage.ended(execution).status is ExecutionStatus.ABORTED


def test_an_abort_in_the_moment_of_the_run_is_not_lost(
    stage: JobStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept = stage.jobs.waiting.accept
    aborts: list[threading.Thread] = []

    def accept_late(ticket: Ticket) -> None:
        abort = partial(stage.jobs.executions.abort, ticket.record.id, ANNA)
        aborts.append(threading.Thread(target=abort))
        aborts[0].start()
        # If nothing holds it back, the abort finds nothing that waits and is over by then.
        aborts[0].join(0.2)
        accept(ticket)

    monkeypatch.setattr(stage.jobs.waiting, "accept", accept_late)
    execution = stage.run()
    aborts[0].join(TIMEOUT_S)

    assert stage.jobs.history.one(execution.id, ANNA).status is ExecutionStatus.ABORTED


def test_nobody_approves_their_own(stage: JobStage) -> None:
    execution = stage.run(by=OLGA)

    for decide in (stage.jobs.waiting.approve, stage.jobs.waiting.reject):
        with pytest.raises(RefusedError) as told:
            decide(execution.id, OLGA)
        assert told.value.code == "E_OWN_APPROVAL"
        assert told.value.message == (
            f"olga asked for execution {execution.id}; somebody else must decide on it"
        )
    assert stage.jobs.waiting.approve(execution.id, ROOT).decided_by == "root"


def own(stage: JobStage, asked_by: Caller) -> tuple[str, str]:
    """Message and hint for who would decide on their own, without the execution's id."""
    execution = stage.run(by=asked_by).id
    with pytest.raises(RefusedError) as told:
        stage.jobs.waiting.approve(execution, asked_by)
    assert told.value.code == "E_OWN_APPROVAL"
    return told.value.message.replace(execution, "EX"), told.value.hint.replace(execution, "EX")


def test_whoever_asked_is_told_who_else_may_decide(stage: JobStage) -> None:
    tokens = Access.on(stage.stage.database, stage.clock).tokens
    for name, role, of in (
        ("bob", Role.OPERATOR, "photos"),
        ("dora", Role.DEVELOPER, "photos"),
        ("sam", Role.OPERATOR, "shop"),
        ("gone", Role.OPERATOR, "photos"),
    ):
        tokens.create(ROOT, name, [Grant(stack=of, role=role)])
    tokens.revoke(ROOT, "gone")

    assert own(stage, OLGA) == (
        "olga asked for execution EX; somebody else must decide on it",
        "who may: root, bob\ngreenroom job abort EX withdraws it",
    )


def test_the_only_one_who_might_is_told_how_to_get_somebody(stage: JobStage) -> None:
    assert own(stage, ROOT)[1] == (
        "nobody else may yet, as it takes the role operator on stack photos: greenroom token "
        "create NAME --role operator --stack photos makes a token for somebody else\n"
        "greenroom job abort EX withdraws it"
    )


def test_the_only_one_whom_a_definition_names_is_told_where(stage: JobStage) -> None:
    only_olga = Who(role=Role.OPERATOR, callers=("olga",))
    stage.register(job(approval=Approval(who=only_olga, expires_s=3600.0)))
    assert own(stage, OLGA)[1] == (
        "nobody else may: the definition of photos/count names olga; name somebody else there who "
        "is operator of stack photos, and register it again\n"
        "greenroom job abort EX withdraws it"
    )


def test_a_rejection_ends_it(stage: JobStage) -> None:
    execution = stage.run()
    view = stage.jobs.waiting.reject(execution.id, OLGA)

    assert (view.status, view.code) == (ExecutionStatus.REJECTED, "E_JOB_REJECTED")
    assert (view.decided_by, view.message) == ("olga", "photos/count was rejected by olga")
    assert stage.processes.started == []


@pytest.mark.parametrize(
    ("who", "code", "message"),
    [
        (caller("dora"), "E_FORBIDDEN", "approving photos/count takes the role operator"),
        (VERA, "E_FORBIDDEN", "vera is only viewer"),
        (STRANGER, "E_NO_EXECUTION", "there is no execution"),
    ],
)
def test_who_may_not_approve(stage: JobStage, who: object, code: str, message: str) -> None:
    execution = stage.run()
    with pytest.raises(GreenroomError) as told:
        stage.jobs.waiting.approve(execution.id, who)  # type: ignore[arg-type]
    assert told.value.code == code
    assert message in told.value.message
    assert stage.jobs.history.one(execution.id, ROOT).status is ExecutionStatus.AWAITING_APPROVAL


def test_named_callers_are_the_only_ones(stage: JobStage) -> None:
    only_anna = Who(role=Role.DEVELOPER, callers=("anna",))
    stage.register(job(run=only_anna))

    with pytest.raises(RefusedError) as told:
        stage.run(by=OLGA)
    assert told.value.message == "running photos/count is for anna; olga is not among them"
    assert not stage.jobs.definitions.one("count", OLGA).may_run
    assert stage.jobs.definitions.one("count", ANNA).may_run
    stage.run(by=ANNA)
    stage.processes.wait_for(1, TIMEOUT_S).exit()


def test_what_nobody_decides_on_expires(stage: JobStage) -> None:
    execution = stage.run()
    stage.clock.step(3599)
    stage.tick()
    assert stage.jobs.history.one(execution.id, ROOT).status is ExecutionStatus.AWAITING_APPROVAL
    stage.clock.step(1)
    stage.tick()
    view = stage.jobs.history.one(execution.id, ROOT)

    assert (view.status, view.code) == (ExecutionStatus.EXPIRED, "E_JOB_EXPIRED")
    with pytest.raises(RefusedError) as told:
        stage.jobs.waiting.approve(execution.id, OLGA)
    assert told.value.code == "E_JOB_NOT_WAITING"


def test_a_clock_that_jumps_ahead_expires_nothing(stage: JobStage) -> None:
    execution = stage.run()
    stage.clock.jump(86400)
    stage.tick()
    assert stage.jobs.history.one(execution.id, ROOT).status is ExecutionStatus.AWAITING_APPROVAL
    stage.clock.step(3600)
    stage.tick()
    assert stage.jobs.history.one(execution.id, ROOT).status is ExecutionStatus.EXPIRED


def test_it_waits_on_after_a_restart(stage: JobStage) -> None:
    execution = stage.run()
    stage.crash()
    stage.rise()
    stage.jobs.waiting.approve(execution.id, OLGA)
    stage.processes.wait_for(1, TIMEOUT_S).exit()

    assert stage.ended(execution).status is ExecutionStatus.SUCCEEDED


def test_who_asked_may_withdraw_it(stage: JobStage) -> None:
    execution = stage.run()
    assert stage.jobs.executions.abort(execution.id, ANNA).status is ExecutionStatus.ABORTED


def test_a_webhook_hears_of_the_ends_it_waits_for(stage: JobStage) -> None:
    only_failures = Webhook(url="http://127.0.0.1:1/", on=(Outcome.FAILURE,))
    stage.register(job(notify=(only_failures,), retries=Retries(times=1)))
    first = stage.run()
    stage.processes.wait_for(1, TIMEOUT_S).exit(1)
    stage.processes.wait_for(2, TIMEOUT_S).exit(0)
    again = stage.ended(first).retried_by
    assert again is not None
    stage.ended(again)
    # Its thread tells after the end; once it is joined, it has.
    stage.jobs.close()

    assert [(view.id, view.status) for _, view in stage.told] == [
        (first.id, ExecutionStatus.FAILED)
    ]


def test_nobody_approves_their_own_with_a_token_that_they_made(tmp_path: Path) -> None:
    """However many tokens lie between; what root gave to two people is theirs."""
    stage = JobStage(tmp_path)
    stage.register(job(approval=Approval(who=Who(role=Role.OPERATOR), expires_s=3600.0)))
    tokens = Access.on(stage.stage.database, stage.clock).tokens
    operator = [Grant(stack="photos", role=Role.OPERATOR)]

    def made_by(maker: Caller, name: str) -> Caller:
        return tokens.verify(tokens.create(maker, name, operator)[1])

    mallory, bob = made_by(ROOT, "mallory"), made_by(ROOT, "bob")
    second = made_by(mallory, "alice")
    third = made_by(second, "carol")
    for asking, deciding in ((mallory, third), (third, mallory), (second, third)):
        run = stage.run(by=asking)
        with pytest.raises(RefusedError) as refused:
            stage.jobs.waiting.approve(run.id, deciding)
        assert refused.value.code == "E_OWN_APPROVAL"

    assert stage.jobs.waiting.approve(stage.run(by=third).id, bob).decided_by == "bob"
    stage.close()
