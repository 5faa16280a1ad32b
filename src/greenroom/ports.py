"""The protocols that the core asks for. Providers and engines implement them; tests fake them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from greenroom.model.incidents import Ended
from greenroom.model.jobs import Command
from greenroom.model.names import EnvironmentName
from greenroom.model.orphans import Census
from greenroom.model.proof import Proof
from greenroom.model.receipt import Receipt, Resource
from greenroom.model.stack import Image, Machine, Stack
from greenroom.model.views import BuiltImage, LogLine, MachineReport
from greenroom.model.visits import Answer


class Progress(Protocol):
    """Where a provider tells what it does; the application turns it into events."""

    def started(self, phase: str, machine: str | None = None) -> None:
        """A phase begins."""

    def done(
        self, phase: str, seconds: float, message: str = "", machine: str | None = None
    ) -> None:
        """A phase ended well."""

    def notice(self, message: str, machine: str | None = None) -> None:
        """Something that a person should know."""


class Cancellation(Protocol):
    """Whether somebody asked the running operation to stop."""

    def check(self) -> None:
        """Raises CancelledError if so. Providers call it wherever they wait."""


class Provider(Protocol):
    """What boots a Stack. Every method is idempotent: what exists already is adopted by name.

    All raise GreenroomError. None of them writes to the ledger: the caller has journalled
    ``resources_of(stack)`` before the first effect.
    """

    def resources_of(self, stack: Stack) -> tuple[Resource, ...]:
        """Everything that the environment will consist of (pure; sorted)."""

    def check_inputs(self, stack: Stack) -> None:
        """Refuse, before any effect, an artifact, extract or mount that does not exist, and
        what there is no room for (E_POOL_FULL, E_DISK_FULL)."""

    def require_host(self) -> None:
        """Raises HostError (E_POOL_GONE) if no machine can be booted now, whosever it is: what
        fails meanwhile is no environment's own fault."""

    def ensure_image(self, image: Image, progress: Progress, cancel: Cancellation) -> bool:
        """Build the image unless it is cached; True if it was built."""

    def create_network(self, stack: Stack) -> None:
        """Namespaces, links, addresses, names and the firewall of every machine."""

    def create_volumes(self, stack: Stack, progress: Progress, cancel: Cancellation) -> None:
        """Every machine's data volume; runs the drills whose golden volume is missing.

        May run beside ``create_network``: a drill brings its own network.
        """

    def boot(
        self, stack: Stack, progress: Progress, cancel: Cancellation
    ) -> tuple[MachineReport, ...]:
        """Start all machines at once; return when each has signalled SUCCESS.

        Raises OperationError with the first FAILURE's machine and reason, or, for a machine that
        misses its deadline, with what it was doing.
        """

    def lost(self, stack: Stack) -> tuple[str, ...]:
        """The machines, by name, that do not run or have no network any more."""

    def problems(self, stack: Stack) -> Mapping[str, tuple[str, ...]]:
        """What is wrong with the machines now, by name, as they say themselves; one that nothing
        was heard of is missing, one that is well has nothing."""

    def restart(
        self, stack: Stack, progress: Progress, cancel: Cancellation
    ) -> tuple[MachineReport, ...]:
        """Boot the machines that are ``lost`` from their own disks and volumes, and return when
        every machine has signalled. One that runs goes on; its services that are down are started.

        Raises OperationError E_DISK_LOST, before any effect, if a disk or a volume is not there.
        Whatever it raises, no disk and no volume has been touched.
        """

    def halt(self, stack: Stack) -> None:
        """End the environment's machines and withdraw its routes; whoever asks the endpoints is
        told that it is stopped. Disks, volumes, network and names stay, so that ``restart`` boots
        it again."""

    def throw_away(self, stack: Stack, machine: Machine) -> None:
        """End one machine of a running environment and remove its root disk. Its data volume and
        the kept folders of its code stay. Watches nothing of the environment any more; an endpoint
        that another machine of its type can serve leads there."""

    def boot_anew(
        self, stack: Stack, machine: Machine, progress: Progress, cancel: Cancellation
    ) -> MachineReport:
        """Boot a machine that was thrown away, from its image and user data, and return when it
        has signalled SUCCESS; one that boots already is adopted. Its endpoint leads to it again.

        Raises OperationError as ``boot`` does.
        """

    def drill(
        self, stack: Stack, drill: Machine, progress: Progress, cancel: Cancellation
    ) -> MachineReport:
        """Restore what ``drill`` (of ``stack.drills``) restores, cold and for real, in a machine
        of its own that nobody can reach; verify it, and remove the machine whatever happens, also
        one that is there from an earlier try and if it is cancelled at once. The report's
        ``restore`` is set.

        Raises OperationError as ``boot`` does, or E_DRILL if the result is not what the manifest
        says.
        """

    def visit(self, stack: Stack, machine: Machine) -> Answer:
        """Read the endpoint of ``machine`` once, as a client of the environment would. Raises
        nothing: a fault is an answer."""

    def attend(self, stack: Stack, told: Callable[[Ended], None]) -> None:
        """Watch every part of the environment's machines, in place of what was watched before.

        ``told`` is called from a thread of the provider and must not block.
        """

    def leave(self, environment: EnvironmentName) -> None:
        """Watch nothing of the environment any more. Idempotent."""

    def mend(self, ended: Ended) -> bool:
        """Have the service of ``ended`` run under a supervisor again; True when it does, False if
        its machine has ended.

        Raises OperationError E_SERVICE_DOWN.
        """

    def hold(self, ended: Ended) -> None:
        """Take the service of ``ended`` down until somebody starts it."""

    def deploy(
        self, stack: Stack, machine: Machine, progress: Progress, cancel: Cancellation
    ) -> MachineReport:
        """Fetch and switch to the current artifact on a running machine."""

    def prove(
        self,
        stack: Stack,
        reports: Sequence[MachineReport],
        others: Sequence[Stack],
        *,
        recheck: bool,
    ) -> Proof:
        """Look at the world and judge: health, data, and flows also against ``others``.

        ``recheck`` asks the machines' checks again; right after a boot their own reports are
        fresh enough.
        """

    def publish(self, stack: Stack) -> None:
        """Route the endpoints' host names to the environment."""

    def destroy(self, environment: EnvironmentName) -> Receipt:
        """Remove all that bears the name, then list again what the host still holds."""

    def observe(self, environment: EnvironmentName) -> tuple[Resource, ...]:
        """What the host holds of the environment, read from the host alone (sorted)."""

    def census(self) -> Census:
        """Every environment that anything on the host bears the name of, read from the host
        alone."""

    def exec_argv(
        self, stack: Stack, machine: Machine, argv: Sequence[str], tty: bool
    ) -> list[str]:
        """The command line that runs ``argv`` inside the machine, for the CLI to execute."""


