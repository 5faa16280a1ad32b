"""What CloudFormation promises, asked of the fake and of moto through boto3.

Where moto does otherwise, the case says so and holds moto to what it does: the day that moto
learns it, the case fails and the mark goes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from tests.cloud.fake.account import REGION, USER_KEY, Account
from tests.cloud.fake.server import Server
from tests.cloud.stacks import group, template

ONE = template({"group": group()}, Outputs={"Id": {"Value": {"Fn::GetAtt": ["group", "GroupId"]}}})
OTHER = template({"group": group("another group")})


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One implementation: its ``name``, and clients for it and for the account behind it."""

    name: str
    cloudformation: Any
    ec2: Any

    def create(self, body: str = ONE, name: str = "s", **given: Any) -> str:
        """A stack by a change set, once it is at rest; its id."""
        made = self.cloudformation.create_change_set(
            StackName=name, ChangeSetName="c", ChangeSetType="CREATE", TemplateBody=body, **given
        )
        self.cloudformation.execute_change_set(ChangeSetName=made["Id"])
        self.rest(made["StackId"])
        stack_id: str = made["StackId"]
        return stack_id

    def rest(self, stack_id: str) -> str:
        """The stack's status once nothing runs; bounded."""
        deadline_s = time.monotonic() + 10
        while time.monotonic() < deadline_s:
            stack = self.cloudformation.describe_stacks(StackName=stack_id)["Stacks"][0]
            status: str = stack["StackStatus"]
            if not status.endswith("_IN_PROGRESS"):
                return status
            time.sleep(0.01)
        raise AssertionError(f"{stack_id} is still {status}")

    def change_set(self, body: str, name: str = "s", **given: Any) -> dict[str, Any]:
        """A change set for an update, described."""
        made = self.cloudformation.create_change_set(
            StackName=name, ChangeSetName="u", TemplateBody=body, **given
        )
        described: dict[str, Any] = self.cloudformation.describe_change_set(
            ChangeSetName=made["Id"]
        )
        return described


@pytest.fixture(params=["fake", "moto"])
def service(
    request: pytest.FixtureRequest, account: Account, moto_server: Server
) -> Iterator[Service]:
    """Each implementation in turn."""
    url = account.url if request.param == "fake" else moto_server.url
    yield Service(
        name=request.param,
        cloudformation=_client("cloudformation", url),
        ec2=_client("ec2", url),
    )


@cache
def _client(service: str, url: str) -> Any:
    """Kept: reading EC2's model anew for each test would cost a second."""
    return boto3.session.Session().client(
        service,
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id=USER_KEY,
        aws_secret_access_key="none",
    )


def code_and_message(call: Callable[[], object]) -> tuple[str, str]:
    """How ``call`` is refused."""
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


# What both do.


def test_an_executed_change_set_makes_the_stack(service: Service) -> None:
    stack_id = service.create()
    stack = service.cloudformation.describe_stacks(StackName="s")["Stacks"][0]
    assert stack["StackId"] == stack_id
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    resources = service.cloudformation.list_stack_resources(StackName="s")
    group_id = resources["StackResourceSummaries"][0]["PhysicalResourceId"]
    found = service.ec2.describe_security_groups(
        Filters=[{"Name": "description", "Values": ["a group"]}]
    )
    assert group_id in (
        found["SecurityGroups"][0]["GroupId"],
        found["SecurityGroups"][0]["GroupName"],
    )
    if service.name == "moto":
        # moto does not: a stack made by a change set has no outputs.
        assert "Outputs" not in stack
        return
    assert stack["Outputs"] == [
        {"OutputKey": "Id", "OutputValue": found["SecurityGroups"][0]["GroupId"]}
    ]


def test_a_new_stack_waits_for_its_change_set_in_review(service: Service) -> None:
    service.cloudformation.create_change_set(
        StackName="s", ChangeSetName="c", ChangeSetType="CREATE", TemplateBody=ONE
    )
    stack = service.cloudformation.describe_stacks(StackName="s")["Stacks"][0]
    assert stack["StackStatus"] == "REVIEW_IN_PROGRESS"
    assert (
        service.cloudformation.list_stack_resources(StackName="s")["StackResourceSummaries"] == []
    )


