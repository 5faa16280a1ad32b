"""Resource types that the examples do not use as they stand: volumes, Auto Scaling, profiles."""

from __future__ import annotations

import base64
from typing import Any

from tests.cloud.fake.account import Account
from tests.cloud.stacks import begin, group, template

AMI = {"ImageId": "ami-0deb12a0000000000", "InstanceType": "t3.micro"}


def launch_template(**data: Any) -> dict[str, Any]:
    """A launch template whose user data is "#!hello"."""
    text = {"Fn::Base64": "#!hello"}
    given = {"LaunchTemplateData": {**AMI, "UserData": text, **data}}
    return {"Type": "AWS::EC2::LaunchTemplate", "Properties": given}


REFERENCE = {
    "LaunchTemplateId": {"Ref": "lt"},
    "Version": {"Fn::GetAtt": ["lt", "LatestVersionNumber"]},
}


def failures(account: Account) -> list[str | None]:
    """Why resources of the stack failed."""
    events = account.stack("s").events
    return [event.reason for event in events if event.status.endswith("_FAILED")]


def test_a_volume_from_a_snapshot_is_attached(account: Account) -> None:
    ec2 = account.client("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]
    zone = subnet["AvailabilityZone"]
    empty = ec2.create_volume(AvailabilityZone=zone, Size=8)["VolumeId"]
    snapshot = ec2.create_snapshot(VolumeId=empty)["SnapshotId"]
    ec2.delete_volume(VolumeId=empty)
    volume = {
        "Type": "AWS::EC2::Volume",
        "Properties": {
            "AvailabilityZone": {"Fn::GetAtt": ["db", "AvailabilityZone"]},
            "SnapshotId": snapshot,
            "Size": "20",
            "VolumeType": "gp3",
            "Encrypted": True,
            "VolumeInitializationRate": 300,
        },
    }
    attachment = {
        "Type": "AWS::EC2::VolumeAttachment",
        "Properties": {
            "Device": "/dev/sdf",
            "VolumeId": {"Ref": "data"},
            "InstanceId": {"Ref": "db"},
        },
    }
    db = {
        "Type": "AWS::EC2::Instance",
        "Properties": {"LaunchTemplate": REFERENCE, "SubnetId": subnet["SubnetId"]},
    }
    resources = {"lt": launch_template(), "db": db, "data": volume, "attach": attachment}
    begin(account, template(resources))
    stack = account.wait_for("s")
    assert stack.status == "CREATE_COMPLETE", failures(account)
    filters = [{"Name": "tag:aws:cloudformation:logical-id", "Values": ["data"]}]
    found = ec2.describe_volumes(Filters=filters)["Volumes"][0]
    assert (found["Size"], found["SnapshotId"]) == (20, snapshot)
    assert found["Attachments"][0]["InstanceId"] == stack.resources["db"].physical_id
    account.client("cloudformation").delete_stack(StackName="s")
    assert account.clock.wait(60, lambda: stack.status == "DELETE_COMPLETE"), failures(account)
    assert ec2.describe_volumes(Filters=filters)["Volumes"] == []


def test_an_auto_scaling_group_launches_and_takes_its_instances_along(account: Account) -> None:
    ec2 = account.client("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    scaling = {
        "Type": "AWS::AutoScaling::AutoScalingGroup",
        "Properties": {
            "MinSize": "1",
            "MaxSize": "1",
            "VPCZoneIdentifier": [subnet],
            "LaunchTemplate": REFERENCE,
            "Tags": [{"Key": "greenroom:machine", "Value": "web1", "PropagateAtLaunch": True}],
        },
    }
    begin(account, template({"lt": launch_template(), "web": scaling}))
    stack = account.wait_for("s")
    assert stack.status == "CREATE_COMPLETE", failures(account)
    (launch,) = account.engine.launches
    assert launch.user_data == b"#!hello"
    filters = [{"Name": "tag:greenroom:machine", "Values": ["web1"]}]
    found = ec2.describe_instances(Filters=filters)["Reservations"][0]["Instances"][0]
    assert found["InstanceId"] == launch.instance_id
    account.client("cloudformation").delete_stack(StackName="s")
    assert account.clock.wait(60, lambda: stack.status == "DELETE_COMPLETE"), failures(account)
    found = ec2.describe_instances(InstanceIds=[launch.instance_id])["Reservations"][0]
    assert found["Instances"][0]["State"]["Name"] == "terminated"


def test_a_launch_templates_new_version_replaces_its_instance(account: Account) -> None:
    one = {"Type": "AWS::EC2::Instance", "Properties": {"LaunchTemplate": REFERENCE}}
    begin(account, template({"lt": launch_template(), "one": one}))
    stack = account.wait_for("s", "CREATE_COMPLETE")
    before = stack.resources["one"].physical_id
    changed = launch_template(UserData={"Fn::Base64": "#!other"})
    account.client("cloudformation").update_stack(
        StackName="s", TemplateBody=template({"lt": changed, "one": one})
    )
    account.wait_for("s", "UPDATE_COMPLETE")
    assert stack.resources["one"].physical_id != before
    assert [launch.user_data for launch in account.engine.launches] == [b"#!hello", b"#!other"]
    states = {
        instance["InstanceId"]: instance["State"]["Name"]
        for one in account.client("ec2").describe_instances()["Reservations"]
        for instance in one["Instances"]
    }
    assert states[before or ""] == "terminated"


def test_user_data_reaches_the_instance_to_the_byte(account: Account) -> None:
    data = bytes(range(32, 127)).decode() + "\n\ttail"
    one = {
        "Type": "AWS::EC2::Instance",
        "Properties": {**AMI, "UserData": base64.b64encode(data.encode()).decode()},
    }
    begin(account, template({"one": one}))
    stack = account.wait_for("s", "CREATE_COMPLETE")
    assert account.engine.launches[0].user_data == data.encode()
    kept = account.client("ec2").describe_instance_attribute(
        InstanceId=stack.resources["one"].physical_id, Attribute="userData"
    )
    assert base64.b64decode(kept["UserData"]["Value"]) == data.encode()


def test_a_tag_that_metadata_cannot_show_fails_the_launch(account: Account) -> None:
    options = {"InstanceMetadataTags": "enabled", "HttpTokens": "required"}
    one = {
        "Type": "AWS::EC2::Instance",
        "Properties": {
            "LaunchTemplate": REFERENCE,
            "Tags": [{"Key": "a/b", "Value": "1"}],
        },
    }
    begin(account, template({"lt": launch_template(MetadataOptions=options), "one": one}))
    account.wait_for("s", "ROLLBACK_COMPLETE")
    assert "'a/b' is not a valid tag key." in str(failures(account))


def test_a_group_in_use_is_not_deleted(account: Account) -> None:
    ec2 = account.client("ec2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    begin(account, template({"one": group("1", VpcId=vpc)}))
    stack = account.wait_for("s", "CREATE_COMPLETE")
    ec2.run_instances(
        ImageId=AMI["ImageId"],
        MinCount=1,
        MaxCount=1,
        SecurityGroupIds=[stack.resources["one"].physical_id],
    )
    account.client("cloudformation").delete_stack(StackName="s")
    account.wait_for("s", "DELETE_FAILED")
    assert "has a dependent object" in str(failures(account)[0])


def test_a_zone_with_foreign_records_is_not_deleted(account: Account) -> None:
    vpc = account.client("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
    zone = {
        "Type": "AWS::Route53::HostedZone",
        "Properties": {"Name": "a.internal", "VPCs": [{"VPCId": vpc, "VPCRegion": "eu-west-1"}]},
    }
    begin(account, template({"zone": zone}))
    stack = account.wait_for("s", "CREATE_COMPLETE")
    record = {
        "Name": "x.a.internal",
        "Type": "A",
        "TTL": 60,
        "ResourceRecords": [{"Value": "10.0.0.1"}],
    }
    account.client("route53").change_resource_record_sets(
        HostedZoneId=stack.resources["zone"].physical_id,
        ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]},
    )
    account.client("cloudformation").delete_stack(StackName="s")
    account.wait_for("s", "DELETE_FAILED")
    assert "contains resource records" in str(failures(account)[0])


def test_an_unknown_property_is_refused_in_the_resource(account: Account) -> None:
    begin(account, template({"one": {"Type": "AWS::EC2::Volume", "Properties": {"Sise": 1}}}))
    account.wait_for("s", "ROLLBACK_COMPLETE")
    assert failures(account) == ["Encountered unsupported property Sise"]


def test_five_hundred_resources_are_quick(account: Account) -> None:
    handles = {f"h{n}": {"Type": "AWS::CloudFormation::WaitConditionHandle"} for n in range(500)}
    begin(account, template(handles))
    account.wait_for("s", "CREATE_COMPLETE", timeout_s=20)
    pages = account.client("cloudformation").get_paginator("list_stack_resources")
    found = [len(one["StackResourceSummaries"]) for one in pages.paginate(StackName="s")]
    assert found == [100] * 5
