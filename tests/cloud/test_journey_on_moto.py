"""The journey of an environment through the command line against moto's own CloudFormation, as
far as it goes.

moto is what others test with; the fake beside it is ours. Each step that moto does not carry is
held to what really happens there, with the reason: the day that moto learns it, the case fails
and is to be written anew.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import boto3
import pytest

from greenroom.app.cloud import connection
from tests.cloud.command import Ran, Run, runner
from tests.cloud.fake.account import REGION, Account
from tests.cloud.fake.server import Server
from tests.cloud.stage import EXAMPLE

SHOP = """\
stack: shop
zone: shop.internal
images:
  web: {packages: [nginx]}
machines:
  web:
    image: web
    ingress: [{port: 80, from: anywhere}]
    aws: {auto_scaling: true}
aws: {region: eu-west-1, bucket: photos-greenroom, vpc: staging}
"""
"""moto launches an instance from a launch template in an Auto Scaling group only."""

BREAKS_DOWN = "500 Internal Server Error"


@pytest.fixture
def run(
    account: Account,
    moto_server: Server,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Run:
    """The CLI in this process, in a folder of its own, on an account that is moto alone; the
    network, the buckets and the AMIs are those that the fake's account is seeded with."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_server.url)
    monkeypatch.setenv("GREENROOM_PROVIDER", "aws")
    monkeypatch.chdir(tmp_path)
    account.log.clear()

    run_command = runner(capfd)

    def run_on_moto(*words: str) -> Ran:
        ran = run_command(*words)
        assert account.log.calls == [], "a call reached the fake"
        return ran

    return run_on_moto


def client(service: str) -> Any:
    """boto3's own, on moto by the environment."""
    return boto3.client(service, region_name=REGION)


def status_of(name: str) -> str:
    """What moto says of a stack."""
    (stack,) = client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    return str(stack["StackStatus"])


def running() -> list[dict[str, Any]]:
    """The account's instances that cost money."""
    return [
        instance
        for reservation in client("ec2").describe_instances()["Reservations"]
        for instance in reservation["Instances"]
        if instance["State"]["Name"] == "running"
    ]


def own_groups() -> list[dict[str, Any]]:
    """The account's security groups without the default one."""
    found = client("ec2").describe_security_groups()["SecurityGroups"]
    return [group for group in found if group["GroupName"] != "default"]


def tags_of(thing: dict[str, Any]) -> dict[str, str]:
    """As a mapping."""
    return {tag["Key"]: tag["Value"] for tag in thing.get("Tags", ())}


