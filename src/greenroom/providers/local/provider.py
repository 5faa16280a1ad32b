"""The local provider: a region on one Linux host. Each method reads like a table of contents."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from greenroom.agent_archive import build_agent
from greenroom.errors import BugError, GreenroomError, InputError, OperationError
from greenroom.model.incidents import Ended, Incident
from greenroom.model.inventory import PeerNotice
from greenroom.model.names import EnvironmentName
from greenroom.model.orphans import Census
from greenroom.model.proof import Proof, RestoreReport
from greenroom.model.receipt import Receipt, Resource
from greenroom.model.stack import Bucket, Image, Machine, RestoreMode, Stack
from greenroom.model.views import BuiltImage, MachineReport
from greenroom.model.visits import Answer
from greenroom.ports import Cancellation, Progress
from greenroom.providers.local import (
    firewall,
    images,
    names,
    network,
    pool,
    proxy,
    space,
    volumes,
)
from greenroom.providers.local import prove as proving
from greenroom.providers.local.boot import Boot, boot_machines
from greenroom.providers.local.care import Care
from greenroom.providers.local.census import take_census
from greenroom.providers.local.cgroups import cgroup_pids, remove_cgroups, thaw
from greenroom.providers.local.health import HealthWords
from greenroom.providers.local.hooks import run_hook
from greenroom.providers.local.killing import end_kindly, kill_all
from greenroom.providers.local.layout import Layout, link_name
from greenroom.providers.local.limits import explained, limits_met
from greenroom.providers.local.logs import LogReader, readers
from greenroom.providers.local.machine import (
    UserNamespaces,
    exec_argv,
    main_pid,
    remove_container,
    require_disk,
    run_agent,
)
from greenroom.providers.local.mounts import require_mount
from greenroom.providers.local.observe import observe, resources_of
from greenroom.providers.local.residents import Residents
from greenroom.providers.local.service_records import ServiceRecords, offers_of
from greenroom.providers.local.services import object_path
from greenroom.providers.local.signals import Signals, deploy_report
from greenroom.providers.local.supervision import start_services
from greenroom.providers.local.visit import visit_endpoint

_DEPLOY_TIMEOUT_S = 300
_LOOK_EVERY_S = 0.2
_MACHINE_BYTES = 32 * 1024**2
"""What a machine writes at its boot, logs included: measured 13 MB with a database's clone."""


