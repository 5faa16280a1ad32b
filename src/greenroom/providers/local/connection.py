"""An environment's place in the region: its machines' network, its rules and its names."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from greenroom.model.names import EnvironmentName
from greenroom.model.stack import Machine, Stack
from greenroom.providers.local import firewall, names, network
from greenroom.providers.local.layout import Layout
from greenroom.providers.local.residents import Residents


def connect(
    layout: Layout, residents: Residents, stack: Stack, machines: Sequence[Machine]
) -> None:
    """Give these machines their network, and the environment its rules and names."""
    residents.admit(stack)
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="firewall") as beside:
        rules = beside.submit(firewall.apply_add, layout, stack, stack.machines, stack.groups)
        network.attach_machines(layout, stack, machines)
        names.publish_names(layout, stack, residents.stacks)
    rules.result()


def disconnect(layout: Layout, residents: Residents, environment: EnvironmentName) -> None:
    """Take the environment off the network. Machines that run yet are closed in by it."""
    firewall.apply_remove(layout, environment)
    residents.dismiss(environment)
    names.withdraw_names(layout, environment, residents.stacks)
    network.delete_links(layout, environment)
    for namespace in network.namespaces(layout.namespace_prefix(environment)):
        network.delete_namespace(namespace)