def test_a_stack_that_is_not_there_is_a_validation_error(service: Service) -> None:
    refused = code_and_message(lambda: service.cloudformation.describe_stacks(StackName="none"))
    assert refused == ("ValidationError", "Stack with id none does not exist")


def test_a_deleted_stack_is_found_by_its_id_only(service: Service) -> None:
    stack_id = service.create()
    service.cloudformation.delete_stack(StackName="s")
    assert service.rest(stack_id) == "DELETE_COMPLETE"
    assert code_and_message(lambda: service.cloudformation.describe_stacks(StackName="s")) == (
        "ValidationError",
        "Stack with id s does not exist",
    )
    names = [one["StackName"] for one in service.cloudformation.describe_stacks()["Stacks"]]
    assert "s" not in names


def test_stack_tags_are_kept_and_put_on_what_the_stack_makes(service: Service) -> None:
    service.create(Tags=[{"Key": "greenroom:owner", "Value": "mel"}])
    stack = service.cloudformation.describe_stacks(StackName="s")["Stacks"][0]
    assert stack["Tags"] == [{"Key": "greenroom:owner", "Value": "mel"}]
    filters = [{"Name": "tag:greenroom:owner", "Values": ["mel"]}]
    found = service.ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
    if service.name == "moto":
        # moto does not: what a change set makes bears none of the stack's tags.
        assert found == []
        return
    tags = {tag["Key"]: tag["Value"] for tag in found[0]["Tags"]}
    assert tags["aws:cloudformation:stack-name"] == "s"
    assert tags["aws:cloudformation:logical-id"] == "group"


def test_the_template_comes_back_as_it_was_sent(service: Service) -> None:
    service.create()
    body = service.cloudformation.get_template(StackName="s")["TemplateBody"]
    assert (json.loads(body) if isinstance(body, str) else body) == json.loads(ONE)


def test_a_stack_that_is_there_is_not_created_again(service: Service) -> None:
    service.create()
    code, _ = code_and_message(
        lambda: service.cloudformation.create_stack(StackName="s", TemplateBody=ONE)
    )
    assert code == "AlreadyExistsException"


def test_a_parameter_without_a_value_is_refused(service: Service) -> None:
    body = template(
        {"group": group(VpcId={"Ref": "VpcId"})},
        Parameters={"VpcId": {"Type": "AWS::EC2::VPC::Id"}},
    )
    code, message = code_and_message(
        lambda: service.cloudformation.create_stack(StackName="s", TemplateBody=body)
    )
    assert code == "ValidationError"
    if service.name == "fake":
        assert message == "Parameters: [VpcId] must have values"
    else:
        # moto names the parameter in other words.
        assert "VpcId" in message


def test_an_update_removes_what_the_template_no_longer_has(service: Service) -> None:
    service.create(template({"group": group(), "other": group()}))
    service.cloudformation.update_stack(StackName="s", TemplateBody=ONE)
    service.rest("s")
    resources = service.cloudformation.list_stack_resources(StackName="s")
    names = [one["LogicalResourceId"] for one in resources["StackResourceSummaries"]]
    assert names == ["group"]


def test_nothing_to_update_is_an_error(service: Service) -> None:
    service.create()
    if service.name == "moto":
        # moto does not: it takes the same template for an update.
        service.cloudformation.update_stack(StackName="s", TemplateBody=ONE)
        return
    refused = code_and_message(
        lambda: service.cloudformation.update_stack(StackName="s", TemplateBody=ONE)
    )
    assert refused == ("ValidationError", "No updates are to be performed.")


# What moto does not.


def test_each_resource_has_its_events(service: Service) -> None:
    service.create()
    events = service.cloudformation.describe_stack_events(StackName="s")["StackEvents"][::-1]
    found = [(one["LogicalResourceId"], one["ResourceStatus"]) for one in events]
    if service.name == "moto":
        # moto does not: events of the stack only.
        assert {name for name, _ in found} == {"s"}
        return
    assert found == [
        ("s", "REVIEW_IN_PROGRESS"),
        ("s", "CREATE_IN_PROGRESS"),
        ("group", "CREATE_IN_PROGRESS"),
        ("group", "CREATE_IN_PROGRESS"),
        ("group", "CREATE_COMPLETE"),
        ("s", "CREATE_COMPLETE"),
    ]
    assert not events[2].get("PhysicalResourceId")
    assert events[3]["ResourceStatusReason"] == "Resource creation Initiated"
    assert events[3]["PhysicalResourceId"] == events[4]["PhysicalResourceId"] != ""


