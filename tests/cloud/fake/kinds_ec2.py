"""EC2's instances, launch templates and volumes, made in moto through boto3.

What moto does not do is done here: an instance takes its launch template's data (moto ignores
most of it), and the ``aws:cloudformation:…`` tags are put on.
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
from tests.cloud.fake.kinds_groups import group_id_of, retag

_RUN_KEYS = names(
    """BlockDeviceMappings CreditSpecification DisableApiTermination EbsOptimized ImageId
    InstanceInitiatedShutdownBehavior InstanceType KeyName MetadataOptions Monitoring
    NetworkInterfaces PrivateIpAddress SecurityGroupIds SubnetId UserData"""
)


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
        asked["SecurityGroupIds"] = [group_id_of(ask, name) for name in by_name]


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
    retag(ask, physical_id)
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
    retag(ask, physical_id)
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
    volume = ec2.describe_volumes(VolumeIds=[properties["VolumeId"]])["Volumes"][0]
    if volume["Attachments"]:
        # moto attaches it twice; EC2 does not (API reference, AttachVolume, VolumeInUse).
        raise ResourceFailedError(f"{volume['VolumeId']} is already attached to an instance")
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
