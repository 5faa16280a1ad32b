"""What an update would do to each resource, for a change set and for the update itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.cloud.fake.records import Change, Detail, Resource
from tests.cloud.fake.template import ResourceBlock, references

UNKNOWN = "{{changeSet:KNOWN_AFTER_APPLY}}"
"""What a change set shows for a value that the update will make."""


def changed_properties(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """The top-level properties that differ, in order."""
    return tuple(name for name in sorted({*before, *after}) if before.get(name) != after.get(name))


def plan_change(
    resource: Resource,
    block: ResourceBlock,
    after: Mapping[str, Any],
    tags: Mapping[str, str],
    recreation: Callable[[str], str],
) -> Change | None:
    """What happens to an existing ``resource``, None for nothing.

    ``after`` are its properties with UNKNOWN where a value is not known yet; ``recreation`` says
    Never, Conditionally or Always for a property. ``tags`` are the stack's that it shall bear.
    """
    if resource.type != block.type:
        details: tuple[Detail, ...] = ()
        replacement, scope = "True", ("Properties",)
    else:
        names = changed_properties(resource.properties, after)
        details = tuple(_detail(name, resource, block, after, recreation(name)) for name in names)
        replacement = _replacement(details)
        scope = ("Properties",) if set(names) - {"Tags"} else ()
        retagged = dict(resource.tags) != dict(tags)
        if "Tags" in names or retagged:
            scope = (*scope, "Tags")
        if retagged and "Tags" not in names:
            details = (*details, _tag_detail(resource.tags, tags))
    if not scope:
        return None
    return Change(
        action="Modify",
        logical_id=resource.logical_id,
        physical_id=resource.physical_id,
        type=block.type,
        replacement=replacement,
        scope=scope,
        details=details,
    )


def _replacement(details: tuple[Detail, ...]) -> str:
    """A property that must replace does so for certain only if its new value is known."""
    if any(detail.recreation == "Always" and not detail.dynamic for detail in details):
        return "True"
    if any(detail.recreation != "Never" for detail in details):
        return "Conditional"
    return "False"


def _detail(
    name: str,
    resource: Resource,
    block: ResourceBlock,
    after: Mapping[str, Any],
    recreation: str,
) -> Detail:
    value = after.get(name)
    dynamic = UNKNOWN in json.dumps(value)
    causes = [
        ref if attribute is None else f"{ref}.{attribute}"
        for ref, attribute in references(block.properties.get(name))
    ]
    return Detail(
        attribute="Tags" if name == "Tags" else "Properties",
        name=None if name == "Tags" else name,
        recreation=recreation,
        dynamic=dynamic,
        cause=causes[0] if dynamic and causes else None,
        before=_shown(resource.properties.get(name)),
        after=_shown(value),
    )


def _tag_detail(before: Mapping[str, str], after: Mapping[str, str]) -> Detail:
    return Detail(
        attribute="Tags",
        name=None,
        recreation="Never",
        dynamic=False,
        cause=None,
        before=_shown(dict(before)),
        after=_shown(dict(after)),
    )


def _shown(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)
