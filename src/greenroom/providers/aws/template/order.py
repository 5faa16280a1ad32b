"""Which machine waits for which: only where booting together would fail."""

from __future__ import annotations

from greenroom.model.stack import Machine, Stack


def waited_for(stack: Stack, machine: Machine) -> tuple[str, ...]:
    """The machines that must have signalled before ``machine`` is launched.

    Machines boot together, as they do locally: the checks of one wait for the other. A restore
    takes longer than any check may, so whoever needs a machine with data comes after it. The
    blueprint refuses needs that form a circle, so somebody can always begin.
    """
    return tuple(name for name in machine.needs if stack.machine(name).volume is not None)
