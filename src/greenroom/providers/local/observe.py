"""What the host holds of an environment, read from the host alone: kernel, /proc, files.

Our own records are not asked, because they are what a crash makes wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from greenroom.model.names import EnvironmentName
from greenroom.model.receipt import Resource, ResourceKind
from greenroom.model.stack import Stack
from greenroom.providers.local.cgroups import cgroup_folders, cgroup_pids
from greenroom.providers.local.firewall import (
    every_label,
    group_label,
    machine_label,
    observe_firewall,
)
from greenroom.providers.local.layout import Layout, link_name
from greenroom.providers.local.network import namespaces, region_links
from greenroom.providers.local.proxy import routes_of


def resources_of(layout: Layout, stack: Stack) -> tuple[Resource, ...]:
    """What the environment will consist of once it runs, as ``observe`` would list it.

    Processes are left out: their names cannot be known before.
    """
    return tuple(sorted(set(_expected(layout, stack))))


def observe(layout: Layout, environment: EnvironmentName) -> tuple[Resource, ...]:
    """All that bears the environment's name on this host."""
    return tuple(sorted(set(_observed(layout, environment))))


def _expected(layout: Layout, stack: Stack) -> Iterable[Resource]:
    name = stack.environment
    for machine in stack.machines:
        place = layout.machine(name, machine.name)
        yield Resource(kind=ResourceKind.NAMESPACE, name=place.namespace.name)
        yield Resource(kind=ResourceKind.LINK, name=link_name(str(machine.address)))
        yield Resource(kind=ResourceKind.NFT, name=machine_label(name, machine.name))
        yield Resource(kind=ResourceKind.CONTAINER, name=place.container_id)
        yield Resource(kind=ResourceKind.CGROUP, name=place.cgroup)
        if machine.endpoint is not None:
            yield Resource(kind=ResourceKind.ROUTE, name=machine.endpoint.local_host)
    for group in stack.groups:
        yield Resource(kind=ResourceKind.NFT, name=group_label(name, group.name))
        every = every_label(name.stack, group.name)
        for machine in stack.machines:
            if group.name in machine.groups:
                yield Resource(kind=ResourceKind.NFT, name=f"{every} {machine.address}")
    yield Resource(kind=ResourceKind.CGROUP, name=_cgroup(layout, name))
    yield Resource(kind=ResourceKind.DNS, name=str(layout.dns_file(name)))
    for folder in (layout.environment_dir(name), layout.environment_run(name)):
        yield Resource(kind=ResourceKind.DIRECTORY, name=str(folder))


def _observed(layout: Layout, name: EnvironmentName) -> Iterable[Resource]:
    for namespace in namespaces(layout.namespace_prefix(name)):
        yield Resource(kind=ResourceKind.NAMESPACE, name=namespace.name)
    for link, alias in region_links(layout).items():
        if alias.startswith(f"{name.key}."):
            yield Resource(kind=ResourceKind.LINK, name=link)
    state = observe_firewall(layout).of(name)
    # A stack's set is not the environment's; what it holds of it is.
    for label in {*state.chains, *state.sets} - {member.set for member in state.members}:
        yield Resource(kind=ResourceKind.NFT, name=label)
    for member in state.members:
        yield Resource(kind=ResourceKind.NFT, name=f"{member.set} {member.address}")
    for container in layout.crun_root.glob(f"{name.key}.*"):
        yield Resource(kind=ResourceKind.CONTAINER, name=container.name)
    cgroup = _cgroup(layout, name)
    for pid in cgroup_pids(cgroup):
        yield Resource(kind=ResourceKind.PROCESS, name=f"{pid} {_command(pid)}")
    for folder in cgroup_folders(cgroup):
        yield Resource(kind=ResourceKind.CGROUP, name=cgroup)
        for below in folder.iterdir():
            if below.is_dir():
                yield Resource(kind=ResourceKind.CGROUP, name=f"{cgroup}/{below.name}")
    for route in routes_of(layout, name):
        yield Resource(kind=ResourceKind.ROUTE, name=route)
    if layout.dns_file(name).exists():
        yield Resource(kind=ResourceKind.DNS, name=str(layout.dns_file(name)))
    for directory in (layout.environment_dir(name), layout.environment_run(name)):
        if _is_there(directory):
            yield Resource(kind=ResourceKind.DIRECTORY, name=str(directory))
    yield from _mounts(layout, name)


def _mounts(layout: Layout, name: EnvironmentName) -> Iterable[Resource]:
    """Mounts below the environment's folders in the host's own mount namespace (proc(5))."""
    prefixes = (str(layout.environment_dir(name)), str(layout.environment_run(name)))
    for line in Path("/proc/1/mountinfo").read_text().splitlines():
        target = line.split()[4]
        if target.startswith(prefixes):
            yield Resource(kind=ResourceKind.MOUNT, name=target)


def _is_there(path: Path) -> bool:
    """Also what cannot be looked at, on a disk that failed, is not known to be gone."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def _cgroup(layout: Layout, name: EnvironmentName) -> str:
    return f"/{layout.region.name}/{name.key}"


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "(gone)"
