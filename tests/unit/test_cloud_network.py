"""An environment on AWS keeps standing where it stands."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tests.cloud_stacks import AWS, blueprint, machine, stack_of

from greenroom.app.cloud.draft import lasting_network
from greenroom.errors import RefusedError
from greenroom.model.cloud_account import FoundStack, Network
from greenroom.providers.aws.stacks import parse_stack

NAMED = stack_of(blueprint({"web": machine()}))
_ANYWHERE = {key: value for key, value in AWS.items() if key != "subnets"}
UNNAMED = stack_of(blueprint({"web": machine()}, aws=_ANYWHERE))
NOW = Network(vpc="vpc-1", subnets=("subnet-0", "subnet-2", "subnet-5"))


def standing(vpc: str, subnets: str, status: str = "CREATE_COMPLETE") -> FoundStack:
    return parse_stack(
        {
            "StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/s/1",
            "StackName": "s",
            "StackStatus": status,
            "CreationTime": datetime(2026, 11, 23, tzinfo=UTC),
            "Parameters": [
                {"ParameterKey": "VpcId", "ParameterValue": vpc},
                {"ParameterKey": "SubnetIds", "ParameterValue": subnets},
            ],
        }
    )


def test_a_new_subnet_of_the_vpc_moves_no_machine() -> None:
    found = standing("vpc-1", "subnet-5,subnet-2")
    assert lasting_network(NOW, UNNAMED, found).subnets == ("subnet-5", "subnet-2")


def test_subnets_that_are_gone_are_not_kept() -> None:
    assert lasting_network(NOW, UNNAMED, standing("vpc-1", "subnet-2,subnet-9")).subnets == (
        "subnet-2",
    )
    assert lasting_network(NOW, UNNAMED, standing("vpc-1", "subnet-9")) == NOW


def test_named_subnets_are_those_that_are_named() -> None:
    assert lasting_network(NOW, NAMED, standing("vpc-1", "subnet-5")) == NOW


def test_what_does_not_stand_yet_goes_anywhere() -> None:
    assert lasting_network(NOW, UNNAMED, None) == NOW
    rolled_back = standing("vpc-9", "subnet-9", "ROLLBACK_COMPLETE")
    assert lasting_network(NOW, UNNAMED, rolled_back) == NOW


def test_an_update_does_not_move_to_another_vpc() -> None:
    with pytest.raises(RefusedError) as raised:
        lasting_network(NOW, NAMED, standing("vpc-9", "subnet-9"))
    assert (raised.value.code, raised.value.message) == (
        "E_AWS_VPC",
        "photos/feature-x stands in vpc-9, and aws.vpc means vpc-1 now: an update moves nothing "
        "to another VPC",
    )
