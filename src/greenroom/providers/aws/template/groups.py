"""Security groups and their rules: one ingress and one egress rule for each declared flow.

The rules are resources of their own, so that two groups may name each other. What a group lets
out is as explicit as what it lets in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from troposphere import GetAtt, Ref, ec2

from greenroom.errors import InputError
from greenroom.model.cloud import CloudStack
from greenroom.model.cloud_account import CloudRule
from greenroom.model.stack import IngressRule, SecurityGroup
from greenroom.providers.aws.tags import GROUP_TAG, PREFIX
from greenroom.providers.aws.template.ami import is_bare
from greenroom.providers.aws.template.compiled import Resource, resource_of
from greenroom.providers.aws.template.names import LogicalIds

VPC_PARAMETER = "VpcId"

ANYWHERE = "0.0.0.0/0"
HTTPS_PORT = 443
HTTP_PORT = 80

_NOBODY = "127.0.0.1/32"
"""A group with no egress rule of its own gets AWS's, which allows everything; one to the loopback
address allows nothing (CloudFormation guide, AWS::EC2::SecurityGroup)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """The environment, and what its groups are called in the template."""

    cloud: CloudStack
    ids: LogicalIds

    def is_own(self, group: str) -> bool:
        """Whether the template makes the group."""
        return group not in self._existing

    def group_id(self, group: str) -> object:
        """The group's id, or what gives it."""
        if group in self._existing:
            return self._existing[group]
        return GetAtt(f"{self.ids.groups[group]}Group", "GroupId")

    def home_of(self, group: str) -> str | None:
        """The machine type that the group is the own one of."""
        return group if group in self.ids.types else None

    def members(self, group: str) -> tuple[str, ...]:
        """The machine types that join the group."""
        machines = self.cloud.stack.machines
        return tuple(dict.fromkeys(m.type for m in machines if group in m.groups))

    @property
    def _existing(self) -> dict[str, str]:
        return {group.name: group.ref for group in self.cloud.existing_groups}


def group_resources(grounds: Grounds) -> Iterator[Resource]:
    """Every group that the template makes, then the rules between them, each once."""
    for group in grounds.cloud.stack.groups:
        if grounds.is_own(group.name):
            yield _group(grounds, group)
    rules = list(_rules(grounds))
    yield from {rule.id: rule for rule in rules}.values()


def _rules(grounds: Grounds) -> Iterator[Resource]:
    for group in grounds.cloud.stack.groups:
        for rule in group.ingress:
            yield _ingress(grounds, group, rule)
            yield from _egress(grounds, group, rule)