def test_a_shop_lives_on_moto_but_for_updates_drift_and_signals(run: Run, tmp_path: Path) -> None:
    blueprint = tmp_path / "greenroom.yaml"
    blueprint.write_text(SHOP)

    planned = run("plan", "--branch", "feature_x", "--json")
    assert planned.code == 0, planned.err
    assert client("cloudformation").describe_stacks()["Stacks"] == []

    # Created: all that the template declares is there. moto waits for no condition, keeps no
    # outputs of a stack that a change set made, and gives what it makes none of the stack's tags,
    # by which greenroom knows the rules: so the proof cannot hold, and greenroom says so.
    created = run("create", "--branch", "feature_x")
    assert created.code == 3
    assert "failed: web1: healthy (it has no instance any more)" in created.out
    assert "(missing: 0.0.0.0/0 to web 80/tcp, web out to 0.0.0.0/0 443/tcp" in created.out
    assert "error E_NOT_PROVED: shop/feature-x runs but is not proved" in created.err
    assert status_of("greenroom-shop-feature-x") == "CREATE_COMPLETE"
    (machine,) = running()
    assert tags_of(machine)["greenroom:machine"] == "web1"
    assert "greenroom:environment" not in tags_of(machine)
    (group,) = own_groups()
    assert [(r["FromPort"], r["IpRanges"][0]["CidrIp"]) for r in group["IpPermissions"]] == [
        (80, "0.0.0.0/0")
    ]
    again = run("create", "--branch", "feature_x")
    assert again.code == 1
    assert re.search(
        r"^error E_ENVIRONMENT_EXISTS: environment shop/feature-x exists ", again.err, re.M
    ), again.err

    # Listed and shown: the stack's own tags carry it; no instance bears them, so none is counted.
    (listed,) = json.loads(run("list", "--json").out)
    assert (listed["name"], listed["status"]) == ("shop/feature-x", "ready")
    assert listed["branch"] == "feature_x"
    assert listed["machines"] == []
    shown = run("show", "feature_x")
    assert shown.code == 0
    assert "shop/feature-x  ready  not verified" in shown.out
    assert re.search(
        r"^web1Scaling +AWS::AutoScaling::AutoScalingGroup +CREATE_COMP", shown.out, re.M
    )

    # moto knows no DetectStackDrift.
    drift = run("drift", "feature_x")
    assert drift.code == 1
    assert (
        "error E_AWS_UNREACHABLE: AWS did not answer cloudformation:DetectStackDrift" in drift.err
    )
    assert BREAKS_DOWN in drift.err

    # moto finds no stack by its id for a change set. greenroom names the id, since a name may be
    # another stack's by now. Nothing has changed after the refusal.
    blueprint.write_text(SHOP.replace("port: 80", "port: 81"))
    updated = run("update", "feature_x")
    assert updated.code == 1
    assert re.search(
        r"^error E_AWS_TEMPLATE: CloudFormation does not take the template of "
        r"greenroom-shop-feature-x: Stack with id arn:\S+ does not exist$",
        updated.err,
        re.M,
    )
    assert [each["IpPermissions"][0]["FromPort"] for each in own_groups()] == [80]
    assert [each["InstanceId"] for each in running()] == [machine["InstanceId"]]

    # Destroyed: stack and machine go. But moto tells no resource's events, so the receipt counts
    # none; and while it deletes it makes a group and a machine anew, without a tag of the
    # environment, so that the account holds what greenroom cannot know of.
    destroyed = run("destroy", "feature_x")
    assert destroyed.code == 0, destroyed.err
    assert re.search(
        r"^shop/feature-x is gone in .*\n  removed    nothing\n  left over  0 left over\n",
        destroyed.out,
    )
    assert client("cloudformation").describe_stacks()["Stacks"] == []
    assert "there is no environment on AWS in eu-west-1" in run("list").out
    (surplus,) = running()
    assert surplus["InstanceId"] != machine["InstanceId"]
    assert "greenroom:environment" not in tags_of(surplus)
    gone = run("destroy", "feature_x")
    assert gone.code == 1
    assert "error E_NO_ENVIRONMENT: there is no environment 'feature_x'" in gone.err


def test_moto_breaks_down_over_an_instance_with_a_launch_template(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    blueprint = ("-f", str(EXAMPLE))
    planned = run("plan", *blueprint, "--branch", "feature_x", "--restore_db", "extract")
    assert planned.code == 0, planned.err
    assert re.search(r"^add +backend1 +AWS::EC2::Instance ", planned.out, re.M)
    assert client("cloudformation").describe_stacks()["Stacks"] == []

    # The change set is made. Its execution breaks down at the first instance; asked again with the
    # same token, as after any answer that was lost, moto calls the stack complete. Greenroom does
    # not: no machine was heard of.
    created = run("create", *blueprint, "--branch", "feature_x", "--restore_db", "extract")
    assert created.code == 3
    assert "photos/feature-x is failed" in created.out
    assert "error E_NOT_PROVED: " in created.err
    assert status_of("greenroom-photos-feature-x") == "CREATE_COMPLETE"
    groups = {tags_of(group)["greenroom:group"] for group in own_groups()}
    assert {"backend", "db", "feed"} <= groups
    assert running() == []

    (listed,) = json.loads(run("list", "--json").out)
    assert (listed["name"], listed["aws_status"]) == ("photos/feature-x", "CREATE_COMPLETE")
    assert (listed["verdict"], listed["machines"]) == ("not verified", [])

    # From here on moto answers no question for the stack's resources: it tries to make them.
    shown = run("show", "feature_x")
    assert shown.code == 1
    assert "did not answer cloudformation:ListStackResources" in shown.err
    updated = run("update", *blueprint, "feature_x")
    assert updated.code == 1
    assert "error E_AWS_TEMPLATE: " in updated.err
    monkeypatch.setattr(connection, "CONNECTION_PATIENCE_S", 0.0)
    destroyed = run("destroy", "feature_x")
    assert destroyed.code == 1
    assert "error E_AWS_CONNECTION_LOST" in destroyed.err
    assert status_of("greenroom-photos-feature-x") == "CREATE_COMPLETE"
