"""The template of an environment: its parts put together, within CloudFormation's limits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import assert_never

from greenroom.model.cloud import CloudStack, Target
from greenroom.providers.aws.template.classic import compile_classic
from greenroom.providers.aws.template.compiled import Body, CompiledTemplate, Parts, Resource
from greenroom.providers.aws.template.groups import (
    VPC_PARAMETER,
    Grounds,
    group_resources,
    refuse_groups,
)
from greenroom.providers.aws.template.machines import (
    SUBNETS_PARAMETER,
    machine_outputs,
    machine_resources,
    posts_of,
)
from greenroom.providers.aws.template.names import logical_ids
from greenroom.providers.aws.template.roles import role_resources
from greenroom.providers.aws.template.zone import moving_records, name_resources, private_zone

VERSION = "2010-09-09"

_METADATA = {"cfn-lint": {"config": {"ignore_checks": ["E6101"]}}}
"""The schema that cfn-lint reads calls a wait condition's Data a mapping, which no output may be;
CloudFormation gives it as a string of JSON (user guide, AWS::CloudFormation::WaitCondition)."""


def compile_template(cloud: CloudStack, target: Target = Target.VPC) -> CompiledTemplate:
    """The CloudFormation template of ``cloud``.

    Pure: the same value gives the same bytes, and nothing is asked of AWS. Target vpc has the
    parameters ``VpcId`` and ``SubnetIds``. Raises InputError for what AWS does not allow.
    """
    match target:
        case Target.VPC:
            parts = vpc_parts(cloud)
        case Target.CLASSIC:
            return _classic(cloud)
        case _:
            assert_never(target)
    return CompiledTemplate(
        body=rendered(document_of(parts)), nested=(), resources=len(parts.resources)
    )


def _classic(cloud: CloudStack) -> CompiledTemplate:
    template = compile_classic(cloud)
    body = rendered(template.to_dict())
    return CompiledTemplate(body=body, nested=(), resources=len(template.resources))


def vpc_parts(cloud: CloudStack) -> Parts:
    """What target vpc is made of; raises InputError."""
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


def document_of(parts: Parts) -> dict[str, object]:
    """The template as JSON has it."""
    return {
        "AWSTemplateFormatVersion": VERSION,
        "Description": parts.description,
        **({"Metadata": _METADATA} if parts.outputs else {}),
        "Parameters": dict(parts.parameters),
        "Resources": {resource.id: resource.body for resource in parts.resources},
        **({"Outputs": dict(parts.outputs)} if parts.outputs else {}),
    }


def rendered(document: object) -> str:
    """Compact JSON: CloudFormation takes only so much of it."""
    return json.dumps(document, ensure_ascii=True, separators=(",", ":"))
