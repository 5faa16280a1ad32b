"""Tags: what a machine inherits from its groups, and who wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from greenroom.blueprint.fields import BRANCH_TAG
from greenroom.errors import InputError
from greenroom.model.stack import SecurityGroup

ROLE_TAG = "role"

Tags = tuple[tuple[str, str], ...]


def type_group_tags(machine_type: str, declared: Mapping[str, str], branch: str) -> Tags:
    """The tags of a machine type's own group: role and branch are always among them."""
    return sorted_tags({ROLE_TAG: machine_type, **declared, BRANCH_TAG: branch})


def sorted_tags(tags: Mapping[str, str]) -> Tags:
    """Tags in the order of their keys."""
    return tuple(sorted(tags.items()))


def effective_tags(
    machine_type: str, groups: Sequence[SecurityGroup], own: Mapping[str, str]
) -> Tags:
    """The tags of a machine in ``groups`` whose own tags are ``own``; its own win.

    Raises InputError E_TAG_CONFLICT if two groups disagree and the machine does not decide.
    """
    inherited: dict[str, tuple[str, str]] = {}
    for group in groups:
        for key, value in group.tags:
            first, first_value = inherited.setdefault(key, (group.name, value))
            if value != first_value and key not in own:
                raise InputError(
                    "E_TAG_CONFLICT",
                    f"the groups {first!r} and {group.name!r} of machine type {machine_type!r} "
                    f"disagree on the tag {key!r}: {first_value!r} and {value!r}",
                    hint=f"decide with {key!r} in the machine_tags of {machine_type}",
                )
    return sorted_tags({key: value for key, (_, value) in inherited.items()} | dict(own))
