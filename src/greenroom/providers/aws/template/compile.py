"""The template of an environment: its parts put together, within CloudFormation's limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import assert_never

from greenroom.model.cloud import CloudStack, Target
from greenroom.providers.aws.tags import REQUEST_OUTPUT
from greenroom.providers.aws.template.compiled import (
    Body,
    CompiledTemplate,
    NestedTemplate,
    Parts,
    Resource,
)
from greenroom.providers.aws.template.document import OUTPUTS_MAX, RESOURCES_MAX, as_json, rendered
from greenroom.providers.aws.template.groups import (
    VPC_PARAMETER,
    Grounds,
    group_resources,
    refuse_groups,
)
from greenroom.providers.aws.template.limits import refuse_limits
from greenroom.providers.aws.template.machines import (
    SUBNETS_PARAMETER,
    machine_outputs,
    machine_resources,
    posts_of,
)
from greenroom.providers.aws.template.names import logical_ids
from greenroom.providers.aws.template.nesting import nested
from greenroom.providers.aws.template.roles import role_resources
from greenroom.providers.aws.template.zone import (
    moving_records,
    moving_zones,
    name_resources,
    private_zone,
)

REQUEST_BYTES_MAX = 1024
"""Of an output's value. CloudFormation's quotas name none; a description's is this."""


def compile_template(
    cloud: CloudStack, target: Target = Target.VPC, request: str = ""
) -> CompiledTemplate:
    """The CloudFormation template of ``cloud``; ``request`` is kept in it for the next update.

    Pure: the same value gives the same bytes, and nothing is asked of AWS. Target vpc has the
    parameters ``VpcId`` and ``SubnetIds``. Raises InputError for what AWS does not allow.
    """
    match target:
        case Target.VPC:
            return _within_limits(_remembering(vpc_parts(cloud), request), cloud)
        case Target.CLASSIC:
            return _classic(cloud)
        case _:
            assert_never(target)


def _classic(cloud: CloudStack) -> CompiledTemplate:
    # Whoever compiles target vpc need not import it.
    from greenroom.providers.aws.template.classic import compile_classic

    document = compile_classic(cloud).to_dict()
    body = as_json(document)
    return CompiledTemplate(body=body, nested=(), resources=len(document["Resources"]))


def _remembering(parts: Parts, request: str) -> Parts:
    """The parts with an output that says ``request``; where it has no room it is not kept."""
    full = len(parts.outputs) >= OUTPUTS_MAX or len(request.encode()) > REQUEST_BYTES_MAX
    if not request or full:
        return parts
    said: Body = {"Description": "What was asked for, for greenroom update", "Value": request}
    return replace(parts, outputs={**parts.outputs, REQUEST_OUTPUT: said})


def _within_limits(parts: Parts, cloud: CloudStack) -> CompiledTemplate:
    """One template, or past CloudFormation's limits one with a nested one for each type."""
    count = len(parts.resources)
    templates: tuple[NestedTemplate, ...] = ()
    if count > RESOURCES_MAX:
        ids = logical_ids(cloud).types
        parts, templates = nested(parts, cloud, {name: f"{id}Stack" for name, id in ids.items()})
    return CompiledTemplate(body=rendered(parts), nested=templates, resources=count)


def vpc_parts(cloud: CloudStack) -> Parts:
    """What target vpc is made of; raises InputError."""
    refuse_limits(cloud)
    refuse_groups(cloud)
    grounds = Grounds(cloud=cloud, ids=logical_ids(cloud))
    posts = posts_of(grounds)
    zone = private_zone(cloud)

    def resources() -> Iterator[Resource]:
        yield from group_resources(grounds)
        yield from role_resources(grounds, zone)
        yield from machine_resources(grounds, posts, zone)
        yield from name_resources(grounds, posts)

    def outputs() -> Iterator[tuple[str, Body]]:
        for post in posts.values():
            yield from machine_outputs(post)
            yield from moving_records(post, cloud)
        yield from moving_zones(posts.values(), cloud)

    return Parts(
        description=f"{cloud.stack.environment}, made by greenroom",
        parameters=_parameters(cloud),
        resources=tuple(resources()),
        outputs=dict(outputs()),
    )


def _parameters(cloud: CloudStack) -> dict[str, Body]:
    """The network's ids. Names of VPCs and subnets have no default: whoever creates the stack
    looks their ids up."""
    vpc = {"Default": cloud.vpc} if (cloud.vpc or "").startswith("vpc-") else {}
    by_id = cloud.subnets and all(subnet.startswith("subnet-") for subnet in cloud.subnets)
    subnets = {"Default": ",".join(cloud.subnets)} if by_id else {}
    return {
        VPC_PARAMETER: {
            "Type": "AWS::EC2::VPC::Id",
            "Description": "VPC of the machines",
            **vpc,
        },
        SUBNETS_PARAMETER: {
            "Type": "List<AWS::EC2::Subnet::Id>",
            "Description": "Subnets of that VPC, in the order in which machines go to them",
            **subnets,
        },
    }
