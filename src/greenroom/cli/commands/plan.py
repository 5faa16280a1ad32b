"""``greenroom plan``: the plan is pure, so this needs neither the daemon nor root."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from greenroom.cli.declare import JSON, command
from greenroom.cli.provider import AWS, MAX_COST, ROLE, on_aws, refuse_aws_options
from greenroom.cli.request import REQUEST, Wanted
from greenroom.cli.terminal import Paint, say, say_json
from greenroom.cli.words import rewrite_words

if TYPE_CHECKING:
    from greenroom.model.stack import Stack
    from greenroom.region import Region


@command("plan", *REQUEST, *AWS, ROLE, MAX_COST, JSON, rewrite=rewrite_words)
def plan(
    provider: str | None,
    region: str | None,
    profile: str | None,
    role: str | None,
    max_cost_usd_per_day: str | None,
    as_json: bool,
    **asked: Any,
) -> None:
    """Print what create would boot; touch nothing.

    Takes the words of create. The addresses and the ids are those of a region where nothing runs.
    On AWS a change set is made and removed again; without credentials the template has to do.
    """
    aws: dict[str, Any] = {
        "region": region,
        "profile": profile,
        "role": role,
        "max_cost_usd_per_day": max_cost_usd_per_day,
    }
    if on_aws(provider):
        from greenroom.cli.cloud.asked import AwsAsked
        from greenroom.cli.cloud.plan import plan_on_aws

        plan_on_aws(Wanted(**asked), AwsAsked(**aws), as_json=as_json)
        return
    refuse_aws_options(aws)
    from greenroom.region import Region

    here = Region.from_environment()
    stack = _planned(Wanted(**asked), here)
    if as_json:
        from greenroom.plan.render import plan_to_dict

        say_json(plan_to_dict(stack))
        return
    from greenroom.cli.planned import plan_lines

    for line in plan_lines(stack, here.proxy_port, Paint(sys.stdout)):
        say(line)


def _planned(wanted: Wanted, region: Region) -> Stack:
    from ipaddress import IPv4Network

    from greenroom.agent_archive import build_agent
    from greenroom.blueprint.parse import load_blueprint
    from greenroom.plan.allocation import Allocation
    from greenroom.plan.plan import plan as planned
    from greenroom.providers.local.mounts import require_mount

    blueprint = load_blueprint(wanted.blueprint)
    allocation = Allocation(
        index=0,
        secret="",
        taken={},
        agent_sha256=build_agent().sha256,
        region_cidr=IPv4Network(region.cidr),
    )
    stack = planned(blueprint, wanted.create_request(), allocation)
    for machine in stack.machines:
        require_mount(machine)
    return stack
