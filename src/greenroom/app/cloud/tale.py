"""CloudFormation's events, retold: phases of the environment and of its machines, and the first
thing that went wrong.

Pure but for what it tells. CloudFormation speaks of resources; a person wants to know what their
machines do. So resources are gathered into parts (the groups, the roles, one machine's boot), and
a part is done when as many of its resources are as the change set announced.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from greenroom.app.cloud.telling import Telling
from greenroom.model.cloud_account import Change, ChangeKind, StackEvent

_MACHINE_PARTS = {
    "AWS::EC2::Instance": "instance",
    "AWS::AutoScaling::AutoScalingGroup": "instance",
    "AWS::EC2::Volume": "volume",
    "AWS::EC2::VolumeAttachment": "volume",
    "AWS::CloudFormation::WaitCondition": "boot",
}
_SHARED_PARTS = {
    "AWS::EC2::SecurityGroup": "network",
    "AWS::EC2::SecurityGroupEgress": "network",
    "AWS::EC2::SecurityGroupIngress": "network",
    "AWS::IAM::InstanceProfile": "roles",
    "AWS::IAM::Policy": "roles",
    "AWS::IAM::Role": "roles",
    "AWS::Route53::HostedZone": "names",
    "AWS::Route53::RecordSet": "names",
    "AWS::CloudFormation::Stack": "nested",
}
_OTHER = "resources"

_ECHOES = (
    "resource creation cancelled",
    "resource update cancelled",
    "the following resource(s) failed",
    "embedded stack ",
    "resource deletion cancelled",
)
"""Reasons that only repeat that something else has failed."""
_SIGNALLED = "received failed message"

STOPPED = "stopped, because something else failed"
CANCELLED = "stopped, because somebody pressed Ctrl-C"


@dataclass(frozen=True, slots=True)
class Part:
    """A phase, of a machine or of the whole environment."""

    phase: str
    machine: str | None


@dataclass(slots=True)
class _Running:
    """A part that has begun; ``done`` are the logical ids of what is finished."""

    since: datetime
    latest: datetime
    done: set[str] = field(default_factory=set)


def part_of(logical_id: str, type_: str, machine: str | None) -> Part | None:
    """The part that a resource belongs to; None for what is nobody's wait (a handle, a launch
    template)."""
    if type_ in ("AWS::CloudFormation::WaitConditionHandle", "AWS::EC2::LaunchTemplate"):
        return None
    if type_ in _MACHINE_PARTS and machine is not None:
        return Part(_MACHINE_PARTS[type_], machine)
    return Part(_SHARED_PARTS.get(type_, _OTHER), None)


def is_echo(reason: str) -> bool:
    """Whether a reason says only that something else has failed."""
    return reason.lower().startswith(_ECHOES)


class Tale:
    """Takes a stack's events in their order, tells phases, and keeps the first failure."""

    def __init__(
        self,
        telling: Telling,
        changes: Iterable[Change],
        machine_of: Callable[[str], str | None],
    ) -> None:
        self._telling = telling
        self._machine_of = machine_of
        self._expected = _expected(changes, machine_of)
        self._running: dict[Part, _Running] = {}
        self._failures: list[StackEvent] = []
        self._undoing: datetime | None = None
        self.last: dict[str, str] = {}
        """The id of the last event that was taken, by stack."""
        self.removed: dict[str, str] = {}
        self.left: dict[str, str] = {}

    @property
    def failure(self) -> StackEvent | None:
        """What the error should say: a machine's own word before anybody's, else the first."""
        signals = (event for event in self._failures if _SIGNALLED in event.reason)
        return next(signals, self._failures[0] if self._failures else None)

    def take(self, event: StackEvent) -> None:
        """One more event."""
        self.last[event.stack_id] = event.id
        if event.of_stack:
            self._take_stack(event)
        elif event.status.startswith("DELETE_"):
            self._take_removal(event)
        elif event.status.endswith("_FAILED"):
            self._take_failure(event)
        elif self._undoing is None:
            self._take_progress(event)

    def close(self, why: str = STOPPED) -> None:
        """End what was never announced in full."""
        for part in list(self._running):
            self._stop(part, why)

    def finish(self) -> None:
        """End what is under way as done, since the stack is complete: of what a change set said
        might change, an update leaves alone what turns out the same, and no event tells of it."""
        for part, running in self._running.items():
            seconds = (running.latest - running.since).total_seconds()
            self._telling.done(part.phase, seconds, "", part.machine)
        self._running.clear()

    def _take_stack(self, event: StackEvent) -> None:
        if event.status in ("ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS"):
            self.close()
            self._undoing = event.at
            self._telling.started("rollback")
        elif event.status in ("ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"):
            if self._undoing is not None:
                seconds = (event.at - self._undoing).total_seconds()
                self._telling.done("rollback", seconds)
        elif event.status.endswith("_FAILED") and event.reason and not is_echo(event.reason):
            self._failures.append(event)

    def _take_progress(self, event: StackEvent) -> None:
        part = part_of(event.logical_id, event.type, self._machine_of(event.logical_id))
        if part is None:
            return
        if event.status.endswith("_IN_PROGRESS"):
            if part not in self._running:
                self._running[part] = _Running(event.at, event.at)
                self._telling.started(part.phase, part.machine)
        elif event.status.endswith("_COMPLETE") and part in self._running:
            running = self._running[part]
            running.done.add(event.logical_id)
            running.latest = event.at
            if len(running.done) == self._expected.get(part):
                del self._running[part]
                seconds = (event.at - running.since).total_seconds()
                self._telling.done(part.phase, seconds, _said(part, event), part.machine)

    def _take_failure(self, event: StackEvent) -> None:
        part = part_of(event.logical_id, event.type, self._machine_of(event.logical_id))
        if is_echo(event.reason):
            if part is not None and part in self._running:
                self._stop(part)
            return
        self._failures.append(event)
        if part is not None:
            self._running.pop(part, None)
            self._telling.failed(part.phase, event.reason, part.machine)

    def _take_removal(self, event: StackEvent) -> None:
        name = f"{event.type} {event.logical_id}"
        if event.status == "DELETE_COMPLETE":
            self.removed[event.logical_id] = event.type
            self.left.pop(name, None)
        elif event.status in ("DELETE_FAILED", "DELETE_SKIPPED"):
            self.left[name] = event.reason
            if event.status == "DELETE_FAILED" and not is_echo(event.reason):
                self._failures.append(event)

    def _stop(self, part: Part, why: str = STOPPED) -> None:
        del self._running[part]
        self._telling.failed(part.phase, why, part.machine)


def _expected(
    changes: Iterable[Change], machine_of: Callable[[str], str | None]
) -> Mapping[Part, int]:
    """How many resources each part has to finish."""
    parts = (
        part_of(change.logical_id, change.type, machine_of(change.logical_id))
        for change in changes
        if change.kind is not ChangeKind.REMOVE
    )
    return Counter(part for part in parts if part is not None)


def _said(part: Part, event: StackEvent) -> str:
    """What is worth saying of a part that is done: what the instance is called."""
    return event.physical_id if part.phase == "instance" else ""
