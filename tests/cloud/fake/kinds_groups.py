"""EC2's security groups and their rules, made in moto through boto3.

Groups by name become ids, and a group in use is not deleted: moto does neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from tests.cloud.fake.kinds import Ask, Kind, Made, ResourceFailedError, names, tag_list


def _make_group(ask: Ask) -> Made:
    ec2 = ask.client("ec2")
    properties = ask.properties
    asked = {
        "GroupName": properties.get("GroupName", ask.generated_name),
        "Description": properties["GroupDescription"],
    }
    if "VpcId" in properties:
        asked["VpcId"] = properties["VpcId"]
    group_id = ec2.create_security_group(**asked)["GroupId"]
    ec2.create_tags(Resources=[group_id], Tags=tag_list(ask.all_tags()))
    if "SecurityGroupEgress" in properties:
        everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        ec2.revoke_security_group_egress(GroupId=group_id, IpPermissions=[everything])
    _authorize(ask, group_id, "ingress", properties.get("SecurityGroupIngress", []))
    _authorize(ask, group_id, "egress", properties.get("SecurityGroupEgress", []))
    found = ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"][0]
    attributes = {"GroupId": group_id, "Id": group_id, "VpcId": found.get("VpcId", "")}
    if "VpcId" in properties:
        return Made(physical_id=group_id, attributes=attributes)
    # A group that names no VPC is known by its name, as EC2-Classic's were.
    return Made(physical_id=found["GroupName"], attributes=attributes)


def _update_group(ask: Ask, physical_id: str, before: Mapping[str, Any]) -> Made:
    ec2 = ask.client("ec2")
    group_id = group_id_of(ask, physical_id)
    for way, key in (("ingress", "SecurityGroupIngress"), ("egress", "SecurityGroupEgress")):
        old, new = before.get(key, []), ask.properties.get(key, [])
        if old == new:
            continue
        gone = [_permission(ask, rule) for rule in old if rule not in new]
        if gone:
            getattr(ec2, f"revoke_security_group_{way}")(GroupId=group_id, IpPermissions=gone)
        _authorize(ask, group_id, way, [rule for rule in new if rule not in old])
    retag(ask, group_id)
    return Made(physical_id=physical_id)


def _observe_group(ask: Ask, physical_id: str) -> Mapping[str, Any] | None:
    try:
        found = ask.client("ec2").describe_security_groups(GroupIds=[group_id_of(ask, physical_id)])
    except ClientError:
        return None
    group = found["SecurityGroups"][0]
    return {
        "GroupDescription": group["Description"],
        "VpcId": group.get("VpcId"),
        "Tags": [tag for tag in group.get("Tags", []) if tag["Key"] not in ask.tags],
    }


def group_id_of(ask: Ask, name_or_id: str) -> str:
    if name_or_id.startswith("sg-"):
        return name_or_id
    filters = [{"Name": "group-name", "Values": [name_or_id]}]
    found = ask.client("ec2").describe_security_groups(Filters=filters)["SecurityGroups"]
    if not found:
        raise ResourceFailedError(f"The security group '{name_or_id}' does not exist")
    return str(found[0]["GroupId"])


def _delete_group(ask: Ask, physical_id: str) -> None:
    group_id = group_id_of(ask, physical_id)
    _refuse_in_use(ask, group_id)
    ask.client("ec2").delete_security_group(GroupId=group_id)


def _refuse_in_use(ask: Ask, group_id: str) -> None:
    """moto deletes a group that instances and rules of other groups refer to."""
    ec2 = ask.client("ec2")
    states = ["pending", "running", "stopping", "stopped"]
    instances = ec2.describe_instances(
        Filters=[
            {"Name": "instance.group-id", "Values": [group_id]},
            {"Name": "instance-state-name", "Values": states},
        ]
    )["Reservations"]
    groups = ec2.describe_security_groups(
        Filters=[{"Name": "ip-permission.group-id", "Values": [group_id]}]
    )["SecurityGroups"]
    if instances or any(group["GroupId"] != group_id for group in groups):
        raise ResourceFailedError(
            f'Resource handler returned message: "resource {group_id} has a dependent object '
            f'(Service: Ec2, Status Code: 400, Request ID: {ask.nonce})" '
            f"(RequestToken: {ask.nonce}, HandlerErrorCode: InvalidRequest)"
        )


def _authorize(ask: Ask, group_id: str, way: str, rules: list[Mapping[str, Any]]) -> None:
    if rules:
        permissions = [_permission(ask, rule) for rule in rules]
        call = getattr(ask.client("ec2"), f"authorize_security_group_{way}")
        call(GroupId=group_id, IpPermissions=permissions)


def _permission(ask: Ask, rule: Mapping[str, Any]) -> dict[str, Any]:
    """A rule of CloudFormation's as EC2's API takes it."""
    described = {"Description": rule["Description"]} if "Description" in rule else {}
    permission: dict[str, Any] = {"IpProtocol": str(rule["IpProtocol"])}
    for key in ("FromPort", "ToPort"):
        if key in rule:
            permission[key] = int(rule[key])
    other = rule.get("SourceSecurityGroupId") or rule.get("DestinationSecurityGroupId")
    if name := rule.get("SourceSecurityGroupName"):
        other = group_id_of(ask, name)
    if other:
        permission["UserIdGroupPairs"] = [{"GroupId": other, **described}]
    if "CidrIp" in rule:
        permission["IpRanges"] = [{"CidrIp": rule["CidrIp"], **described}]
    if "CidrIpv6" in rule:
        permission["Ipv6Ranges"] = [{"CidrIpv6": rule["CidrIpv6"], **described}]
    if prefix := rule.get("SourcePrefixListId") or rule.get("DestinationPrefixListId"):
        permission["PrefixListIds"] = [{"PrefixListId": prefix, **described}]
    return permission


def _rule_kind(way: str) -> Kind:
    def group_of(ask: Ask) -> str:
        properties = ask.properties
        return group_id_of(ask, properties.get("GroupId") or properties["GroupName"])

    def make(ask: Ask) -> Made:
        call = getattr(ask.client("ec2"), f"authorize_security_group_{way}")
        permission = _permission(ask, ask.properties)
        made = call(GroupId=group_of(ask), IpPermissions=[permission])
        rules = made.get("SecurityGroupRules") or []
        rule_id = rules[0]["SecurityGroupRuleId"] if rules else ask.generated_name
        return Made(physical_id=rule_id, attributes={"Id": rule_id})

    def delete(ask: Ask, physical_id: str) -> None:
        call = getattr(ask.client("ec2"), f"revoke_security_group_{way}")
        call(GroupId=group_of(ask), IpPermissions=[_permission(ask, ask.properties)])

    def update(ask: Ask, physical_id: str, before: Mapping[str, Any]) -> Made:
        # Only a description changes in place; moto's rule keeps its old one.
        return Made(physical_id=physical_id)

    def observe(ask: Ask, physical_id: str) -> Mapping[str, Any] | None:
        rules = ask.client("ec2").describe_security_group_rules(
            Filters=[{"Name": "group-id", "Values": [group_of(ask)]}]
        )["SecurityGroupRules"]
        found = [rule for rule in rules if rule["SecurityGroupRuleId"] == physical_id]
        return {"IpProtocol": found[0]["IpProtocol"]} if found else None

    return Kind(
        create=make,
        delete=delete,
        update=update,
        observe=observe,
        attributes=names("Id"),
        replaced_by=names(
            """GroupName IpProtocol SourceSecurityGroupId SourcePrefixListId ToPort CidrIp
            SourceSecurityGroupName SourceSecurityGroupOwnerId FromPort GroupId CidrIpv6
            DestinationSecurityGroupId DestinationPrefixListId"""
        ),
    )


def retag(ask: Ask, resource_id: str) -> None:
    """Give the resource exactly these tags."""
    ec2 = ask.client("ec2")
    filters = [{"Name": "resource-id", "Values": [resource_id]}]
    there = {tag["Key"]: tag["Value"] for tag in ec2.describe_tags(Filters=filters)["Tags"]}
    wanted = ask.all_tags()
    gone = [{"Key": key} for key in there if key not in wanted and not key.startswith("aws:")]
    if gone:
        ec2.delete_tags(Resources=[resource_id], Tags=gone)
    ec2.create_tags(Resources=[resource_id], Tags=tag_list(wanted))


KINDS = {
    "AWS::EC2::SecurityGroup": Kind(
        create=_make_group,
        delete=_delete_group,
        update=_update_group,
        observe=_observe_group,
        attributes=names("GroupId Id VpcId"),
        replaced_by=names("GroupDescription GroupName VpcId"),
        taggable=True,
    ),
    "AWS::EC2::SecurityGroupIngress": _rule_kind("ingress"),
    "AWS::EC2::SecurityGroupEgress": _rule_kind("egress"),
}
