"""What is made of an AWS account's answers, without one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from greenroom.app.cloud.compare import rule_differences, state_differences, unverified
from greenroom.app.cloud.evidence import machine_finder
from greenroom.app.cloud.history import last_operation, phases_of, seconds_of
from greenroom.app.cloud.look import status_of
from greenroom.cli.main import wants_json
from greenroom.model.cloud_account import StackEvent
from greenroom.model.cloud_views import (
    CloudStatus,
    Compared,
    DriftKind,
    DriftReport,
    Power,
    SeenInstance,
    SeenResource,
    SeenRule,
    SeenVolume,
)
from greenroom.model.costs import PriceTable, RegionPrices
from greenroom.model.proof import Verdict
from greenroom.plan.running import cost_of_seen
from greenroom.providers.aws.drift import parse_drifts
from greenroom.providers.aws.machine_logs import parse_look
from greenroom.providers.aws.systems_manager import version_of

NOW = datetime(2026, 11, 23, tzinfo=UTC)
NOTHING = Compared(differences=(), unverified=(), compared=())


@pytest.mark.parametrize(
    ("aws", "ours"),
    [
        ("REVIEW_IN_PROGRESS", CloudStatus.PLANNED),
        ("CREATE_IN_PROGRESS", CloudStatus.CREATING),
        ("CREATE_COMPLETE", CloudStatus.READY),
        ("CREATE_FAILED", CloudStatus.FAILED),
        ("ROLLBACK_IN_PROGRESS", CloudStatus.ROLLING_BACK),
        ("ROLLBACK_COMPLETE", CloudStatus.FAILED),
        ("ROLLBACK_FAILED", CloudStatus.FAILED),
        ("UPDATE_IN_PROGRESS", CloudStatus.UPDATING),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", CloudStatus.UPDATING),
        ("UPDATE_COMPLETE", CloudStatus.READY),
        ("UPDATE_FAILED", CloudStatus.FAILED),
        ("UPDATE_ROLLBACK_IN_PROGRESS", CloudStatus.ROLLING_BACK),
        ("UPDATE_ROLLBACK_COMPLETE", CloudStatus.READY),
        ("UPDATE_ROLLBACK_FAILED", CloudStatus.FAILED),
        ("DELETE_IN_PROGRESS", CloudStatus.DESTROYING),
        ("DELETE_FAILED", CloudStatus.FAILED),
    ],
)
def test_each_word_of_cloudformation_has_one_of_ours(aws: str, ours: CloudStatus) -> None:
    assert status_of(aws) is ours


def event(logical_id: str, status: str, second: int, type_: str, reason: str = "") -> StackEvent:
    physical = "stack" if type_ == "AWS::CloudFormation::Stack" else logical_id
    return StackEvent(
        id=f"{logical_id}{second}",
        at=NOW + timedelta(seconds=second),
        stack_id="stack",
        logical_id=logical_id,
        physical_id=physical,
        type=type_,
        status=status,
        reason=reason,
    )


STACK = "AWS::CloudFormation::Stack"


def test_events_become_parts_with_their_times() -> None:
    events = [
        event("s", "CREATE_IN_PROGRESS", 0, STACK),
        event("s", "CREATE_COMPLETE", 1, STACK),
        event("s", "UPDATE_IN_PROGRESS", 10, STACK),
        event("baseGroup", "UPDATE_IN_PROGRESS", 11, "AWS::EC2::SecurityGroup"),
        event("db1", "CREATE_IN_PROGRESS", 12, "AWS::EC2::Instance"),
        event("baseGroup", "UPDATE_COMPLETE", 15, "AWS::EC2::SecurityGroup"),
        event("db1", "CREATE_COMPLETE", 42, "AWS::EC2::Instance"),
        event("db1Ready", "CREATE_IN_PROGRESS", 42, "AWS::CloudFormation::WaitCondition"),
        event("db1Ready", "CREATE_FAILED", 52, "AWS::CloudFormation::WaitCondition", "no data"),
    ]
    last = last_operation(events)
    assert [e.at.second for e in last] == [10, 11, 12, 15, 42, 42, 52]
    told = [
        (p.phase, p.machine, p.seconds, p.message) for p in phases_of(last, machine_finder(["db1"]))
    ]
    assert told == [
        ("network", None, 4.0, ""),
        ("instance", "db1", 30.0, ""),
        ("boot", "db1", 10.0, "db1Ready failed: no data"),
    ]
    assert seconds_of(events, "CREATE_COMPLETE") == 1.0
    assert seconds_of(last, "CREATE_COMPLETE") is None


def test_a_logical_id_belongs_to_the_longest_machine() -> None:
    machine_of = machine_finder(["backend1", "backend11", "my-db1"])
    assert machine_of("backend11Ready") == "backend11"
    assert machine_of("backend1Ready") == "backend1"
    assert machine_of("mydb1Handleab12") == "my-db1"
    assert machine_of("baseGroup") is None


def instance(id_: str, power: Power, logical_id: str = "", public: str = "") -> SeenInstance:
    return SeenInstance(
        id=id_,
        environment="photos/x",
        machine="db1",
        logical_id=logical_id,
        type="t3.small",
        power=power,
        launched_at=NOW,
        private_ip="10.0.0.1",
        public_ip=public,
        image="ami-1",
        groups=(),
        tags={},
    )


def resource(logical_id: str, type_: str, physical_id: str) -> SeenResource:
    return SeenResource(
        logical_id=logical_id,
        physical_id=physical_id,
        type=type_,
        status="CREATE_COMPLETE",
        reason="",
    )


def test_what_detection_does_not_say_is_not_verified() -> None:
    resources = [
        resource("a", "AWS::EC2::SecurityGroup", "sg-1"),
        resource("b", "AWS::Route53::HostedZone", "Z1"),
    ]
    compared = parse_drifts(
        [
            {
                "LogicalResourceId": "a",
                "PhysicalResourceId": "sg-1",
                "ResourceType": "AWS::EC2::SecurityGroup",
                "StackResourceDriftStatus": "MODIFIED",
                "PropertyDifferences": [
                    {
                        "PropertyPath": "/GroupDescription",
                        "ExpectedValue": "base",
                        "ActualValue": "mine",
                        "DifferenceType": "NOT_EQUAL",
                    },
                    {
                        "PropertyPath": "/Tags/3",
                        "ExpectedValue": "null",
                        "ActualValue": "{}",
                        "DifferenceType": "ADD",
                    },
                ],
            },
        ]
    )
    assert [(d.kind, d.where, d.expected, d.actual) for d in compared.differences] == [
        (DriftKind.CHANGED, "/GroupDescription", "base", "mine"),
        (DriftKind.ADDED, "/Tags/3", "", "{}"),
    ]
    (silent,) = unverified(resources, compared, "")
    assert (silent.resource, silent.why) == (
        "b",
        "CloudFormation's drift detection does not support this type",
    )


def test_a_rule_that_no_resource_stands_for_was_added_by_hand() -> None:
    resources = [
        resource("base", "AWS::EC2::SecurityGroup", "sg-1"),
        resource("ours", "AWS::EC2::SecurityGroupIngress", "sgr-1"),
        resource("gone", "AWS::EC2::SecurityGroupIngress", "sgr-2"),
    ]
    rules = [
        SeenRule(id="sgr-1", group="sg-1", words="10.0.0.0/8 to 80 tcp"),
        SeenRule(id="sgr-9", group="sg-1", words="0.0.0.0/0 to 22 tcp"),
    ]
    found = list(rule_differences(resources, rules, NOTHING))
    assert [(d.kind, d.resource, d.actual) for d in found] == [
        (DriftKind.ADDED, "base", "0.0.0.0/0 to 22 tcp (sgr-9)"),
        (DriftKind.MISSING, "gone", "deleted"),
    ]


def test_an_instance_that_does_not_run_differs() -> None:
    resources = [
        resource("db1", "AWS::EC2::Instance", "i-1"),
        resource("web1", "AWS::EC2::Instance", "i-2"),
        resource("api1Scaling", "AWS::AutoScaling::AutoScalingGroup", "asg"),
    ]
    seen = [instance("i-1", Power.STOPPED), instance("i-3", Power.RUNNING, "api1Scaling")]
    assert [(d.resource, d.actual) for d in state_differences(resources, seen, NOTHING)] == [
        ("db1", "stopped"),
        ("web1", "not there"),
    ]


@pytest.mark.parametrize(("compared", "verdict"), [(0, Verdict.NOT_VERIFIED), (3, Verdict.PROVED)])
def test_nothing_compared_proves_nothing(compared: int, verdict: Verdict) -> None:
    report = DriftReport(
        environment="photos/x", at=NOW, differences=(), unverified=(), compared=compared
    )
    assert report.verdict is verdict


def test_what_runs_is_what_costs_and_an_unknown_price_is_unknown() -> None:
    prices = PriceTable(
        regions={
            "eu-west-1": RegionPrices(
                as_of=NOW.date(),
                source="a test",
                instances={"t3.small": Decimal("0.02")},
                volumes={"gp3": Decimal("0.073")},
            )
        },
        public_ipv4_hour_usd=Decimal("0.005"),
        hosted_zone_month_usd=None,
    )
    volume = SeenVolume(
        id="vol-1",
        environment="photos/x",
        machine="db1",
        root=True,
        type="gp3",
        size_gib=10,
        created_at=NOW,
    )
    seen = [instance("i-1", Power.RUNNING, public="1.2.3.4"), instance("i-2", Power.STOPPED)]
    cost = cost_of_seen("eu-west-1", seen, [volume], prices, own_zone=True)
    assert [item.usd for item in cost.items] == [
        Decimal("0.02"),
        Decimal("0.005"),
        Decimal("0.001"),
        None,
    ]
    assert cost.per_hour().usd == Decimal("0.026")
    assert cost.per_day().unknown == ("hosted zone (private)",)
    assert cost_of_seen("us-moon-1", seen, [], prices).per_hour().unknown == (
        "instance (t3.small)",
    )


def test_versions_of_the_plugin_are_compared_as_numbers() -> None:
    assert version_of("1.2.1000.0\n") > version_of("1.2.497.0") > version_of("not a version")


def test_what_is_no_look_at_logs_is_refused() -> None:
    for text in ("", "[]", "traceback"):
        with pytest.raises(ValueError):
            parse_look(text)


def test_the_options_of_aws_do_not_end_those_of_exec() -> None:
    assert wants_json(["exec", "--provider", "aws", "--json", "x", "db1", "true"])
    assert not wants_json(["exec", "--provider", "aws", "x", "db1", "--json"])
