"""A host that exists only in memory, and what can go wrong on it.

The world outlives the provider, as a real host outlives our daemon: a second provider on the same
world meets what the first one left there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from greenroom.errors import OperationError
from greenroom.model.incidents import Ended
from greenroom.model.names import EnvironmentName
from greenroom.model.proof import Verdict
from greenroom.model.receipt import Resource, ResourceKind
from greenroom.model.stack import Stack
from greenroom.model.views import MachineReport
from greenroom.ports import Cancellation

_POLL_S = 0.002


@dataclass(slots=True, kw_only=True)
class Faults:
    """What goes wrong, by phase: images, network, volumes, machines, proof, publish, restart,
    halt, throw-away, boot-anew, drill, mend, hold, deploy or destroy.

    ``fail_at`` raises ``error`` half-way through the phase, with some of its effects done;
    ``break_at`` raises something that is no GreenroomError, as a bug would; ``hang_at`` waits in
    the phase until it is cancelled or ``release`` is called. ``verdict`` is what proofs say.
    ``sticks`` are resources that no destroy can remove. ``full``: there is no room for another
    environment. ``gone``: no machine can be booted at all.
    """

    fail_at: str | None = None
    error: BaseException = field(
        default_factory=lambda: OperationError("E_SIMULATED", "backend1: the simulated fault")
    )
    break_at: str | None = None
    hang_at: str | None = None
    verdict: Verdict = Verdict.PROVED
    sticks: tuple[Resource, ...] = ()
    full: bool = False
    gone: bool = False


@dataclass(slots=True)
class Held:
    """What the host holds of one environment. ``reports`` are those of its running machines, and
    ``problems`` what they say is wrong with them; ``told`` is whom the watch tells of what
    ends."""

    stack: Stack | None = None
    resources: set[Resource] = field(default_factory=set)
    volumes: set[str] = field(default_factory=set)
    reports: dict[str, MachineReport] = field(default_factory=dict)
    problems: dict[str, tuple[str, ...]] = field(default_factory=dict)
    published: bool = False
    told: Callable[[Ended], None] | None = None


class World:
    """The host. ``calls`` lists what was done to it, in order, as ``(phase, environment)``."""

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = Faults() if faults is None else faults
        self.images: set[str] = set()
        self.goldens: set[str] = set()
        self.calls: list[tuple[str, str]] = []
        self.strangers: tuple[Resource, ...] = ()
        self.lock = threading.RLock()
        self._held: dict[EnvironmentName, Held] = {}
        self._hanging = threading.Event()
        self._released = threading.Event()

    def held(self, environment: EnvironmentName) -> Held:
        """What the host holds of the environment; it may be filled."""
        with self.lock:
            return self._held.setdefault(environment, Held())

    def holders(self) -> tuple[Stack, ...]:
        """The Stacks that have a network."""
        with self.lock:
            return tuple(held.stack for held in self._held.values() if held.stack is not None)

    def inhabitants(self) -> tuple[EnvironmentName, ...]:
        """The environments of which there is anything."""
        with self.lock:
            return tuple(sorted(name for name, held in self._held.items() if held.resources))

    def drop(self, environment: EnvironmentName) -> None:
        """Remove all of the environment, but for what sticks."""
        with self.lock:
            sticking = set(self.faults.sticks) & self.held(environment).resources
            self._held[environment] = Held(resources=sticking)

    def reboot(self) -> None:
        """Lose what a reboot of a host loses: everything but images and volumes."""
        with self.lock:
            for held in self._held.values():
                held.resources = {r for r in held.resources if r.kind is ResourceKind.DIRECTORY}
                held.reports.clear()
                held.stack, held.published = None, False

    def meet_fault(
        self, phase: str, environment: EnvironmentName, cancel: Cancellation | None = None
    ) -> None:
        """The point, half-way through a phase, where it fails, breaks or hangs if it is to."""
        self.calls.append((phase, str(environment)))
        if cancel is not None:
            cancel.check()
        if phase == self.faults.hang_at:
            self._hanging.set()
            while not self._released.wait(_POLL_S):
                if cancel is not None:
                    cancel.check()
        if phase == self.faults.fail_at:
            raise self.faults.error
        if phase == self.faults.break_at:
            raise ZeroDivisionError("simulated bug")

    def wait_until_hanging(self, timeout_s: float) -> bool:
        """Whether the phase that is to hang was reached within the time."""
        return self._hanging.wait(timeout_s)

    def release(self) -> None:
        """Let what hangs go on."""
        self._released.set()
