"""What the resolved resources of a CloudFormation stack say, in the local provider's own values.

Pure. A group's name is its id here, so that nothing but the template decides who is meant.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from greenroom.model.stack import IngressRule, PortRange, Protocol, SecurityGroup

_PORTS = PortRange(first=0, last=65535)
_HARMLESS_POLICIES = ("AmazonSSMManagedInstanceCore",)
"""AWS's own policies that allow nothing of S3 (AWS managed policy reference)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A resource that CloudFormation has made: its ``properties`` as they were resolved."""

    logical_id: str
    type: str
    physical_id: str
    properties: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """One direction of a flow: ``peer`` is a group's id or a CIDR; ports None are all."""

    group: str
    protocol: str
    first: int | None
    last: int | None
    peer: str

    def covers(self, other: _Rule) -> bool:
        """Whether all that ``other`` is about is in here, whoever the peers are."""
        if self.protocol not in ("-1", other.protocol):
            return False
        if self.first is None or self.last is None or self.protocol == "-1":
            return True
        if other.first is None or other.last is None:
            return False
        return self.first <= other.first and other.last <= self.last


def groups_of(resources: Iterable[Made]) -> tuple[SecurityGroup, ...]:
    """The security groups, each with what can really come in.

    EC2 lets a packet from a group in if that group may send it as well, so a rule from a group
    counts only if the group's own egress rules have it. Egress to a network says nothing of the
    environment's machines, unless it is the whole world.
    """
    made = list(resources)
    ids = [m.physical_id for m in made if m.type == "AWS::EC2::SecurityGroup"]
    inward, outward = list(_rules(made, "Ingress")), list(_rules(made, "Egress"))
    rules: dict[str, list[IngressRule]] = defaultdict(list)
    for rule in inward:
        if _is_group(rule.peer) and not any(_lets_out(out, rule) for out in outward):
            continue
        rules[rule.group] += _local_rules(rule)
    return tuple(
        SecurityGroup(name=group, description="", ingress=tuple(rules[group]), tags=())
        for group in ids
    )


def _rules(made: Iterable[Made], direction: str) -> Iterator[_Rule]:
    for resource in made:
        if resource.type == "AWS::EC2::SecurityGroup":
            for inline in resource.properties.get(f"SecurityGroup{direction}", []):
                yield _rule(resource.physical_id, inline)
        elif resource.type == f"AWS::EC2::SecurityGroup{direction}":
            yield _rule(resource.properties["GroupId"], resource.properties)


def _rule(group: str, properties: Mapping[str, Any]) -> _Rule:
    peers = ("SourceSecurityGroupId", "DestinationSecurityGroupId", "CidrIp")
    (peer,) = (properties[name] for name in peers if name in properties)
    first, last = properties.get("FromPort"), properties.get("ToPort")
    return _Rule(
        group=group,
        protocol=str(properties["IpProtocol"]),
        first=None if first is None else int(first),
        last=None if last is None else int(last),
        peer=str(peer),
    )


def _lets_out(out: _Rule, rule: _Rule) -> bool:
    return out.group == rule.peer and out.peer in (rule.group, "0.0.0.0/0") and out.covers(rule)


def _local_rules(rule: _Rule) -> Iterator[IngressRule]:
    protocols = tuple(Protocol) if rule.protocol == "-1" else (Protocol(rule.protocol),)
    every = rule.first is None or rule.last is None or rule.protocol == "-1"
    ports = _PORTS if every else PortRange(first=int(rule.first or 0), last=int(rule.last or 0))
    for protocol in protocols:
        if _is_group(rule.peer):
            yield IngressRule(protocol=protocol, ports=ports, group=rule.peer)
        else:
            yield IngressRule(protocol=protocol, ports=ports, network=IPv4Network(rule.peer))


def _is_group(peer: str) -> bool:
    return peer.startswith("sg-")


def addresses_by_name(resources: Iterable[Made]) -> dict[str, set[str]]:
    """The A records, whatever their zone; names without the final dot."""
    found: dict[str, set[str]] = defaultdict(set)
    for resource in resources:
        if resource.type == "AWS::Route53::RecordSet" and resource.properties["Type"] == "A":
            name = resource.properties["Name"].removesuffix(".")
            found[name] |= set(resource.properties["ResourceRecords"])
    return dict(found)


def policies_of(resources: Iterable[Made], profile: str) -> tuple[Mapping[str, Any], ...]:
    """The policy documents of the role behind an instance profile (its name); raises KeyError."""
    made = list(resources)
    (role_name,) = next(
        m.properties["Roles"]
        for m in made
        if m.type == "AWS::IAM::InstanceProfile" and m.physical_id == profile
    )
    role = next(m for m in made if m.type == "AWS::IAM::Role" and m.physical_id == role_name)
    for arn in role.properties.get("ManagedPolicyArns", []):
        assert arn.rpartition("/")[2] in _HARMLESS_POLICIES, f"the rehearsal does not know {arn}"
    inline = [policy["PolicyDocument"] for policy in role.properties.get("Policies", [])]
    attached = [
        m.properties["PolicyDocument"]
        for m in made
        if m.type in ("AWS::IAM::Policy", "AWS::IAM::RolePolicy")
        and role_name in (*m.properties.get("Roles", []), m.properties.get("RoleName"))
    ]
    return (*inline, *attached)
