"""What CloudFormation refuses at once for a stack's name or status."""

from __future__ import annotations

import re

from tests.cloud.fake.query import invalid
from tests.cloud.fake.records import UPDATABLE, Stack

_NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]*")
NAME_MAX = 128


def refuse_bad_name(name: str) -> None:
    """A name or an id that cannot be one."""
    if name.startswith("arn:"):
        return
    if not _NAME.fullmatch(name):
        raise invalid(
            f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
        )
    if len(name) > NAME_MAX:
        raise invalid(
            f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy "
            f"constraint: Member must have length less than or equal to {NAME_MAX}"
        )


def refuse_not_updatable(stack: Stack) -> None:
    """A status that takes no update: ROLLBACK_COMPLETE is a dead end."""
    if stack.status not in UPDATABLE:
        raise invalid(f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated.")


def refuse_not_deletable(stack: Stack, retained: frozenset[str]) -> None:
    """Protection, a nested stack's root, an update on its way, and RetainResources too early."""
    if stack.protected:
        raise invalid(
            f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled"
        )
    if stack.busy and stack.status not in ("CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS"):
        raise invalid(f"Stack [{stack.stack_id}] cannot be deleted while in status {stack.status}")
    if retained and stack.status != "DELETE_FAILED":
        raise invalid(
            f"Invalid operation on stack [{stack.stack_id}]. Specify resources to retain only "
            "when the stack is in the DELETE_FAILED state."
        )
