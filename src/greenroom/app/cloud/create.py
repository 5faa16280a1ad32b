"""``greenroom create --provider aws``: a table of contents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from greenroom.app.cloud.door import refuse_existing
from greenroom.app.cloud.draft import (
    CloudPorts,
    Draft,
    Wish,
    blobs_of,
    draft_of,
)
from greenroom.app.cloud.failure import destroy_command, error_of, told_further
from greenroom.app.cloud.follow import (
    await_changes,
    follow,
    left_to_cloudformation,
    patiently,
    withdraw,
)
from greenroom.app.cloud.hearing import Doubt, doubts
from greenroom.app.cloud.inputs import look_for_inputs
from greenroom.app.cloud.tale import Tale
from greenroom.app.cloud.verdict import judge
from greenroom.errors import CancelledError, GreenroomError, OperationError
from greenroom.model.cloud_account import ChangeSet, CloudRule, FoundStack
from greenroom.model.costs import Cost
from greenroom.model.proof import Proof, Verdict
from greenroom.model.views import MachineReport
from greenroom.plan.costs import check_limit

_LOOKS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Booted:
    """An environment that stands: its stack as it is now, what its machines said, and what is
    proved of it."""

    draft: Draft
    found: FoundStack
    reports: dict[str, MachineReport]
    proof: Proof

    @property
    def cost(self) -> Cost:
        """What it costs."""
        return self.draft.cost


def create(ports: CloudPorts, wish: Wish) -> Booted:
    """Boot the environment; raises GreenroomError, and then nothing of it is left, unless the
    error says so."""
    with ports.telling.phase("plan"):
        draft = draft_of(ports, wish)
        refuse_existing(draft.found, draft.environment)
        if wish.max_usd_per_day is not None:
            check_limit(draft.cost, wish.max_usd_per_day)
        look_for_inputs(ports, draft)
    ports.attention.check()
    remove_dead(ports, draft)
    upload(ports, draft)
    changes = propose(ports, draft, wish.role)
    execute(ports, draft, changes, keep_failed=wish.keep_failed)
    stack_id = changes.proposed.stack_id
    tale = Tale(ports.telling, changes.changes, draft.template.machine_of)
    try:
        status = follow(ports, draft.environment, stack_id, None, tale)
    except CancelledError as error:
        raise take_back(ports, draft, stack_id, error) from error
    if status != "CREATE_COMPLETE":
        raise undone(ports, draft, stack_id, status, tale, kept=wish.keep_failed)
    if draft.cloud.stack.production:
        protect(ports, draft, stack_id)
    return prove(ports, draft, stack_id)


def remove_dead(ports: CloudPorts, draft: Draft) -> None:
    """A create that failed while nobody waited leaves a stack that holds nothing and can only be
    deleted. Its name is wanted."""
    found = draft.found
    if found is None or found.status != "ROLLBACK_COMPLETE":
        return
    because = f": {found.reason}" if found.reason else ""
    ports.telling.notice(f"removing what a failed create left: stack {found.name}{because}")
    after = ports.account.last_event(found.id)
    ports.account.delete(found.id)
    status = follow(ports, draft.environment, found.id, after, _removal(ports), ending="DELETE_")
    if status != "DELETE_COMPLETE":
        raise _stuck(draft, status)


def upload(ports: CloudPorts, draft: Draft) -> None:
    """Put agent, recipes and nested templates into the bucket, as far as they are not there."""
    with ports.telling.phase("upload"):
        ports.account.upload(draft.cloud.bucket, blobs_of(draft, ports.agent))
    ports.attention.check()


def propose(ports: CloudPorts, draft: Draft, role: str | None) -> ChangeSet:
    """The change set, complete."""
    with ports.telling.phase("changes"):
        proposed = ports.account.propose(draft.proposal(role))
        return await_changes(ports, proposed)


def execute(ports: CloudPorts, draft: Draft, changes: ChangeSet, *, keep_failed: bool) -> None:
    """Let CloudFormation begin. Where its answer was lost it may have begun."""
    try:
        ports.attention.check()
    except CancelledError:
        withdraw(ports, changes.proposed)
        raise
    try:
        patiently(ports, lambda: ports.account.execute(changes.proposed, keep_failed=keep_failed))
    except CancelledError:
        # Given up while AWS did not answer: it may have begun. Whoever follows it hears of the
        # Ctrl-C at once, and takes back what there is.
        return
    except GreenroomError as error:
        if error.code in ("E_AWS_UNREACHABLE", "E_AWS_UNAVAILABLE", "E_AWS_EXPIRED"):
            stack_id = changes.proposed.stack_id
            raise left_to_cloudformation(error, draft.environment, stack_id) from error
        if error.code != "E_AWS_BUSY":
            withdraw(ports, changes.proposed)
        raise


def take_back(
    ports: CloudPorts, draft: Draft, stack_id: str, error: CancelledError
) -> GreenroomError:
    """Delete what was begun and wait until it is gone; the error that says so."""
    ports.attention.obey(
        f"CloudFormation goes on deleting {draft.environment} ({stack_id})",
        f"greenroom show --provider aws {draft.environment} tells where it stands",
    )
    left = _deleted(ports, draft, stack_id)
    return CancelledError(
        "E_CANCELLED", f"create of {draft.environment} was cancelled; {left}", hint=error.hint
    )


def undone(
    ports: CloudPorts, draft: Draft, stack_id: str, status: str, tale: Tale, *, kept: bool
) -> GreenroomError:
    """The first failure as an error, after what CloudFormation has rolled back is deleted."""
    failure = tale.failure
    machine = draft.template.machine_of(failure.logical_id) if failure else None
    error = error_of(failure, draft.cloud, machine, status, kept=kept and status == "CREATE_FAILED")
    name = draft.environment
    if kept and status == "CREATE_FAILED":
        return told_further(
            error,
            f"; it is kept as it is ({draft.cloud.name}, {status}) and costs what it costs",
            f"greenroom shell --provider aws {name} {machine or 'MACHINE'} looks inside, "
            f"{_destroy(draft)} removes it",
        )
    if status != "ROLLBACK_COMPLETE" and not _kept_by_names(draft, status):
        remains = ", ".join(tale.left) or "what is left is not known"
        return told_further(
            error,
            f"; and CloudFormation could not take it back ({status}): {remains}",
            f"{_destroy(draft)} tries again",
        )
    # From here on nothing that costs is left; only the name is taken.
    ports.attention.obey(
        f"CloudFormation goes on deleting {name} ({stack_id})",
        f"greenroom show --provider aws {name} tells where it stands",
    )
    return told_further(error, f"; {_deleted(ports, draft, stack_id)}", "")


def _kept_by_names(draft: Draft, status: str) -> bool:
    """Whether what machines wrote into the environment's zone may be all that CloudFormation
    could not take back: the records go with our own delete."""
    return status == "ROLLBACK_FAILED" and any(m.auto_scaling for m in draft.cloud.machines)


def protect(ports: CloudPorts, draft: Draft, stack_id: str) -> None:
    """Forbid the deletion of production."""
    try:
        patiently(ports, lambda: ports.account.protect(stack_id))
    except GreenroomError as error:
        what = f"; {draft.environment} stands, but nothing protects it from deletion"
        by_hand = (
            f"then aws cloudformation update-termination-protection --region {draft.cloud.region} "
            f"--stack-name {draft.cloud.name} --enable-termination-protection"
        )
        raise told_further(error, what, by_hand) from error


def prove(ports: CloudPorts, draft: Draft, stack_id: str) -> Booted:
    """What is proved of an environment whose machines have all signalled."""
    with ports.telling.phase("proof"):
        found = _looked_at(ports, draft, stack_id)
        reports = _reports(ports, draft, found)
        doubted = _doubts(ports, draft, found)
        rules: Sequence[CloudRule] | GreenroomError
        try:
            rules = ports.account.rules(draft.environment)
        except GreenroomError as error:
            rules = error
        now, egress = ports.clock.now(), draft.template.egress
        proof = judge(draft.cloud, reports, rules, now, doubted, egress)
    return Booted(draft=draft, found=found, reports=reports, proof=proof)


def _doubts(ports: CloudPorts, draft: Draft, found: FoundStack) -> Mapping[str, Doubt]:
    """The machines that are not those which signalled, as far as anybody may look."""
    machines = tuple(machine.name for machine in draft.cloud.stack.machines)
    try:
        instances = ports.account.instances(str(draft.environment))
        resources = ports.account.resources(found.id)
    except GreenroomError as error:
        unseen = Doubt(verdict=Verdict.NOT_VERIFIED, evidence=f"nobody looked: {error.message}")
        return dict.fromkeys(machines, unseen)
    return doubts(machines, instances, resources)


def _looked_at(ports: CloudPorts, draft: Draft, stack_id: str) -> FoundStack:
    try:
        return patiently(ports, lambda: _seen(ports, draft, stack_id))
    except GreenroomError as error:
        raise told_further(
            error,
            f"; {draft.environment} stands, but nothing of it is proved",
            f"greenroom show --provider aws {draft.environment} looks again",
        ) from error


def _seen(ports: CloudPorts, draft: Draft, stack_id: str) -> FoundStack:
    """The stack that has just been made; a new one is not told of everywhere at once."""
    for _ in range(_LOOKS):
        found = ports.account.stack(stack_id)
        if found is not None:
            return found
        ports.attention.wait(1.0)
    raise OperationError(
        "E_AWS_STACK",
        f"the stack of {draft.environment} is complete, and AWS does not show it ({stack_id})",
        hint=f"greenroom show --provider aws {draft.environment} asks again",
    )


def _reports(ports: CloudPorts, draft: Draft, found: FoundStack) -> dict[str, MachineReport]:
    read = (
        ports.account.report(machine, found.outputs.get(output, ""))
        for machine, output in draft.template.reports.items()
    )
    return {report.machine: report for report in read if report is not None}


def _deleted(ports: CloudPorts, draft: Draft, stack_id: str) -> str:
    """``_delete``; what keeps it from the delete is said beside the reason for it, not instead."""
    try:
        return _delete(ports, draft, stack_id)
    except CancelledError:
        raise
    except GreenroomError as error:
        return f"it could not be deleted: {error.message} ({_destroy(draft)} tries again)"


def _delete(ports: CloudPorts, draft: Draft, stack_id: str) -> str:
    """Delete the stack and wait; the words for what is left, by CloudFormation's own account."""
    after = patiently(ports, lambda: ports.account.last_event(stack_id))
    patiently(ports, lambda: ports.account.delete(stack_id))
    tale = _removal(ports)
    with ports.telling.phase("destroy"):
        status = follow(ports, draft.environment, stack_id, after, tale, ending="DELETE_")
    if status == "DELETE_COMPLETE" and not tale.left:
        return "nothing of it is left"
    what = ", ".join(sorted(tale.left)) or f"its stack is {status}"
    return f"this is left of it: {what} ({_destroy(draft)} tries again)"


def _removal(ports: CloudPorts) -> Tale:
    return Tale(ports.telling, (), lambda _: None)


def _stuck(draft: Draft, status: str) -> OperationError:
    return OperationError(
        "E_AWS_STACK_FAILED",
        f"the stack {draft.cloud.name} of a failed create could not be removed ({status})",
        hint=f"{_destroy(draft)} tries again",
    )


def _destroy(draft: Draft) -> str:
    return destroy_command(draft.environment, production=draft.cloud.stack.production)
