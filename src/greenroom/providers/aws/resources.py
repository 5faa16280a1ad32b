"""What a stack consists of, nested stacks included."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from greenroom.model.cloud_views import SeenResource
from greenroom.providers.aws.session import Account

NESTED_STACK = "AWS::CloudFormation::Stack"

_WAIT_HANDLE = "AWS::CloudFormation::WaitConditionHandle"
"""Its id is the URL that whoever knows it may signal to, so nobody is told."""


def stack_resources(account: Account, stack_id: str) -> tuple[SeenResource, ...]:
    """Every resource of the stack and of its nested stacks, in CloudFormation's order.

    A deleted stack must be asked for by its id; what is gone is listed with DELETE_COMPLETE.
    """
    return tuple(_resources(account, stack_id))


def _resources(account: Account, stack_id: str) -> Iterator[SeenResource]:
    pages = account.pages(
        "cloudformation",
        "ListStackResources",
        about=stack_id,
        StackName=stack_id,
    )
    for page in pages:
        for raw in page.get("StackResourceSummaries", []):
            resource = _resource(raw)
            yield resource
            if resource.type == NESTED_STACK and resource.physical_id:
                yield from _resources(account, resource.physical_id)


def told_id(type_: str, physical_id: str | None) -> str:
    """A resource's physical id, as far as it is for everybody's eyes."""
    return "" if type_ == _WAIT_HANDLE else physical_id or ""


def _resource(raw: Mapping[str, Any]) -> SeenResource:
    return SeenResource(
        logical_id=raw["LogicalResourceId"],
        physical_id=told_id(raw["ResourceType"], raw.get("PhysicalResourceId")),
        type=raw["ResourceType"],
        status=raw["ResourceStatus"],
        reason=raw.get("ResourceStatusReason") or "",
        changed_at=raw.get("LastUpdatedTimestamp"),
    )
