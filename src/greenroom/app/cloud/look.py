"""What stands on AWS, as ``list`` and ``show`` tell it: asked of the account, never remembered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from greenroom.app.cloud.choose import choose, identity_of
from greenroom.app.cloud.evidence import (
    machine_finder,
    machine_reports,
    machines_of,
    proof_of,
    urls_of,
)
from greenroom.app.cloud.hearing import current_instance, doubts
from greenroom.app.cloud.history import last_operation, phases_of, seconds_of
from greenroom.cloud_inventory import CloudInventory
from greenroom.errors import RefusedError
from greenroom.model.cloud_account import REVIEW_IN_PROGRESS, FoundStack
from greenroom.model.cloud_views import (
    CloudDetail,
    CloudEnvironment,
    CloudMachineView,
    CloudStatus,
    Power,
    SeenInstance,
    SeenVolume,
)
from greenroom.model.costs import Cost, Span
from greenroom.model.proof import Verdict
from greenroom.model.views import MachineReport, PhaseTime
from greenroom.plan.running import cost_of_seen

HOSTED_ZONE = "AWS::Route53::HostedZone"

T = TypeVar("T")


def list_environments(inventory: CloudInventory, now: datetime) -> tuple[CloudEnvironment, ...]:
    """Every environment, by name: one listing of stacks, one of instances and one of volumes."""
    stacks = inventory.environments()
    instances = _if_allowed(lambda: inventory.instances(None)) if stacks else ()
    volumes = _if_allowed(lambda: inventory.volumes(None)) if stacks else ()
    views = [
        view_environment(
            stack,
            now,
            inventory.region,
            instances=_ours(instances, stack),
            cost=_running_cost(inventory, _ours(instances, stack), _ours(volumes, stack)),
        )
        for stack in stacks
    ]
    return tuple(sorted(views, key=lambda view: view.name))


def find(inventory: CloudInventory, text: str | None, here: str | None) -> FoundStack:
    """The stack that is meant, now.

    A name that no stack of ours has may be that of a foreign one, which is refused; a stack's id
    also finds one that is deleted. Raises GreenroomError.
    """
    stacks = inventory.environments()
    if text is not None and text.startswith("arn:"):
        found = inventory.stack(text)
        if found is not None:
            identity_of(found)
            return found
    return choose(stacks, text, region=inventory.region, here=here)


def show(
    inventory: CloudInventory, text: str | None, here: str | None, now: datetime
) -> CloudDetail:
    """All that the account says of one environment, also while it is being made; raises
    GreenroomError."""
    stack = find(inventory, text, here)
    environment = str(identity_of(stack).environment)
    resources = inventory.resources(stack.id)
    events = inventory.events(stack.id, None)
    instances = _if_allowed(lambda: inventory.instances(environment))
    volumes = _if_allowed(lambda: inventory.volumes(environment))
    reports = machine_reports(inventory, stack, instances or ())
    own_zone = any(each.type == HOSTED_ZONE for each in resources)
    cost = _running_cost(inventory, instances, volumes, own_zone=own_zone)
    names = machines_of(stack, instances or ())
    proof = proof_of(stack, names, reports, doubts(names, instances, resources), now)
    summary = view_environment(stack, now, inventory.region, instances=instances, cost=cost)
    spans = {i.machine: Span(start=i.launched_at, end=now) for i in instances or () if i.machine}
    return CloudDetail(
        summary=summary,
        machines=tuple(_machines(summary.machines, instances or (), reports)),
        urls=urls_of(stack),
        resources=resources,
        phases=(
            *phases_of(last_operation(events), machine_finder(summary.machines)),
            *_phases(reports),
        ),
        restores=tuple(report.restore for report in reports if report.restore is not None),
        notices=tuple(
            f"{report.machine}: {notice}" for report in reports for notice in report.notices
        ),
        proof=proof,
        create_s=seconds_of(events, "CREATE_COMPLETE"),
        cost_usd=cost.actual(Span(start=stack.created_at, end=now), spans) if cost else None,
    )


def view_environment(
    stack: FoundStack,
    now: datetime,
    region: str,
    *,
    instances: Sequence[SeenInstance] | None,
    cost: Cost | None,
) -> CloudEnvironment:
    """A stack as a line of the list (pure). ``instances`` None: nobody may look at them."""
    identity = identity_of(stack)
    machines = machines_of(stack, instances or ())
    status = status_of(stack.status)
    if status is CloudStatus.READY and _down(machines, instances):
        status = CloudStatus.DEGRADED
    down = status in (CloudStatus.FAILED, CloudStatus.DEGRADED)
    urls = urls_of(stack)
    expires = identity.expires_at
    return CloudEnvironment(
        name=str(identity.environment),
        branch=identity.branch,
        status=status,
        aws_status=stack.status,
        reason=stack.reason,
        production=identity.production,
        protected=stack.protected,
        verdict=Verdict.FAILED if down else Verdict.NOT_VERIFIED,
        url=urls[0] if urls and status is CloudStatus.READY else None,
        machines=machines,
        created_at=stack.created_at,
        updated_at=stack.updated_at,
        owner=identity.owner,
        expires_at=expires,
        expired=expires is not None and expires <= now,
        region=region,
        stack_name=stack.name,
        stack_id=stack.id,
        cost=cost,
    )


def _down(machines: Sequence[str], instances: Sequence[SeenInstance] | None) -> bool:
    """Whether one of the machines does not run, as far as anybody may look."""
    if instances is None:
        return False
    current = [current_instance(name, instances) for name in machines]
    return any(each is None or not each.billed for each in current)


_READY = frozenset(
    ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE")
)


def status_of(aws_status: str) -> CloudStatus:
    """CloudFormation's word in ours (pure).

    UPDATE_ROLLBACK_COMPLETE is ready: what was there before the update is there again.
    ROLLBACK_COMPLETE is failed: there is nothing but the name (user guide, "Stack status codes").
    """
    if aws_status == REVIEW_IN_PROGRESS:
        return CloudStatus.PLANNED
    if aws_status in _READY:
        return CloudStatus.READY
    if aws_status.endswith("_IN_PROGRESS"):
        if aws_status.startswith("DELETE"):
            return CloudStatus.DESTROYING
        if "ROLLBACK" in aws_status:
            return CloudStatus.ROLLING_BACK
        return CloudStatus.CREATING if aws_status.startswith("CREATE") else CloudStatus.UPDATING
    return CloudStatus.FAILED


def _machines(
    names: Iterable[str], instances: Sequence[SeenInstance], reports: Sequence[MachineReport]
) -> Iterable[CloudMachineView]:
    artifacts = {report.machine: report.artifact for report in reports}
    alive = {each.machine: each for each in instances if each.power is not Power.TERMINATED}
    for name in names:
        instance = alive.get(name)
        yield CloudMachineView(
            name=name,
            instance_id=instance.id if instance else "",
            instance_type=instance.type if instance else "",
            power=instance.power.value if instance else "missing",
            address=instance.private_ip if instance else "",
            public_address=instance.public_ip if instance else "",
            image=instance.image if instance else "",
            artifact=artifacts.get(name),
        )


def _phases(reports: Iterable[MachineReport]) -> Iterable[PhaseTime]:
    return (phase for report in reports for phase in report.phases)


def _running_cost(
    inventory: CloudInventory,
    instances: Sequence[SeenInstance] | None,
    volumes: Sequence[SeenVolume] | None,
    *,
    own_zone: bool = False,
) -> Cost | None:
    if instances is None or volumes is None:
        return None
    return cost_of_seen(inventory.region, instances, volumes, inventory.prices(), own_zone=own_zone)


S = TypeVar("S", SeenInstance, SeenVolume)


def _ours(seen: Sequence[S] | None, stack: FoundStack) -> list[S] | None:
    """Those of one environment; None if nobody may look."""
    if seen is None or stack.identity is None:
        return None
    name = str(stack.identity.environment)
    return [each for each in seen if each.environment == name]


def _if_allowed(look: Callable[[], tuple[T, ...]]) -> tuple[T, ...] | None:
    """None where a right is missing: prices are worth less than the list."""
    try:
        return look()
    except RefusedError:
        return None
