"""``list`` and ``show`` on AWS: what the account says, and what it will not say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from greenroom.app.cloud.look import find, list_environments, show
from greenroom.errors import GreenroomError, HostError, InputError, RefusedError
from greenroom.model.cloud_views import CloudStatus
from greenroom.model.proof import Verdict
from tests.cloud.fake.account import Account
from tests.cloud.fake.faults import USER_ARN
from tests.cloud.standing import group_body, looking, stand, tags_of

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_the_list_holds_what_bears_our_tags_and_nothing_else(account: Account) -> None:
    stand(account, "photos/master", tags=tags_of("photos/master", production="true"))
    past = (NOW - timedelta(hours=2)).isoformat()
    stand(account, "photos/feature-x", template=group_body(), tags=tags_of(expires=past))
    stand(account, "photos/foreign", template=group_body(), tags=[])
    views = list_environments(looking(account), NOW)
    assert [view.name for view in views] == ["photos/feature-x", "photos/master"]
    feature, master = views
    assert (feature.expired, feature.expires_at) == (True, NOW - timedelta(hours=2))
    assert (master.production, master.status, master.aws_status) == (
        True,
        CloudStatus.READY,
        "CREATE_COMPLETE",
    )
    assert (master.owner, master.expired, master.url) == (
        "ann",
        False,
        "http://api.feature-x.photos.internal",
    )


def test_a_list_asks_three_questions_however_many_stacks_there_are(account: Account) -> None:
    for number in range(12):
        stand(account, f"photos/b{number}", template=group_body(), wait=False)
    for number in range(12):
        account.wait_for(f"greenroom-photos-b{number}")
    account.log.clear()
    assert len(list_environments(looking(account), NOW)) == 12
    assert dict(account.log.counts()) == {
        "cloudformation:DescribeStacks": 1,
        "ec2:DescribeInstances": 1,
        "ec2:DescribeVolumes": 1,
    }


def test_the_price_is_of_what_runs(account: Account) -> None:
    stand(account)
    (running,) = list_environments(looking(account), NOW)
    assert running.cost is not None
    parts = {(item.part.value, item.what) for item in running.cost.items}
    assert parts == {
        ("instance", "t3.small"),
        ("public IPv4 address", "in use"),
        ("data volume", "gp3, 20 GiB"),
    }
    ec2 = account.client("ec2")
    (instance,) = looking(account).instances("photos/feature-x")
    ec2.stop_instances(InstanceIds=[instance.id])
    (stopped,) = list_environments(looking(account), NOW)
    assert stopped.cost is not None
    assert [item.part.value for item in stopped.cost.items] == ["data volume"]
    assert Decimal(0) < stopped.cost.per_day().usd < running.cost.per_day().usd
    account.faults.deny("ec2:DescribeInstances")
    (unseen,) = list_environments(looking(account), NOW)
    assert unseen.cost is None


def test_a_list_waits_while_aws_throttles(account: Account) -> None:
    stand(account, template=group_body())
    fault = account.faults.throttle("cloudformation:DescribeStacks", times=4)
    told: list[str] = []
    views = list_environments(looking(account, told), NOW)
    assert [view.name for view in views] == ["photos/feature-x"]
    assert fault.hits == 4
    assert told
    assert all("AWS throttles cloudformation:DescribeStacks" in line for line in told)


def test_a_missing_right_and_an_expired_token_say_what_to_do(account: Account) -> None:
    denied = account.faults.deny("cloudformation:DescribeStacks")
    with pytest.raises(RefusedError) as refused:
        list_environments(looking(account), NOW)
    assert (refused.value.code, refused.value.message) == (
        "E_AWS_DENIED",
        f"AWS denies cloudformation:DescribeStacks on * to {USER_ARN}",
    )
    account.faults.mend(denied)
    account.faults.expire_token()
    with pytest.raises(HostError) as expired:
        list_environments(looking(account), NOW)
    assert (expired.value.code, expired.value.message) == (
        "E_AWS_EXPIRED",
        "the AWS credentials have expired: The security token included in the request is expired",
    )


def test_show_tells_what_machines_reported_and_what_nobody_checked(account: Account) -> None:
    stand(account)
    detail = show(looking(account), "feature_x", None, datetime.now(UTC))
    (machine,) = detail.machines
    assert (machine.name, machine.power, machine.instance_type) == (
        "backend1",
        "running",
        "t3.small",
    )
    assert machine.artifact is not None
    assert machine.artifact.key == "backend-feature_x.tar.gz"
    assert [(r.machine, r.table_count, r.row_count) for r in detail.restores] == [
        ("backend1", 1, 1200)
    ]
    assert detail.notices == ("backend1: the disk is nearly full",)
    assert [(c.subject, c.verdict) for c in detail.proof.claims] == [
        ("backend1", Verdict.NOT_VERIFIED),
        ("backend1", Verdict.NOT_VERIFIED),
        ("flows", Verdict.NOT_VERIFIED),
        ("flows", Verdict.NOT_VERIFIED),
    ]
    # This stack has a report, and no wait condition that it came by.
    assert detail.proof.claims[0].evidence == "the stack does not say when it signalled"
    assert detail.proof.verdict is Verdict.NOT_VERIFIED
    assert {each.logical_id for each in detail.resources} == {
        "backendGroup",
        "backendFromanywhere",
        "backend1",
        "backend1Volume",
    }
    assert {(phase.phase, phase.machine) for phase in detail.phases} >= {
        ("network", None),
        ("instance", "backend1"),
        ("volume", "backend1"),
        ("restore", "backend1"),
    }
    assert detail.create_s is not None


def test_show_picks_up_a_stack_that_is_still_being_made(account: Account) -> None:
    account.faults.slow_resource("baseGroup", 300)
    stack = stand(account, template=group_body(), wait=False)
    account.clock.wait(60, lambda: "baseGroup" in stack.resources)
    detail = show(looking(account), stack.stack_id, None, NOW)
    assert (detail.summary.status, detail.create_s) == (CloudStatus.CREATING, None)
    assert detail.summary.verdict is Verdict.NOT_VERIFIED
    account.clock.advance(301)
    account.wait_for("greenroom-photos-feature-x", "CREATE_COMPLETE")


def test_show_says_why_a_create_was_rolled_back(account: Account) -> None:
    account.faults.fail_resource("baseGroup", "You have reached the limit")
    stand(account, template=group_body())
    detail = show(looking(account), "photos/feature-x", None, NOW)
    assert (detail.summary.status, detail.summary.aws_status) == (
        CloudStatus.FAILED,
        "ROLLBACK_COMPLETE",
    )
    assert detail.summary.verdict is Verdict.FAILED
    assert [phase.message for phase in detail.phases if phase.message] == [
        "baseGroup failed: You have reached the limit"
    ]


def test_an_environment_goes_by_several_names(account: Account) -> None:
    stack = stand(account, template=group_body())
    inventory = looking(account)
    full = ["photos/feature-x", "photos/feature_x", "greenroom-photos-feature-x", stack.stack_id]
    for text in ("feature-x", "feature_x", None, *full):
        assert find(inventory, text, None).id == stack.stack_id, text
    wiki = stand(account, "wiki/feature-x", template=group_body())
    assert find(inventory, "feature-x", "wiki").id == wiki.stack_id
    with pytest.raises(InputError) as raised:
        find(inventory, "feature-x", None)
    assert (raised.value.code, raised.value.message) == (
        "E_AMBIGUOUS",
        "'feature-x' may be any of photos/feature-x, wiki/feature-x",
    )


def test_an_unknown_name_gets_the_nearest_one(account: Account) -> None:
    stand(account, template=group_body())
    with pytest.raises(GreenroomError) as raised:
        find(looking(account), "featur_x", None)
    assert (raised.value.code, raised.value.message, raised.value.hint) == (
        "E_NO_ENVIRONMENT",
        "there is no environment 'featur_x' on AWS in eu-west-1",
        "did you mean 'feature_x'?",
    )


def test_nobody_is_told_the_url_of_a_wait_handle(account: Account) -> None:
    handle = '{"Resources":{"h":{"Type":"AWS::CloudFormation::WaitConditionHandle"}}}'
    stand(account, template=handle)
    (resource,) = show(looking(account), "feature-x", None, NOW).resources
    assert (resource.logical_id, resource.physical_id) == ("h", "")
