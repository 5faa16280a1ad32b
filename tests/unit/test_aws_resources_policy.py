"""The policy for what CloudFormation does on somebody's behalf, against AWS's own registry.

Each resource type of CloudFormation's registry says which permissions its handlers need; cfn-lint
carries the registry's schemas. What of that the policy leaves out, and what it has beyond it, is
listed here with the reason.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from greenroom.blueprint.parse import parse_blueprint
from greenroom.model.requests import CreateRequest
from greenroom.plan.cloud import CloudAsk, plan_cloud
from greenroom.providers.aws.template import compile_template

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PHOTOS = ROOT / "examples" / "photos" / "greenroom.yaml"
POLICY = DOCS / "aws-resources-policy.json"
REGION = "eu-west-1"
SIZE_MAX = 6144
"""Characters of a managed policy without white space (IAM guide, "IAM and AWS STS quotas")."""

TYPES = (
    "AWS::AutoScaling::AutoScalingGroup",
    "AWS::CloudFormation::Stack",
    "AWS::CloudFormation::WaitCondition",
    "AWS::CloudFormation::WaitConditionHandle",
    "AWS::EC2::Instance",
    "AWS::EC2::LaunchTemplate",
    "AWS::EC2::SecurityGroup",
    "AWS::EC2::SecurityGroupEgress",
    "AWS::EC2::SecurityGroupIngress",
    "AWS::EC2::Volume",
    "AWS::EC2::VolumeAttachment",
    "AWS::IAM::InstanceProfile",
    "AWS::IAM::Role",
    "AWS::Route53::HostedZone",
    "AWS::Route53::RecordSet",
)
"""All that target vpc is made of."""

LEFT_OUT = {
    "autoscaling:*InstanceRefresh": "groups are updated by CloudFormation's rolling update",
    "autoscaling:*LifecycleHook": "there are none",
    "autoscaling:*MetricsCollection": "not switched on",
    "autoscaling:*NotificationConfiguration": "not set",
    "autoscaling:Attach*": "there are no load balancers",
    "autoscaling:Detach*": "there are no load balancers",
    "cloudformation:SetStackPolicy": "nested stacks have no policy",
    "cloudformation:GetStackPolicy": "nested stacks have no policy",
    "cloudformation:UpdateTerminationProtection": "a nested stack takes its parent's",
    "cloudwatch:*": "there are no alarms",
    "ec2:*IamInstanceProfile*": "a profile comes with the launch template, and is never changed",
    "ec2:CopyVolumes": "volumes are not copied",
    "ec2:CreateSnapshot": "no resource has the deletion policy Snapshot",
    "ec2:Get*": "asked for capacity reservations and spot prices, which are not used",
    "ec2:ModifyInstance*": "what such calls change comes with the launch template, so a new one",
    "ec2:ModifyPrivateDnsNameOptions": "not set",
    "ec2:MonitorInstances": "detailed monitoring is not used",
    "ec2:UnmonitorInstances": "detailed monitoring is not used",
    "elasticloadbalancing:*": "there are no load balancers",
    "iam:AttachRolePolicy": "roles have inline policies only",
    "iam:DetachRolePolicy": "roles have inline policies only",
    "kms:*": "volumes are encrypted with AWS's own key, which EC2 may use for everybody",
    "managed-fleets:*": "not used",
    "route53:*QueryLoggingConfig": "queries are not logged",
    "route53:UpdateHostedZoneFeatures": "no features are set",
    "ssm:Get[*]": "of these GetParameters is enough: EC2 looks the AMI's parameter up",
    "ssm:*Association*": "instances have no associations of State Manager",
    "vpc-lattice:*": "not used",
}
BEYOND = {
    "s3:GetObject": "CloudFormation reads the templates of nested stacks for whoever asks",
}


@cache
def permissions() -> dict[str, frozenset[str]]:
    """What the handlers of each type need to create, read, update and delete."""
    # Found, not imported: importing it takes a second.
    found_at = find_spec("cfnlint")
    assert found_at is not None and found_at.origin is not None
    schemas = Path(found_at.origin).parent / "data" / "schemas"
    files = json.loads((schemas / "providers" / f"{REGION}.json").read_text())
    found: dict[str, frozenset[str]] = {}
    for name in TYPES:
        schema = json.loads((schemas / "resources" / f"{files[name]}.json").read_text())
        handlers: dict[str, Any] = schema.get("handlers", {})
        found[name] = frozenset(
            permission
            for handler_name, handler in handlers.items()
            if handler_name != "list"
            for permission in handler.get("permissions", ())
        )
    return found


def actions_of(path: Path) -> list[str]:
    return [action for statement in statements_of(path) for action in listed(statement["Action"])]


def statements_of(path: Path) -> list[dict[str, Any]]:
    document = json.loads(path.read_text())
    assert document["Version"] == "2012-10-17"
    statements: list[dict[str, Any]] = document["Statement"]
    return statements


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def covers(pattern: str, action: str) -> bool:
    return fnmatchcase(action, pattern)


def reason_for(action: str) -> str | None:
    return next((why for pattern, why in LEFT_OUT.items() if covers(pattern, action)), None)


def needed() -> Iterator[tuple[str, str]]:
    for resource_type in TYPES:
        for permission in sorted(permissions()[resource_type]):
            yield resource_type, permission


def compiled_types() -> set[str]:
    """The types of every shape that a machine can have; nested stacks need a bigger blueprint."""
    text = PHOTOS.read_text()
    scaled = text.replace("    image: web\n", "    image: web\n    aws: {auto_scaling: true}\n")
    assert scaled != text
    types = set()
    for branch in ("feature_x", "master"):
        blueprint = parse_blueprint(scaled, PHOTOS)
        request = CreateRequest(blueprint=PHOTOS, branch=branch)
        now = datetime(2026, 11, 23, tzinfo=UTC)
        ask = CloudAsk(agent_sha256="ab" * 32, owner="lars", now=now, taken={})
        template = json.loads(compile_template(plan_cloud(blueprint, request, ask)).body)
        types |= {resource["Type"] for resource in template["Resources"].values()}
    return types


def test_the_types_are_those_of_the_templates() -> None:
    assert compiled_types() == set(TYPES) - {"AWS::CloudFormation::Stack"}


def test_the_registry_knows_every_type_and_says_what_most_of_them_need() -> None:
    assert set(permissions()) == set(TYPES)
    silent = [name for name in TYPES if not permissions()[name]]
    assert silent == [
        "AWS::CloudFormation::WaitCondition",
        "AWS::CloudFormation::WaitConditionHandle",
    ]


def test_the_policy_allows_what_the_registry_lists_but_for_what_is_left_out_with_a_reason() -> None:
    allowed = actions_of(POLICY)
    missing = [
        f"{permission} ({resource_type})"
        for resource_type, permission in needed()
        if not any(covers(pattern, permission) for pattern in allowed)
        and reason_for(permission) is None
    ]
    assert missing == []


def test_the_policy_allows_nothing_that_no_handler_needs() -> None:
    wanted = {permission for _, permission in needed()}
    idle = [
        pattern
        for pattern in actions_of(POLICY)
        if not any(covers(pattern, each) or covers(each, pattern) for each in wanted)
    ]
    assert idle == list(BEYOND)


def test_nothing_is_left_out_that_is_allowed_or_that_nobody_needs() -> None:
    allowed = actions_of(POLICY)
    wanted = {permission for _, permission in needed()}
    stale = [
        pattern
        for pattern in LEFT_OUT
        if not any(covers(pattern, each) for each in wanted)
        or any(covers(pattern, each) for each in allowed)
    ]
    assert stale == []


@pytest.mark.parametrize("name", ["aws-operator-policy.json", "aws-resources-policy.json"])
def test_a_policy_fits_into_a_managed_policy_and_names_each_action_once(name: str) -> None:
    path = DOCS / name
    compact = json.dumps(json.loads(path.read_text()), separators=(",", ":"))
    assert len(compact) <= SIZE_MAX
    sids = [statement["Sid"] for statement in statements_of(path)]
    assert len(set(sids)) == len(sids)
    for statement in statements_of(path):
        actions = listed(statement["Action"])
        assert actions == sorted(set(actions), key=str.casefold), statement["Sid"]
        assert all(":" in action and action != "*" for action in actions)


def test_rights_over_roles_end_at_those_that_begin_with_our_name() -> None:
    for statement in statements_of(POLICY):
        for action in listed(statement["Action"]):
            if action.startswith("iam:") and action != "iam:CreateServiceLinkedRole":
                resources = listed(statement["Resource"])
                assert all("/greenroom-*" in arn for arn in resources), action