def _group(grounds: Grounds, group: SecurityGroup) -> Resource:
    environment = grounds.cloud.stack.environment
    name = f"{environment}/{group.name}"
    tags = {"Name": name, **dict(group.tags), GROUP_TAG: group.name}
    if group.description:
        tags[f"{PREFIX}description"] = group.description
    resource = ec2.SecurityGroup(
        f"{grounds.ids.groups[group.name]}Group",
        # Another description would be another group, and its machines would be replaced.
        GroupDescription=f"{name} of greenroom",
        VpcId=Ref(VPC_PARAMETER),
        SecurityGroupEgress=[_to(each) for each in _outward(grounds, group.name)],
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
    )
    return resource_of(resource, home=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outward:
    """A rule that lets out of the environment; ``port`` None: everything."""

    network: str
    port: int | None
    description: str

    @property
    def protocol(self) -> str:
        """As EC2 writes it."""
        return "-1" if self.port is None else "tcp"


def declared_egress(grounds: Grounds) -> frozenset[CloudRule]:
    """Everything that the template lets out of the groups that it makes, as EC2 will have it."""
    refs = {group.name: group.ref for group in grounds.cloud.existing_groups}
    outward = (
        CloudRule(
            group=group.name,
            protocol=each.protocol,
            first=-1 if each.port is None else each.port,
            last=-1 if each.port is None else each.port,
            source=each.network,
            egress=True,
        )
        for group in grounds.cloud.stack.groups
        if grounds.is_own(group.name)
        for each in _outward(grounds, group.name)
    )
    between = (
        CloudRule(
            group=source,
            protocol=rule.protocol.value,
            first=rule.ports.first,
            last=rule.ports.last,
            source=refs.get(group.name, group.name),
            egress=True,
        )
        for group in grounds.cloud.stack.groups
        for rule in group.ingress
        for source in _origins(grounds, rule)
    )
    return frozenset((*outward, *between))


def _outward(grounds: Grounds, group: str) -> Iterator[_Outward]:
    """What the members of the group may reach outside of the environment."""
    machines = [m for m in grounds.cloud.stack.machines if m.type == group]
    if not machines:
        why = "nothing; the groups of the types have the rules"
        yield _Outward(network=_NOBODY, port=None, description=why)
        return
    why = "S3, Systems Manager, wait condition"
    yield _Outward(network=ANYWHERE, port=HTTPS_PORT, description=why)
    if any(is_bare(grounds.cloud.machine(machine.name).ami) for machine in machines):
        why = "packages of Debian: the AMI is a bare one"
        yield _Outward(network=ANYWHERE, port=HTTP_PORT, description=why)


def _to(rule: _Outward) -> object:
    ports = {} if rule.port is None else {"FromPort": rule.port, "ToPort": rule.port}
    return ec2.SecurityGroupRule(
        CidrIp=rule.network, IpProtocol=rule.protocol, Description=rule.description, **ports
    )


def _ingress(grounds: Grounds, group: SecurityGroup, rule: IngressRule) -> Resource:
    if rule.group is not None:
        source = {"SourceSecurityGroupId": grounds.group_id(rule.group)}
    else:
        source = {"CidrIp": str(rule.network)}
    resource = ec2.SecurityGroupIngress(
        f"{grounds.ids.groups[group.name]}From{_source_id(grounds, rule)}{_traffic_id(rule)}",
        GroupId=grounds.group_id(group.name),
        Description=f"{rule.source} to {group.name}",
        **_traffic(rule),
        **source,
    )
    return resource_of(resource, home=grounds.home_of(group.name))


def _egress(grounds: Grounds, group: SecurityGroup, rule: IngressRule) -> Iterator[Resource]:
    """The other end of the flow."""
    for source in _origins(grounds, rule):
        resource = ec2.SecurityGroupEgress(
            f"{grounds.ids.groups[source]}To{grounds.ids.groups[group.name]}{_traffic_id(rule)}",
            GroupId=grounds.group_id(source),
            DestinationSecurityGroupId=grounds.group_id(group.name),
            Description=f"{source} to {group.name}",
            **_traffic(rule),
        )
        yield resource_of(resource, home=grounds.home_of(source))


def _origins(grounds: Grounds, rule: IngressRule) -> tuple[str, ...]:
    """The groups that the rule lets out. A group that was there before is its owner's: there the
    machines that join it get the rule by their own groups."""
    if rule.group is None:
        return ()
    return (rule.group,) if grounds.is_own(rule.group) else grounds.members(rule.group)


def _traffic(rule: IngressRule) -> dict[str, object]:
    return {
        "IpProtocol": rule.protocol.value,
        "FromPort": rule.ports.first,
        "ToPort": rule.ports.last,
    }


def _source_id(grounds: Grounds, rule: IngressRule) -> str:
    if rule.group is not None:
        return grounds.ids.groups[rule.group]
    return "anywhere" if rule.source == "anywhere" else "Net" + re.sub("[./]", "x", rule.source)


def _traffic_id(rule: IngressRule) -> str:
    return f"{rule.protocol}{rule.ports}".replace("-", "x")


def refuse_groups(cloud: CloudStack) -> None:
    """Raise InputError for what the groups of an environment on AWS cannot be."""
    existing = {group.name: group.ref for group in cloud.existing_groups}
    for name, ref in existing.items():
        if not re.fullmatch(r"sg-[0-9a-f]{8,17}", ref):
            raise InputError(
                "E_AWS_GROUP",
                f"groups.{name}.existing: {ref!r} is not the id of a security group; "
                "in a VPC groups have ids, names are for target classic",
                hint="give its id, such as sg-0123456789abcdef0",
            )
    for group in cloud.stack.groups:
        for rule in group.ingress:
            if rule.everywhere:
                raise InputError(
                    "E_AWS_SHARED",
                    f"the group {group.name!r} admits {rule.source}: rules between environments "
                    "are local only so far",
                    hint=f"take the rule from {rule.group} out of {group.name} for AWS",
                )
            if group.name in existing:
                raise InputError(
                    "E_AWS_GROUP",
                    f"the group {group.name!r} is there already ({existing[group.name]}), and its "
                    f"rule from {rule.source} would change it for everybody who is in it",
                    hint=f"take the rule out of groups.{group.name}, or 'existing'",
                )
