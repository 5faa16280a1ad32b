"""``destroy`` on AWS: what is refused, what is followed, what is left, and what it cost."""

from __future__ import annotations

import json
from typing import Any

import pytest

from greenroom.app.clock import SystemClock
from greenroom.app.cloud.remove import DestroyAsk, Destroyer, destroy, wanted_stack
from greenroom.app.cloud.telling import Telling
from greenroom.errors import GreenroomError, RefusedError
from greenroom.model.cloud_views import CloudReceipt, Reason
from greenroom.model.events import Event
from tests.cloud.fake.account import REGION, Account
from tests.cloud.standing import group_body, looking, stand, tags_of

NAME = "photos/feature-x"


class Ending:
    """One destroy: its receipt, its error, what it told."""

    def __init__(self, account: Account, environment: str = NAME, **given: Any) -> None:
        self.events: list[Event] = []
        # A pause lets a little of our time pass, and as much of the account's as it says.
        inventory = looking(account)
        clock = SystemClock()
        destroyer = Destroyer(
            inventory=inventory,
            telling=Telling(self.events.append, clock),
            pause=lambda seconds: account.clock.advance(seconds) or _breathe(),
            clock_s=account.clock.now_s,
        )
        ask = DestroyAsk(environment=environment, here=None, **given)
        stack = wanted_stack(inventory, ask)
        self.receipt: CloudReceipt
        self.error: GreenroomError | None
        self.receipt, self.error = destroy(destroyer, stack, ask)

    def told(self, kind: str) -> list[str]:
        return [event.message for event in self.events if event.kind == kind]


def _breathe() -> None:
    import time

    time.sleep(0.05)


def ids(receipt: CloudReceipt, why: Reason) -> list[tuple[str, str]]:
    return [(each.kind, each.id) for each in receipt.because(why)]


def test_a_destroy_leaves_nothing_and_says_what_it_cost(account: Account) -> None:
    stand(account)
    account.clock.advance(600)
    ending = Ending(account)
    assert ending.error is None
    assert ending.receipt.remains == ()
    assert ending.receipt.unseen == ()
    assert {each.logical_id for each in ending.receipt.removed} == {
        "backendGroup",
        "backendFromanywhere",
        "backend1",
        "backend1Volume",
    }
    cost = ending.receipt.cost_usd
    assert cost is not None
    assert cost.usd > 0
    assert cost.unknown == ()
    done = ending.told("phase-done")
    assert "deleted" in done
    assert looking(account).environments() == ()
    with pytest.raises(GreenroomError) as gone:
        Ending(account)
    assert (gone.value.code, gone.value.message) == (
        "E_NO_ENVIRONMENT",
        f"there is no environment '{NAME}' on AWS in eu-west-1",
    )
    again = Ending(account, ending.receipt.stack_id)
    assert (again.error, again.receipt.remains) == (None, ())


def test_a_stack_that_is_not_ours_is_not_touched(account: Account) -> None:
    stand(account, template=group_body(), tags=[])
    for text in (NAME, "greenroom-photos-feature-x"):
        with pytest.raises(RefusedError) as raised:
            Ending(account, text)
        assert (raised.value.code, raised.value.message) == (
            "E_AWS_NOT_OURS",
            "greenroom did not make the CloudFormation stack greenroom-photos-feature-x: "
            "it has no tag greenroom:environment",
        )
    assert account.log.counts()["cloudformation:DeleteStack"] == 0


def test_production_goes_only_by_its_name_and_keeps_its_data(account: Account) -> None:
    stack = stand(account, tags=tags_of(production="true"), kept=True)
    account.client("cloudformation").update_termination_protection(
        StackName=stack.stack_id, EnableTerminationProtection=True
    )
    for confirm in (None, "photos/master"):
        with pytest.raises(RefusedError) as raised:
            Ending(account, confirm=confirm)
        assert (raised.value.code, raised.value.message, raised.value.hint) == (
            "E_PRODUCTION",
            f"{NAME} is production: destroy needs its name typed once more",
            f"greenroom destroy --provider aws {NAME} --confirm {NAME}",
        )
    assert stack.protected
    volume = stack.resources["backend1Volume"].physical_id
    ending = Ending(account, confirm=NAME)
    assert ending.error is None
    assert ids(ending.receipt, Reason.KEPT) == [("volume", volume)]
    assert ids(ending.receipt, Reason.LEFT_OVER) == []


def test_data_that_an_earlier_destroy_kept_is_not_left_over(account: Account) -> None:
    kept = set()
    for _ in range(2):
        stack = stand(account, tags=tags_of(production="true"), kept=True)
        kept.add(("volume", stack.resources["backend1Volume"].physical_id))
        ending = Ending(account, confirm=NAME)
        assert ending.error is None
        assert set(ids(ending.receipt, Reason.KEPT)) == kept
        assert ids(ending.receipt, Reason.LEFT_OVER) == []
    assert len(kept) == 2


