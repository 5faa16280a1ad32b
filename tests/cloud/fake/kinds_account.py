"""Resource types of Route53, Auto Scaling, S3 and logs, made in moto through boto3.

A log group is kept by the fake alone.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from tests.cloud.fake.kinds import Ask, Kind, Made, ResourceFailedError, api_input, names, tag_list
from tests.cloud.fake.kinds_ec2 import launch_of, template_data

# Route53.


def _make_zone(ask: Ask) -> Made:
    route53 = ask.client("route53")
    properties = ask.properties
    vpcs = properties.get("VPCs", [])
    comment = properties.get("HostedZoneConfig", {}).get("Comment", "")
    asked: dict[str, Any] = {
        "Name": properties["Name"],
        "CallerReference": ask.nonce,
        "HostedZoneConfig": {"Comment": comment, "PrivateZone": bool(vpcs)},
    }
    if vpcs:
        asked["VPC"] = vpcs[0]
    zone = route53.create_hosted_zone(**asked)
    zone_id = zone["HostedZone"]["Id"].rpartition("/")[2]
    for vpc in vpcs[1:]:
        route53.associate_vpc_with_hosted_zone(HostedZoneId=zone_id, VPC=vpc)
    _tag_zone(ask, zone_id)
    servers = zone.get("DelegationSet", {}).get("NameServers", [])
    return Made(physical_id=zone_id, attributes={"Id": zone_id, "NameServers": servers})


def _tag_zone(ask: Ask, zone_id: str) -> None:
    own = {tag["Key"]: tag["Value"] for tag in ask.properties.get("HostedZoneTags", [])}
    ask.client("route53").change_tags_for_resource(
        ResourceType="hostedzone",
        ResourceId=zone_id,
        AddTags=tag_list({**ask.all_tags(), **own}),
    )


def _update_zone(ask: Ask, physical_id: str, before: Mapping[str, Any]) -> Made:
    _tag_zone(ask, physical_id)
    return Made(physical_id=physical_id)


def _delete_zone(ask: Ask, physical_id: str) -> None:
    ask.client("route53").delete_hosted_zone(Id=physical_id)


def _zone_of(ask: Ask) -> str:
    if "HostedZoneId" in ask.properties:
        return str(ask.properties["HostedZoneId"])
    wanted = ask.properties["HostedZoneName"]
    for zone in ask.client("route53").list_hosted_zones()["HostedZones"]:
        if zone["Name"] == wanted:
            return str(zone["Id"].rpartition("/")[2])
    raise ResourceFailedError(f"No hosted zones named {wanted} found")


def _record_set(properties: Mapping[str, Any]) -> dict[str, Any]:
    record: dict[str, Any] = {"Name": properties["Name"], "Type": properties["Type"]}
    if "AliasTarget" in properties:
        record["AliasTarget"] = properties["AliasTarget"]
    else:
        record["TTL"] = int(properties["TTL"])
        record["ResourceRecords"] = [{"Value": value} for value in properties["ResourceRecords"]]
    return record


def _change_record(ask: Ask, action: str, properties: Mapping[str, Any]) -> None:
    ask.client("route53").change_resource_record_sets(
        HostedZoneId=_zone_of(ask),
        ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": _record_set(properties)}]},
    )


def _make_record(ask: Ask) -> Made:
    _change_record(ask, "CREATE", ask.properties)
    return Made(physical_id=ask.properties["Name"].rstrip("."))


def _update_record(ask: Ask, physical_id: str, before: Mapping[str, Any]) -> Made:
    if (before["Name"], before["Type"]) != (ask.properties["Name"], ask.properties["Type"]):
        _change_record(ask, "DELETE", before)
    _change_record(ask, "UPSERT", ask.properties)
    return Made(physical_id=ask.properties["Name"].rstrip("."))


def _delete_record(ask: Ask, physical_id: str) -> None:
    _change_record(ask, "DELETE", ask.properties)


def _observe_record(ask: Ask, physical_id: str) -> Mapping[str, Any] | None:
    wanted = _record_set(ask.properties)
    found = ask.client("route53").list_resource_record_sets(
        HostedZoneId=_zone_of(ask), StartRecordName=wanted["Name"]
    )
    for record in found["ResourceRecordSets"]:
        if record["Name"].rstrip(".") == physical_id and record["Type"] == wanted["Type"]:
            return {"ResourceRecords": [one["Value"] for one in record["ResourceRecords"]]}
    return None


# Auto Scaling.


def _make_scaling_group(ask: Ask) -> Made:
    scaling = ask.client("autoscaling")
    name = ask.properties.get("AutoScalingGroupName", ask.generated_name)
    scaling.create_auto_scaling_group(
        **api_input(scaling, "CreateAutoScalingGroup", _scaling_input(ask, name))
    )
    _tell_launches(ask, name)
    return Made(physical_id=name)


def _scaling_input(ask: Ask, name: str) -> dict[str, Any]:
    asked = {
        key: value
        for key, value in ask.properties.items()
        if key not in ("AutoScalingGroupName", "Tags", "VPCZoneIdentifier", "MetricsCollection")
    }
    asked["AutoScalingGroupName"] = name
    if "VPCZoneIdentifier" in ask.properties:
        asked["VPCZoneIdentifier"] = ",".join(ask.properties["VPCZoneIdentifier"])
    own = ask.properties.get("Tags", [])
    inherited = [
        {"Key": key, "Value": value, "PropagateAtLaunch": True}
        for key, value in ask.tags.items()
        if key not in {tag["Key"] for tag in own}
    ]
    asked["Tags"] = [
        {"ResourceId": name, "ResourceType": "auto-scaling-group", **tag}
        for tag in [*own, *inherited]
    ]
    return asked


def _instances_of(ask: Ask, name: str) -> list[str]:
    found = ask.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])
    groups = found["AutoScalingGroups"]
    return [one["InstanceId"] for one in groups[0]["Instances"]] if groups else []


def _tell_launches(ask: Ask, name: str) -> None:
    ec2 = ask.client("ec2")
    data = template_data(ask, ask.properties.get("LaunchTemplate"))
    user_data = base64.b64decode(data.get("UserData", ""))
    for instance_id in _instances_of(ask, name):
        found = ec2.describe_instances(InstanceIds=[instance_id])
        instance = found["Reservations"][0]["Instances"][0]
        own = {
            tag["Key"]: str(tag["Value"])
            for tag in ask.properties.get("Tags", [])
            if tag.get("PropagateAtLaunch")
        }
        tags = {**ask.tags, **own, "aws:autoscaling:groupName": name}
        ec2.create_tags(Resources=[instance_id], Tags=tag_list(tags))
        address = instance["PrivateIpAddress"]
        ask.launched(launch_of(ask, instance_id, data, user_data, tags, address))


def _update_scaling_group(ask: Ask, physical_id: str, before: Mapping[str, Any]) -> Made:
    scaling = ask.client("autoscaling")
    asked = _scaling_input(ask, physical_id)
    del asked["Tags"]
    scaling.update_auto_scaling_group(**api_input(scaling, "UpdateAutoScalingGroup", asked))
    return Made(physical_id=physical_id)


def _delete_scaling_group(ask: Ask, physical_id: str) -> None:
    instances = _instances_of(ask, physical_id)
    ask.client("autoscaling").delete_auto_scaling_group(
        AutoScalingGroupName=physical_id, ForceDelete=True
    )
    if instances:
        ask.client("ec2").terminate_instances(InstanceIds=instances)


def _observe_scaling_group(ask: Ask, physical_id: str) -> Mapping[str, Any] | None:
    found = ask.client("autoscaling").describe_auto_scaling_groups(
        AutoScalingGroupNames=[physical_id]
    )["AutoScalingGroups"]
    if not found:
        return None
    return {"MinSize": str(found[0]["MinSize"]), "MaxSize": str(found[0]["MaxSize"])}


# S3, and what the fake alone keeps.


def _make_bucket(ask: Ask) -> Made:
    name = ask.properties.get("BucketName", ask.generated_name.lower())
    where = (
        {}
        if ask.region == "us-east-1"
        else {"CreateBucketConfiguration": {"LocationConstraint": ask.region}}
    )
    ask.client("s3").create_bucket(Bucket=name, **where)
    return Made(
        physical_id=name,
        attributes={
            "Arn": f"arn:aws:s3:::{name}",
            "DomainName": f"{name}.s3.amazonaws.com",
            "RegionalDomainName": f"{name}.s3.{ask.region}.amazonaws.com",
        },
    )


def _delete_bucket(ask: Ask, physical_id: str) -> None:
    ask.client("s3").delete_bucket(Bucket=physical_id)


def _make_kept(ask: Ask) -> Made:
    return Made(physical_id=ask.generated_name, attributes={"Arn": f"arn:{ask.generated_name}"})


def _update_kept(ask: Ask, physical_id: str, before: Mapping[str, Any]) -> Made:
    return Made(physical_id=physical_id)


KINDS = {
    "AWS::Route53::HostedZone": Kind(
        create=_make_zone,
        delete=_delete_zone,
        update=_update_zone,
        attributes=names("Id NameServers"),
        replaced_by=names("Name"),
        taggable=True,
    ),
    "AWS::Route53::RecordSet": Kind(
        create=_make_record,
        delete=_delete_record,
        update=_update_record,
        observe=_observe_record,
        replaced_by=names("HostedZoneName HostedZoneId"),
    ),
    "AWS::AutoScaling::AutoScalingGroup": Kind(
        create=_make_scaling_group,
        delete=_delete_scaling_group,
        update=_update_scaling_group,
        observe=_observe_scaling_group,
        replaced_by=names("AutoScalingGroupName InstanceId"),
        conditionally_by=names("LaunchTemplate VPCZoneIdentifier MixedInstancesPolicy"),
        taggable=True,
    ),
    "AWS::S3::Bucket": Kind(
        create=_make_bucket,
        delete=_delete_bucket,
        update=_update_kept,
        attributes=names("Arn DomainName RegionalDomainName"),
        replaced_by=names("BucketName"),
    ),
    "AWS::Logs::LogGroup": Kind(
        create=_make_kept,
        update=_update_kept,
        attributes=names("Arn"),
        replaced_by=names("LogGroupName"),
    ),
}
