"""Roles: what the machines of a type may do in the account, and nothing beyond."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from troposphere import Ref
from troposphere.iam import InstanceProfile, Policy, Role

from greenroom.errors import InputError
from greenroom.model.cloud import CloudMachine, CloudStack, ObjectPrefix
from greenroom.model.stack import Machine
from greenroom.providers.aws.template.compiled import Resource, resource_of
from greenroom.providers.aws.template.groups import Grounds

_SESSION_ACTIONS = (
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
)
"""What Session Manager and Run Command need of a machine with an agent of 2024 or later (Systems
Manager guide, "Instance profile for Session Manager"); none of them can be limited to a resource.
"""


def profile_id(grounds: Grounds, machine_type: str) -> str:
    """The logical id of a type's instance profile."""
    return f"{grounds.ids.types[machine_type]}Profile"


def role_resources(grounds: Grounds, zone: object) -> Iterator[Resource]:
    """The profile of each machine type, and its role unless the blueprint names one.

    ``zone`` is the private zone's id, or its Ref. Raises InputError E_AWS_KEY.
    """
    for machine_type in grounds.ids.types:
        machines = [m for m in grounds.cloud.stack.machines if m.type == machine_type]
        for resource in _resources(grounds, machines, zone):
            yield resource_of(resource, home=machine_type)


def _resources(grounds: Grounds, machines: Sequence[Machine], zone: object) -> Iterator[Any]:
    cloud = grounds.cloud
    views = [cloud.machine(machine.name) for machine in machines]
    machine_type = machines[0].type
    role: object = views[0].role
    if role is None:
        role_id = f"{grounds.ids.types[machine_type]}Role"
        boundary = cloud.permissions_boundary
        yield Role(
            role_id,
            Description=f"{cloud.stack.environment}: machine type {machine_type}",
            AssumeRolePolicyDocument=_trust(cloud),
            Policies=[_policy(cloud, machines, views, zone)],
            **({"PermissionsBoundary": boundary} if boundary else {}),
        )
        role = Ref(role_id)
    yield InstanceProfile(profile_id(grounds, machine_type), Roles=[role])


def _trust(cloud: CloudStack) -> dict[str, object]:
    suffix = "amazonaws.com.cn" if cloud.region.startswith("cn-") else "amazonaws.com"
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": f"ec2.{suffix}"},
        "Action": "sts:AssumeRole",
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def _policy(
    cloud: CloudStack, machines: Sequence[Machine], views: Sequence[CloudMachine], zone: object
) -> Any:
    reads = dict.fromkeys(read for view in views for read in view.reads)
    statements = [
        {
            "Sid": "Session",
            "Effect": "Allow",
            "Action": list(_SESSION_ACTIONS),
            "Resource": "*",
        },
        {
            "Sid": "Read",
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Resource": [_object_arn(cloud, read) for read in reads],
        },
        *_name_statements(cloud, machines, views, zone),
    ]
    document = {"Version": "2012-10-17", "Statement": statements}
    return Policy(PolicyName="machine", PolicyDocument=document)


def _name_statements(
    cloud: CloudStack, machines: Sequence[Machine], views: Sequence[CloudMachine], zone: object
) -> Iterator[dict[str, object]]:
    """Machines whose address changes write their own records, and no others."""
    if not views[0].auto_scaling:
        return
    private = sorted({name for machine in machines for name in machine.dns_names})
    yield _records("PrivateNames", cloud, zone, private)
    hosts = [m.endpoint.public_host for m in machines if m.endpoint is not None]
    public = sorted(host for host in hosts if host is not None)
    if public and cloud.public_zone is not None:
        yield _records("PublicNames", cloud, cloud.public_zone.id, public)


def _records(sid: str, cloud: CloudStack, zone: object, names: list[str]) -> dict[str, object]:
    """Conditions as in the Route53 guide, "Using IAM policy conditions for fine-grained access
    control"; names there are in lower case and without the last dot."""
    condition = {
        "route53:ChangeResourceRecordSetsNormalizedRecordNames": names,
        "route53:ChangeResourceRecordSetsRecordTypes": ["A"],
        "route53:ChangeResourceRecordSetsActions": ["UPSERT"],
    }
    prefix = f"arn:{partition_of(cloud.region)}:route53:::hostedzone/"
    arn = prefix + zone if isinstance(zone, str) else {"Fn::Join": ["", [prefix, zone]]}
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Action": "route53:ChangeResourceRecordSets",
        "Resource": arn,
        "Condition": {"ForAllValues:StringEquals": condition},
    }


def _object_arn(cloud: CloudStack, read: ObjectPrefix) -> str:
    """A folder with all that is in it, or exactly one object: ``backend-a`` must not open
    ``backend-ab`` of another branch."""
    folder = read.prefix.endswith("/") or not read.prefix
    key = _literal(read.prefix)
    return f"arn:{partition_of(cloud.region)}:s3:::{read.bucket}/{key}{'*' if folder else ''}"


def _literal(key: str) -> str:
    """A key in a policy's resource, where ``*``, ``?`` and ``$`` mean something: a branch may be
    called so (IAM guide, "Policy variables", special characters)."""
    if not re.fullmatch(r"[ -~\u00a1-\u00ff]*", key):
        raise InputError(
            "E_AWS_KEY",
            f"the object {key!r} has characters that an IAM policy cannot name",
            hint="give the branch a name in Latin letters, or the machines an existing role "
            "(instance_profiles.NAME.role)",
        )
    return re.sub(r"[*?$]", lambda match: f"${{{match[0]}}}", key)


def partition_of(region: str) -> str:
    """The first part of an ARN after ``arn:``."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"
