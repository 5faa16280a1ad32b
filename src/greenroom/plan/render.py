"""A Stack as JSON values for people and programs, with its secrets masked."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from greenroom.model.lifetimes import Lifetime
from greenroom.model.stack import Machine, Stack

MASK = "***"


def plan_to_dict(stack: Stack) -> dict[str, Any]:
    """The Stack in JSON's types. Signal tokens read ``***``, also inside the user
    data, and so does the address of a webhook."""
    masked = replace(
        stack,
        machines=tuple(_masked(machine) for machine in stack.machines),
        drills=tuple(_masked(drill) for drill in stack.drills),
        lifetime=_without_webhook(stack.lifetime),
    )
    rendered: dict[str, Any] = _adapter().dump_python(masked, mode="json")
    return rendered


def _without_webhook(lifetime: Lifetime | None) -> Lifetime | None:
    if lifetime is None or lifetime.notify is None:
        return lifetime
    return replace(lifetime, notify=MASK)


def _masked(machine: Machine) -> Machine:
    user_data = machine.user_data.replace(machine.signal_token, MASK)
    return replace(machine, signal_token=MASK, user_data=user_data)


@cache
def _adapter() -> TypeAdapter[Stack]:
    """Built on first use: it costs more than the rest of this module together."""
    return TypeAdapter(Stack)
