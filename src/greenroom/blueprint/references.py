"""What in a blueprint refers to something else in it, and where that leads nowhere.

The checks read the bare tree and not the parsed models, and pass over what has the wrong shape:
so they find their faults also in a file that has faults of other kinds, and all are told at once.
"""

from __future__ import annotations

import graphlib
import re
from collections.abc import Iterable, Iterator

from greenroom.blueprint.aws_references import aws_faults
from greenroom.blueprint.fields import (
    AGENT_BUCKET,
    ANYWHERE,
    BOOT_SERVICE,
    PORT_MAX,
    looks_like_network,
    parse_port_range,
)
from greenroom.blueprint.nearest import unknown
from greenroom.blueprint.schema import NO_RESTORE
from greenroom.blueprint.tree import Path, Tree, list_length, mapping_names
from greenroom.errors import Fault
from greenroom.model.stack import PortRange


def reference_faults(tree: Tree) -> list[Fault]:
    """Every reference that leads nowhere, every clash of names and every cycle of needs."""
    checks = _Checks(tree)
    return [
        *checks.reserved_names(),
        *checks.groups(),
        *checks.profiles(),
        *checks.machines(),
        *checks.endpoints(),
        *checks.aliases(),
        *checks.cycles(),
        *aws_faults(tree),
    ]