class LocalProvider:
    """Implements ``greenroom.ports.Provider`` on this host."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.residents = Residents()
        self.signals = Signals(layout)
        self.health_words = HealthWords()
        self._user_namespaces = UserNamespaces()
        self._routes = proxy.Routes(layout)
        self._care = Care(layout)
        self._locks: dict[str, threading.Lock] = {}
        self._locks_lock = threading.Lock()
        self._clone_s: dict[tuple[EnvironmentName, str], float] = {}
        self.agent_sha256 = ""

    def open(self) -> None:
        """Bring the region up. Idempotent. Raises HostError with the mend."""
        # A daemon that was killed while it measured has left all machines still. Those that are
        # held because the disk is full are held one by one, and stay so until it has room.
        thaw(f"/{self.layout.region.name}")
        run_dir = self.layout.region.run_dir
        for folder in (run_dir, self.layout.machines_run, self.layout.crun_root):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o711)
        try:
            self._open_parts()
        except GreenroomError:
            # Half a region is of use to nobody, unless machines live in it.
            if not cgroup_pids(f"/{self.layout.region.name}"):
                self.close()
            raise

    def _open_parts(self) -> None:
        pool.open_pool(self.layout)
        images.clear_unfinished()
        network.open_region_network(self.layout)
        firewall.open_firewall(self.layout)
        names.open_names(self.layout)
        self._routes.open()
        self._publish_agent()

    def stop_care(self) -> None:
        """Watch nothing any more; what runs goes on running."""
        self._care.close()

    def close(self) -> None:
        """Take the region down; only when no environment is left in it."""
        proxy.close_proxy(self.layout)
        names.close_names(self.layout)
        network.close_region_network(self.layout)
        self._user_namespaces.close()
        pool.close_pool(self.layout)
        space.drop_ballast(self.layout)
        with contextlib.suppress(OperationError):
            remove_cgroups(f"/{self.layout.region.name}")
            # Where executions of jobs were, see LocalProcesses.
            remove_cgroups(f"/{self.layout.region.name}.jobs")

    def admit(self, stack: Stack) -> None:
        """Make a running environment's machines known to the region's services again."""
        self.residents.admit(stack)

    def tell_of_peer(self, stack: Stack, machine: Machine, notice: PeerNotice) -> None:
        """Run the machine's hook; raises OperationError E_HOOK if it does not end well."""
        run_hook(self.layout.machine(stack.environment, machine.name), machine, notice)

    def service_records(self) -> ServiceRecords:
        """What answers for the services of machines that are well."""

        def is_well(stack: Stack, machine: Machine) -> bool:
            return not self.health_words.problems(stack).get(machine.name)

        return ServiceRecords(lambda name: offers_of(name, self.residents.stacks(), is_well))

    def resources_of(self, stack: Stack) -> tuple[Resource, ...]:
        """See the port."""
        return resources_of(self.layout, stack)

    def observe(self, environment: EnvironmentName) -> tuple[Resource, ...]:
        """See the port."""
        return observe(self.layout, environment)

    def check_inputs(self, stack: Stack) -> None:
        """See the port."""
        # Before anything is looked for in it: a pool that failed is told as that.
        space.require_room(self.layout, 0)
        space.require_room(self.layout, self._needed_bytes(stack))
        for machine in stack.machines:
            _require_artifacts(stack, machine)
            require_mount(machine)
            volume = machine.volume
            if volume is not None and volume.mode is not RestoreMode.EMPTY:
                volumes.manifest_path(stack, volume)

    def ensure_image(self, image: Image, progress: Progress, cancel: Cancellation) -> bool:
        """See the port."""
        with self._one_at_a_time(f"image {image.digest}", cancel):
            return images.ensure_image(self.layout, image, cancel)

    def create_network(self, stack: Stack) -> None:
        """See the port."""
        self._connect(stack, stack.machines)

    def _connect(self, stack: Stack, machines: Sequence[Machine]) -> None:
        """Give these machines their network, and the environment its rules and names."""
        self.residents.admit(stack)
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="firewall") as beside:
            rules = beside.submit(
                firewall.apply_add, self.layout, stack, stack.machines, stack.groups
            )
            network.attach_machines(self.layout, stack, machines)
            names.publish_names(self.layout, stack, self.residents.stacks)
        rules.result()

    def create_volumes(self, stack: Stack, progress: Progress, cancel: Cancellation) -> None:
        """See the port."""
        self.residents.admit(stack)
        for machine in stack.machines:
            if machine.volume is None:
                continue
            place = self.layout.machine(stack.environment, machine.name)
            if machine.volume.mode is RestoreMode.COLD:
                volumes.make_empty_volume(place)
                continue
            key = volumes.golden_key(stack, machine)
            with self._one_at_a_time(f"golden {key}", cancel):
                if volumes.golden_volume(self.layout, key) is None:
                    self._drill(stack, machine, key, progress, cancel)
            golden = volumes.golden_volume(self.layout, key)
            if golden is None:
                raise BugError("E_BUG", f"the drill for {machine.name} left no golden volume")
            seconds = volumes.clone_golden(place, golden)
            self._clone_s[(stack.environment, machine.name)] = seconds
            progress.done("clone", seconds, machine=machine.name)

    def boot(
        self, stack: Stack, progress: Progress, cancel: Cancellation
    ) -> tuple[MachineReport, ...]:
        """See the port."""
        reports = boot_machines(self._boot(), stack, stack.machines, progress, cancel)
        return tuple(self._with_golden_report(stack, report) for report in reports)

    def lost(self, stack: Stack) -> tuple[str, ...]:
        """See the port."""
        links = network.region_links(self.layout)

        def stands(machine: Machine) -> bool:
            place = self.layout.machine(stack.environment, machine.name)
            wired = link_name(str(machine.address)) in links
            return wired and network.is_namespace(place.namespace) and main_pid(place) is not None

        return tuple(machine.name for machine in stack.machines if not stands(machine))

    def problems(self, stack: Stack) -> Mapping[str, tuple[str, ...]]:
        """See the port."""
        return self.health_words.problems(stack)

    def restart(
        self, stack: Stack, progress: Progress, cancel: Cancellation
    ) -> tuple[MachineReport, ...]:
        """See the port."""
        lost = [stack.machine(name) for name in self.lost(stack)]
        for machine in lost:
            require_disk(self.layout.machine(stack.environment, machine.name), machine)
        for machine in lost:
            # It may run still, in a network that is gone.
            remove_container(self.layout.machine(stack.environment, machine.name))
        if lost:
            self.health_words.forget(stack.environment, tuple(m.name for m in lost))
            self._connect(stack, lost)
        for machine in stack.machines:
            if machine not in lost:
                place = self.layout.machine(stack.environment, machine.name)
                services = tuple(s.name for s in stack.image_of(machine).services)
                for service in start_services(place, services):
                    progress.notice(f"service {service} was down: started", machine.name)
        return boot_machines(self._boot(), stack, stack.machines, progress, cancel, again=True)

    def halt(self, stack: Stack) -> None:
        """See the port."""
        self._care.leave(stack.environment)
        self.publish_stopped(stack)
        cgroup = f"/{self.layout.region.name}/{stack.environment.key}"
        places = [self.layout.machine(stack.environment, m.name) for m in stack.machines]
        end_kindly([pid for place in places if (pid := main_pid(place)) is not None])
        kill_all(cgroup)
        for place in places:
            remove_container(place)
        remove_cgroups(cgroup)

    def publish_stopped(self, stack: Stack) -> None:
        """Have the proxy tell whoever asks the environment's endpoints that it is stopped."""
        self._routes.publish_stopped(stack)

    def throw_away(self, stack: Stack, machine: Machine) -> None:
        """See the port."""
        # What is thrown away ends on purpose.
        self._care.leave(stack.environment)
        self._routes.publish(stack, away=machine.name)
        place = self.layout.machine(stack.environment, machine.name)
        remove_container(place)
        self.health_words.forget(stack.environment, (machine.name,))
        # Who asks for it meanwhile is told at once that it is not there.
        firewall.apply_remove(self.layout, stack.environment, machine.name)
        network.detach_machine(self.layout, place, machine)
        pool.remove_trees(place.bundle, place.upper, place.work, place.log)

    def boot_anew(
        self, stack: Stack, machine: Machine, progress: Progress, cancel: Cancellation
    ) -> MachineReport:
        """See the port."""
        if machine.name in self.lost(stack):
            remove_container(self.layout.machine(stack.environment, machine.name))
            self._connect(stack, (machine,))
        (report,) = boot_machines(self._boot(), stack, (machine,), progress, cancel)
        self._routes.publish(stack)
        return report

    def drill(
        self, stack: Stack, drill: Machine, progress: Progress, cancel: Cancellation
    ) -> MachineReport:
        """See the port."""
        try:
            cancel.check()
            return self._restore_cold(stack, drill, progress, cancel)[0]
        finally:
            self._remove_drill(stack, drill)

    def visit(self, stack: Stack, machine: Machine) -> Answer:
        """See the port."""
        return visit_endpoint(self.layout.region.proxy_port, machine)

    def attend(self, stack: Stack, told: Callable[[Ended], None]) -> None:
        """See the port."""
        self._care.attend(stack, told)

    def attend_region(self, told: Callable[[Incident], None]) -> None:
        """Watch DNS and proxy, start each again when it ends, and tell of it."""
        self._care.keep("dnsmasq", lambda: names.open_names(self.layout), told)
        self._care.keep("haproxy", self._routes.open, told)

    def leave(self, environment: EnvironmentName) -> None:
        """See the port."""
        self._care.leave(environment)

    def mend(self, ended: Ended) -> bool:
        """See the port."""
        return self._care.mend(ended)

    def hold(self, ended: Ended) -> None:
        """See the port."""
        self._care.hold(ended)

    def deploy(
        self, stack: Stack, machine: Machine, progress: Progress, cancel: Cancellation
    ) -> MachineReport:
        """See the port."""
        if machine.deploy is None:
            raise BugError("E_BUG", f"{machine.name} has nothing to deploy")
        _require_artifacts(stack, machine)
        cancel.check()
        place = self.layout.machine(stack.environment, machine.name)
        met_before = limits_met(place)
        try:
            answer = run_agent(place, "deploy", _DEPLOY_TIMEOUT_S)
            return deploy_report(machine, answer, _bucket_of(stack, machine.deploy.bucket).path)
        except OperationError as error:
            raise explained(place, machine, error, met_before) from error

    def prove(
        self,
        stack: Stack,
        reports: Sequence[MachineReport],
        others: Sequence[Stack],
        *,
        recheck: bool,
    ) -> Proof:
        """See the port."""

        def neighbours() -> tuple[Stack, ...]:
            # Fewer than are on the way when `others` was read, or more.
            known = {other.environment: other for other in (*others, *self.residents.stacks())}
            known.pop(stack.environment, None)
            return tuple(known.values())

        return proving.prove(self.layout, stack, reports, others, neighbours, recheck=recheck)

    def publish(self, stack: Stack) -> None:
        """See the port."""
        self._routes.publish(stack)

    def destroy(self, environment: EnvironmentName) -> Receipt:
        """See the port."""
        started = time.monotonic()
        before = observe(self.layout, environment)
        self._care.leave(environment)
        self._routes.withdraw(environment)
        # At once: the kernel waits some 20 ms for a grace period while it deletes links.
        cgroup = f"/{self.layout.region.name}/{environment.key}"
        with ThreadPoolExecutor(max_workers=2, thread_name_prefix="destroy") as beside:
            tasks = [beside.submit(self._disconnect, environment)]
            kill_all(cgroup)
            tasks.append(beside.submit(remove_cgroups, cgroup))
            pool.remove_trees(
                *self.layout.crun_root.glob(f"{environment.key}.*"),
                self.layout.environment_run(environment),
                self.layout.environment_dir(environment),
            )
        for task in tasks:
            task.result()
        left_over = observe(self.layout, environment)
        return Receipt(
            environment=str(environment),
            removed=tuple(r for r in before if r not in left_over),
            left_over=left_over,
            seconds=time.monotonic() - started,
        )

    def census(self) -> Census:
        """See the port."""
        return take_census(self.layout)

    def exec_argv(
        self, stack: Stack, machine: Machine, argv: Sequence[str], tty: bool
    ) -> list[str]:
        """See the port."""
        return exec_argv(self.layout.machine(stack.environment, machine.name), argv, tty)

    def images(self) -> tuple[BuiltImage, ...]:
        """See the port ``Host``."""
        return images.list_images(self.layout)

    def remove_image(self, digest: str) -> bool:
        """See the port ``Host``."""
        return images.remove_image(self.layout, digest)

    def log_followers(
        self, stack: Stack, machine: Machine, service: str | None
    ) -> tuple[LogReader, ...]:
        """See the port ``Host``."""
        return readers(self.layout.machine(stack.environment, machine.name), service)

    def _needed_bytes(self, stack: Stack) -> int:
        """About what a create adds to the pool; a clone shares its blocks with its golden one."""
        unpacked = sum(images.bytes_to_unpack(self.layout, image) for image in stack.images)
        return unpacked + _MACHINE_BYTES * len(stack.machines)

    def _boot(self) -> Boot:
        return Boot(self.layout, build_agent().content, self.signals, self._user_namespaces)

    def _disconnect(self, environment: EnvironmentName) -> None:
        """Take the environment off the network. Machines that run yet are closed in by it."""
        firewall.apply_remove(self.layout, environment)
        self.residents.dismiss(environment)
        names.withdraw_names(self.layout, environment, self.residents.stacks)
        self.health_words.forget(environment)
        network.delete_links(self.layout, environment)
        for namespace in network.namespaces(self.layout.namespace_prefix(environment)):
            network.delete_namespace(namespace)

    def _with_golden_report(self, stack: Stack, report: MachineReport) -> MachineReport:
        """For a clone, what the drill reported counts, not what the machine says of its volume."""
        machine = stack.machine(report.machine)
        if machine.volume is None or machine.volume.mode is RestoreMode.COLD:
            return report
        drilled = volumes.golden_report(self.layout, volumes.golden_key(stack, machine))
        restore = dataclasses.replace(
            drilled,
            machine=machine.name,
            mode=machine.volume.mode.value,
            clone_s=self._clone_s.pop((stack.environment, machine.name), None),
        )
        return dataclasses.replace(report, restore=restore)

    def _drill(
        self,
        stack: Stack,
        machine: Machine,
        key: str,
        progress: Progress,
        cancel: Cancellation,
    ) -> None:
        """Restore for real in a machine of its own, and keep its verified volume as golden."""
        drill = next(d for d in stack.drills if d.type == machine.type)
        source = machine.volume.source if machine.volume is not None else None
        does = "makes an empty one" if source is None else f"restores {source} cold and verifies it"
        progress.notice(f"no golden volume to clone yet: a drill {does}", machine.name)
        _, restore = self._restore_cold(stack, drill, progress, cancel)
        family = volumes.golden_family(stack, machine)
        restored = self.layout.machine(stack.environment, drill.name).volume
        volumes.keep_as_golden(self.layout, key, family, restore, restored)
        self._remove_drill(stack, drill)

    def _restore_cold(
        self, stack: Stack, drill: Machine, progress: Progress, cancel: Cancellation
    ) -> tuple[MachineReport, RestoreReport]:
        """Boot a drill; when it has restored and verified, it is down and its volume is there."""
        place = self.layout.machine(stack.environment, drill.name)
        self._remove_drill(stack, drill)
        volumes.make_empty_volume(place)
        network.attach_machines(self.layout, stack, (drill,))
        firewall.apply_add(self.layout, stack, (drill,), ())
        (report,) = boot_machines(self._boot(), stack, (drill,), progress, cancel)
        remove_container(place)
        if report.restore is None:
            raise OperationError("E_DRILL", f"{drill.name} reported no restore")
        volumes.refuse_disagreement(stack, drill, report.restore)
        return report, report.restore

    def _remove_drill(self, stack: Stack, drill: Machine) -> None:
        place = self.layout.machine(stack.environment, drill.name)
        remove_container(place)
        firewall.apply_remove(self.layout, stack.environment, drill.name)
        network.detach_machine(self.layout, place, drill)
        for folder in (place.bundle, place.data):
            pool.remove_tree(folder)

    def _publish_agent(self) -> None:
        archive = build_agent()
        self.agent_sha256 = archive.sha256
        self.layout.agent_bucket.mkdir(exist_ok=True)
        target = self.layout.agent_bucket / f"agent-{archive.sha256}.pyz"
        partial = target.with_suffix(".partial")
        partial.write_bytes(archive.content)
        partial.rename(target)

    @contextlib.contextmanager
    def _one_at_a_time(self, key: str, cancel: Cancellation) -> Iterator[None]:
        with self._locks_lock:
            lock = self._locks.setdefault(key, threading.Lock())
        while not lock.acquire(timeout=_LOOK_EVERY_S):
            cancel.check()
        try:
            yield
        finally:
            lock.release()


