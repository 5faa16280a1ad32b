"""AWS's limits on one machine, met before anything is created.

What concerns a whole template is in ``document``, what concerns a boot script in ``user_data``.
"""

from __future__ import annotations

from collections.abc import Iterable

from greenroom.errors import InputError
from greenroom.model.cloud import CloudStack
from greenroom.model.stack import Machine
from greenroom.providers.aws.tags import PREFIX, Tags, instance_tags, stack_tags

TAGS_MAX = 50
"""Tags of one resource that are not AWS's own (Tagging guide); the stack's count as well."""

GROUPS_MAX = 16
"""Security groups of one network interface: 5, and on demand up to 16 (VPC guide, quotas)."""


def refuse_limits(cloud: CloudStack) -> None:
    """Raise InputError for a machine or a group that AWS would refuse."""
    for group in cloud.stack.groups:
        _refuse_reserved(f"group {group.name!r}", group.tags)
    for machine in cloud.stack.machines:
        _refuse_reserved(f"machine type {machine.type!r}", machine.tags)
        _refuse_many_tags(machine, {*dict(stack_tags(cloud)), *dict(instance_tags(machine))})
        _refuse_many_groups(machine)


def _refuse_reserved(whose: str, tags: Tags) -> None:
    for key, _ in tags:
        if key.startswith(PREFIX):
            raise InputError(
                "E_AWS_TAG",
                f"the {whose} has the tag {key!r}; tags that begin with {PREFIX!r} are greenroom's "
                "own on AWS",
                hint="rename the tag",
            )


def _refuse_many_tags(machine: Machine, keys: Iterable[str]) -> None:
    count = len(set(keys))
    if count > TAGS_MAX:
        raise InputError(
            "E_AWS_TAG",
            f"{machine.name} would have {count} tags with those of its groups and its stack; "
            f"AWS allows {TAGS_MAX}",
            hint=f"take tags out of {machine.type} or its groups",
        )


def _refuse_many_groups(machine: Machine) -> None:
    if len(machine.groups) > GROUPS_MAX:
        raise InputError(
            "E_AWS_GROUP",
            f"{machine.name} joins {len(machine.groups)} groups with its type's own; "
            f"a network interface has at most {GROUPS_MAX}",
            hint=f"take some out of machines.{machine.type}.groups",
        )