def test_what_cannot_be_deleted_is_named_with_the_reason_and_the_way_on(account: Account) -> None:
    stack = stand(account)
    group = stack.resources["backendGroup"].physical_id
    reason = f"resource {group} has a dependent object"
    account.faults.fail_resource("backendGroup", reason, on="delete", times=1)
    ending = Ending(account)
    assert ending.error is not None
    assert (ending.error.code, ending.error.message) == (
        "E_AWS_DELETE_FAILED",
        f"AWS could not delete all of {NAME}\n"
        f"backendGroup (AWS::EC2::SecurityGroup) {group}: {reason}",
    )
    assert ending.error.hint == (
        f"mend that, then: greenroom destroy --provider aws {NAME}\n"
        "to leave it in the account, where it may go on costing money: "
        f"greenroom destroy --provider aws {NAME} --retain backendGroup"
    )
    assert ids(ending.receipt, Reason.LEFT_OVER) == [("security group", group)]
    assert Ending(account).error is None


def test_what_is_to_stay_stays_and_is_told_apart(account: Account) -> None:
    stack = stand(account)
    group = stack.resources["backendGroup"].physical_id
    account.faults.fail_resource("backendGroup", "it is in use", on="delete", times=1)
    assert Ending(account).error is not None
    ending = Ending(account, retain=("backendGroup",))
    assert ending.error is None
    assert ids(ending.receipt, Reason.KEPT) == [("security group", group)]


def test_a_lost_connection_is_waited_for_and_a_destroy_picked_up(account: Account) -> None:
    account.faults.slow_resource("baseGroup", 60, on="delete")
    stack = stand(account, template=group_body())
    account.faults.cut("cloudformation:DeleteStack", times=3, late=True)
    account.faults.cut("cloudformation:DescribeStackEvents", times=3)
    ending = Ending(account)
    assert ending.error is None
    assert stack.status == "DELETE_COMPLETE"
    assert any("CloudFormation goes on meanwhile" in text for text in ending.told("notice"))


def test_a_destroy_that_was_left_is_picked_up(account: Account) -> None:
    account.faults.slow_resource("baseGroup", 60, on="delete")
    stack = stand(account, template=group_body())
    account.client("cloudformation").delete_stack(StackName=stack.stack_id)
    ending = Ending(account)
    assert ending.error is None
    assert account.log.counts()["cloudformation:DeleteStack"] == 1
    assert ending.receipt.cost_usd is None, "what is gone already has cost something, too"
    assert ending.told("notice") == [f"AWS deletes {NAME} already: following it"]
    assert [each.logical_id for each in ending.receipt.removed] == ["baseGroup"]


def test_what_a_failed_create_left_is_removed(account: Account) -> None:
    account.faults.fail_resource("baseGroup", "no", times=1)
    stack = stand(account, template=group_body())
    assert stack.status == "ROLLBACK_COMPLETE"
    ending = Ending(account)
    assert (ending.error, stack.status) == (None, "DELETE_COMPLETE")


def test_what_the_stack_does_not_know_is_left_over(account: Account) -> None:
    stand(account, template=group_body())
    ec2 = account.client("ec2")
    volume = ec2.create_volume(AvailabilityZone="eu-west-1a", Size=8)["VolumeId"]
    ec2.create_tags(Resources=[volume], Tags=[{"Key": "greenroom:environment", "Value": NAME}])
    account.faults.deny("iam:ListRoles")
    ending = Ending(account)
    assert ids(ending.receipt, Reason.LEFT_OVER) == [("volume", volume)]
    assert ending.error is not None
    assert (ending.error.code, ending.error.message) == (
        "E_LEFT_OVER",
        f"the account still holds 1 of {NAME}: volume {volume}",
    )
    assert [text.partition(":")[0] for text in ending.receipt.unseen] == ["roles"]


def test_a_stack_that_is_being_updated_is_refused(account: Account) -> None:
    stack = stand(account, template=group_body())
    stack.status = "UPDATE_IN_PROGRESS"
    with pytest.raises(RefusedError) as raised:
        Ending(account)
    stack.status = "UPDATE_COMPLETE"
    assert (raised.value.code, raised.value.message) == (
        "E_AWS_BUSY",
        f"{NAME} is being updated (UPDATE_IN_PROGRESS): AWS deletes it only when that is over",
    )


def zone_of(account: Account, name: str) -> str:
    reply = account.client("route53").create_hosted_zone(
        Name=name,
        CallerReference=name + str(account.clock.now_s()),
        VPC={"VPCRegion": REGION, "VPCId": "vpc-0123"},
    )
    return str(reply["HostedZone"]["Id"].rpartition("/")[2])


