"""Which machine waits for which: only where booting together would fail."""

from __future__ import annotations

from greenroom.model.cloud import CloudStack
from greenroom.model.stack import Machine


def waited_for(cloud: CloudStack, machine: Machine) -> tuple[str, ...]:
    """The machines that must have signalled before ``machine`` is launched.

    Machines boot together, as they do locally: the checks of one wait for the other. A restore
    takes longer than any check may, so whoever needs a machine with data comes after it. So does
    whoever needs one that writes its own name when it is ready: who asks for a name too early is
    told for the next 15 minutes that there is none (RFC 2308; a hosted zone's SOA has a TTL of 900
    s). The blueprint refuses needs that form a circle, so somebody can always begin.
    """
    return tuple(
        name
        for name in machine.needs
        if cloud.stack.machine(name).volume is not None or cloud.machine(name).auto_scaling
    )
