"""``greenroom update --provider aws``: a table of contents."""

from __future__ import annotations

from dataclasses import dataclass, replace

from greenroom.app.cloud.create import Booted, execute, propose, prove, upload
from greenroom.app.cloud.door import KEPT, refuse_kept, refuse_unless_standing
from greenroom.app.cloud.draft import CloudPorts, Draft, Wish, draft_of
from greenroom.app.cloud.failure import error_of
from greenroom.app.cloud.follow import follow, left_to_cloudformation, patiently, withdraw
from greenroom.app.cloud.inputs import booting_anew, look_for_inputs
from greenroom.app.cloud.losses import MACHINES, losses, machines_among
from greenroom.app.cloud.tale import Tale
from greenroom.app.cloud.words import with_words
from greenroom.blueprint.schema import Blueprint
from greenroom.errors import CancelledError, GreenroomError, InputError, RefusedError
from greenroom.model.cloud_account import Change, ChangeKind, ChangeSet
from greenroom.model.requests import CreateRequest
from greenroom.plan.costs import check_limit
from greenroom.plan.selection import types_by_alias

ATTACHMENT = "AWS::EC2::VolumeAttachment"
"""Stands in a template for a volume that is kept, and for no other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Updated:
    """What an update did; without ``changes`` there was nothing to do."""

    booted: Booted
    changes: tuple[Change, ...]


def environment_asked(
    ports: CloudPorts, blueprint: Blueprint, named: str | None, request: CreateRequest
) -> CreateRequest:
    """The request of the environment that is meant: by ``named`` (a slug, a branch or
    ``stack/slug``) or by the request's branch. Its own words stand where ``request`` has none.

    Raises InputError E_NO_ENVIRONMENT.
    """
    ours = [s.identity for s in ports.account.environments() if s.identity is not None]
    ours = [each for each in ours if each.environment.stack == blueprint.stack]
    wanted = named or request.branch or blueprint.default_branch
    for each in ours:
        names = (each.branch, each.environment.slug, str(each.environment))
        if wanted in names or wanted == f"{blueprint.stack}/{each.branch}":
            aliases = types_by_alias(blueprint)
            return with_words(replace(request, branch=each.branch), each.request, aliases)
    known = ", ".join(sorted(str(each.environment) for each in ours))
    raise InputError(
        "E_NO_ENVIRONMENT",
        f"there is no environment {wanted!r} of {blueprint.stack} in {ports.account.region}",
        hint=f"there is {known}" if known else "greenroom create --provider aws makes one",
    )


def update(ports: CloudPorts, wish: Wish) -> Updated:
    """Change the environment to what the blueprint says now; raises GreenroomError, and then it
    is as it was, unless the error says otherwise."""
    with ports.telling.phase("plan"):
        draft = draft_of(ports, wish)
        found = refuse_unless_standing(draft.found, draft.environment)
        if wish.max_usd_per_day is not None:
            check_limit(draft.cost, wish.max_usd_per_day)
    ports.attention.check()
    upload(ports, draft)
    changes = propose(ports, draft, wish.role)
    if changes.empty:
        refuse_kept(found, draft.environment)
        ports.telling.notice(f"{draft.environment} is as the blueprint says: nothing to do")
        return Updated(booted=prove(ports, draft, found.id), changes=())
    for change in changes.changes:
        ports.telling.notice(change_words(change), draft.template.machine_of(change.logical_id))
    for loss in losses(draft.cloud, changes.changes, draft.template.machine_of):
        ports.telling.notice(loss.words, loss.machine)
    _refuse_another_machine(ports, draft, changes)
    _refuse_another_shape(ports, draft, changes)
    _refuse_unconfirmed(ports, draft, changes, wish)
    after = _event_before(ports, draft, changes)
    execute(ports, draft, changes, keep_failed=wish.keep_failed)
    _follow(ports, draft, changes, after, wish)
    return Updated(booted=prove(ports, draft, found.id), changes=changes.changes)


def change_words(change: Change) -> str:
    """``replace backend1 (AWS::EC2::Instance): LaunchTemplate``."""
    details = f": {', '.join(change.details)}" if change.details else ""
    return f"{change.kind} {change.logical_id} ({change.type}){details}"


def _refuse_another_machine(ports: CloudPorts, draft: Draft, changes: ChangeSet) -> None:
    """CloudFormation attaches a kept volume to the new machine before the old one is gone, which
    EC2 refuses. Nobody shall learn that from a rollback after everybody else was replaced."""
    moved = [c for c in changes.changes if c.type == ATTACHMENT and c.destructive]
    if not moved:
        return
    withdraw(ports, changes.proposed)
    machines = dict.fromkeys(draft.template.machine_of(c.logical_id) or "" for c in moved)
    what = ", ".join(machines)
    raise RefusedError(
        "E_AWS_KEPT_DATA",
        f"this update of {draft.environment} would replace {what}, whose data volume is kept and "
        "cannot be attached to two machines at once",
        hint=f"take back what changes {what} (its image, checks, size, or another version of "
        "greenroom, whose agent boots every machine anew), or make the environment anew",
    )


def _refuse_another_shape(ports: CloudPorts, draft: Draft, changes: ChangeSet) -> None:
    """A name has one record of CloudFormation's or those that machines write, never both (Route53
    API, ChangeResourceRecordSets), and the old ones go only after the new ones have come."""
    shapes: dict[ChangeKind, set[str | None]] = {ChangeKind.ADD: set(), ChangeKind.REMOVE: set()}
    for change in changes.changes:
        if change.kind in shapes and change.type in MACHINES:
            shapes[change.kind].add(draft.template.machine_of(change.logical_id))
    both = sorted(filter(None, shapes[ChangeKind.ADD] & shapes[ChangeKind.REMOVE]))
    if not both:
        return
    withdraw(ports, changes.proposed)
    raise RefusedError(
        "E_AWS_SCALING",
        f"this update of {draft.environment} would put {', '.join(both)} into an Auto Scaling "
        "group or take it out, and the names of a machine cannot change hands while it runs",
        hint="take the change of 'auto_scaling' back, or make the environment anew",
    )


def _refuse_unconfirmed(ports: CloudPorts, draft: Draft, changes: ChangeSet, wish: Wish) -> None:
    """Production loses nothing unless its name was typed."""
    destructive = [change for change in changes.changes if change.destructive]
    name = draft.environment
    confirmed = wish.confirm in (name.slug, str(name))
    if not draft.cloud.stack.production or not destructive or confirmed:
        return
    withdraw(ports, changes.proposed)
    machines = machines_among(destructive, draft.template.machine_of)
    count = len(destructive)
    among = f"among them {', '.join(machines)}" if machines else "no machine among them"
    command = " ".join(["greenroom update --provider aws", str(name), *wish.said])
    raise RefusedError(
        "E_PRODUCTION",
        f"{name} is production, and this update replaces or removes {count} "
        f"resource{'s' if count != 1 else ''} of it, {among}",
        hint=f"type its name to do it: {command} --confirm {name}",
    )


def _event_before(ports: CloudPorts, draft: Draft, changes: ChangeSet) -> str | None:
    """The stack's last event before the update, if nothing is missing for it: machines that boot
    anew fetch again what they fetched at first."""
    try:
        look_for_inputs(ports, draft, booting_anew(draft.template, changes.changes))
        return patiently(ports, lambda: ports.account.last_event(changes.proposed.stack_id))
    except GreenroomError:
        withdraw(ports, changes.proposed)
        raise


def _follow(
    ports: CloudPorts, draft: Draft, changes: ChangeSet, after: str | None, wish: Wish
) -> None:
    """Wait for the end; raises the first failure. Ctrl-C takes the update back."""
    tale = Tale(ports.telling, changes.changes, draft.template.machine_of)
    stack_id = changes.proposed.stack_id
    try:
        status = follow(ports, draft.environment, stack_id, after, tale)
    except CancelledError as error:
        raise _take_back(ports, draft, changes, after, tale) from error
    if status == "UPDATE_COMPLETE":
        return
    failure = tale.failure
    machine = draft.template.machine_of(failure.logical_id) if failure else None
    kept = wish.keep_failed and status == KEPT
    first = error_of(failure, draft.cloud, machine, status, verb="update", kept=kept)
    raise _kept(first, draft, stack_id, machine) if kept else _after(first, draft, status)


def _kept(
    error: GreenroomError, draft: Draft, stack_id: str, machine: str | None
) -> GreenroomError:
    """What failed stays for a look: how to look, to go on, and to go back."""
    name, here = draft.environment, draft.cloud
    hints = (
        error.hint,
        f"greenroom shell --provider aws {name} {machine or 'MACHINE'} looks inside",
        f"the next greenroom update --provider aws {name} goes on from here; to go back: "
        f"aws cloudformation rollback-stack --region {here.region} --stack-name {here.name}",
    )
    return type(error)(
        error.code,
        f"{error.message}; {name} is kept half updated ({stack_id.split('/')[1]}, {KEPT})",
        hint="\n".join(filter(None, hints)),
    )


def _take_back(
    ports: CloudPorts, draft: Draft, changes: ChangeSet, after: str | None, tale: Tale
) -> GreenroomError:
    """Ask CloudFormation to undo the update, and wait until it has; ``after`` is the last event
    before it."""
    name, stack_id = draft.environment, changes.proposed.stack_id
    ports.attention.obey(
        f"CloudFormation goes on taking back the update of {name} ({stack_id})",
        f"greenroom show --provider aws {name} tells where it stands",
    )
    try:
        runs = patiently(ports, lambda: ports.account.cancel_update(stack_id))
        begun = runs or patiently(ports, lambda: ports.account.last_event(stack_id)) != after
    except CancelledError:
        raise
    except GreenroomError as lost:
        raise left_to_cloudformation(lost, name, stack_id) from lost
    error = CancelledError("E_CANCELLED", f"update of {name} was cancelled")
    if not begun:
        withdraw(ports, changes.proposed)
        return CancelledError("E_CANCELLED", f"{error.message} before it began")
    status = follow(ports, name, stack_id, tale.last.get(stack_id, after), tale)
    if status == "UPDATE_COMPLETE":
        return CancelledError("E_CANCELLED", f"{error.message} too late: it is done")
    return _after(error, draft, status)


def _after(error: GreenroomError, draft: Draft, status: str) -> GreenroomError:
    name = draft.environment
    if status == "UPDATE_ROLLBACK_COMPLETE":
        became, hint = f"{name} is as it was before", ""
    else:
        became = f"{name} is half updated: its stack is {status}"
        hint = f"greenroom show --provider aws {name} tells what became of each resource"
    hints = [each for each in (error.hint, hint) if each]
    return type(error)(error.code, f"{error.message}; {became}", hint="\n".join(hints))
