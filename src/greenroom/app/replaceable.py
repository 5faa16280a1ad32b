"""Which machines a replace or a drill throws away (pure)."""

from __future__ import annotations

import dataclasses

from greenroom.app.lookup import machine_named
from greenroom.errors import InputError
from greenroom.model.requests import DrillRequest, ReplaceRequest, Request
from greenroom.model.stack import Machine, Stack


def replaces(request: Request) -> bool:
    """Whether what is asked for throws machines away and boots them anew."""
    return isinstance(request, ReplaceRequest) or (
        isinstance(request, DrillRequest) and request.throw_away
    )


def chosen(stack: Stack, request: ReplaceRequest | DrillRequest) -> tuple[Machine, ...]:
    """The machines that are meant, each once, in the Stack's order.

    Raises InputError: E_NO_MACHINE for a name that none has, E_NOTHING_TO_REPLACE for no name,
    E_NOTHING_STATELESS if every machine has a data volume.
    """
    match request:
        case ReplaceRequest(stateless=False):
            names = {machine_named(stack, name).name for name in request.machines}
            if not names:
                raise InputError(
                    "E_NOTHING_TO_REPLACE",
                    f"{stack.environment}: no machine is named",
                    hint="name machines, or all without a data volume: "
                    f"greenroom replace {stack.environment} --stateless",
                )
            return tuple(machine for machine in stack.machines if machine.name in names)
        case _:
            return _stateless(stack)


def inputs_of(stack: Stack, machines: tuple[Machine, ...]) -> Stack:
    """The part of the Stack that has to be there for these machines to boot anew: artifacts,
    mounts and images, but no extracts, since a machine keeps its volume."""
    images = {machine.image for machine in machines}
    return dataclasses.replace(
        stack,
        machines=tuple(dataclasses.replace(machine, volume=None) for machine in machines),
        images=tuple(image for image in stack.images if image.name in images),
        drills=(),
    )


def _stateless(stack: Stack) -> tuple[Machine, ...]:
    found = tuple(machine for machine in stack.machines if machine.volume is None)
    if not found:
        first = stack.machines[0].name
        raise InputError(
            "E_NOTHING_STATELESS",
            f"{stack.environment}: every machine has a data volume, so none is stateless",
            hint=f"name what shall be replaced, it keeps its volume: "
            f"greenroom replace {stack.environment} {first}",
        )
    return found
