"""Whose names the host bears: every environment of which anything is there, and what bears the
region's name alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from greenroom.model.names import EnvironmentName
from greenroom.model.orphans import Census
from greenroom.model.receipt import Resource, ResourceKind
from greenroom.providers.local.cgroups import cgroup_folders
from greenroom.providers.local.firewall import observe_firewall
from greenroom.providers.local.layout import Layout
from greenroom.providers.local.network import namespaces, region_links
from greenroom.providers.local.proxy import routed_hosts

_OF_MACHINES = ("group.", "machine.")
"""What the chains and sets of environments begin with; the others are the region's own."""


def take_census(layout: Layout) -> Census:
    """Read it from the host alone: kernel, files, proxy."""
    environments: set[EnvironmentName] = set()
    strangers: set[Resource] = set()
    for resource, key in _bearers(layout):
        owner = _owner(key)
        if owner is None:
            strangers.add(resource)
        else:
            environments.add(owner)
    return Census(environments=tuple(sorted(environments)), strangers=tuple(sorted(strangers)))


def _owner(key: str) -> EnvironmentName | None:
    """The environment in ``photos.feature-x`` and in ``photos.feature-x.db1``."""
    stack, _, rest = key.partition(".")
    try:
        return EnvironmentName(stack, rest.partition(".")[0])
    except ValueError:
        return None


def _bearers(layout: Layout) -> Iterator[tuple[Resource, str]]:
    """Each thing with the part of its name that says whose it is."""
    prefix = f"{layout.region.name}."
    for namespace in namespaces(prefix):
        key = namespace.name.removeprefix(prefix)
        yield Resource(kind=ResourceKind.NAMESPACE, name=namespace.name), key
    for link, alias in region_links(layout).items():
        yield Resource(kind=ResourceKind.LINK, name=link), alias
    state = observe_firewall(layout)
    for label in (*state.chains, *state.sets):
        if label.startswith(_OF_MACHINES):
            key = label.partition(".")[2]
            yield Resource(kind=ResourceKind.NFT, name=label), key
    for member in state.members:
        yield Resource(kind=ResourceKind.NFT, name=f"{member.set} {member.address}"), member.key
    for folder in cgroup_folders(f"/{layout.region.name}"):
        for below in _entries(folder):
            name = f"/{layout.region.name}/{below.name}"
            if below.is_dir():
                yield Resource(kind=ResourceKind.CGROUP, name=name), below.name
    for host in routed_hosts(layout):
        # api.feature-x.photos.localhost
        *_, slug, stack, _ = ("", "", *host.split("."))
        yield Resource(kind=ResourceKind.ROUTE, name=host), f"{stack}.{slug}"
    for container in _entries(layout.crun_root):
        yield Resource(kind=ResourceKind.CONTAINER, name=container.name), container.name
    for file in _entries(layout.dns_dir):
        yield Resource(kind=ResourceKind.DNS, name=str(file)), file.name
    for directory in (*_entries(layout.environments), *_entries(layout.machines_run)):
        yield Resource(kind=ResourceKind.DIRECTORY, name=str(directory)), directory.name


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []
