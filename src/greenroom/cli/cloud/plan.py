"""``greenroom plan --provider aws``: what would be made, what it costs, and who says so."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from greenroom.app.cloud.plan import CloudPlan, plan
from greenroom.cli.cloud.asked import AwsAsked, order_of
from greenroom.cli.cloud.costs import cost_json, cost_line, cost_lines
from greenroom.cli.cloud.stage import perform
from greenroom.cli.planned import CODE, VOLUMES, code_rows, volume_rows
from greenroom.cli.request import Wanted
from greenroom.cli.terminal import Paint, say, say_json
from greenroom.cli.text import clean, count, table
from greenroom.model.cloud import CloudMachine, CloudStack
from greenroom.model.cloud_account import Change
from greenroom.plan.render import plan_to_dict

_MACHINES = ("MACHINE", "INSTANCE", "AMI", "IMAGE", "ROOT", "DATA", "TIMEOUT")
_RULES = ("GROUP", "PORT", "FROM")
_URLS = ("URL", "MACHINE", "PORT")
_CHANGES = ("CHANGE", "RESOURCE", "TYPE", "BECAUSE OF")


def plan_on_aws(wanted: Wanted, asked: AwsAsked, *, as_json: bool) -> None:
    """Print what create, or update, would do on AWS."""
    order = order_of(wanted, asked)
    planned = perform(
        order.access, lambda ports: plan(ports, order.wish()), as_json=as_json, quiet=True
    )
    if as_json:
        say_json(plan_json(planned))
        return
    for line in plan_lines(planned, Paint(sys.stdout)):
        say(line)


def plan_json(planned: CloudPlan) -> dict[str, Any]:
    """The plan for a program."""
    cloud = planned.cloud
    return {
        "environment": str(cloud.stack.environment),
        "region": cloud.region,
        "stack_name": cloud.name,
        "exists": planned.found is not None,
        "resources": planned.template.resources,
        "changes": None if planned.changes is None else [_change(c) for c in planned.changes],
        "losses": [{"machine": each.machine, "words": each.words} for each in planned.losses],
        "unasked": planned.unasked or None,
        "cost": cost_json(planned.cost),
        "stack": plan_to_dict(cloud.stack),
    }


def plan_lines(planned: CloudPlan, paint: Paint) -> Iterator[str]:
    """The plan for a person."""
    cloud = planned.cloud
    protected = " (production)" if cloud.stack.production else ""
    yield f"{paint('strong', str(cloud.stack.environment))}{protected}"
    yield f"  branch   {clean(cloud.stack.branch)}"
    resources = count(planned.template.resources, "resource")
    yield f"  stack    {cloud.name} in {cloud.region}, {resources}"
    yield f"  network  VPC {clean(cloud.vpc or 'by default')}, names end in .{cloud.stack.domain}"
    yield (
        f"  expires  {cloud.expires_at:%Y-%m-%d %H:%M} UTC"
        if cloud.expires_at
        else "  expires  never"
    )
    yield f"  cost     {cost_line(planned.cost)}"
    yield from _section(_MACHINES, [_machine(cloud, m) for m in cloud.machines], paint)
    yield from _section(_RULES, _rules(cloud), paint)
    yield from _section(VOLUMES, volume_rows(cloud.stack), paint)
    yield from _section(CODE, code_rows(cloud.stack), paint)
    yield from _section(_URLS, _urls(cloud), paint)
    yield ""
    yield from cost_lines(planned.cost)
    if planned.changes:
        yield from _section(_CHANGES, [_change_row(c) for c in planned.changes], paint)
        yield from (paint("open", clean(each.words)) for each in planned.losses)
    yield ""
    yield paint("dim", _who_says(planned))


def _who_says(planned: CloudPlan) -> str:
    if planned.changes is None:
        return f"from the template alone, AWS was not asked: {clean(planned.unasked)}"
    if planned.found is None:
        return (
            f"AWS would make {count(len(planned.changes), 'resource')}: a change set said so and "
            "was removed; greenroom create --provider aws with the same words boots it"
        )
    if not planned.changes:
        return "the environment is as the blueprint says: an update has nothing to do"
    return (
        f"AWS would change {count(len(planned.changes), 'resource')}: a change set said so and was "
        "removed; greenroom update --provider aws with the same words does it"
    )


def _section(head: Sequence[str], rows: list[tuple[str, ...]], paint: Paint) -> Iterator[str]:
    if rows:
        first, *lines = table(head, rows)
        yield from ("", paint("dim", first), *lines)


def _machine(cloud: CloudStack, machine: CloudMachine) -> tuple[str, ...]:
    of_stack = cloud.stack.machine(machine.name)
    volume = machine.volume
    return (
        machine.name,
        of_stack.instance_type,
        machine.ami.id or machine.ami.parameter or "-",
        of_stack.image,
        f"{machine.root_gib} GiB",
        f"{volume.size_gib} GiB{f' from {volume.snapshot}' if volume.snapshot else ''}"
        if volume
        else "-",
        f"{machine.timeout_s} s",
    )


def _rules(cloud: CloudStack) -> list[tuple[str, ...]]:
    return [
        (group.name, f"{rule.ports}/{rule.protocol}", rule.source)
        for group in cloud.stack.groups
        for rule in group.ingress
    ]


def _urls(cloud: CloudStack) -> list[tuple[str, ...]]:
    return [
        (endpoint.url, machine.name, str(endpoint.port))
        for machine in cloud.stack.machines
        if (endpoint := machine.endpoint) is not None
    ]


def _change_row(change: Change) -> tuple[str, ...]:
    return (change.kind, change.logical_id, change.type, ", ".join(change.details) or "-")


def _change(change: Change) -> dict[str, Any]:
    return {
        "kind": change.kind.value,
        "resource": change.logical_id,
        "type": change.type,
        "physical_id": change.physical_id or None,
        "details": list(change.details),
    }
