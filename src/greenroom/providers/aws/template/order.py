"""Which machine waits for which: only where booting together would fail."""

from __future__ import annotations

from greenroom.model.stack import Machine, Stack


def waited_for(stack: Stack, machine: Machine) -> tuple[str, ...]:
    """The machines that must have signalled before ``machine`` is launched.

    Machines boot together, as they do locally: the checks of one wait for the other. A restore
    takes longer than any check may, so whoever needs a machine with data comes after it; unless
    that one needs it too, by whatever way, for then neither could begin.
    """
    return tuple(
        name
        for name in machine.needs
        if stack.machine(name).volume is not None and machine.name not in _needed(stack, name)
    )


def _needed(stack: Stack, name: str) -> set[str]:
    """All that the machine called ``name`` needs, by whatever way."""
    found: set[str] = set()
    ahead = [name]
    while ahead:
        for need in stack.machine(ahead.pop()).needs:
            if need not in found:
                found.add(need)
                ahead.append(need)
    return found