def write(account: Account, zone: str, name: str, machine: str | None = None) -> None:
    """A record as a machine writes it, or, without a machine, as CloudFormation does."""
    record = {"Name": name, "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "10.0.0.1"}]}
    if machine is not None:
        record |= {"SetIdentifier": machine, "MultiValueAnswer": True}
    account.client("route53").change_resource_record_sets(
        HostedZoneId=zone,
        ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]},
    )


def written(account: Account, zone: str) -> list[tuple[str, str]]:
    """Names and set identifiers of the addresses in a zone."""
    found = account.client("route53").list_resource_record_sets(HostedZoneId=zone)
    records = [each for each in found["ResourceRecordSets"] if each["Type"] == "A"]
    return sorted((each["Name"], each.get("SetIdentifier", "")) for each in records)


def test_names_that_a_machine_wrote_itself_go_with_it(account: Account) -> None:
    zone = zone_of(account, "example.com")
    # The environment of this name in another region has a zone of this name.
    other = zone_of(account, "example.com")
    for machine in ("web1", "web2"):
        write(account, zone, "web.feature-x.example.com", machine)
        write(account, other, "web.feature-x.example.com", machine)
    # moto deletes by the identifier alone, so this one is of another machine.
    write(account, zone, "web.feature-y.example.com", "web3")
    write(account, zone, "db.feature-x.example.com")
    document = json.loads(group_body())
    document["Outputs"] = {
        "web1PrivateNames": {"Value": "web.feature-x.example.com,gone.feature-x.example.com"},
        "web2PrivateNames": {"Value": "web.feature-x.example.com,db.feature-x.example.com"},
        "PrivateNamesZone": {"Value": zone},
    }
    stand(account, template=json.dumps(document))
    ending = Ending(account)
    assert ending.error is None
    assert written(account, zone) == [
        ("db.feature-x.example.com.", ""),
        ("web.feature-y.example.com.", "web3"),
    ]
    assert len(written(account, other)) == 2


def test_a_zone_that_a_machine_of_a_failed_create_wrote_into_goes_as_well(
    account: Account,
) -> None:
    """Such a stack has no outputs that would name the names."""
    document = json.loads(group_body())
    zone = {"Type": "AWS::Route53::HostedZone", "Properties": {"Name": "feature-x.internal"}}
    document["Resources"]["PrivateZone"] = zone
    zone_id = stand(account, template=json.dumps(document)).resources["PrivateZone"].physical_id
    assert zone_id is not None
    # More than fits into one page, whose end is in the middle of a name.
    for number in range(120):
        write(account, zone_id, f"type{number // 30}.feature-x.internal", f"machine{number}")
    ending = Ending(account)
    assert ending.error is None
    assert ("AWS::Route53::HostedZone", zone_id) in [
        (each.type, each.physical_id) for each in ending.receipt.removed
    ]


def test_production_that_could_not_be_deleted_is_tried_again_with_its_name(
    account: Account,
) -> None:
    stand(account, tags=tags_of(production="true"))
    account.faults.fail_resource("backendGroup", "it is in use", on="delete", times=1)
    ending = Ending(account, confirm=NAME)
    assert ending.error is not None
    again = f"greenroom destroy --provider aws {NAME} --confirm {NAME}"
    first, second = ending.error.hint.splitlines()
    assert first == f"mend that, then: {again}"
    assert second.endswith(f": {again} --retain backendGroup")


def test_a_destroy_is_told_by_its_parts_and_not_by_its_resources(account: Account) -> None:
    stand(account)
    ending = Ending(account)
    done = [(e.machine, e.phase) for e in ending.events if e.kind == "phase-done"]
    assert sorted(done, key=str) == sorted(
        [
            (None, "destroy"),
            (None, "network"),
            ("backend1", "instance"),
            ("backend1", "volume"),
        ],
        key=str,
    )
    assert done[-1] == (None, "destroy")
    started = [(e.machine, e.phase) for e in ending.events if e.kind == "phase-started"]
    assert sorted(started, key=str) == sorted(done, key=str)


def test_a_part_that_cannot_go_is_told_with_the_reason_once(account: Account) -> None:
    stand(account)
    account.faults.fail_resource("backendGroup", "it is in use", on="delete", times=1)
    ending = Ending(account)
    assert ending.error is not None
    failed = [(e.phase, e.message) for e in ending.events if e.kind == "phase-failed"]
    assert failed[0] == ("network", "backendGroup (AWS::EC2::SecurityGroup): it is in use")
    assert [phase for phase, _ in failed] == ["network", "destroy"]