def test_an_update_at_rest_cannot_be_cancelled(service: Service) -> None:
    service.create()
    service.cloudformation.update_stack(StackName="s", TemplateBody=OTHER)
    service.rest("s")
    call = lambda: service.cloudformation.cancel_update_stack(StackName="s")  # noqa: E731
    if service.name == "moto":
        # moto does not: it has no CancelUpdateStack.
        with pytest.raises(ResponseParserError, match="Internal Server Error"):
            call()
        return
    assert code_and_message(call) == (
        "ValidationError",
        "CancelUpdateStack cannot be called from current stack status",
    )


def test_a_change_set_tells_what_it_replaces(service: Service) -> None:
    service.create()
    change = service.change_set(OTHER)["Changes"][0]["ResourceChange"]
    assert change["LogicalResourceId"] == "group"
    if service.name == "moto":
        # moto does not: it plans to add what there is, and says nothing of a replacement.
        assert change["Action"] == "Add"
        assert "Replacement" not in change
        return
    assert change["Action"] == "Modify"
    assert change["Replacement"] == "True"
    target = change["Details"][0]["Target"]
    assert (target["Name"], target["RequiresRecreation"]) == ("GroupDescription", "Always")


def test_a_change_set_without_changes_fails(service: Service) -> None:
    service.create()
    described = service.change_set(ONE)
    if service.name == "moto":
        # moto does not: it calls the empty change set complete.
        assert described["Status"] == "CREATE_COMPLETE"
        return
    assert described["Status"] == "FAILED"
    assert described["ExecutionStatus"] == "UNAVAILABLE"
    assert described["StatusReason"].startswith("The submitted information didn't contain changes.")


def test_a_protected_stack_is_not_deleted(service: Service) -> None:
    stack_id = service.create()
    protect = service.cloudformation.update_termination_protection
    if service.name == "moto":
        # moto does not: it breaks down over the call.
        with pytest.raises(ResponseParserError, match="Internal Server Error"):
            protect(StackName="s", EnableTerminationProtection=True)
        return
    protect(StackName="s", EnableTerminationProtection=True)
    refused = code_and_message(lambda: service.cloudformation.delete_stack(StackName="s"))
    assert refused == (
        "ValidationError",
        "Stack [s] cannot be deleted while TerminationProtection is enabled",
    )
    assert service.rest(stack_id) == "CREATE_COMPLETE"


def test_roles_need_a_capability(service: Service) -> None:
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}}}
    call = lambda: service.cloudformation.create_stack(  # noqa: E731 - moto and fake alike
        StackName="s", TemplateBody=template({"role": role})
    )
    if service.name == "moto":
        # moto does not: it asks for no capability.
        call()
        return
    assert code_and_message(call) == (
        "InsufficientCapabilitiesException",
        "Requires capabilities : [CAPABILITY_IAM]",
    )


def test_circles_are_refused(service: Service) -> None:
    body = template(
        {
            "one": group(Tags=[{"Key": "a", "Value": {"Ref": "two"}}]),
            "two": group(Tags=[{"Key": "a", "Value": {"Ref": "one"}}]),
        }
    )
    if service.name == "moto":
        # moto does not: it follows the circle until Python's stack ends.
        with pytest.raises(ResponseParserError, match="Internal Server Error"):
            service.cloudformation.create_stack(StackName="s", TemplateBody=body)
        return
    refused = code_and_message(
        lambda: service.cloudformation.create_stack(StackName="s", TemplateBody=body)
    )
    assert refused == (
        "ValidationError",
        "Circular dependency between resources: [one, two]",
    )


def test_a_name_with_an_underscore_is_no_stack_name(service: Service) -> None:
    call = lambda: service.cloudformation.create_stack(  # noqa: E731 - moto and fake alike
        StackName="feature_x", TemplateBody=ONE
    )
    if service.name == "moto":
        # moto does not: any name will do.
        call()
        return
    assert code_and_message(call) == (
        "ValidationError",
        "1 validation error detected: Value 'feature_x' at 'stackName' failed to satisfy "
        "constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*",
    )
