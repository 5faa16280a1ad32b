"""Small stacks that bear our tags, made without a create of ours: for what only looks and
destroys."""

from __future__ import annotations

import json
from typing import Any

from greenroom.cloud import cloud_inventory
from greenroom.providers.aws.inventory import AwsInventory
from greenroom.providers.aws.session import Access
from tests.cloud.fake.account import REGION, Account
from tests.cloud.fake.records import Stack

REPORT = json.dumps(
    {
        "phases": [["restore", 12.4], ["checks", 0.3]],
        "notices": ["the disk is nearly full"],
        "restore": {
            "mode": "cold",
            "source": "extract",
            "restore_s": 12.4,
            "verify_s": 1.5,
            "tables": [["photos", 1200, "0123456789abcdef"]],
            "table_count": 1,
            "row_count": 1200,
        },
        "artifact": {"key": "backend-feature_x.tar.gz", "sha256": "ab" * 32, "fallback": False},
    }
)


def tags_of(name: str = "photos/feature-x", **more: str) -> list[dict[str, str]]:
    """What a stack of ours bears."""
    stack, _, slug = name.partition("/")
    tags = {
        "greenroom:stack": stack,
        "greenroom:environment": name,
        "greenroom:branch": slug.replace("-", "_"),
        "greenroom:owner": "ann",
        "greenroom:expires": "2099-01-01T00:00:00+00:00",
        "greenroom:production": "false",
    }
    tags.update({f"greenroom:{key}": value for key, value in more.items()})
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def body(image: str, *, kept: bool = False) -> str:
    """A machine, its group with one rule of its own, and a volume."""
    machine = [{"Key": "greenroom:machine", "Value": "backend1"}]
    volume: dict[str, Any] = {
        "Type": "AWS::EC2::Volume",
        "Properties": {
            "AvailabilityZone": f"{REGION}a",
            "Size": 20,
            "VolumeType": "gp3",
            "Tags": [{"Key": "greenroom:environment", "Value": "photos/feature-x"}, *machine],
        },
    }
    if kept:
        volume["DeletionPolicy"] = "Retain"
    resources = {
        "backendGroup": {
            "Type": "AWS::EC2::SecurityGroup",
            "Properties": {"GroupDescription": "backend", "VpcId": {"Ref": "VpcId"}},
        },
        "backendFromanywhere": {
            "Type": "AWS::EC2::SecurityGroupIngress",
            "Properties": {
                "GroupId": {"Fn::GetAtt": ["backendGroup", "GroupId"]},
                "IpProtocol": "tcp",
                "FromPort": 80,
                "ToPort": 80,
                "CidrIp": "0.0.0.0/0",
            },
        },
        "backend1": {
            "Type": "AWS::EC2::Instance",
            "Properties": {
                "ImageId": image,
                "InstanceType": "t3.small",
                "SecurityGroupIds": [{"Fn::GetAtt": ["backendGroup", "GroupId"]}],
                "Tags": machine,
            },
        },
        "backend1Volume": volume,
    }
    outputs = {
        "backend1Report": {"Value": json.dumps({"backend1": REPORT})},
        "backend1Endpoint": {"Value": "http://api.feature-x.photos.internal"},
    }
    parameters = {"VpcId": {"Type": "AWS::EC2::VPC::Id"}}
    return json.dumps({"Parameters": parameters, "Resources": resources, "Outputs": outputs})


def stand(
    account: Account,
    name: str = "photos/feature-x",
    *,
    tags: list[dict[str, str]] | None = None,
    template: str | None = None,
    wait: bool = True,
    kept: bool = False,
) -> Stack:
    """A stack of ours, at rest."""
    ec2 = account.client("ec2")
    stack = f"greenroom-{name.replace('/', '-')}"
    text = template
    parameters = []
    if text is None:
        image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        text = body(image, kept=kept)
    if "VpcId" in json.loads(text).get("Parameters", {}):
        vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        parameters = [{"ParameterKey": "VpcId", "ParameterValue": vpc}]
    account.client("cloudformation").create_stack(
        StackName=stack,
        TemplateBody=text,
        Parameters=parameters,
        Tags=tags_of(name) if tags is None else tags,
    )
    return account.wait_for(stack) if wait else account.stack(stack)


def group_body(**properties: Any) -> str:
    """One group: the quickest stack there is."""
    resource = {
        "Type": "AWS::EC2::SecurityGroup",
        "Properties": {"GroupDescription": "g", **properties},
    }
    return json.dumps({"Resources": {"baseGroup": resource}})


def looking(account: Account, told: list[str] | None = None) -> AwsInventory:
    """The inventory of the account; its patience takes the account's time, not ours."""
    said = [] if told is None else told
    return cloud_inventory(Access(region=REGION), wait=account.clock.advance, tell=said.append)
