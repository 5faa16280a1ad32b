"""``greenroom plan --provider aws``: what create or update would do, and its price."""

from __future__ import annotations

from dataclasses import dataclass, replace

from greenroom.app.cloud.create import propose
from greenroom.app.cloud.door import KEPT, STANDING
from greenroom.app.cloud.draft import (
    CloudPorts,
    Draft,
    Wish,
    draft_of,
    has_resources,
    plan_offline,
)
from greenroom.app.cloud.follow import withdraw
from greenroom.app.cloud.inputs import booting_anew, look_for_inputs
from greenroom.app.cloud.losses import Loss, losses
from greenroom.app.cloud.words import with_words, words_of
from greenroom.cloud_ports import Template
from greenroom.errors import GreenroomError
from greenroom.model.cloud import CloudStack
from greenroom.model.cloud_account import REVIEW_IN_PROGRESS, Change, FoundStack
from greenroom.model.costs import Cost
from greenroom.plan.costs import check_limit, costs_of
from greenroom.plan.selection import types_by_alias

_WITHOUT = ("E_AWS_CREDENTIALS", "E_AWS_EXPIRED")


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudPlan:
    """What would be made. ``changes`` is the account's own answer; None: it was not asked, and
    ``unasked`` says why. ``found`` is the environment that would be updated, if there is one, and
    ``losses`` say of which machines the data would go."""

    cloud: CloudStack
    template: Template
    cost: Cost
    changes: tuple[Change, ...] | None
    found: FoundStack | None
    unasked: str
    losses: tuple[Loss, ...] = ()


def plan(ports: CloudPorts, wish: Wish) -> CloudPlan:
    """The account's answer to a change set that is removed again; without credentials what the
    template says by itself. Refuses what create or update would refuse, for want of what machines
    need as they boot.

    A template too big to be sent is put into the bucket; else nothing is left of a plan.
    """
    try:
        wish = as_it_stands(ports, wish)
        draft = draft_of(ports, wish)
    except GreenroomError as error:
        if error.code not in _WITHOUT:
            raise
        return plan_from_template(ports, wish, error.message)
    if draft.found is not None and not can_be_asked(draft.found):
        why = f"its stack {draft.found.name} is {draft.found.status}"
        return plan_from_template(ports, wish, why)
    _check(draft.cost, wish)
    stands = draft.found is not None and has_resources(draft.found)
    if not stands:
        look_for_inputs(ports, draft)
    changes = _changes(ports, draft, wish.role)
    if stands:
        look_for_inputs(ports, draft, booting_anew(draft.template, changes))
    return CloudPlan(
        cloud=draft.cloud,
        template=draft.template,
        cost=draft.cost,
        changes=changes,
        found=draft.found,
        unasked="",
        losses=losses(draft.cloud, changes, draft.template.machine_of) if draft.found else (),
    )


def as_it_stands(ports: CloudPorts, wish: Wish) -> Wish:
    """``wish`` with the words of the branch's environment, if there is one, as an update takes
    them."""
    blueprint, branch = wish.blueprint, wish.request.branch or wish.blueprint.default_branch
    for stack in ports.account.environments():
        identity = stack.identity
        if identity is None or identity.environment.stack != blueprint.stack:
            continue
        if identity.branch == branch:
            aliases = types_by_alias(blueprint)
            request = with_words(wish.request, identity.request, aliases)
            return replace(wish, request=request, words=words_of(request))
    return wish


def _check(cost: Cost, wish: Wish) -> None:
    if wish.max_usd_per_day is not None:
        check_limit(cost, wish.max_usd_per_day)


def can_be_asked(found: FoundStack) -> bool:
    """Whether CloudFormation takes a change set for the stack."""
    return found.status in (*STANDING, KEPT, REVIEW_IN_PROGRESS)


def plan_from_template(ports: CloudPorts, wish: Wish, why: str) -> CloudPlan:
    """The plan without the account."""
    cloud = plan_offline(ports, wish, "", {})
    cost = costs_of(cloud, ports.prices())
    _check(cost, wish)
    return CloudPlan(
        cloud=cloud,
        template=ports.compile(cloud, wish.words),
        cost=cost,
        changes=None,
        found=None,
        unasked=why,
    )


def _changes(ports: CloudPorts, draft: Draft, role: str | None) -> tuple[Change, ...]:
    if draft.template.blobs:
        ports.account.upload(draft.cloud.bucket, draft.template.blobs)
    changes = propose(ports, draft, role)
    if not changes.empty:
        withdraw(ports, changes.proposed)
    return changes.changes
