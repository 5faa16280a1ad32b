"""The Provider port on a ``World``: as strict as a real host, and a thousand times faster."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from greenroom.errors import BugError, HostError, InputError, OperationError
from greenroom.model.incidents import Ended
from greenroom.model.names import EnvironmentName
from greenroom.model.orphans import Census
from greenroom.model.proof import Proof
from greenroom.model.receipt import Receipt, Resource
from greenroom.model.stack import Image, Machine, Stack
from greenroom.model.views import BuiltImage, MachineReport
from greenroom.model.visits import Answer
from greenroom.ports import Cancellation, LogFollower, Progress
from greenroom.providers.memory.judge import judge
from greenroom.providers.memory.reports import report_of
from greenroom.providers.memory.resources import (
    machine_parts,
    machine_resources,
    network_resources,
    route_resources,
    volume_resources,
)
from greenroom.providers.memory.world import World

_BUILT_AT = datetime(2026, 1, 1, tzinfo=UTC)
_IMAGE_BUILD = EnvironmentName("images", "shared")


class MemoryProvider:
    """Boots Stacks in a ``World``."""

    def __init__(self, world: World) -> None:
        self._world = world

    def resources_of(self, stack: Stack) -> tuple[Resource, ...]:
        """Everything that the environment will consist of (pure; sorted)."""
        made = {
            *network_resources(stack),
            *volume_resources(stack),
            *machine_resources(stack),
            *route_resources(stack),
        }
        return tuple(sorted(made))

    def check_inputs(self, stack: Stack) -> None:
        """Refuse, before any effect, an artifact, extract or mount that does not exist, and
        any environment at all if there is no room."""
        if self._world.faults.full:
            raise HostError("E_POOL_FULL", "the pool has 0 MiB free", hint="greenroom destroy")
        for machine in stack.machines:
            _check_artifact(stack, machine)
            _check_manifest(stack, machine)
            if machine.mount is not None and not machine.mount.is_dir():
                raise InputError(
                    "E_MOUNT", f"{machine.name}: {machine.mount} is not a directory", hint="make it"
                )

    def require_host(self) -> None:
        """Raises HostError if the world's pool is gone."""
        if self._world.faults.gone:
            raise HostError("E_POOL_GONE", "the pool does not answer", hint="mount it anew")

    def ensure_image(self, image: Image, progress: Progress, cancel: Cancellation) -> bool:
        """Build the image unless it is cached; True if it was built."""
        self._world.meet_fault("images", _IMAGE_BUILD, cancel)
        with self._world.lock:
            built = image.digest not in self._world.images
            self._world.images.add(image.digest)
        if built:
            progress.notice(f"image {image.name} was built")
        return built

    def create_network(self, stack: Stack) -> None:
        """Namespaces, links, addresses, names and the firewall of every machine and drill."""
        with self._world.lock:
            held = self._world.held(stack.environment)
            _refuse_other_network(stack, held.stack, self._world.holders())
            held.stack = stack
        self._make_around_fault("network", stack, network_resources(stack))

    def create_volumes(self, stack: Stack, progress: Progress, cancel: Cancellation) -> None:
        """Every machine's data volume; runs the drills whose golden volume is missing."""
        self._make_around_fault("volumes", stack, volume_resources(stack), cancel)
        with self._world.lock:
            for drill in stack.drills:
                if _golden_key(drill) not in self._world.goldens:
                    self._world.goldens.add(_golden_key(drill))
                    progress.notice("the golden volume was made", machine=drill.name)
            volumes = {machine.name for machine in stack.machines if machine.volume}
            self._world.held(stack.environment).volumes |= volumes

    def boot(
        self, stack: Stack, progress: Progress, cancel: Cancellation
    ) -> tuple[MachineReport, ...]:
        """Start all machines at once; return when each has signalled SUCCESS."""
        self._need_network("boot", stack)
        self._need_images_and_volumes(stack)
        self._make_around_fault("machines", stack, machine_resources(stack), cancel)
        held = self._world.held(stack.environment)
        for machine in stack.machines:
            progress.started("boot", machine=machine.name)
            held.reports[machine.name] = report_of(machine)
            progress.done("boot", 0.001, machine=machine.name)
        return tuple(held.reports[machine.name] for machine in stack.machines)

    def lost(self, stack: Stack) -> tuple[str, ...]:
        """The machines that do not run."""
        running = self._world.held(stack.environment).reports
        return tuple(m.name for m in stack.machines if m.name not in running)

    def problems(self, stack: Stack) -> Mapping[str, tuple[str, ...]]:
        """What running machines say, which is what the world has put into their mouths."""
        held = self._world.held(stack.environment)
        return {name: held.problems.get(name, ()) for name in held.reports}

    def restart(
        self, stack: Stack, progress: Progress, cancel: Cancellation
    ) -> tuple[MachineReport, ...]:
        """Boot what is lost from its own disk and volume."""
        held = self._world.held(stack.environment)
        for machine in stack.machines:
            if machine.volume is not None and machine.name not in held.volumes:
                raise OperationError("E_DISK_LOST", f"{machine.name}: its volume is gone")
        lost = self.lost(stack)
        held.stack = stack
        made = network_resources(stack) | machine_resources(stack)
        self._make_around_fault("restart", stack, made, cancel)
        for machine in stack.machines:
            # Of a boot from a disk that is there already, nothing is restored or deployed.
            fresh = replace(report_of(machine), restore=None, artifact=None)
            if machine.name in lost:
                held.reports[machine.name] = fresh
                progress.done("boot", 0.001, machine=machine.name)
        return tuple(held.reports[machine.name] for machine in stack.machines)

    def halt(self, stack: Stack) -> None:
        """End the machines; network and volumes stay."""
        held = self._world.held(stack.environment)
        held.told = None
        ended = machine_resources(stack) | route_resources(stack)
        half = sorted(ended)[: len(ended) // 2]
        held.resources -= set(half)
        self._world.meet_fault("halt", stack.environment)
        held.resources -= ended
        held.reports.clear()
        held.published = False

    def throw_away(self, stack: Stack, machine: Machine) -> None:
        """End one machine and remove what is not its volume."""
        held = self._world.held(stack.environment)
        held.told = None
        held.reports.pop(machine.name, None)
        gone = sorted(machine_parts(stack, machine))
        held.resources -= set(gone[: (len(gone) + 1) // 2])
        self._world.meet_fault("throw-away", stack.environment)
        held.resources -= set(gone)

    def boot_anew(
        self, stack: Stack, machine: Machine, progress: Progress, cancel: Cancellation
    ) -> MachineReport:
        """Boot a machine that was thrown away, or adopt it."""
        self._need_images_and_volumes(stack)
        held = self._world.held(stack.environment)
        if machine.name not in held.reports:
            made = machine_parts(stack, machine)
            self._make_around_fault("boot-anew", stack, made, cancel)
            # Its volume was kept: nothing is restored.
            held.reports[machine.name] = replace(report_of(machine), restore=None)
        progress.done("boot", 0.001, machine=machine.name)
        return held.reports[machine.name]

    def drill(
        self, stack: Stack, drill: Machine, progress: Progress, cancel: Cancellation
    ) -> MachineReport:
        """A restore that goes well, unless the world is to fail there. What stops the whole
        process leaves its machine, as it would on a host."""
        held = self._world.held(stack.environment).resources
        made = machine_parts(stack, drill) - set(self.resources_of(stack))
        try:
            cancel.check()
            held -= made
            self._make_around_fault("drill", stack, made, cancel)
        except Exception:
            held -= made
            raise
        held -= made
        report = report_of(drill)
        if report.restore is None:
            raise OperationError("E_DRILL", f"{drill.name} reported no restore")
        verified = replace(report.restore, clone_s=None, table_count=3, row_count=200)
        return replace(report, restore=verified)

    def visit(self, stack: Stack, machine: Machine) -> Answer:
        """Good while the machine runs."""
        runs = machine.name in self._world.held(stack.environment).reports
        return Answer(fault="" if runs else "503", seconds=0.001)

    def attend(self, stack: Stack, told: Callable[[Ended], None]) -> None:
        """Remember who is to be told."""
        self._world.held(stack.environment).told = told

    def leave(self, environment: EnvironmentName) -> None:
        """Forget who is to be told."""
        self._world.held(environment).told = None

    def mend(self, ended: Ended) -> bool:
        """A service comes back unless the world is to fail there."""
        self._world.meet_fault("mend", ended.environment)
        return ended.machine in self._world.held(ended.environment).reports

    def hold(self, ended: Ended) -> None:
        """A service is taken down."""
        self._world.meet_fault("hold", ended.environment)

    def deploy(
        self, stack: Stack, machine: Machine, progress: Progress, cancel: Cancellation
    ) -> MachineReport:
        """Fetch and switch to the current artifact on a running machine."""
        held = self._world.held(stack.environment)
        if machine.name not in held.reports:
            raise OperationError(
                "E_NOT_RUNNING", f"{stack.environment} {machine.name} does not run"
            )
        if machine.deploy is None:
            raise BugError("E_BUG", f"{machine.name} has nothing to deploy")
        self._world.meet_fault("deploy", stack.environment, cancel)
        report = replace(report_of(machine), restore=None)
        held.reports[machine.name] = report
        return report

    def prove(
        self,
        stack: Stack,
        reports: Sequence[MachineReport],
        others: Sequence[Stack],
        *,
        recheck: bool,
    ) -> Proof:
        """Look at the world and judge: health, data, and flows also against ``others``."""
        self._world.meet_fault("proof", stack.environment)
        running = set(self._world.held(stack.environment).reports)
        verdict = self._world.faults.verdict
        return judge(stack, running, reports, others, verdict, datetime.now(UTC))

    def publish(self, stack: Stack) -> None:
        """Route the endpoints' host names to the environment."""
        if not self._world.held(stack.environment).reports:
            raise BugError("E_BUG", f"publish of {stack.environment}: no machine runs")
        self._make_around_fault("publish", stack, route_resources(stack))
        self._world.held(stack.environment).published = True

    def destroy(self, environment: EnvironmentName) -> Receipt:
        """Remove all that bears the name, then list again what the host still holds."""
        began = time.monotonic()
        before = self.observe(environment)
        self._world.meet_fault("destroy", environment)
        self._world.drop(environment)
        left_over = self.observe(environment)
        return Receipt(
            environment=str(environment),
            removed=tuple(item for item in before if item not in left_over),
            left_over=left_over,
            seconds=time.monotonic() - began,
        )

    def observe(self, environment: EnvironmentName) -> tuple[Resource, ...]:
        """What the host holds of the environment, read from the host alone (sorted)."""
        with self._world.lock:
            return tuple(sorted(self._world.held(environment).resources))

    def census(self) -> Census:
        """Every environment of which the host holds anything."""
        return Census(environments=self._world.inhabitants(), strangers=self._world.strangers)

    def exec_argv(
        self, stack: Stack, machine: Machine, argv: Sequence[str], tty: bool
    ) -> list[str]:
        """The command line that runs ``argv`` inside the machine, for the CLI to execute."""
        options = ["--tty"] if tty else []
        return ["memory-exec", *options, f"{stack.environment.key}.{machine.name}", *argv]

    def images(self) -> tuple[BuiltImage, ...]:
        """The images that were built, by digest."""
        with self._world.lock:
            digests = sorted(self._world.images)
        return tuple(
            BuiltImage(name=digest, digest=digest, bytes=0, built_at=_BUILT_AT)
            for digest in digests
        )

    def remove_image(self, digest: str) -> bool:
        """Forget an image; False if there is none of that digest."""
        with self._world.lock:
            known = digest in self._world.images
            self._world.images.discard(digest)
        return known

    def log_followers(
        self, stack: Stack, machine: Machine, service: str | None
    ) -> tuple[LogFollower, ...]:
        """Machines in memory write no logs."""
        return ()

    def _make_around_fault(
        self,
        phase: str,
        stack: Stack,
        resources: Iterable[Resource],
        cancel: Cancellation | None = None,
    ) -> None:
        # Half of the resources exist when the fault strikes, so that a compensation which only
        # knows finished phases is found out.
        made = sorted(resources)
        held = self._world.held(stack.environment).resources
        held |= set(made[: (len(made) + 1) // 2])
        self._world.meet_fault(phase, stack.environment, cancel)
        held |= set(made)

    def _need_network(self, what: str, stack: Stack) -> None:
        if self._world.held(stack.environment).stack != stack:
            raise BugError("E_BUG", f"{what} of {stack.environment}: it has no network")

    def _need_images_and_volumes(self, stack: Stack) -> None:
        volumes = self._world.held(stack.environment).volumes
        for machine in stack.machines:
            if stack.image_of(machine).digest not in self._world.images:
                raise BugError("E_BUG", f"boot of {machine.name}: its image is not built")
            if machine.volume is not None and machine.name not in volumes:
                raise BugError("E_BUG", f"boot of {machine.name}: it has no volume")


def _refuse_other_network(stack: Stack, mine: Stack | None, all_held: Sequence[Stack]) -> None:
    if mine is not None and mine != stack:
        raise OperationError(
            "E_NETWORK_DIFFERS", f"{stack.environment} has another network than it should"
        )
    for other in all_held:
        if other.environment != stack.environment and other.subnet == stack.subnet:
            raise HostError(
                "E_ADDRESS_IN_USE",
                f"{stack.environment}: {stack.subnet} is that of {other.environment}",
                hint=f"greenroom destroy {other.environment}",
            )


def _check_artifact(stack: Stack, machine: Machine) -> None:
    if machine.deploy is None or machine.mount is not None:
        return
    folder = next(bucket.path for bucket in stack.buckets if bucket.name == machine.deploy.bucket)
    if not any((folder / key).is_file() for key in machine.deploy.keys):
        keys = " nor ".join(machine.deploy.keys)
        raise InputError(
            "E_ARTIFACT_MISSING", f"{machine.name}: {folder} holds no {keys}", hint="push it"
        )


def _check_manifest(stack: Stack, machine: Machine) -> None:
    volume = machine.volume
    if volume is None or volume.bucket is None or volume.manifest_key is None:
        return
    folder = next(bucket.path for bucket in stack.buckets if bucket.name == volume.bucket)
    if not (folder / volume.manifest_key).is_file():
        raise InputError(
            "E_EXTRACT_MISSING",
            f"{machine.name}: {folder} holds no {volume.manifest_key}",
            hint="make the manifest",
        )


def _golden_key(drill: Machine) -> str:
    volume = drill.volume
    return "" if volume is None else f"{volume.engine}/{volume.manifest_key}"
