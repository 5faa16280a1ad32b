"""What a test can break, as boto3 and botocore's retries see it."""

from __future__ import annotations

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError
from botocore.parsers import ResponseParserError

from tests.cloud.fake.account import Account
from tests.cloud.stacks import WAIT, begin, group, handle_url, signal, template

ONE = template({"one": group()})


def test_throttling_ends_after_so_many_calls(account: Account) -> None:
    fault = account.faults.throttle("cloudformation:DescribeStacks", times=2)
    describe = account.client("cloudformation").describe_stacks
    for _ in range(2):
        with pytest.raises(ClientError, match=r"\(Throttling\).*Rate exceeded"):
            describe()
    assert describe()["Stacks"] == []
    assert fault.hits == 2


def test_throttling_ends_after_a_time(account: Account) -> None:
    account.faults.throttle(seconds=300)
    describe = account.client("cloudformation").describe_stacks
    with pytest.raises(ClientError, match="Throttling"):
        describe()
    account.clock.advance(301)
    assert describe()["Stacks"] == []


def test_botocores_own_retries_get_over_it(account: Account) -> None:
    account.faults.throttle(times=2)
    config = Config(retries={"mode": "standard", "total_max_attempts": 4})
    cloudformation = boto3.client("cloudformation", config=config)
    assert cloudformation.describe_stacks()["Stacks"] == []
    assert account.log.counts("cloudformation") == {"cloudformation:DescribeStacks": 3}


def test_a_denial_names_who_what_and_where(account: Account) -> None:
    account.faults.deny("cloudformation:CreateChangeSet")
    with pytest.raises(ClientError) as caught:
        begin(account, ONE)
    assert caught.value.response["Error"] == {
        "Type": "Sender",
        "Code": "AccessDenied",
        "Message": "User: arn:aws:iam::123456789012:user/ci is not authorized to perform: "
        "cloudformation:CreateChangeSet on resource: "
        "arn:aws:cloudformation:eu-west-1:123456789012:stack/s/* because no identity-based "
        "policy allows the cloudformation:CreateChangeSet action",
    }


def test_other_services_are_broken_in_their_own_protocols(account: Account) -> None:
    account.faults.deny("ec2:DescribeVpcs")
    account.faults.deny("s3:PutObject")
    account.faults.deny("ssm:GetParameter")
    account.faults.deny("route53:ListHostedZones")
    calls = {
        "UnauthorizedOperation": lambda: account.client("ec2").describe_vpcs(),
        "AccessDenied": lambda: account.client("s3").put_object(
            Bucket="photos-code", Key="k", Body=b"x"
        ),
    }
    for code, call in calls.items():
        with pytest.raises(ClientError, match=code):
            call()
    with pytest.raises(ClientError, match=r"AccessDenied.*parameter/a/b"):
        account.client("ssm").get_parameter(Name="/a/b")
    with pytest.raises(ClientError, match=r"AccessDenied.*route53:ListHostedZones"):
        account.client("route53").list_hosted_zones()


def test_faults_do_not_hit_cloudformations_own_calls(account: Account) -> None:
    account.faults.deny("ec2:*")
    begin(account, ONE)
    account.wait_for("s", "CREATE_COMPLETE")


def test_an_expired_token_is_told(account: Account) -> None:
    account.faults.expire_token()
    with pytest.raises(ClientError, match=r"\(ExpiredToken\).*security token .* is expired"):
        account.client("sts").get_caller_identity()


def test_a_cut_answer_may_have_had_its_effect(account: Account) -> None:
    account.faults.cut("cloudformation:CreateChangeSet")
    with pytest.raises(ConnectionClosedError):
        begin(account, ONE)
    stack = account.client("cloudformation").describe_stacks(StackName="s")["Stacks"][0]
    assert stack["StackStatus"] == "REVIEW_IN_PROGRESS"


def test_half_an_answer_is_a_parsers_error(account: Account) -> None:
    account.faults.cut("cloudformation:DescribeStacks", half=True)
    with pytest.raises(ResponseParserError, match="invalid XML received"):
        account.client("cloudformation").describe_stacks()


def test_a_call_cut_early_had_none(account: Account) -> None:
    account.faults.cut("cloudformation:CreateChangeSet", late=False)
    with pytest.raises(ConnectionClosedError):
        begin(account, ONE)
    assert account.client("cloudformation").describe_stacks()["Stacks"] == []