def _require_artifacts(stack: Stack, machine: Machine) -> None:
    """The machine's code, and the manifests that Puppet applies on it."""
    puppet = machine.provision.puppet if machine.provision else None
    if puppet is not None:
        _require_artifact(stack, machine, puppet.bucket, (puppet.key,))
    if machine.deploy is not None and machine.mount is None:
        _require_artifact(stack, machine, machine.deploy.bucket, machine.deploy.keys)


def _require_artifact(
    stack: Stack, machine: Machine, bucket_name: str, keys: Sequence[str]
) -> None:
    bucket = _bucket_of(stack, bucket_name)
    found = next((key for key in keys if object_path(bucket.path, key) is not None), None)
    if found is not None and object_path(bucket.path, f"{found}.sha256") is None:
        raise InputError(
            "E_ARTIFACT_CHECKSUM",
            f"{machine.type}: {found} in bucket {bucket.name} has no checksum beside it",
            hint=f"in {bucket.path}: sha256sum {found} > {found}.sha256",
        )
    if found is None:
        raise InputError(
            "E_ARTIFACT_MISSING",
            f"{machine.type}: none of {', '.join(keys)} is in bucket {bucket.name} ({bucket.path})",
            hint="build the artifact and put it there, with its .sha256 beside it",
        )


def _bucket_of(stack: Stack, name: str) -> Bucket:
    return next(bucket for bucket in stack.buckets if bucket.name == name)
