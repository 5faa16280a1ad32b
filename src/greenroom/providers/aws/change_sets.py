"""Change sets: asked for, read, executed, taken back.

A change set of ours always has the same name. CloudFormation refuses a second one of a name, so
of two people who change an environment at once one wins and the other is told.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from greenroom.cloud_ports import Proposal
from greenroom.errors import GreenroomError, InputError, OperationError, RefusedError
from greenroom.model.cloud_account import (
    REVIEW_IN_PROGRESS,
    Change,
    ChangeKind,
    ChangeSet,
    ProposedChanges,
)
from greenroom.providers.aws.errors import (
    AnswerError,
    Asked,
    denied,
    is_denied,
    unknown_parameter,
)
from greenroom.providers.aws.resources import told_id
from greenroom.providers.aws.session import Account
from greenroom.providers.aws.stacks import CHANGE_SET_NAME, SERVICE, find_stack, is_absent

INLINE_BYTES_MAX = 51_200
"""A template that is sent with the request; a longer one must lie in a bucket (CloudFormation
quotas)."""

STALE_AFTER = timedelta(minutes=15)
"""A change set that nobody executed for so long was left by somebody who was interrupted. The
clocks differ by less: AWS refuses a request whose time is 5 minutes off."""

_SHELL_LOOKS = 40
_SHELL_PAUSE_S = 0.25

_OVER = ("EXECUTE_COMPLETE", "EXECUTE_FAILED", "OBSOLETE")
"""What became of a change set that nobody can execute any more."""

_ROLE_REFUSED = re.compile(r"Role (?P<arn>\S+) is invalid or cannot be assumed")

_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")


def propose(account: Account, proposal: Proposal, template_url: str | None) -> ProposedChanges:
    """Ask for the change set; see the port. ``template_url`` is where a template lies that is
    too big to be sent."""
    name = proposal.existing or proposal.cloud.name
    asked = {
        "StackName": name,
        "ChangeSetName": CHANGE_SET_NAME,
        "ChangeSetType": "UPDATE" if proposal.existing else "CREATE",
        "Parameters": _parameters(proposal),
        "Tags": [{"Key": key, "Value": value} for key, value in proposal.tags.items()],
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
        # A repeated request, because the answer to the first was lost, is the same request.
        "ClientToken": str(uuid.uuid4()),
    }
    if template_url is not None:
        asked["TemplateURL"] = template_url
    else:
        asked["TemplateBody"] = proposal.template.body
    if proposal.role is not None:
        asked["RoleARN"] = proposal.role
    about = f"stack {proposal.cloud.name}"
    for last in (False, True):
        try:
            reply = account.call(SERVICE, "CreateChangeSet", about=about, **asked)
            return ProposedChanges(id=reply["Id"], stack_id=reply["StackId"])
        except AnswerError as error:
            if "cannot be created again" in error.aws_message:
                raise _busy(proposal) from error
            if "already exist" not in error.aws_message and "AlreadyExists" not in error.aws_code:
                raise _refused(error.aws_message, account, proposal.cloud.name) from error
            age_s = _remove_stale(account, name)
            if age_s is not None or last:
                raise _busy(proposal, age_s) from error
    raise AssertionError("the last try returns or raises")


def is_too_big(body: str) -> bool:
    """Whether a template must lie in a bucket."""
    return len(body.encode()) > INLINE_BYTES_MAX


def read_changes(account: Account, proposed: ProposedChanges) -> ChangeSet | None:
    """The change set, None until CloudFormation is done with it; see the port."""
    about = f"change set of {stack_name_of(proposed.stack_id)}"
    asked: dict[str, Any] = {"ChangeSetName": proposed.id, "StackName": proposed.stack_id}
    changes: list[Change] = []
    for page in account.pages(SERVICE, "DescribeChangeSet", about=about, **asked):
        status, reason = page["Status"], page.get("StatusReason", "")
        if status == "FAILED":
            withdraw(account, proposed)
            if any(words in reason for words in _NO_CHANGES):
                return ChangeSet(proposed=proposed, changes=(), empty=True)
            raise _refused(reason, account, stack_name_of(proposed.stack_id))
        if status != "CREATE_COMPLETE":
            return None
        changes += [_change(each["ResourceChange"]) for each in page.get("Changes", ())]
    return ChangeSet(proposed=proposed, changes=tuple(changes))


def withdraw(account: Account, proposed: ProposedChanges) -> None:
    """Remove the change set, and the stack if it consists of it alone. Idempotent."""
    stack = find_stack(account, proposed.stack_id)
    if stack is not None and stack.status == REVIEW_IN_PROGRESS:
        # The change set goes with it. Without it nothing would say whose the stack is.
        account.call(SERVICE, "DeleteStack", about=f"stack {stack.name}", StackName=stack.id)
        _await_deletion(account, stack.id)
        return
    about = f"change set of {stack_name_of(proposed.stack_id)}"
    try:
        account.call(SERVICE, "DeleteChangeSet", about=about, ChangeSetName=proposed.id)
    except AnswerError as error:
        if not is_absent(error):
            raise


def _await_deletion(account: Account, stack_id: str) -> None:
    """An empty stack is gone in a moment; whoever creates right after a plan needs its name."""
    for _ in range(_SHELL_LOOKS):
        stack = find_stack(account, stack_id)
        if stack is None or stack.status != "DELETE_IN_PROGRESS":
            return
        account.wait(_SHELL_PAUSE_S)


def execute(account: Account, proposed: ProposedChanges, *, keep_failed: bool) -> None:
    """Let CloudFormation do it. Asked twice for one change set, it is the same request."""
    name = stack_name_of(proposed.stack_id)
    try:
        account.call(
            SERVICE,
            "ExecuteChangeSet",
            about=f"change set of {name}",
            ChangeSetName=proposed.id,
            StackName=proposed.stack_id,
            DisableRollback=keep_failed,
            ClientRequestToken=proposed.id.rpartition("/")[2],
        )
    except AnswerError as error:
        raise RefusedError(
            "E_AWS_BUSY",
            f"the change set of {name} was taken over by somebody else: {error.aws_message}",
            hint="look at what they made, and try again",
        ) from error


def stack_name_of(stack_id: str) -> str:
    """``arn:aws:cloudformation:eu-west-1:123456789012:stack/NAME/UUID`` to NAME."""
    return stack_id.split("/")[1] if stack_id.count("/") >= 2 else stack_id


def _parameters(proposal: Proposal) -> list[dict[str, str]]:
    network = proposal.network
    values = {"VpcId": network.vpc, "SubnetIds": ",".join(network.subnets)}
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]


def _change(change: Mapping[str, Any]) -> Change:
    details = (
        target.get("Name") or target.get("Attribute", "")
        for target in (detail.get("Target", {}) for detail in change.get("Details", ()))
    )
    return Change(
        kind=_kind(change["Action"], change.get("Replacement", "")),
        logical_id=change["LogicalResourceId"],
        type=change["ResourceType"],
        physical_id=told_id(change["ResourceType"], change.get("PhysicalResourceId")),
        details=tuple(dict.fromkeys(filter(None, details))),
    )


def _kind(action: str, replacement: str) -> ChangeKind:
    match action, replacement:
        case "Add" | "Import", _:
            return ChangeKind.ADD
        case "Remove", _:
            return ChangeKind.REMOVE
        case _, "True":
            return ChangeKind.REPLACE
        case _, "Conditional":
            return ChangeKind.MAY_REPLACE
        case "Dynamic", _:
            return ChangeKind.MAY_REPLACE
    return ChangeKind.MODIFY


def _remove_stale(account: Account, name: str) -> float | None:
    """None if the change set that is in the way was of no use to anybody, and is gone; else its
    age in seconds."""
    asked = {"StackName": name, "ChangeSetName": CHANGE_SET_NAME}
    try:
        reply = account.call(SERVICE, "DescribeChangeSet", about=f"stack {name}", **asked)
    except AnswerError as error:
        if is_absent(error):
            return None
        raise
    age = datetime.now(UTC) - reply["CreationTime"]
    usable = reply["Status"] != "FAILED" and reply.get("ExecutionStatus") not in _OVER
    if usable and age < STALE_AFTER:
        return float(max(0.0, age.total_seconds()))
    account.call(SERVICE, "DeleteChangeSet", about=f"stack {name}", **asked)
    return None


def _busy(proposal: Proposal, age_s: float | None = None) -> RefusedError:
    """``age_s`` is that of a change set which nobody has executed yet: its maker may be gone."""
    environment, cloud = proposal.cloud.stack.environment, proposal.cloud
    hint = f"greenroom show --provider aws {environment} tells where it stands"
    if age_s is not None:
        remedy = (
            f"aws cloudformation delete-change-set --region {cloud.region} "
            f"--stack-name {cloud.name} --change-set-name {CHANGE_SET_NAME}"
            if proposal.existing
            else f"greenroom destroy --provider aws {environment}"
        )
        hint += (
            f"\nits change set is {age_s:.0f} s old; if whoever made it was interrupted: {remedy}"
        )
    return RefusedError(
        "E_AWS_BUSY",
        f"{environment} is busy: somebody else creates or updates it at this moment",
        hint=hint,
    )


def _refused(reason: str, account: Account, name: str) -> GreenroomError:
    """Why CloudFormation does not take what was proposed."""
    role = _ROLE_REFUSED.search(reason)
    if role is not None:
        return RefusedError(
            "E_AWS_ROLE",
            f"CloudFormation cannot take the service role {role['arn']}: it is not there, or does "
            "not trust CloudFormation",
            hint="--role (GREENROOM_AWS_ROLE) names a role of this account that trusts "
            "cloudformation.amazonaws.com; without it CloudFormation takes your own rights",
        )
    path = unknown_parameter(reason)
    if path is not None:
        return no_parameter(path, account.region)
    if is_denied(reason):
        asked = Asked(service=SERVICE, operation="CreateChangeSet", region=account.region)
        return denied(reason, asked)
    return OperationError(
        "E_AWS_TEMPLATE",
        f"CloudFormation does not take the template of {name}: {reason or 'no reason given'}",
        hint="greenroom template prints it; cfn-lint may say more",
    )


def no_parameter(path: str, region: str) -> InputError:
    """The SSM parameter of an AMI is not there."""
    return InputError(
        "E_AWS_AMI_PARAMETER",
        f"there is no SSM parameter {path} in {region}, so the AMI is not known",
        hint="name an AMI's id or another parameter in the image's 'ami' (docs/blueprint.md)",
    )
