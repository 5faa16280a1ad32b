"""The fake's own laws: order, rollback, updates and their undoing, removal, nested stacks."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cloud.fake.account import SERVICE_ROLE, Account
from tests.cloud.stacks import WAIT, begin, group, handle_url, signal, template


def happened(account: Account, status: str, name: str = "s") -> list[str]:
    """The resources of a stack that were ever in ``status``, in order."""
    stack = account.stack(name)
    return [event.logical_id for event in stack.events if event.status == status]


def reasons(account: Account, logical_id: str, name: str = "s") -> list[str]:
    """The reasons that a resource's or the stack's events gave."""
    events = account.stack(name).events
    return [event.reason for event in events if event.logical_id == logical_id and event.reason]


def update(account: Account, body: str, name: str = "s", **given: Any) -> None:
    """Update a stack by a change set; it may still be at it."""
    cloudformation = account.client("cloudformation")
    flags = {"DisableRollback": True} if given.pop("DisableRollback", False) else {}
    made = cloudformation.create_change_set(
        StackName=name, ChangeSetName="update", TemplateBody=body, **given
    )
    cloudformation.execute_change_set(ChangeSetName=made["Id"], **flags)


def descriptions(account: Account) -> set[str]:
    """Of all security groups but the default one."""
    groups = account.client("ec2").describe_security_groups()["SecurityGroups"]
    return {one["Description"] for one in groups if one["GroupName"] != "default"}


CHAIN = {
    "third": {**group("3"), "DependsOn": "second"},
    "second": {**group("2"), "DependsOn": ["first"]},
    "first": group("1"),
}


def test_resources_are_made_in_the_order_of_their_dependencies(account: Account) -> None:
    begin(account, template(CHAIN))
    account.wait_for("s", "CREATE_COMPLETE")
    assert happened(account, "CREATE_COMPLETE") == ["first", "second", "third", "s"]


def test_a_delete_takes_the_opposite_order(account: Account) -> None:
    begin(account, template(CHAIN))
    stack = account.wait_for("s", "CREATE_COMPLETE")
    account.client("cloudformation").delete_stack(StackName="s")
    assert account.clock.wait(60, lambda: stack.status == "DELETE_COMPLETE")
    gone = [event.logical_id for event in stack.events if event.status == "DELETE_COMPLETE"]
    assert gone == ["third", "second", "first", "s"]
    assert descriptions(account) == set()


def test_what_does_not_depend_is_made_side_by_side(account: Account) -> None:
    account.faults.slow_resource("one", 3600)
    begin(account, template({"one": group("1"), "two": group("2")}))
    stack = account.stack("s")
    assert account.clock.wait(60, lambda: "two" in happened(account, "CREATE_COMPLETE"))
    assert stack.resources["one"].status == "CREATE_IN_PROGRESS"
    account.wait_for_start("s", "one")
    account.clock.advance(3601)
    account.wait_for("s", "CREATE_COMPLETE")


def test_a_failed_create_is_rolled_back_with_its_reason(account: Account) -> None:
    account.faults.fail_resource("second", "You have reached the limit")
    begin(account, template({**CHAIN, **WAIT}))
    account.wait_for("s", "ROLLBACK_COMPLETE")
    assert reasons(account, "second") == ["You have reached the limit"]
    assert "Resource creation cancelled" in reasons(account, "w")
    stack_reasons = reasons(account, "s")
    assert stack_reasons[-1].startswith("The following resource(s) failed to create: [second")
    assert stack_reasons[-1].endswith("Rollback requested by user.")
    assert "third" not in happened(account, "CREATE_IN_PROGRESS")
    assert descriptions(account) == set()


def test_a_create_without_rollback_keeps_what_there_is(account: Account) -> None:
    account.faults.fail_resource("second", "no")
    begin(account, template(CHAIN), DisableRollback=True)
    account.wait_for("s", "CREATE_FAILED")
    assert descriptions(account) == {"1"}


def test_on_stack_failure_delete_deletes(account: Account) -> None:
    account.faults.fail_resource("second", "no")
    stack_id = begin(account, template(CHAIN), OnStackFailure="DELETE")
    stack = account.engine.stacks[stack_id]
    assert account.clock.wait(60, lambda: stack.status == "DELETE_COMPLETE")


def test_a_rolled_back_stack_is_a_dead_end(account: Account) -> None:
    account.faults.fail_resource("first", "no")
    stack_id = begin(account, template(CHAIN))
    account.wait_for("s", "ROLLBACK_COMPLETE")
    with pytest.raises(ClientError, match="is in ROLLBACK_COMPLETE state and can not be updated"):
        update(account, template({"first": group("other")}))
    with pytest.raises(ClientError, match="already exists and cannot be created again"):
        begin(account, template(CHAIN))
    account.client("cloudformation").delete_stack(StackName=stack_id)
    assert account.clock.wait(60, lambda: not account.engine.stacks[stack_id].live)


def test_a_rollback_that_cannot_delete_fails(account: Account) -> None:
    account.faults.fail_resource("second", "no")
    account.faults.fail_resource("first", "sg-1 has a dependent object", on="delete")
    begin(account, template(CHAIN))
    account.wait_for("s", "ROLLBACK_FAILED")
    assert reasons(account, "s")[-1] == "The following resource(s) failed to delete: [first]. "


def test_a_failed_delete_retains_only_then_what_it_is_told_to(account: Account) -> None:
    begin(account, template(CHAIN))
    stack = account.wait_for("s", "CREATE_COMPLETE")
    cloudformation = account.client("cloudformation")
    with pytest.raises(ClientError, match="only when the stack is in the DELETE_FAILED state"):
        cloudformation.delete_stack(StackName="s", RetainResources=["first"])
    account.faults.fail_resource("first", "resource sg-1 has a dependent object", on="delete")
    cloudformation.delete_stack(StackName="s")
    account.wait_for("s", "DELETE_FAILED")
    cloudformation.delete_stack(StackName="s", RetainResources=["first"])
    assert account.clock.wait(60, lambda: stack.status == "DELETE_COMPLETE")
    assert stack.resources["first"].status == "DELETE_SKIPPED"
    assert descriptions(account) == {"1"}


def test_force_deletes_the_stack_and_keeps_what_does_not_go(account: Account) -> None:
    begin(account, template(CHAIN))
    stack = account.wait_for("s", "CREATE_COMPLETE")
    account.faults.fail_resource("first", "in use", on="delete")
    delete = account.client("cloudformation").delete_stack
    delete(StackName="s")
    account.wait_for("s", "DELETE_FAILED")
    delete(StackName="s", DeletionMode="FORCE_DELETE_STACK")
    assert account.clock.wait(60, lambda: stack.status == "DELETE_COMPLETE")


def test_a_retained_resource_outlives_its_stack(account: Account) -> None:
    begin(account, template({"kept": {**group("kept"), "DeletionPolicy": "Retain"}}))
    stack = account.wait_for("s", "CREATE_COMPLETE")
    account.client("cloudformation").delete_stack(StackName="s")
    assert account.clock.wait(60, lambda: stack.status == "DELETE_COMPLETE")
    assert descriptions(account) == {"kept"}


def test_a_create_under_way_may_be_deleted(account: Account) -> None:
    begin(account, template({**WAIT, "one": group("1")}))
    handle_url(account)
    stack = account.stack("s")
    account.client("cloudformation").delete_stack(StackName="s")
    assert account.clock.wait(60, lambda: stack.status == "DELETE_COMPLETE")
    assert "ROLLBACK_IN_PROGRESS" not in [event.status for event in stack.events]
    assert descriptions(account) == set()


# Updates.


def test_an_update_replaces_first_and_cleans_up_last(account: Account) -> None:
    begin(account, template({"one": group("1"), "two": group("2")}))
    account.wait_for("s", "CREATE_COMPLETE")
    update(account, template({"one": group("new")}))
    account.wait_for("s", "UPDATE_COMPLETE")
    stack = account.stack("s")
    statuses = [event.status for event in stack.events if event.logical_id == "s"]
    assert statuses[-3:] == [
        "UPDATE_IN_PROGRESS",
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_COMPLETE",
    ]
    assert reasons(account, "one")[-2:] == [
        "Requested update requires the creation of a new physical resource; hence creating one.",
        "Resource creation Initiated",
    ]
    assert descriptions(account) == {"new"}
    assert list(stack.resources) == ["one"]


def test_a_failed_update_puts_everything_back(account: Account) -> None:
    begin(account, template({"one": group("1"), "two": group("2")}))
    account.wait_for("s", "CREATE_COMPLETE")
    kept = account.stack("s").resources["one"].physical_id
    account.faults.fail_resource("last", "no capacity")
    changed = {"one": group("new"), "last": {**group("3"), "DependsOn": "one"}}
    update(account, template(changed))
    account.wait_for("s", "UPDATE_ROLLBACK_COMPLETE")
    assert "The following resource(s) failed to create: [last]. " in reasons(account, "s")
    assert descriptions(account) == {"1", "2"}
    assert account.stack("s").resources["one"].physical_id == kept
    assert set(account.stack("s").resources) == {"one", "two"}
    body = account.client("cloudformation").get_template(StackName="s")["TemplateBody"]
    assert "last" not in json.dumps(body)


def test_a_failed_update_without_rollback_stays(account: Account) -> None:
    begin(account, template({"one": group("1")}))
    account.wait_for("s", "CREATE_COMPLETE")
    account.faults.fail_resource("two", "no capacity", times=1)
    body = template({"one": group("1"), "two": group("2")})
    update(account, body, DisableRollback=True)
    account.wait_for("s", "UPDATE_FAILED")
    update(account, template({"one": group("1"), "two": group("two")}))
    account.wait_for("s", "UPDATE_COMPLETE")


def test_a_rollback_of_an_update_may_fail_too(account: Account) -> None:
    one = group("1", Tags=[{"Key": "a", "Value": "1"}])
    begin(account, template({"one": one}))
    account.wait_for("s", "CREATE_COMPLETE")
    account.faults.fail_resource("two", "no")
    account.faults.fail_resource("one", "still no", on="rollback")
    changed = group("1", Tags=[{"Key": "a", "Value": "2"}])
    update(account, template({"one": changed, "two": {**group("2"), "DependsOn": "one"}}))
    account.wait_for("s", "UPDATE_ROLLBACK_FAILED")


def test_a_wait_condition_cannot_be_updated(account: Account) -> None:
    begin(account, template(WAIT), DisableRollback=True)
    signal(handle_url(account))
    account.wait_for("s", "CREATE_COMPLETE")
    longer = json.loads(json.dumps(WAIT))
    longer["w"]["Properties"]["Timeout"] = "3600"
    update(account, template(longer))
    account.wait_for("s", "UPDATE_ROLLBACK_COMPLETE")
    expected = "Update to resource type AWS::CloudFormation::WaitCondition is not supported."
    assert expected in reasons(account, "w")


def test_a_change_set_tells_apart_what_it_knows(account: Account) -> None:
    rule = {
        "Type": "AWS::EC2::SecurityGroupIngress",
        "Properties": {
            "GroupId": {"Fn::GetAtt": ["one", "GroupId"]},
            "IpProtocol": "tcp",
            "FromPort": 80,
            "ToPort": 80,
            "CidrIp": "10.0.0.0/8",
        },
    }
    vpc = account.client("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
    begin(account, template({"one": group("1", VpcId=vpc), "rule": rule}))
    account.wait_for("s", "CREATE_COMPLETE")
    cloudformation = account.client("cloudformation")
    made = cloudformation.create_change_set(
        StackName="s",
        ChangeSetName="u",
        TemplateBody=template({"one": group("new", VpcId=vpc), "rule": rule, "two": group("2")}),
    )
    changes = cloudformation.describe_change_set(ChangeSetName=made["Id"])["Changes"]
    found = {
        one["ResourceChange"]["LogicalResourceId"]: (
            one["ResourceChange"]["Action"],
            one["ResourceChange"].get("Replacement"),
        )
        for one in changes
    }
    assert found == {
        "one": ("Modify", "True"),
        "rule": ("Modify", "Conditional"),
        "two": ("Add", None),
    }
    detail = changes[1]["ResourceChange"]["Details"][0]
    assert (detail["Evaluation"], detail["CausingEntity"]) == ("Dynamic", "one.GroupId")


# Nested stacks, roles, parameters.


def test_a_nested_stack_is_a_stack_of_its_own(account: Account) -> None:
    child = template(
        {"inner": group({"Ref": "Text"})},
        Parameters={"Text": {"Type": "String"}},
        Outputs={"Id": {"Value": {"Fn::GetAtt": ["inner", "GroupId"]}}},
    )
    account.client("s3").put_object(Bucket="photos-greenroom", Key="t/c.json", Body=child)
    nested = {
        "Type": "AWS::CloudFormation::Stack",
        "Properties": {
            "TemplateURL": "https://photos-greenroom.s3.eu-west-1.amazonaws.com/t/c.json",
            "Parameters": {"Text": "from the parent"},
        },
    }
    outputs = {"Id": {"Value": {"Fn::GetAtt": ["nested", "Outputs.Id"]}}}
    begin(account, template({"nested": nested}, Outputs=outputs))
    stack = account.wait_for("s", "CREATE_COMPLETE")
    assert descriptions(account) == {"from the parent"}
    assert stack.outputs[0]["OutputValue"].startswith("sg-")
    children = [one for one in account.engine.stacks.values() if one.parent_id == stack.stack_id]
    assert [one.status for one in children] == ["CREATE_COMPLETE"]
    account.client("cloudformation").delete_stack(StackName="s")
    assert account.clock.wait(60, lambda: stack.status == "DELETE_COMPLETE")
    assert descriptions(account) == set()
    assert children[0].status == "DELETE_COMPLETE"


def test_a_nested_failure_fails_its_parent(account: Account) -> None:
    account.client("s3").put_object(
        Bucket="photos-greenroom", Key="c.json", Body=template({"inner": group()})
    )
    account.faults.fail_resource("inner", "no")
    url = f"{account.url}/photos-greenroom/c.json"
    nested = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}
    begin(account, template({"nested": nested}))
    account.wait_for("s", "ROLLBACK_COMPLETE")
    assert (
        "was not successfully created: The following resource(s) failed to create: [inner]"
        in (reasons(account, "nested")[-1])
    )


def test_a_nested_stack_that_waits_gives_up_with_its_parent(account: Account) -> None:
    body = template({**WAIT, "inner": group("inner")})
    account.client("s3").put_object(Bucket="photos-greenroom", Key="c.json", Body=body)
    url = f"{account.url}/photos-greenroom/c.json"
    nested = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}
    account.faults.slow_resource("late", 600)
    account.faults.fail_resource("after", "no")
    begin(
        account,
        template(
            {"nested": nested, "late": group("late"), "after": {**group(), "DependsOn": "late"}}
        ),
    )
    account.wait_for_start("s", "late")
    account.wait_for_start("s", "nested")
    children = [one for one in account.engine.stacks.values() if one.parent_id]
    account.wait_for_start(children[0].name, "w")
    account.clock.advance(601)
    account.wait_for("s", "ROLLBACK_COMPLETE")
    assert reasons(account, "nested")[-1] == "Resource creation cancelled"
    assert children[0].status == "DELETE_COMPLETE"
    assert descriptions(account) == set()


def test_only_a_role_that_trusts_cloudformation_is_taken(account: Account) -> None:
    with pytest.raises(ClientError, match="is invalid or cannot be assumed"):
        begin(account, template(CHAIN), RoleARN="arn:aws:iam::123456789012:role/nobody")
    begin(account, template(CHAIN), RoleARN=f"arn:aws:iam::123456789012:role/{SERVICE_ROLE}")
    account.wait_for("s", "CREATE_COMPLETE")


def test_an_unknown_ami_parameter_is_refused_at_once(account: Account) -> None:
    spec = {"Type": "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", "Default": "/none"}
    with pytest.raises(ClientError, match=r"Unable to fetch parameters \[/none\]"):
        begin(account, template({"one": group()}, Parameters={"Ami": spec}))


def test_two_creates_of_one_name_at_once_make_one_stack(account: Account) -> None:
    cloudformation = account.client("cloudformation")
    refused: list[str] = []

    def create() -> None:
        try:
            cloudformation.create_stack(StackName="s", TemplateBody=template(CHAIN))
        except ClientError as exc:
            refused.append(exc.response["Error"]["Code"])

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == ["AlreadyExistsException"] * 3


def test_a_repeated_token_gives_the_same_change_set(account: Account) -> None:
    given = {
        "StackName": "s",
        "ChangeSetName": "c",
        "ChangeSetType": "CREATE",
        "TemplateBody": template(CHAIN),
        "ClientToken": "t1",
    }
    create = account.client("cloudformation").create_change_set
    first = create(**given)["Id"]
    assert create(**given)["Id"] == first
    with pytest.raises(ClientError, match="AlreadyExists"):
        create(**{**given, "ClientToken": "t2"})


# Drift.


def test_drift_tells_what_differs_from_the_account(account: Account) -> None:
    vpc = account.client("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
    tagged = group("1", VpcId=vpc, Tags=[{"Key": "role", "Value": "db"}])
    begin(account, template({"one": tagged, "two": group("2", VpcId=vpc), "same": group("3")}))
    stack = account.wait_for("s", "CREATE_COMPLETE")
    ec2, cloudformation = account.client("ec2"), account.client("cloudformation")
    one_id = stack.resources["one"].physical_id
    ec2.create_tags(Resources=[one_id], Tags=[{"Key": "role", "Value": "web"}])
    ec2.delete_security_group(GroupId=stack.resources["two"].physical_id)
    detection = cloudformation.detect_stack_drift(StackName="s")["StackDriftDetectionId"]
    status = cloudformation.describe_stack_drift_detection_status(StackDriftDetectionId=detection)
    assert (status["DetectionStatus"], status["StackDriftStatus"]) == (
        "DETECTION_COMPLETE",
        "DRIFTED",
    )
    drifts = cloudformation.describe_stack_resource_drifts(StackName="s")["StackResourceDrifts"]
    found = {one["LogicalResourceId"]: one["StackResourceDriftStatus"] for one in drifts}
    assert found == {"one": "MODIFIED", "two": "DELETED", "same": "IN_SYNC"}
