"""Tags: how an environment is known by what AWS keeps of it.

The stack's tags reach every resource that can bear tags, IAM roles among them, so their values
keep to the characters that all of AWS allows: letters, digits, spaces and ``_ . : / = + - @``
(IAM API, Tag). EC2 itself takes any character, so instances keep a branch's name as it is.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping
from typing import Any

from greenroom.model.cloud import CloudMachine, CloudStack
from greenroom.model.stack import Machine

PREFIX = "greenroom:"
"""Begins the tags that are ours; a blueprint cannot set one."""

STACK_TAG = f"{PREFIX}stack"
ENVIRONMENT_TAG = f"{PREFIX}environment"
BRANCH_TAG = f"{PREFIX}branch"
OWNER_TAG = f"{PREFIX}owner"
EXPIRES_TAG = f"{PREFIX}expires"
PRODUCTION_TAG = f"{PREFIX}production"
MACHINE_TAG = f"{PREFIX}machine"
GROUP_TAG = f"{PREFIX}group"

REQUEST_OUTPUT = "GreenroomRequest"
"""The stack's output that keeps the words which chose machines and restores. It is no tag: every
resource would bear it, and other words would launch every machine anew."""

VALUE_MAX = 256
_ALLOWED = "_.:/+-@"
"""Beside letters, digits and inner spaces; ``=`` is allowed too, but it begins an escape."""

Tags = tuple[tuple[str, str], ...]


def stack_tags(cloud: CloudStack) -> Tags:
    """The tags of a CloudFormation stack; CloudFormation hands them down to its resources."""
    expires = cloud.expires_at.isoformat(timespec="seconds") if cloud.expires_at else "never"
    return (
        *identity_tags(cloud),
        (BRANCH_TAG, tag_value(cloud.stack.branch)),
        (OWNER_TAG, tag_value(cloud.owner) or "-"),
        (EXPIRES_TAG, expires),
        (PRODUCTION_TAG, str(cloud.stack.production).lower()),
    )


def identity_tags(cloud: CloudStack) -> Tags:
    """The tags that never change while an environment lives."""
    environment = cloud.stack.environment
    return ((STACK_TAG, environment.stack), (ENVIRONMENT_TAG, str(environment)))


def instance_tags(machine: Machine) -> Tags:
    """What an instance reads of itself: its name, and its effective tags, which win."""
    tags = {"Name": machine.private_dns, **dict(machine.tags), MACHINE_TAG: machine.name}
    return tuple(tags.items())


def kept_tags(cloud: CloudStack, machine: CloudMachine) -> Tags:
    """The tags of a machine's volumes and network interfaces. CloudFormation does not hand the
    stack's down to them, and what a destroy left behind is found by them."""
    name = f"{machine.name}.{cloud.stack.domain}"
    return (("Name", name), *identity_tags(cloud), (MACHINE_TAG, machine.name))


def tags_of(reply: Mapping[str, Any]) -> dict[str, str]:
    """The tags of something that AWS describes: its list of keys and values as a mapping."""
    return {tag["Key"]: tag["Value"] for tag in reply.get("Tags") or ()}


def tag_value(text: str) -> str:
    """``text`` as all of AWS takes it: other characters as ``=`` and the hex of each byte.

    ``text_of_tag`` reads it back. What is longer than a tag may be is cut and ends in ``==`` and
    a hash, so that two texts never have one value.
    """
    value = "".join(
        c if _is_plain(c, inner=0 < position < len(text) - 1) else _escaped(c)
        for position, c in enumerate(text)
    )
    if len(value) <= VALUE_MAX:
        return value
    mark = f"=={hashlib.sha256(text.encode()).hexdigest()[:16]}"
    return value[: VALUE_MAX - len(mark)] + mark


def text_of_tag(value: str) -> str | None:
    """What ``tag_value`` was given; None if the value was cut, or is not ours."""
    first, *escaped = value.split("=")
    try:
        tail = b"".join(bytes.fromhex(part[:2]) + part[2:].encode() for part in escaped)
        text = (first.encode() + tail).decode()
    except ValueError:
        return None
    return text if tag_value(text) == value else None


def _is_plain(character: str, *, inner: bool) -> bool:
    if character == " ":
        # AWS's consoles and some APIs trim what stands at the ends.
        return inner
    return character in _ALLOWED or unicodedata.category(character)[0] in "LN"


def _escaped(character: str) -> str:
    return "".join(f"={byte:02X}" for byte in character.encode())