def test_the_account_may_be_away_for_a_while(account: Account) -> None:
    fault = account.faults.go_away()
    with pytest.raises(ConnectionClosedError):
        account.client("ec2").describe_vpcs()
    account.faults.mend(fault)
    assert len(account.client("ec2").describe_vpcs()["Vpcs"]) == 1


def test_a_new_stack_may_be_invisible_at_first(account: Account) -> None:
    account.faults.hide_new_stacks(describes=2)
    stack_id = begin(account, ONE)
    describe = account.client("cloudformation").describe_stacks
    for _ in range(2):
        with pytest.raises(ClientError, match="does not exist"):
            describe(StackName=stack_id)
    assert describe(StackName=stack_id)["Stacks"][0]["StackId"] == stack_id


def test_an_instance_may_not_be_found_at_first(account: Account) -> None:
    account.faults.refuse(
        "ec2:DescribeInstances", "InvalidInstanceID.NotFound", "The instance ID does not exist"
    )
    with pytest.raises(ClientError, match=r"InvalidInstanceID\.NotFound"):
        account.client("ec2").describe_instances()
    assert account.client("ec2").describe_instances()["Reservations"] == []


def test_the_first_signal_of_an_id_counts(account: Account) -> None:
    conditions = {**WAIT, "w": {**WAIT["w"], "Properties": {**WAIT["w"]["Properties"], "Count": 2}}}
    begin(account, template(conditions))
    url = handle_url(account)
    signal(url, UniqueId="a", Data="1")
    signal(url, UniqueId="a", Data="2", Status="FAILURE")
    assert account.stack("s").status == "CREATE_IN_PROGRESS"
    signal(url, UniqueId="b", Data="3")
    stack = account.wait_for("s", "CREATE_COMPLETE")
    assert stack.resources["w"].attributes["Data"] == '{"a":"1","b":"3"}'
    handle = account.engine.handles.find(url)
    assert handle is not None
    assert handle.ignored == ["a second signal of a"]


def test_a_late_signal_is_taken_and_changes_nothing(account: Account) -> None:
    begin(account, template(WAIT))
    url = handle_url(account)
    account.wait_for_start("s", "w")
    account.clock.advance(1801)
    account.wait_for("s", "ROLLBACK_COMPLETE")
    assert signal(url) == 200
    assert account.stack("s").status == "ROLLBACK_COMPLETE"


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"Status": "DONE"}, "Status is 'DONE'"),
        ({"UniqueId": ""}, "UniqueId is ''"),
        ({"Data": "x" * 4097}, "Data has 4097 bytes, at most 4096 are taken"),
    ],
)
def test_a_signal_that_is_none_is_remembered(
    account: Account, document: dict[str, str], said: str
) -> None:
    begin(account, template(WAIT))
    url = handle_url(account)
    signal(url, **document)
    handle = account.engine.handles.find(url)
    assert handle is not None
    assert (handle.signals, handle.ignored) == ([], [said])


def test_pages_follow_each_other(account: Account) -> None:
    account.engine.page_size = 3
    for number in range(4):
        begin(account, ONE, name=f"s{number}")
        account.wait_for(f"s{number}", "CREATE_COMPLETE")
    cloudformation = account.client("cloudformation")
    pages = cloudformation.get_paginator("describe_stacks").paginate()
    assert [len(page["Stacks"]) for page in pages] == [3, 1]
    events = cloudformation.get_paginator("describe_stack_events").paginate(StackName="s0")
    found = [event["ResourceStatus"] for page in events for event in page["StackEvents"]]
    assert (found[0], found[-1]) == ("CREATE_COMPLETE", "REVIEW_IN_PROGRESS")
    assert len(found) == 6


def test_the_log_knows_the_actions_of_rest_services(account: Account) -> None:
    s3, route53 = account.client("s3"), account.client("route53")
    s3.put_object(Bucket="photos-code", Key="a/b", Body=b"x")
    s3.head_object(Bucket="photos-code", Key="a/b")
    s3.list_objects_v2(Bucket="photos-code", Prefix="a/")
    s3.get_bucket_location(Bucket="photos-code")
    zone = route53.list_hosted_zones()["HostedZones"][0]["Id"]
    route53.list_resource_record_sets(HostedZoneId=zone)
    assert set(account.log.counts()) == {
        "s3:PutObject",
        "s3:HeadObject",
        "s3:ListObjectsV2",
        "s3:GetBucketLocation",
        "route53:ListHostedZones",
        "route53:ListResourceRecordSets",
    }
