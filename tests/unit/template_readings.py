"""What a template says, read as tests ask it."""

from __future__ import annotations

from tests.cloud_stacks import (
    Document,
)

from greenroom.model.cloud import (
    CloudStack,
)
from greenroom.providers.aws.template.names import logical_ids


def of_type(document: Document, kind: str) -> dict[str, Document]:
    """The properties of every resource of a type."""
    return {
        id: resource.get("Properties", {})
        for id, resource in document["Resources"].items()
        if resource["Type"] == f"AWS::{kind}"
    }


def readable(cloud: CloudStack, document: Document) -> dict[str, set[str]]:
    """The objects that each machine type's role may read."""
    found: dict[str, set[str]] = {}
    for type_, id in logical_ids(cloud).types.items():
        (policy,) = document["Resources"][f"{id}Role"]["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]:
            if any(action.startswith("s3:") for action in [*_listed(statement["Action"])]):
                assert statement["Action"] == "s3:GetObject"
                found.setdefault(type_, set()).update(statement["Resource"])
    return found


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