class LogFollower(Protocol):
    """One service's log, as it grows."""

    @property
    def service(self) -> str:
        """Whose log it is."""

    def read_new(self) -> Iterable[LogLine]:
        """The lines written since the last call."""

    def goes_on(self) -> bool:
        """Whether more may come."""


class Host(Provider, Protocol):
    """A provider whose images and logs can be looked at: that of the daemon's own host."""

    def images(self) -> tuple[BuiltImage, ...]:
        """The cached images, by name."""

    def remove_image(self, digest: str) -> bool:
        """Remove an image; False if there is none of that digest."""

    def log_followers(
        self, stack: Stack, machine: Machine, service: str | None
    ) -> tuple[LogFollower, ...]:
        """For each of the machine's services that has a log, or for the one named."""


class Engine(Protocol):
    """Runs operations durably: a step that finished is not run again after a crash."""

    def register(self, kind: str, run: Callable[[str, Steps], None]) -> None:
        """``run(operation_id, steps)`` is what an operation of that kind does."""

    def launch(self) -> None:
        """Start, and resume what a crash interrupted."""

    def start(self, kind: str, operation_id: str) -> None:
        """Begin an operation in the background; the id makes it idempotent."""

    def close(self) -> None:
        """Stop taking work and wait for what runs."""


class Steps(Protocol):
    """The durable steps of one operation, in the order in which they are called."""

    def run(self, name: str, step: Callable[[], str]) -> str:
        """Run ``step`` once and remember its result (a string: JSON or empty); at-least-once."""


class ArtifactStore(Protocol):
    """A bucket that machines fetch their code from, as the one who pushes sees it."""

    def put(self, key: str, archive: Path, sha256: str) -> str:
        """Put the file and its checksum ``KEY.sha256`` (as sha256sum writes it) into the bucket;
        where it lies now, for people.

        A reader gets the old archive or the new one, never a part. The archive comes first and the
        checksum at once after it: a machine that reads in between is told that they do not fit.
        Raises GreenroomError.
        """


class Program(Protocol):
    """A process of an execution, with all that it starts. Used by one thread, but for ``end``."""

    def read(self, timeout_s: float) -> bytes | None:
        """What it printed, on stdout or stderr; empty if nothing came in time, None once it has
        ended and all was read. What it left running is ended with it."""

    def end(self) -> None:
        """Kill it and all that it started. Idempotent; from any thread."""

    def exit_code(self) -> int:
        """How it ended; a signal as shells count it (128 and its number). Waits for its end."""

    def close(self) -> None:
        """Let go of it; ends it if it runs. Idempotent."""


class Processes(Protocol):
    """Runs the programs of jobs. All methods raise OperationError E_JOB_START."""

    def start(self, execution: str, command: Command) -> Program:
        """Run a command on the control plane. The calling thread must live as long as it does."""

    def start_inside(
        self, execution: str, stack: Stack, machine: Machine, command: Command
    ) -> Program:
        """Run a command in a machine, as its root."""

    def end_left_over(self) -> None:
        """Kill every program of an execution that an earlier daemon started."""

    def close(self) -> None:
        """Nothing runs any more: leave nothing on the host."""
