"""CloudFormation stacks and their events, read and parsed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from greenroom.errors import RefusedError
from greenroom.model.cloud import STACK_NAME_PREFIX
from greenroom.model.cloud_account import REVIEW_IN_PROGRESS, FoundStack, Identity, StackEvent
from greenroom.model.names import EnvironmentName
from greenroom.providers.aws.errors import AnswerError
from greenroom.providers.aws.session import Account
from greenroom.providers.aws.tags import (
    BRANCH_TAG,
    ENVIRONMENT_TAG,
    EXPIRES_TAG,
    OWNER_TAG,
    PRODUCTION_TAG,
    REQUEST_OUTPUT,
    tags_of,
    text_of_tag,
)

SERVICE = "cloudformation"

CHANGE_SET_NAME = "greenroom"


def environments(account: Account) -> tuple[FoundStack, ...]:
    """Every stack of ours: DescribeStacks without a name gives all that are not deleted, with
    their tags, a hundred or so a page. Nested stacks bear the tags of the one that they are part
    of, and are no environments."""
    found = (
        _identified(account, parse_stack(stack))
        for page in account.pages(SERVICE, "DescribeStacks")
        for stack in page.get("Stacks", ())
        if not stack.get("ParentId")
    )
    return tuple(stack for stack in found if stack.identity is not None)


def find_stack(account: Account, name_or_id: str) -> FoundStack | None:
    """One stack; a deleted one is found by its id only."""
    try:
        reply = account.call(
            SERVICE, "DescribeStacks", about=f"stack {name_or_id}", StackName=name_or_id
        )
    except AnswerError as error:
        if is_absent(error):
            return None
        raise
    stacks = reply.get("Stacks", ())
    return _identified(account, parse_stack(stacks[0])) if stacks else None


def events_after(account: Account, stack_id: str, after: str | None) -> tuple[StackEvent, ...]:
    """The events since the one with the id ``after``, the oldest first.

    CloudFormation tells the newest first, so no more pages are read than hold something new. A
    stack so new that it is not found yet has none.
    """
    new: list[StackEvent] = []
    try:
        for event in _events(account, stack_id):
            if event.id == after:
                break
            new.append(event)
    except AnswerError as error:
        if not is_absent(error):
            raise
    return tuple(reversed(new))


def last_event(account: Account, stack_id: str) -> str | None:
    """The id of the newest event."""
    newest = next(_events(account, stack_id), None)
    return newest.id if newest else None


def is_absent(error: AnswerError) -> bool:
    """Whether CloudFormation says that a stack, or a change set, is not there."""
    return error.aws_code in ("ChangeSetNotFound", "ChangeSetNotFoundException") or (
        error.aws_code == "ValidationError" and "does not exist" in error.aws_message
    )


def _identified(account: Account, stack: FoundStack) -> FoundStack:
    """A stack that only waits for its change set has no tags yet: they are the change set's."""
    unnamed = stack.status == REVIEW_IN_PROGRESS and stack.identity is None
    if not unnamed or not stack.name.startswith(STACK_NAME_PREFIX):
        return stack
    try:
        reply = account.call(
            SERVICE,
            "DescribeChangeSet",
            about=f"stack {stack.name}",
            StackName=stack.id,
            ChangeSetName=CHANGE_SET_NAME,
        )
    except (AnswerError, RefusedError):
        return stack
    tags = tags_of(reply)
    return replace(stack, tags=tags, identity=parse_identity(tags))


def parse_stack(stack: Mapping[str, Any]) -> FoundStack:
    """An element of DescribeStacks."""
    tags = tags_of(stack)
    outputs = {o["OutputKey"]: o.get("OutputValue", "") for o in stack.get("Outputs", ())}
    return FoundStack(
        id=stack["StackId"],
        name=stack["StackName"],
        status=stack["StackStatus"],
        reason=stack.get("StackStatusReason", ""),
        created_at=stack["CreationTime"],
        updated_at=stack.get("LastUpdatedTime"),
        identity=parse_identity(tags, outputs.get(REQUEST_OUTPUT, "")),
        tags=tags,
        outputs=outputs,
        parameters={
            p["ParameterKey"]: p.get("ParameterValue", "") for p in stack.get("Parameters", ())
        },
        protected=bool(stack.get("EnableTerminationProtection")),
        role=stack.get("RoleARN"),
    )


def parse_identity(tags: Mapping[str, str], request: str = "") -> Identity | None:
    """Who a stack is by its tags; None if they are not ours."""
    try:
        environment = EnvironmentName.parse(tags[ENVIRONMENT_TAG])
    except (KeyError, ValueError):
        return None
    branch = tags.get(BRANCH_TAG, environment.slug)
    return Identity(
        environment=environment,
        branch=text_of_tag(branch) or branch,
        owner=_read(tags.get(OWNER_TAG, "-")),
        production=tags.get(PRODUCTION_TAG) == "true",
        expires_at=_moment(tags.get(EXPIRES_TAG, "never")),
        request=request,
    )


def _read(value: str) -> str:
    return text_of_tag(value) or value


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _events(account: Account, stack_id: str) -> Iterator[StackEvent]:
    pages = account.pages(
        SERVICE, "DescribeStackEvents", about=f"stack {stack_id}", StackName=stack_id
    )
    for page in pages:
        for event in page.get("StackEvents", ()):
            yield StackEvent(
                id=event["EventId"],
                at=event["Timestamp"],
                stack_id=event["StackId"],
                logical_id=event.get("LogicalResourceId", ""),
                physical_id=event.get("PhysicalResourceId", ""),
                type=event.get("ResourceType", ""),
                status=event.get("ResourceStatus", ""),
                reason=event.get("ResourceStatusReason", ""),
            )
