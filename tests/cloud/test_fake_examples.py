"""The templates of both examples, made by the compiler, stand up in the fake and go again."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from greenroom.blueprint.parse import load_blueprint
from greenroom.model.cloud import Target
from greenroom.model.requests import CreateRequest
from greenroom.plan.cloud import CloudAsk, plan_cloud
from greenroom.providers.aws.template import compile_template
from tests.cloud.fake.account import REGION, Account
from tests.cloud.fake.kinds import Launch
from tests.cloud.fake.records import Stack
from tests.cloud.stacks import begin, signal

EXAMPLES = Path(__file__).parents[2] / "examples"
HANDLE = re.compile(rb"https?://[^\s'\"]+/cloudformation-waitcondition-[^\s'\"\\]+")


def signal_success(launch: Launch) -> None:
    """What a machine's agent does at its end."""
    found = HANDLE.search(launch.user_data)
    assert found is not None, launch.user_data
    signal(found.group().decode(), UniqueId=launch.logical_id, Data="{}")


def body_of(example: str, target: Target, **options: Any) -> str:
    """The example's template for the seed's command."""
    path = EXAMPLES / example / "greenroom.yaml"
    restore = (("db", "extract"),)
    request = CreateRequest(
        blueprint=path, machines=("backend", "db", "feed"), branch="feature_x", restore=restore
    )
    now = datetime(2026, 11, 23, tzinfo=UTC)
    ask = CloudAsk(
        agent_sha256="ab" * 32, owner="lars", now=now, taken={}, target=target, **options
    )
    return compile_template(plan_cloud(load_blueprint(path), request, ask), target).body


def network_of(account: Account) -> list[dict[str, str]]:
    """The default VPC and its subnets as parameters."""
    ec2 = account.client("ec2")
    subnets = ec2.describe_subnets()["Subnets"]
    return [
        {"ParameterKey": "VpcId", "ParameterValue": subnets[0]["VpcId"]},
        {
            "ParameterKey": "SubnetIds",
            "ParameterValue": ",".join(subnet["SubnetId"] for subnet in subnets),
        },
    ]


def failures(stack: Stack) -> list[tuple[str, str]]:
    """What failed in the stack, and why."""
    failed = (event for event in stack.events if event.status.endswith("_FAILED"))
    return [(event.logical_id, event.reason) for event in failed]


def test_the_photos_example_boots_and_goes(account: Account) -> None:
    account.on_instance(signal_success)
    before = account.client("ec2").describe_security_groups()["SecurityGroups"]
    begin(
        account,
        body_of("photos", Target.VPC),
        Parameters=network_of(account),
        Capabilities=["CAPABILITY_NAMED_IAM"],
        Tags=[{"Key": "greenroom:stack", "Value": "photos"}],
    )
    stack = account.wait_for("s")
    assert stack.status == "CREATE_COMPLETE", failures(stack)
    machines = {launch.tags["greenroom:machine"] for launch in account.engine.launches}
    assert machines == {"backend1", "db1", "feed1"}
    assert all(launch.metadata["HttpTokens"] == "required" for launch in account.engine.launches)
    assert len(stack.outputs) >= 9
    account.client("cloudformation").delete_stack(StackName="s")
    account.clock.wait(60, lambda: not stack.busy)
    assert stack.status == "DELETE_COMPLETE", stack.reason
    ec2 = account.client("ec2")
    assert ec2.describe_security_groups()["SecurityGroups"] == before
    assert ec2.describe_launch_templates()["LaunchTemplates"] == []


def test_new_user_data_needs_a_new_instance_and_says_so(account: Account) -> None:
    account.on_instance(signal_success)
    given = {
        "Parameters": network_of(account),
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
    }
    body = body_of("photos", Target.VPC)
    begin(account, body, **given)
    assert account.wait_for("s").status == "CREATE_COMPLETE"
    cloudformation = account.client("cloudformation")
    made = cloudformation.create_change_set(
        StackName="s",
        ChangeSetName="again",
        TemplateBody=body.replace("ab" * 32, "cd" * 32),
        **given,
    )
    described = cloudformation.describe_change_set(ChangeSetName=made["Id"])
    changes = {
        change["ResourceChange"]["LogicalResourceId"]: change["ResourceChange"].get("Replacement")
        for change in described["Changes"]
    }
    assert changes["backend1"] == "Conditional", changes


def test_the_seeds_example_boots_and_goes(account: Account) -> None:
    account.on_instance(signal_success)
    iam, ec2 = account.client("iam"), account.client("ec2")
    zone = account.client("route53").create_hosted_zone(Name="eyeem.com", CallerReference="x")
    zone_id = zone["HostedZone"]["Id"].rpartition("/")[2]
    body = body_of("eyeem", Target.CLASSIC, region=REGION).replace("Z3HTG0V9588TAA", zone_id)
    for resource in json.loads(body)["Resources"].values():
        for role in resource.get("Properties", {}).get("Roles", []):
            iam.create_role(RoleName=role, AssumeRolePolicyDocument="{}")
    ec2.create_security_group(GroupName="puppeteers", Description="puppet")
    begin(account, body, Capabilities=["CAPABILITY_NAMED_IAM"])
    stack = account.wait_for("s")
    assert stack.status == "CREATE_COMPLETE", failures(stack)
    account.client("cloudformation").delete_stack(StackName="s")
    account.clock.wait(60, lambda: not stack.busy)
    assert stack.status == "DELETE_COMPLETE", stack.reason


@pytest.mark.parametrize("example", ["photos"])
def test_no_template_asks_for_what_the_fake_leaves_out(account: Account, example: str) -> None:
    document = json.loads(body_of(example, Target.VPC))
    types = {resource["Type"] for resource in document["Resources"].values()}
    assert types <= set(account.engine.kinds)
