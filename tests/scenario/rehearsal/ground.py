"""The region that the rehearsed instances stand in: the local provider's own parts, one by one.

It is another region than that of the other tests, and its services are the account's: what the
daemon would serve of buckets, handles and metadata is not there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from greenroom.agent_archive import build_agent
from greenroom.app.cancellation import CancelFlag
from greenroom.model.names import EnvironmentName
from greenroom.model.proof import Flow
from greenroom.model.stack import Image, Machine, Stack
from greenroom.providers.local import firewall, images, names, network, pool, volumes
from greenroom.providers.local.layout import METADATA_ADDRESS, SERVICE_ADDRESS, Layout
from greenroom.providers.local.machine import (
    UserNamespaces,
    exec_argv,
    lay_out,
    main_pid,
    remove_container,
    start,
)
from greenroom.providers.local.network import open_listener
from greenroom.providers.local.prove_flows import prove_flows
from greenroom.providers.local.provider import LocalProvider
from greenroom.region import Region
from tests.real.site import LABEL, NET, PORT
from tests.scenario.rehearsal.listening import Answering, served

REGION = Region(
    label=f"{LABEL[:6]}aw",
    cidr=f"10.{int(NET.split('.')[1]) + 2}.0.0/16",
    proxy_port=PORT + 2,
)
FOLDERS = (REGION.run_dir, REGION.state_dir)
SUBNET = REGION.cidr.replace("/16", "/24")
"""Where the first environment's machines have their addresses."""

_NOT_IN_AN_AMI = ("opt/greenroom/agent.pyz", "run/cloud-init/instance-data.json")
"""What the local provider lays out beforehand: here the machine must fetch the agent and ask
metadata by itself."""


class Ground:
    """The open region. ``metadata`` and ``services`` answer at the link-local addresses."""

    def __init__(self, metadata: Answering, services: Answering) -> None:
        self.layout = Layout(REGION)
        self.provider = LocalProvider(self.layout)
        self._answering = {METADATA_ADDRESS: metadata, SERVICE_ADDRESS: services}
        self._user_namespaces = UserNamespaces()

    @contextmanager
    def opened(self) -> Iterator[Ground]:
        """Bring the region up, and take it down at the end, whatever a test left in it."""
        with ExitStack() as undo:
            undo.callback(self.provider.close)
            undo.callback(self._sweep)
            undo.callback(self._user_namespaces.close)
            self.provider.open()
            for address, answering in self._answering.items():
                undo.enter_context(served(open_listener(self.layout, address, 80), answering))
            yield self

    def _sweep(self) -> None:
        for folder in self.layout.environments.iterdir():
            self.clear(EnvironmentName(*folder.name.split(".", 1)))

    def prepare(self, image: Image) -> None:
        """Have the image that stands for an AMI; it is built from packages if nobody ever did."""
        images.ensure_image(self.layout, image, CancelFlag("the rehearsal"))

    def attach(self, stack: Stack, machine: Machine) -> None:
        """Give one more machine of ``stack`` its network; the next is ``admit``, then ``start``."""
        network.attach_machines(self.layout, stack, (machine,))

    def start(self, stack: Stack, machine: Machine) -> None:
        """Boot it."""
        place = self.layout.machine(stack.environment, machine.name)
        if machine.volume is not None:
            volumes.make_empty_volume(place)
        lay_out(place, stack, machine, build_agent().content)
        for path in _NOT_IN_AN_AMI:
            (place.upper / path).unlink()
        start(place, stack, machine, self._user_namespaces)

    def admit(self, stack: Stack) -> None:
        """Make the stack's groups and names what the region enforces and answers. Not at once
        with another of the same environment."""
        firewall.apply_add(self.layout, stack, stack.machines, stack.groups)
        names.publish_names(self.layout, stack, lambda: (stack,))

    def terminate(self, stack: Stack, machine: Machine) -> None:
        """End one machine and remove all that it had; its disks are gone."""
        place = self.layout.machine(stack.environment, machine.name)
        remove_container(place)
        firewall.apply_remove(self.layout, stack.environment, machine.name)
        network.detach_machine(self.layout, place, machine)
        for folder in (place.bundle, place.data):
            pool.remove_tree(folder)

    def clear(self, environment: EnvironmentName) -> None:
        """Remove what belongs to the environment and to none of its machines: groups, names."""
        self.provider.destroy(environment)

    def flows(self, stack: Stack) -> tuple[Flow, ...]:
        """Every flow within the environment, probed with packets."""
        return prove_flows(self.layout, stack, (), tuple, thorough=True).flows

    def runs(self, environment: EnvironmentName, machine: str) -> bool:
        """Whether the machine's first process lives."""
        return main_pid(self.layout.machine(environment, machine)) is not None

    def command(self, environment: EnvironmentName, machine: str, argv: Sequence[str]) -> list[str]:
        """The command line that runs ``argv`` inside a machine."""
        return exec_argv(self.layout.machine(environment, machine), argv, tty=False)
