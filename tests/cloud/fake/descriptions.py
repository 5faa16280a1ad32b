"""Stacks, resources, events and change sets as the API shows them, and their pages."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from tests.cloud.fake.query import invalid
from tests.cloud.fake.records import Change, ChangeSet, Detail, Event, Resource, Stack

Item = TypeVar("Item")


def page(
    items: Sequence[Item], values: Mapping[str, Any], size: int
) -> tuple[Sequence[Item], str | None]:
    """The page that ``values`` asks for by NextToken, and the token of the one after it."""
    start = 0
    if token := values.get("NextToken"):
        try:
            start = int(base64.b64decode(token, validate=True))
        except ValueError as exc:
            raise invalid("Invalid NextToken") from exc
    end = start + size
    after = base64.b64encode(str(end).encode()).decode() if end < len(items) else None
    return items[start:end], after


def described_stack(stack: Stack) -> dict[str, Any]:
    """A stack of DescribeStacks."""
    desired = stack.desired
    return {
        "StackId": stack.stack_id,
        "StackName": stack.name,
        "ChangeSetId": stack.change_set_id,
        "Description": desired.template.description if desired else None,
        "Parameters": _parameters(stack),
        "CreationTime": stack.created_at,
        "DeletionTime": stack.deleted_at,
        "LastUpdatedTime": stack.updated_at,
        "RollbackConfiguration": {},
        "StackStatus": stack.status,
        "StackStatusReason": stack.reason,
        "DisableRollback": stack.on_failure == "DO_NOTHING",
        "NotificationARNs": [],
        "Capabilities": list(desired.capabilities) if desired else [],
        "Outputs": stack.outputs,
        "RoleARN": desired.role_arn if desired else None,
        "Tags": _tags(desired.tags) if desired else [],
        "EnableTerminationProtection": stack.protected,
        "ParentId": stack.parent_id,
        "RootId": stack.root_id,
        "DriftInformation": _drift(stack),
    }


def _parameters(stack: Stack) -> list[dict[str, str]]:
    """With the resolved value only where it is SSM's."""
    desired = stack.desired
    if desired is None:
        return []
    shown = []
    for name, text in desired.parameters.items():
        one = {"ParameterKey": name, "ParameterValue": text}
        spec = desired.template.parameters[name]
        if spec["Type"].startswith("AWS::SSM::"):
            one["ResolvedValue"] = str(desired.values[name])
        if str(spec.get("NoEcho", "false")).lower() == "true":
            one["ParameterValue"] = "****"
        shown.append(one)
    return shown


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _drift(stack: Stack) -> dict[str, Any]:
    return {"StackDriftStatus": stack.drift, "LastCheckTimestamp": stack.drift_checked_at}


def described_summary(stack: Stack) -> dict[str, Any]:
    """A stack of ListStacks: neither tags nor outputs."""
    kept = [
        "StackId",
        "StackName",
        "CreationTime",
        "LastUpdatedTime",
        "DeletionTime",
        "StackStatus",
        "StackStatusReason",
        "ParentId",
        "RootId",
        "DriftInformation",
    ]
    shown = described_stack(stack)
    return {name: shown[name] for name in kept}


def described_event(stack: Stack, event: Event) -> dict[str, Any]:
    """An event of DescribeStackEvents."""
    return {
        "StackId": stack.stack_id,
        "EventId": event.event_id,
        "StackName": stack.name,
        "OperationId": event.operation_id,
        "LogicalResourceId": event.logical_id,
        "PhysicalResourceId": event.physical_id or "",
        "ResourceType": event.type,
        "Timestamp": event.at,
        "ResourceStatus": event.status,
        "ResourceStatusReason": event.reason,
        "ResourceProperties": event.properties,
        "ClientRequestToken": event.token,
    }


def described_operation_event(stack: Stack, event: Event) -> dict[str, Any]:
    """An event of DescribeEvents."""
    shown = described_event(stack, event)
    del shown["StackName"]
    return {**shown, "EventType": "STACK_EVENT"}


def described_resource(stack: Stack, resource: Resource) -> dict[str, Any]:
    """A resource of DescribeStackResources."""
    return {
        "StackName": stack.name,
        "StackId": stack.stack_id,
        "LogicalResourceId": resource.logical_id,
        "PhysicalResourceId": resource.physical_id,
        "ResourceType": resource.type,
        "Timestamp": resource.changed_at,
        "ResourceStatus": resource.status,
        "ResourceStatusReason": resource.reason,
        "DriftInformation": {"StackResourceDriftStatus": resource.drift},
    }


def described_resource_summary(resource: Resource) -> dict[str, Any]:
    """A resource of ListStackResources."""
    return {
        "LogicalResourceId": resource.logical_id,
        "PhysicalResourceId": resource.physical_id,
        "ResourceType": resource.type,
        "LastUpdatedTimestamp": resource.changed_at,
        "ResourceStatus": resource.status,
        "ResourceStatusReason": resource.reason,
        "DriftInformation": {"StackResourceDriftStatus": resource.drift},
    }


def described_change_set(one: ChangeSet, stack: Stack) -> dict[str, Any]:
    """A change set without its changes."""
    return {
        "ChangeSetName": one.name,
        "ChangeSetId": one.change_set_id,
        "StackId": stack.stack_id,
        "StackName": stack.name,
        "Description": one.description,
        "Parameters": [
            {"ParameterKey": name, "ParameterValue": text}
            for name, text in one.desired.parameters.items()
        ],
        "CreationTime": one.created_at,
        "ExecutionStatus": one.execution,
        "Status": one.status,
        "StatusReason": one.reason,
        "NotificationARNs": [],
        "RollbackConfiguration": {},
        "Capabilities": list(one.desired.capabilities),
        "Tags": _tags(one.desired.tags),
        "OnStackFailure": one.on_failure,
        "IncludeNestedStacks": False,
    }


def described_change(change: Change, *, with_values: bool) -> dict[str, Any]:
    """A change of DescribeChangeSet."""
    return {
        "Type": "Resource",
        "ResourceChange": {
            "Action": change.action,
            "LogicalResourceId": change.logical_id,
            "PhysicalResourceId": change.physical_id,
            "ResourceType": change.type,
            "Replacement": change.replacement,
            "Scope": list(change.scope),
            "Details": [_detail(detail, with_values=with_values) for detail in change.details],
        },
    }


def _detail(detail: Detail, *, with_values: bool) -> dict[str, Any]:
    target = {
        "Attribute": detail.attribute,
        "Name": detail.name,
        "RequiresRecreation": detail.recreation,
    }
    if with_values:
        target |= {
            "Path": f"/{detail.attribute}/{detail.name}" if detail.name else "/Tags",
            "BeforeValue": detail.before,
            "AfterValue": detail.after,
        }
    source = "DirectModification"
    if detail.cause is not None:
        source = "ResourceAttribute" if "." in detail.cause else "ResourceReference"
    return {
        "Target": target,
        "Evaluation": "Dynamic" if detail.dynamic else "Static",
        "ChangeSource": source,
        "CausingEntity": detail.cause,
    }
