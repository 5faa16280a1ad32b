"""What the parts of a Stack would be called on a host."""

from __future__ import annotations

from dataclasses import replace

from greenroom.model.receipt import Resource, ResourceKind
from greenroom.model.stack import Machine, Stack


def network_resources(stack: Stack) -> set[Resource]:
    """What a network consists of: of every machine and drill."""
    key = stack.environment.key
    members = (*stack.machines, *stack.drills)
    return {
        *(Resource(kind=ResourceKind.NAMESPACE, name=f"{key}.{m.name}") for m in members),
        *(Resource(kind=ResourceKind.LINK, name=f"veth-{m.address}") for m in members),
        Resource(kind=ResourceKind.NFT, name=f"environment {key}"),
        Resource(kind=ResourceKind.DNS, name=f"{key}.hosts"),
    }


def volume_resources(stack: Stack) -> set[Resource]:
    """A folder per volume."""
    key = stack.environment.key
    return {
        Resource(kind=ResourceKind.DIRECTORY, name=f"volumes/{key}/{machine.name}")
        for machine in stack.machines
        if machine.volume is not None
    }


def machine_resources(stack: Stack) -> set[Resource]:
    """What running machines consist of."""
    key = stack.environment.key
    kinds = (ResourceKind.CONTAINER, ResourceKind.CGROUP, ResourceKind.PROCESS, ResourceKind.MOUNT)
    return {
        Resource(kind=kind, name=f"{key}.{machine.name}")
        for machine in stack.machines
        for kind in kinds
    }


def machine_parts(stack: Stack, machine: Machine) -> set[Resource]:
    """What goes with one machine when it is thrown away: its volume is not among it."""
    alone = replace(stack, machines=(machine,), drills=())
    own = {ResourceKind.NAMESPACE, ResourceKind.LINK}
    network = {part for part in network_resources(alone) if part.kind in own}
    return network | machine_resources(alone)


def route_resources(stack: Stack) -> set[Resource]:
    """A route per endpoint."""
    return {
        Resource(kind=ResourceKind.ROUTE, name=machine.endpoint.local_host)
        for machine in stack.machines
        if machine.endpoint is not None
    }