class _Checks:
    """The checks of one tree, with the names that it declares."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._types = mapping_names(tree, "machines")
        self._groups = mapping_names(tree, "groups")
        self._images = mapping_names(tree, "images")
        self._buckets = mapping_names(tree, "buckets")
        self._profiles = mapping_names(tree, "instance_profiles")

    # Names

    def reserved_names(self) -> Iterator[Fault]:
        for section, name in (
            *(("machines", name) for name in self._types),
            *(("groups", name) for name in self._groups),
        ):
            if name == ANYWHERE:
                message = f"{name!r} means every address in an ingress rule; choose another name"
                yield self._tree.fault((section, name), message, key=True)
        for name in self._types:
            if name in self._groups:
                message = f"{name!r} is a machine type, which has a group of that name already"
                yield self._tree.fault(("groups", name), message, key=True)
            if (other := self._type_whose_machine_is_called(name)) is not None:
                message = f"{name!r} is also the name of a machine of type {other!r}; rename one"
                yield self._tree.fault(("machines", name), message, key=True)
        if AGENT_BUCKET in self._buckets:
            message = f"the bucket {AGENT_BUCKET!r} is greenroom's own; choose another name"
            yield self._tree.fault(("buckets", AGENT_BUCKET), message, key=True)
        yield from self._reserved_services()

    def _reserved_services(self) -> Iterator[Fault]:
        for image in self._images:
            if BOOT_SERVICE in mapping_names(self._tree, "images", image, "services"):
                at = ("images", image, "services", BOOT_SERVICE)
                message = f"the service {BOOT_SERVICE!r} is greenroom's own; choose another name"
                yield self._tree.fault(at, message, key=True)

    def _type_whose_machine_is_called(self, name: str) -> str | None:
        """``db`` for ``db1`` and ``db-drill``: the DNS has one name space for all of them."""
        for other in self._types:
            if re.fullmatch(rf"{re.escape(other)}([0-9]+|-drill)", name):
                return other
        return None

    # References

    def groups(self) -> Iterator[Fault]:
        for name in self._groups:
            yield from self._ingress(("groups", name))

    def profiles(self) -> Iterator[Fault]:
        for name in self._profiles:
            at = ("instance_profiles", name, "read")
            yield from self._refer_each(at, "bucket", self._buckets)

    def machines(self) -> Iterator[Fault]:
        for name in self._types:
            at: Path = ("machines", name)
            yield from self._refer((*at, "image"), "image", self._images)
            yield from self._refer((*at, "instance_profile"), "instance profile", self._profiles)
            yield from self._refer_each((*at, "groups"), "group", self._groups)
            yield from self._refer_each((*at, "needs"), "machine type", self._types)
            yield from self._refer_each((*at, "subscribe", "roles"), "role", self._roles())
            yield from self._needs_of_shared(at)
            yield from self._ingress(at)
            yield from self._refer((*at, "provision", "puppet", "bucket"), "bucket", self._buckets)
            yield from self._puppet_is_there(at)
            yield from self._refer((*at, "deploy", "bucket"), "bucket", self._buckets)
            yield from self._is_readable(at, "deploy", "bucket")
            yield from self._is_readable(at, "provision", "puppet", "bucket")
            yield from self._keeps_are_apart((*at, "deploy", "keep"))
            yield from self._services(at)
            yield from self._restore(at)

    def _ingress(self, at: Path) -> Iterator[Fault]:
        known = [*self._types, *self._groups, ANYWHERE]
        for index in range(list_length(self._tree, (*at, "ingress"))):
            path = (*at, "ingress", index, "from")
            source = self._tree.at(path)
            if isinstance(source, str) and not looks_like_network(source):
                yield from self._refer(path, "machine type or group", known)

    def _roles(self) -> list[str]:
        """Every role that a machine may have: its type, or what a tag says."""
        tagged = [
            self._tree.at((*at, "role"))
            for at in (
                *(("machines", name, "tags") for name in self._types),
                *(("machines", name, "machine_tags") for name in self._types),
                *(("groups", name, "tags") for name in self._groups),
            )
        ]
        return [*self._types, *(role for role in tagged if isinstance(role, str))]

    def _needs_of_shared(self, at: Path) -> Iterator[Fault]:
        """An ordinary machine is in many environments, or in none: nothing to rely on."""
        if self._tree.at((*at, "shared")) is not True:
            return
        for index in range(list_length(self._tree, (*at, "needs"))):
            need = self._tree.at((*at, "needs", index))
            if need in self._types and self._tree.at(("machines", need, "shared")) is not True:
                message = f"{need!r} is not shared; a shared machine can only need shared ones"
                yield self._tree.fault((*at, "needs", index), message)

    def _puppet_is_there(self, at: Path) -> Iterator[Fault]:
        """The recipe of the image must bring it; an AMI may have it without saying so."""
        image = self._tree.at((*at, "image"))
        if image not in self._images or self._tree.at((*at, "provision", "puppet")) is None:
            return
        listed = ("images", image, "packages")
        packages = [self._tree.at((*listed, n)) for n in range(list_length(self._tree, listed))]
        if not {"puppet", "puppet-agent"} & set(packages):
            message = f"image {image!r} has no Puppet: add puppet-agent to its packages"
            yield self._tree.fault((*at, "provision", "puppet"), message, key=True)

    def _services(self, at: Path) -> Iterator[Fault]:
        image = self._tree.at((*at, "image"))
        if image not in self._images:
            return
        known = mapping_names(self._tree, "images", image, "services")
        where = f" in image {image!r}"
        yield from self._refer_each((*at, "deploy", "restart"), "service", known, where)
        yield from self._refer((*at, "data", "service"), "service", known, where)

    def _restore(self, at: Path) -> Iterator[Fault]:
        sources = mapping_names(self._tree, *at, "data", "restore")
        known = [*sources, NO_RESTORE]
        yield from self._refer((*at, "data", "default"), "restore source", known)
        for source in sources:
            path = (*at, "data", "restore", source)
            yield from self._refer((*path, "bucket"), "bucket", self._buckets)
            if source == NO_RESTORE:
                message = f"{NO_RESTORE!r} means an empty database; choose another name"
                yield self._tree.fault(path, message, key=True)

    def _is_readable(self, at: Path, *named: str) -> Iterator[Fault]:
        profile, bucket = (self._tree.at((*at, *end)) for end in (("instance_profile",), named))
        readable = self._tree.at(("instance_profiles", profile, "read"))
        if bucket in self._buckets and isinstance(readable, tuple) and bucket not in readable:
            message = (
                f"the instance profile {profile!r} may not read the bucket {bucket!r}, "
                f"which {named[0]} needs; add it to the profile's read list"
            )
            yield self._tree.fault((*at, "instance_profile"), message)

    def _keeps_are_apart(self, at: Path) -> Iterator[Fault]:
        """Whoever owns the outer folder could put a link in the place of the inner one."""
        kept = mapping_names(self._tree, *at)
        for path in kept:
            outer = next((other for other in kept if path.startswith(f"{other}/")), None)
            if outer is not None:
                message = f"{path!r} lies in {outer!r}, which is kept as a whole; leave it out"
                yield self._tree.fault((*at, path), message, key=True)

    def _refer(
        self, path: Path, kind: str, known: Iterable[str], where: str = ""
    ) -> Iterator[Fault]:
        name = self._tree.at(path)
        if isinstance(name, str) and name not in known:
            yield self._tree.fault(path, unknown(kind, name, known, where=where))

    def _refer_each(
        self, path: Path, kind: str, known: Iterable[str], where: str = ""
    ) -> Iterator[Fault]:
        for index in range(list_length(self._tree, path)):
            yield from self._refer((*path, index), kind, known, where)

    # Endpoints

    def endpoints(self) -> Iterator[Fault]:
        owners: dict[str, str] = {}
        for machine_type in self._types:
            at = ("machines", machine_type, "endpoint")
            name = self._tree.at((*at, "name"))
            if isinstance(name, str):
                first = owners.setdefault(name, machine_type)
                if (clash := self._endpoint_clash(name, machine_type, first)) is not None:
                    yield self._tree.fault((*at, "name"), clash)
            yield from self._endpoint_port(machine_type)

    def _endpoint_clash(self, name: str, machine_type: str, first: str) -> str | None:
        if first != machine_type:
            return f"{name!r} is also the endpoint of {first!r}; rename one"
        if name in self._types and name != machine_type:
            return f"{name!r} is also the name of a machine type; rename one"
        if (other := self._type_whose_machine_is_called(name)) is not None:
            return f"{name!r} is also the name of a machine of type {other!r}; rename one"
        return None

    def _endpoint_port(self, machine_type: str) -> Iterator[Fault]:
        at: Path = ("machines", machine_type)
        path = (*at, "endpoint", "port")
        port = self._tree.at(path)
        if not isinstance(port, int) or isinstance(port, bool) or not 1 <= port <= PORT_MAX:
            return
        owners: list[Path] = [at]
        joined = self._tree.at((*at, "groups"))
        owners += [("groups", g) for g in (joined if isinstance(joined, tuple) else ())]
        opened = [ports for owner in owners for ports in self._ports_open_to_networks(owner)]
        if not any(ports.first <= port <= ports.last for ports in opened):
            message = (
                f"no ingress opens port {port} to anywhere or to a network; "
                f"expected one such as {{port: {port}, from: {ANYWHERE}}}"
            )
            yield self._tree.fault(path, message)

    def _ports_open_to_networks(self, owner: Path) -> Iterator[PortRange]:
        for index in range(list_length(self._tree, (*owner, "ingress"))):
            port, protocol, source = (
                self._tree.at((*owner, "ingress", index, key))
                for key in ("port", "protocol", "from")
            )
            if protocol not in (None, "tcp"):
                continue
            if isinstance(source, str) and not looks_like_network(source):
                continue
            try:
                yield parse_port_range(port)
            except ValueError:
                # The rule itself is told as a fault; that its port is meant can be assumed.
                yield PortRange(first=1, last=PORT_MAX)

    # Aliases

    def aliases(self) -> Iterator[Fault]:
        owners: dict[str, str] = {}
        for machine_type in self._types:
            for index in range(list_length(self._tree, ("machines", machine_type, "aliases"))):
                at: Path = ("machines", machine_type, "aliases", index)
                alias = self._tree.at(at)
                if not isinstance(alias, str):
                    continue
                if alias in owners:
                    message = f"{alias!r} is an alias of {owners[alias]!r} already; leave it out"
                    yield self._tree.fault(at, message)
                elif alias in self._types:
                    message = f"{alias!r} is the name of a machine type; choose another alias"
                    yield self._tree.fault(at, message)
                owners.setdefault(alias, machine_type)

    # Needs

    def cycles(self) -> Iterator[Fault]:
        needs = {name: self._needs_of(name) for name in self._types}
        while (cycle := _cycle_in(needs)) is not None:
            first, second = cycle[0], cycle[1]
            at = ("machines", first, "needs")
            index = self._tree.at(at).index(second)
            yield self._tree.fault((*at, index), f"needs form a cycle: {' → '.join(cycle)}")
            needs[first].discard(second)

    def _needs_of(self, name: str) -> set[str]:
        listed = self._tree.at(("machines", name, "needs"))
        return {n for n in listed if n in self._types} if isinstance(listed, tuple) else set()


def _cycle_in(needs: dict[str, set[str]]) -> list[str] | None:
    """One cycle, from the type that is declared first back to it; None if there is none."""
    graph = {name: sorted(needed) for name, needed in needs.items()}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        # Each element is a predecessor of the next one, that is, the next one needs it.
        ring = list(reversed(error.args[1]))[:-1]
        start = ring.index(min(ring, key=list(needs).index))
        ring = ring[start:] + ring[:start]
        return [*ring, ring[0]]
    return None
