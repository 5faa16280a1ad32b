"""EC2's resource types, made in moto through boto3.

What moto does not do is done here: an instance takes its launch template's data (moto ignores
most of it), groups by name become ids, and the ``aws:cloudformation:…`` tags are put on.
VolumeInitializationRate is taken out of launch templates and volumes: moto refuses or drops it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from tests.cloud.fake.kinds import (
    Ask,
    Kind,
    Launch,
    Made,
    ResourceFailedError,
    api_input,
    names,
    tag_list,
)

_RUN_KEYS = names(
    """BlockDeviceMappings CreditSpecification DisableApiTermination EbsOptimized ImageId
    InstanceInitiatedShutdownBehavior InstanceType KeyName MetadataOptions Monitoring
    NetworkInterfaces PrivateIpAddress SecurityGroupIds SubnetId UserData"""
)


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
    group_id = _group_id(ask, physical_id)
    for way, key in (("ingress", "SecurityGroupIngress"), ("egress", "SecurityGroupEgress")):
        old, new = before.get(key, []), ask.properties.get(key, [])
        if old == new:
            continue
        gone = [_permission(ask, rule) for rule in old if rule not in new]
        if gone:
            getattr(ec2, f"revoke_security_group_{way}")(GroupId=group_id, IpPermissions=gone)
        _authorize(ask, group_id, way, [rule for rule in new if rule not in old])
    _retag(ask, group_id)
    return Made(physical_id=physical_id)


def _observe_group(ask: Ask, physical_id: str) -> Mapping[str, Any] | None:
    try:
        found = ask.client("ec2").describe_security_groups(GroupIds=[_group_id(ask, physical_id)])
    except ClientError:
        return None
    group = found["SecurityGroups"][0]
    return {
        "GroupDescription": group["Description"],
        "VpcId": group.get("VpcId"),
        "Tags": [tag for tag in group.get("Tags", []) if tag["Key"] not in ask.tags],
    }


def _group_id(ask: Ask, name_or_id: str) -> str:
    if name_or_id.startswith("sg-"):
        return name_or_id
    filters = [{"Name": "group-name", "Values": [name_or_id]}]
    found = ask.client("ec2").describe_security_groups(Filters=filters)["SecurityGroups"]
    if not found:
        raise ResourceFailedError(f"The security group '{name_or_id}' does not exist")
    return str(found[0]["GroupId"])


def _delete_group(ask: Ask, physical_id: str) -> None:
    ask.client("ec2").delete_security_group(GroupId=_group_id(ask, physical_id))


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
        other = _group_id(ask, name)
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
        return _group_id(ask, properties.get("GroupId") or properties["GroupName"])

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


def _retag(ask: Ask, resource_id: str) -> None:
    """Give the resource exactly these tags."""
    ec2 = ask.client("ec2")
    filters = [{"Name": "resource-id", "Values": [resource_id]}]
    there = {tag["Key"]: tag["Value"] for tag in ec2.describe_tags(Filters=filters)["Tags"]}
    wanted = ask.all_tags()
    gone = [{"Key": key} for key in there if key not in wanted and not key.startswith("aws:")]
    if gone:
        ec2.delete_tags(Resources=[resource_id], Tags=gone)
    ec2.create_tags(Resources=[resource_id], Tags=tag_list(wanted))


def _make_launch_template(ask: Ask) -> Made:
    ec2 = ask.client("ec2")
    asked = {
        "LaunchTemplateName": ask.properties.get("LaunchTemplateName", ask.generated_name),
        "LaunchTemplateData": _known_data(ask.properties["LaunchTemplateData"]),
    }
    made = ec2.create_launch_template(**api_input(ec2, "CreateLaunchTemplate", asked))
    template_id = made["LaunchTemplate"]["LaunchTemplateId"]
    ec2.create_tags(Resources=[template_id], Tags=tag_list(_template_tags(ask)))
    return Made(physical_id=template_id, attributes=_versions(template_id, 1))


def _template_tags(ask: Ask) -> dict[str, str]:
    own = [
        tag
        for block in ask.properties.get("TagSpecifications", [])
        if block["ResourceType"] == "launch-template"
        for tag in block["Tags"]
    ]
    return {**ask.tags, **{tag["Key"]: str(tag["Value"]) for tag in own}}


def _versions(template_id: str, latest: int) -> dict[str, str]:
    return {
        "LaunchTemplateId": template_id,
        "LatestVersionNumber": str(latest),
        "DefaultVersionNumber": "1",
    }


def _update_launch_template(ask: Ask, physical_id: str, before: Mapping[str, Any]) -> Made:
    ec2 = ask.client("ec2")
    asked = {
        "LaunchTemplateId": physical_id,
        "LaunchTemplateData": _known_data(ask.properties["LaunchTemplateData"]),
    }
    made = ec2.create_launch_template_version(
        **api_input(ec2, "CreateLaunchTemplateVersion", asked)
    )
    ec2.create_tags(Resources=[physical_id], Tags=tag_list(_template_tags(ask)))
    latest = made["LaunchTemplateVersion"]["VersionNumber"]
    return Made(physical_id=physical_id, attributes=_versions(physical_id, latest))


def _delete_launch_template(ask: Ask, physical_id: str) -> None:
    ask.client("ec2").delete_launch_template(LaunchTemplateId=physical_id)


def _observe_launch_template(ask: Ask, physical_id: str) -> Mapping[str, Any] | None:
    try:
        ask.client("ec2").describe_launch_templates(LaunchTemplateIds=[physical_id])
    except ClientError:
        return None
    return {}


def _known_data(data: Mapping[str, Any]) -> dict[str, Any]:
    """Without what moto does not know (see the module's docstring)."""
    known = dict(data)
    if "BlockDeviceMappings" in known:
        known["BlockDeviceMappings"] = [
            {
                **mapping,
                "Ebs": {
                    key: value
                    for key, value in mapping.get("Ebs", {}).items()
                    if key != "VolumeInitializationRate"
                },
            }
            for mapping in known["BlockDeviceMappings"]
        ]
    return known


def template_data(ask: Ask, reference: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a launch template's version says; {} without one."""
    if reference is None:
        return {}
    key = "LaunchTemplateId" if "LaunchTemplateId" in reference else "LaunchTemplateName"
    found = ask.client("ec2").describe_launch_template_versions(
        **{key: reference[key]}, Versions=[str(reference["Version"])]
    )["LaunchTemplateVersions"]
    if not found:
        raise ResourceFailedError(
            f"Could not find launch template version {reference['Version']} of {reference[key]}"
        )
    return dict(found[0]["LaunchTemplateData"])


def _make_instance(ask: Ask) -> Made:
    ec2 = ask.client("ec2")
    properties = {
        **template_data(ask, ask.properties.get("LaunchTemplate")),
        **{key: value for key, value in ask.properties.items() if key != "LaunchTemplate"},
    }
    asked = {key: value for key, value in properties.items() if key in _RUN_KEYS}
    asked = _known_data(asked)
    user_data = base64.b64decode(asked.pop("UserData", ""))
    if user_data:
        # boto3 encodes it again; latin-1 keeps the bytes as they are.
        asked["UserData"] = user_data.decode("latin-1")
    _groups_to_ids(ask, properties, asked)
    profile = _profile_name(properties)
    if profile:
        _refuse_missing_profile(ask, profile)
        asked["IamInstanceProfile"] = {"Name": profile}
    tags = {**_template_instance_tags(properties), **ask.all_tags()}
    _refuse_tags_in_metadata(properties, tags)
    own = {key: value for key, value in tags.items() if not key.startswith("aws:")}
    if own:
        asked["TagSpecifications"] = [{"ResourceType": "instance", "Tags": tag_list(own)}]
    run = ec2.run_instances(**api_input(ec2, "RunInstances", asked), MinCount=1, MaxCount=1)
    instance_id = run["Instances"][0]["InstanceId"]
    ec2.create_tags(Resources=[instance_id], Tags=tag_list(tags))
    for volume in properties.get("Volumes", []):
        ec2.attach_volume(
            Device=volume["Device"], VolumeId=volume["VolumeId"], InstanceId=instance_id
        )
    made = _instance_made(ask, instance_id)
    ask.launched(
        launch_of(ask, instance_id, properties, user_data, tags, made.attributes["PrivateIp"])
    )
    return made


def launch_of(
    ask: Ask,
    instance_id: str,
    properties: Mapping[str, Any],
    user_data: bytes,
    tags: Mapping[str, str],
    private_ip: str,
) -> Launch:
    """What a rehearsal needs of an instance."""
    return Launch(
        logical_id=ask.logical_id,
        stack_id=ask.stack_id,
        region=ask.region,
        instance_id=instance_id,
        image_id=str(properties.get("ImageId", "")),
        instance_type=str(properties.get("InstanceType", "m1.small")),
        private_ip=private_ip,
        user_data=user_data,
        tags=tags,
        metadata=properties.get("MetadataOptions", {}),
        profile=_profile_name(properties),
        properties=properties,
    )


def _profile_name(properties: Mapping[str, Any]) -> str | None:
    profile = properties.get("IamInstanceProfile")
    if isinstance(profile, Mapping):
        name = profile.get("Name") or profile["Arn"].rpartition("/")[2]
        return str(name)
    return profile


def _refuse_missing_profile(ask: Ask, name: str) -> None:
    """moto launches with a profile that there is not."""
    try:
        ask.client("iam").get_instance_profile(InstanceProfileName=name)
    except ClientError as exc:
        raise ResourceFailedError(
            f"Value ({name}) for parameter iamInstanceProfile.name is invalid. "
            "Invalid IAM Instance Profile name"
        ) from exc


def _refuse_tags_in_metadata(properties: Mapping[str, Any], tags: Mapping[str, str]) -> None:
    """With tags in the metadata only some characters are allowed in keys (EC2 guide)."""
    if properties.get("MetadataOptions", {}).get("InstanceMetadataTags") != "enabled":
        return
    for key in tags:
        if key.startswith("aws:"):
            continue
        if not all(sign.isalnum() or sign in "+-=.,_:@" for sign in key) or key in (".", ".."):
            raise ResourceFailedError(
                f"'{key}' is not a valid tag key. Tag keys must match pattern "
                "([0-9a-zA-Z\\\\-_+=,.@:]{1,255}), and must not be a reserved name"
            )


def _template_instance_tags(properties: Mapping[str, Any]) -> dict[str, str]:
    return {
        tag["Key"]: tag["Value"]
        for block in properties.get("TagSpecifications", [])
        if block["ResourceType"] == "instance"
        for tag in block["Tags"]
    }


def _groups_to_ids(ask: Ask, properties: Mapping[str, Any], asked: dict[str, Any]) -> None:
    if "NetworkInterfaces" in properties and ({"SubnetId", "SecurityGroupIds"} & set(properties)):
        raise ResourceFailedError(
            "Network interfaces and an instance-level subnet ID or security groups may not be "
            "specified on the same request"
        )
    by_name = properties.get("SecurityGroups", [])
    if by_name and "SecurityGroupIds" in properties:
        raise ResourceFailedError(
            "The parameter groupName cannot be used with the parameter subnet"
        )
    if by_name:
        asked["SecurityGroupIds"] = [_group_id(ask, name) for name in by_name]


def _instance_made(ask: Ask, instance_id: str) -> Made:
    found = ask.client("ec2").describe_instances(InstanceIds=[instance_id])
    instance = found["Reservations"][0]["Instances"][0]
    return Made(
        physical_id=instance_id,
        attributes={
            "InstanceId": instance_id,
            "PrivateIp": instance["PrivateIpAddress"],
            "PrivateDnsName": instance["PrivateDnsName"],
            "PublicIp": instance.get("PublicIpAddress", ""),
            "PublicDnsName": instance.get("PublicDnsName", ""),
            "AvailabilityZone": instance["Placement"]["AvailabilityZone"],
            "VpcId": instance.get("VpcId", ""),
        },
    )


def _update_instance(ask: Ask, physical_id: str, before: Mapping[str, Any]) -> Made:
    """In place: another type needs a stop and a start; new user data does not run again."""
    ec2 = ask.client("ec2")
    wanted = ask.properties.get("InstanceType")
    if wanted and wanted != before.get("InstanceType"):
        ec2.stop_instances(InstanceIds=[physical_id])
        ec2.modify_instance_attribute(InstanceId=physical_id, InstanceType={"Value": wanted})
        ec2.start_instances(InstanceIds=[physical_id])
    groups = ask.properties.get("SecurityGroupIds")
    if groups and groups != before.get("SecurityGroupIds"):
        ec2.modify_instance_attribute(InstanceId=physical_id, Groups=groups)
    _retag(ask, physical_id)
    return _instance_made(ask, physical_id)


def _delete_instance(ask: Ask, physical_id: str) -> None:
    ask.client("ec2").terminate_instances(InstanceIds=[physical_id])


def _observe_instance(ask: Ask, physical_id: str) -> Mapping[str, Any] | None:
    try:
        found = ask.client("ec2").describe_instances(InstanceIds=[physical_id])
    except ClientError:
        return None
    instance = found["Reservations"][0]["Instances"][0]
    if instance["State"]["Name"] in ("terminated", "shutting-down"):
        return None
    return {
        "InstanceType": instance["InstanceType"],
        "ImageId": instance["ImageId"],
        "SubnetId": instance.get("SubnetId"),
        "SecurityGroupIds": [group["GroupId"] for group in instance["SecurityGroups"]],
        "Tags": [tag for tag in instance.get("Tags", []) if tag["Key"] not in ask.tags],
    }


def _make_volume(ask: Ask) -> Made:
    ec2 = ask.client("ec2")
    left_out = {"Tags", "AutoEnableIO", "VolumeInitializationRate"}
    asked = {key: value for key, value in ask.properties.items() if key not in left_out}
    volume_id = ec2.create_volume(**api_input(ec2, "CreateVolume", asked))["VolumeId"]
    ec2.create_tags(Resources=[volume_id], Tags=tag_list(ask.all_tags()))
    return Made(physical_id=volume_id, attributes={"VolumeId": volume_id})


def _update_volume(ask: Ask, physical_id: str, before: Mapping[str, Any]) -> Made:
    size, old = int(ask.properties.get("Size", 0)), int(before.get("Size", 0))
    if size < old:
        raise ResourceFailedError("New size cannot be smaller than existing size")
    if size > old:
        ask.client("ec2").modify_volume(VolumeId=physical_id, Size=size)
    _retag(ask, physical_id)
    return Made(physical_id=physical_id)


def _delete_volume(ask: Ask, physical_id: str) -> None:
    ask.client("ec2").delete_volume(VolumeId=physical_id)


def _observe_volume(ask: Ask, physical_id: str) -> Mapping[str, Any] | None:
    try:
        found = ask.client("ec2").describe_volumes(VolumeIds=[physical_id])["Volumes"][0]
    except ClientError:
        return None
    return {"Size": found["Size"], "AvailabilityZone": found["AvailabilityZone"]}


def _make_attachment(ask: Ask) -> Made:
    ec2 = ask.client("ec2")
    properties = ask.properties
    ec2.attach_volume(
        Device=properties["Device"],
        VolumeId=properties["VolumeId"],
        InstanceId=properties["InstanceId"],
    )
    return Made(physical_id=f"{properties['VolumeId']}|{properties['InstanceId']}")


def _delete_attachment(ask: Ask, physical_id: str) -> None:
    volume_id, _, instance_id = physical_id.partition("|")
    ask.client("ec2").detach_volume(VolumeId=volume_id, InstanceId=instance_id)


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
    "AWS::EC2::LaunchTemplate": Kind(
        create=_make_launch_template,
        delete=_delete_launch_template,
        update=_update_launch_template,
        observe=_observe_launch_template,
        attributes=names("LaunchTemplateId LatestVersionNumber DefaultVersionNumber"),
        replaced_by=names("LaunchTemplateName"),
        taggable=True,
    ),
    "AWS::EC2::Instance": Kind(
        create=_make_instance,
        delete=_delete_instance,
        update=_update_instance,
        observe=_observe_instance,
        attributes=names(
            "InstanceId PrivateIp PrivateDnsName PublicIp PublicDnsName AvailabilityZone VpcId"
        ),
        replaced_by=names(
            """AvailabilityZone CpuOptions EnclaveOptions HibernationOptions ImageId KeyName
            LaunchTemplate NetworkInterfaces PlacementGroupName PrivateIpAddress SecurityGroups
            SubnetId"""
        ),
        conditionally_by=names(
            "EbsOptimized InstanceType UserData BlockDeviceMappings SecurityGroupIds Tenancy"
        ),
        taggable=True,
    ),
    "AWS::EC2::Volume": Kind(
        create=_make_volume,
        delete=_delete_volume,
        update=_update_volume,
        observe=_observe_volume,
        attributes=names("VolumeId"),
        # The schema has no create-only property, the type's page says "Updates are not supported"
        # or "Replacement" of these.
        replaced_by=names("AvailabilityZone Encrypted KmsKeyId SnapshotId"),
        taggable=True,
    ),
    "AWS::EC2::VolumeAttachment": Kind(
        create=_make_attachment,
        delete=_delete_attachment,
        replaced_by=names("Device InstanceId VolumeId"),
    ),
}
