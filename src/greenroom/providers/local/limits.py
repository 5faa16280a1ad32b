"""What the kernel did to a machine at its limits, as its cgroup counted it.

A server that is killed for want of memory cannot say so itself: all that its supervisor sees is a
signal. The kernel's counters (cgroup-v1/memory, cgroup-v2) tell why, as long as the cgroup is
there, which outlives the machine.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from greenroom.errors import OperationError
from greenroom.model.stack import Machine
from greenroom.providers.local.cgroups import cgroup_folders
from greenroom.providers.local.layout import MachineLayout

# v1 and v2 count the same under other names.
_KILLS = ("memory.oom_control", "memory.events")
_REFUSALS = ("pids.events",)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsMet:
    """Processes that the kernel killed, and those that it refused to make, since the boot."""

    killed: int = 0
    refused: int = 0


def limits_met(place: MachineLayout) -> LimitsMet:
    """Read the counters of the machine's cgroup; zeros if there is none."""
    return LimitsMet(
        killed=max(_counts(place, _KILLS, "oom_kill"), default=0),
        refused=max(_counts(place, _REFUSALS, "max"), default=0),
    )


def told(met: LimitsMet, machine: Machine) -> str:
    """What was met, in words with the limits' values; empty if nothing was (pure)."""
    words = []
    if met.killed:
        memory = f"{machine.memory_mib} MiB ({machine.instance_type})"
        words.append(
            f"the kernel killed {_number(met.killed)} of it at its memory limit of {memory}"
        )
    if met.refused:
        words.append(
            f"the kernel refused it {_number(met.refused)} at its limit of {machine.pids} processes"
        )
    return "; ".join(words)


def explained(
    place: MachineLayout,
    machine: Machine,
    error: OperationError,
    before: LimitsMet = LimitsMet(),
) -> OperationError:
    """The error of a machine that failed; if it met a limit since ``before``, with that reason."""
    now = limits_met(place)
    met = LimitsMet(killed=now.killed - before.killed, refused=now.refused - before.refused)
    what = told(met, machine)
    if not what:
        return error
    code, hint = (
        (
            "E_MEMORY_LIMIT",
            f"give machine type {machine.type} a larger instance_type in the blueprint, or let "
            "its servers use less",
        )
        if met.killed
        else (
            "E_PROCESS_LIMIT",
            f"raise pids of machine type {machine.type} in the blueprint, or let its servers use "
            "fewer",
        )
    )
    reason = error.message.removeprefix(f"{machine.name}: ").removeprefix(f"{machine.name} ")
    return OperationError(code, f"{machine.name}: {what}: {reason}", hint=hint)


def _counts(place: MachineLayout, files: tuple[str, ...], word: str) -> Iterator[int]:
    for folder in cgroup_folders(place.cgroup):
        for name in files:
            with contextlib.suppress(OSError):
                for line in (folder / name).read_text().splitlines():
                    key, _, value = line.partition(" ")
                    if key == word and value.isdecimal():
                        yield int(value)


def _number(count: int) -> str:
    return f"{count} process{'es' if count != 1 else ''}"
