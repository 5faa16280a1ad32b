"""What a change set takes from an environment: machines, and with them their data (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from greenroom.model.cloud import CloudStack
from greenroom.model.cloud_account import Change, ChangeKind
from greenroom.model.stack import RestoreMode

MACHINES = ("AWS::EC2::Instance", "AWS::AutoScaling::AutoScalingGroup")
"""What a machine is to CloudFormation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What becomes of the data of ``machine``, in words."""

    machine: str
    words: str


def losses(
    cloud: CloudStack, changes: Iterable[Change], machine_of: Callable[[str], str | None]
) -> tuple[Loss, ...]:
    """The machines with data that a change set launches anew."""
    found = []
    for change in changes:
        machine = machine_of(change.logical_id)
        again = change.kind in (ChangeKind.REPLACE, ChangeKind.MAY_REPLACE)
        if machine is not None and again and change.type in MACHINES:
            volume = cloud.stack.machine(machine).volume
            if volume is not None:
                source = None if volume.mode is RestoreMode.EMPTY else volume.source
                words = _words(machine, source, sure=change.kind is ChangeKind.REPLACE)
                found.append(Loss(machine=machine, words=words))
    return tuple(found)


def machines_among(
    changes: Iterable[Change], machine_of: Callable[[str], str | None]
) -> tuple[str, ...]:
    """The machines themselves among the changed resources; one that goes for good by the id that
    it had in the template."""
    return tuple(
        machine_of(change.logical_id) or change.logical_id
        for change in changes
        if change.type in MACHINES
    )


def _words(machine: str, source: str | None, *, sure: bool) -> str:
    after = "its database begins empty" if source is None else f"is restored from {source}"
    gone = f"its data is gone, and {after}"
    if sure:
        return f"{machine} boots anew: {gone}"
    return f"{machine} boots anew if AWS replaces it, which is known only then: {gone}"
