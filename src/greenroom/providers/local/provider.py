"""The local provider: a region on one Linux host. Each method reads like a table of contents."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from greenroom.agent_archive import build_agent
from greenroom.errors import BugError, GreenroomError, OperationError
from greenroom.model.incidents import Ended, Incident
from greenroom.model.inventory import PeerNotice
from greenroom.model.names import EnvironmentName
from greenroom.model.orphans import Census
from greenroom.model.proof import Proof
from greenroom.model.receipt import Receipt, Resource
from greenroom.model.stack import Image, Machine, Stack
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
)
from greenroom.providers.local import prove as proving
from greenroom.providers.local.boot import Boot, boot_machines
from greenroom.providers.local.care import Care
from greenroom.providers.local.census import take_census
from greenroom.providers.local.cgroups import cgroup_pids, remove_cgroups, thaw
from greenroom.providers.local.connection import connect, disconnect
from greenroom.providers.local.drills import Drills
from greenroom.providers.local.health import HealthWords
from greenroom.providers.local.hooks import run_hook
from greenroom.providers.local.inputs import bucket_of, require_artifacts, require_inputs
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
from greenroom.providers.local.observe import observe, resources_of
from greenroom.providers.local.residents import Residents
from greenroom.providers.local.service_records import ServiceRecords, offers_of
from greenroom.providers.local.signals import Signals, deploy_report
from greenroom.providers.local.supervision import start_services
from greenroom.providers.local.turns import Turns
from greenroom.providers.local.visit import visit_endpoint

_DEPLOY_TIMEOUT_S = 300


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
        self._turns = Turns()
        self._drills = Drills(layout, self._turns)
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
        require_inputs(self.layout, stack)

    def require_host(self) -> None:
        """See the port."""
        space.pool_room(self.layout)

    def ensure_image(self, image: Image, progress: Progress, cancel: Cancellation) -> bool:
        """See the port."""
        with self._turns.one_at_a_time(f"image {image.digest}", cancel):
            return images.ensure_image(self.layout, image, cancel)

    def create_network(self, stack: Stack) -> None:
        """See the port."""
        connect(self.layout, self.residents, stack, stack.machines)

    def create_volumes(self, stack: Stack, progress: Progress, cancel: Cancellation) -> None:
        """See the port."""
        self.residents.admit(stack)
        self._drills.create_volumes(self._boot(), stack, progress, cancel)

    def boot(
        self, stack: Stack, progress: Progress, cancel: Cancellation
    ) -> tuple[MachineReport, ...]:
        """See the port."""
        reports = boot_machines(self._boot(), stack, stack.machines, progress, cancel)
        return tuple(self._drills.with_golden_report(stack, report) for report in reports)

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
            connect(self.layout, self.residents, stack, lost)
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
            connect(self.layout, self.residents, stack, (machine,))
        (report,) = boot_machines(self._boot(), stack, (machine,), progress, cancel)
        self._routes.publish(stack)
        return report

    def drill(
        self, stack: Stack, drill: Machine, progress: Progress, cancel: Cancellation
    ) -> MachineReport:
        """See the port."""
        return self._drills.run(self._boot(), stack, drill, progress, cancel)

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
        require_artifacts(stack, machine)
        cancel.check()
        place = self.layout.machine(stack.environment, machine.name)
        met_before = limits_met(place)
        try:
            answer = run_agent(place, "deploy", _DEPLOY_TIMEOUT_S)
            return deploy_report(machine, answer, bucket_of(stack, machine.deploy.bucket).path)
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
            tasks = [beside.submit(disconnect, self.layout, self.residents, environment)]
            kill_all(cgroup)
            tasks.append(beside.submit(remove_cgroups, cgroup))
            pool.remove_trees(
                *self.layout.crun_root.glob(f"{environment.key}.*"),
                self.layout.environment_run(environment),
                self.layout.environment_dir(environment),
            )
        self.health_words.forget(environment)
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

    def _boot(self) -> Boot:
        return Boot(self.layout, build_agent().content, self.signals, self._user_namespaces)

    def _publish_agent(self) -> None:
        archive = build_agent()
        self.agent_sha256 = archive.sha256
        self.layout.agent_bucket.mkdir(exist_ok=True)
        target = self.layout.agent_bucket / f"agent-{archive.sha256}.pyz"
        # It is named by its content; on a full disk it could not be written again.
        if not target.exists():
            partial = target.with_suffix(".partial")
            partial.write_bytes(archive.content)
            partial.rename(target)
