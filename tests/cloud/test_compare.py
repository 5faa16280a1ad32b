"""``drift`` on AWS: what is not as declared, and what nobody could compare."""

from __future__ import annotations

import json

import pytest

from greenroom.app.cloud.compare import Comparer, compare
from greenroom.app.cloud.look import find
from greenroom.errors import RefusedError
from greenroom.model.cloud_views import DriftKind, DriftReport
from greenroom.model.proof import Verdict
from tests.cloud.fake.account import Account
from tests.cloud.standing import group_body, looking, stand


def compared(account: Account) -> DriftReport:
    inventory = looking(account)
    comparer = Comparer(inventory=inventory, pause=account.clock.advance)
    return compare(comparer, find(inventory, None, None))


def test_what_is_as_declared_has_no_difference(account: Account) -> None:
    stand(account)
    report = compared(account)
    assert report.differences == ()
    assert report.compared + len(report.unverified) == 4
    assert report.verdict is (Verdict.NOT_VERIFIED if report.unverified else Verdict.PROVED)


def test_what_hands_have_changed_is_named_each(account: Account) -> None:
    stack = stand(account)
    ec2 = account.client("ec2")
    group = stack.resources["backendGroup"].physical_id
    instance = stack.resources["backend1"].physical_id
    ec2.stop_instances(InstanceIds=[instance])
    added = ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": 22,
                "ToPort": 22,
                "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
            }
        ],
    )["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    found = {
        (each.kind, each.resource, each.where, each.expected, each.actual)
        for each in compared(account).differences
    }
    assert (
        DriftKind.ADDED,
        "backendGroup",
        "ingress",
        "",
        f"0.0.0.0/0 to 22 tcp ({added})",
    ) in found
    assert (DriftKind.STATE, "backend1", "state", "running", "stopped") in found


def test_what_hands_have_removed_is_missing(account: Account) -> None:
    stack = stand(account)
    ec2 = account.client("ec2")
    ec2.revoke_security_group_ingress(
        GroupId=stack.resources["backendGroup"].physical_id,
        SecurityGroupRuleIds=[stack.resources["backendFromanywhere"].physical_id],
    )
    ec2.terminate_instances(InstanceIds=[stack.resources["backend1"].physical_id])
    report = compared(account)
    assert report.verdict is Verdict.FAILED
    named = {(each.resource, each.actual) for each in report.differences}
    assert ("backendFromanywhere", "deleted") in named
    assert {actual for resource, actual in named if resource == "backend1"} & {
        "deleted",
        "terminated",
    }


def test_a_stack_that_moves_is_not_compared(account: Account) -> None:
    stack = stand(account, template=group_body())
    stack.status = "UPDATE_IN_PROGRESS"
    with pytest.raises(RefusedError) as raised:
        compared(account)
    stack.status = "UPDATE_COMPLETE"
    assert (raised.value.code, raised.value.message) == (
        "E_AWS_BUSY",
        "photos/feature-x is moving (UPDATE_IN_PROGRESS): there is nothing to compare with yet",
    )


def test_nested_stacks_are_compared_too(account: Account) -> None:
    account.client("s3").put_object(
        Bucket="photos-greenroom", Key="nested.json", Body=group_body().encode()
    )
    url = f"{account.url}/photos-greenroom/nested.json"
    nested = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}
    stand(account, template=json.dumps({"Resources": {"typesStack": nested}}))
    report = compared(account)
    assert report.compared >= 1
    assert ("baseGroup", "its rules: CloudFormation knows the group by its name only") in {
        (each.resource, each.why) for each in report.unverified
    }
    assert report.differences == ()
