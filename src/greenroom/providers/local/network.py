"""The region's network: one routing namespace, and every machine on a veth of its own.

A machine has a /32 and reaches everything through its region's end of the veth, which answers
every ARP question (as Calico does it). There is no bridge, so nothing reaches a neighbour
without passing the region's forward chain. Reverse-path filtering drops a source address that
is not the veth's own.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv4Network
from pathlib import Path

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from greenroom.errors import HostError
from greenroom.model.names import EnvironmentName
from greenroom.model.stack import Machine
from greenroom.providers.local import kernel
from greenroom.providers.local.command import run
from greenroom.providers.local.layout import (
    DNS_ADDRESS,
    GATEWAY_ADDRESS,
    METADATA_ADDRESS,
    NETNS_DIR,
    SERVICE_ADDRESS,
    Layout,
    MachineLayout,
    link_name,
)

_REGION_LINK = "host0"
_LINK_SCOPE = 253
_LOOPBACK = 1
"""The kernel makes it first in every namespace."""
_DOOMED_GROUP = 0xD000
_ROUTE_TYPES = (
    *("unicast", "local", "broadcast", "multicast", "anycast"),
    *("unreachable", "prohibit", "blackhole", "throw", "nat"),
)
"""The first word of a listed route that is not of the ordinary type (ip-route(8))."""

_REGION_SYSCTLS = {
    "ipv4/ip_forward": "1",
    "ipv6/conf/all/disable_ipv6": "1",
    "ipv6/conf/default/disable_ipv6": "1",
    # A rejected packet is answered every time: the proof counts on an answer to each probe.
    "ipv4/icmp_ratemask": "0",
    "ipv4/conf/all/send_redirects": "0",
    "ipv4/conf/default/send_redirects": "0",
}
_MACHINE_SYSCTLS = {
    "ipv6/conf/all/disable_ipv6": "1",
    "ipv6/conf/default/disable_ipv6": "1",
    # The namespace belongs to the host's user namespace, so a machine's root has no right of its
    # own to the low ports in it.
    "ipv4/ip_unprivileged_port_start": "0",
    "ipv4/ping_group_range": "0 2147483647",
}


def open_region_network(layout: Layout) -> None:
    """Make the region's namespace and its link to the host. Idempotent.

    Raises HostError (E_REGION_ROUTE) if the host already uses the region's addresses.
    """
    if is_namespace(layout.namespace) and _has_link(layout.host_link):
        return
    close_region_network(layout)
    refuse_used_addresses(layout)
    _make_namespace(layout.namespace, _REGION_SYSCTLS)
    host_address, region_address = host_link_addresses(layout)
    with IPRoute() as host:
        namespace_fd = os.open(layout.namespace, os.O_RDONLY)
        try:
            peer = {"ifname": _REGION_LINK, "net_ns_fd": namespace_fd}
            host.link("add", ifname=layout.host_link, kind="veth", peer=peer)
        finally:
            os.close(namespace_fd)
        index = host.link_lookup(ifname=layout.host_link)[0]
        host.addr("add", index=index, address=host_address, prefixlen=30)
        host.link("set", index=index, state="up")
        kernel.in_network(layout.namespace, lambda: _bring_up_region(region_address, host_address))
        host.route("add", dst=layout.region.cidr, gateway=region_address, oif=index)


def close_region_network(layout: Layout) -> None:
    """Remove the region's namespace and the host's link. Idempotent."""
    _delete_link(layout.host_link)
    delete_namespace(layout.namespace)


def host_link_addresses(layout: Layout) -> tuple[str, str]:
    """The host's and the region's address on the link between them."""
    prefix = layout.region.cidr.rsplit(".", 2)[0]
    return f"{prefix}.255.1", f"{prefix}.255.2"


def refuse_used_addresses(layout: Layout) -> None:
    """Raises HostError if a route of the host leads to the region's addresses already."""
    listing = run(["ip", "-4", "route", "show", "table", "all"], timeout_s=10)
    used = used_networks(listing, layout.host_link)
    wanted = IPv4Network(layout.region.cidr)
    for network, route in used:
        if network.overlaps(wanted):
            free = free_range(network for network, _ in used)
            raise HostError(
                "E_REGION_ROUTE",
                f"the host uses addresses of {wanted} already: {route}",
                hint=f"choose another range: export GREENROOM_CIDR={free}",
            )


def used_networks(listing: str, own_link: str) -> list[tuple[IPv4Network, str]]:
    """Where the routes of a listing (ip-route(8)) lead, each with its line; pure.

    Left out are those over ``own_link``, and those to more than a /8: such a one is a default
    route, which some VPNs write in two halves, and claims no addresses for anybody.
    """
    used = []
    for line in listing.splitlines():
        words = line.split()
        target = words[1] if words[0] in _ROUTE_TYPES else words[0]
        # The hops of a route over several links are listed below it, indented.
        if target in ("default", "nexthop") or own_link in words:
            continue
        network = IPv4Network(target)
        if network.prefixlen >= 8:
            used.append((network, line.strip()))
    return used


def free_range(used: Iterable[IPv4Network]) -> IPv4Network:
    """A /16 that nothing in ``used`` overlaps; the first of all if there is none (pure)."""
    taken = list(used)
    candidates = [IPv4Network(f"10.{n}.0.0/16") for n in range(213, 255)]
    candidates += [IPv4Network(f"172.{n}.0.0/16") for n in range(31, 15, -1)]
    candidates += [IPv4Network("192.168.0.0/16")]
    free = (c for c in candidates if not any(network.overlaps(c) for network in taken))
    return next(free, candidates[0])


def attach_machine(layout: Layout, place: MachineLayout, machine: Machine) -> None:
    """Make the machine's namespace, veth, address and routes. Idempotent."""
    address = str(machine.address)
    region_end = link_name(address)
    if is_namespace(place.namespace):
        # A crash may have come between two of the steps below: make it anew, whole.
        detach_machine(layout, place, machine)
    region_fd = os.open(layout.namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _make_namespace(
            place.namespace,
            _MACHINE_SYSCTLS,
            lambda: _wire_machine(address, region_end, region_fd),
        )
    finally:
        os.close(region_fd)
    kernel.in_network(
        layout.namespace, lambda: _wire_region(address, region_end, place.container_id)
    )


def detach_machine(layout: Layout, place: MachineLayout, machine: Machine) -> None:
    """Remove one machine's veth and namespace. Idempotent."""
    region_end = link_name(str(machine.address))
    kernel.in_network(layout.namespace, lambda: _delete_link(region_end))
    delete_namespace(place.namespace)


def delete_links(layout: Layout, environment: EnvironmentName) -> None:
    """Remove the region's ends of all veths of an environment. Idempotent.

    Deleted explicitly: now and then a veth outlives the namespace of its peer. They go as one
    link group, because the kernel waits some 20 ms for a grace period at each deletion.
    """
    aliases = region_links(layout)
    ends = [name for name, alias in aliases.items() if alias.startswith(f"{environment.key}.")]
    if not ends:
        return

    # All links of an environment have the same third octet in their names, and no others have.
    group = _DOOMED_GROUP + int(ends[0].removeprefix("m").partition("-")[0])

    def delete() -> None:
        with IPRoute() as netlink:
            for end in ends:
                for index in netlink.link_lookup(ifname=end):
                    netlink.link("set", index=index, group=group)
            # None left in the group: somebody else was quicker.
            with contextlib.suppress(NetlinkError):
                netlink.link("del", group=group)

    kernel.in_network(layout.namespace, delete)


def region_links(layout: Layout) -> dict[str, str]:
    """The region's machine links: name to alias (the container id)."""
    if not is_namespace(layout.namespace):
        return {}

    def read() -> dict[str, str]:
        with IPRoute() as netlink:
            return {
                link.get_attr("IFLA_IFNAME"): link.get_attr("IFLA_IFALIAS") or ""
                for link in netlink.get_links()
                if str(link.get_attr("IFLA_IFNAME")).startswith("m")
            }

    return kernel.in_network(layout.namespace, read)


def open_listener(layout: Layout, address: str, port: int) -> socket.socket:
    """A TCP socket that listens inside the region, for the daemon to serve."""

    def listen() -> socket.socket:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(512)
        return listener

    return kernel.in_network(layout.namespace, listen)


def is_namespace(path: Path) -> bool:
    """Whether a network namespace is mounted there, and not just an empty file left."""
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_dev != path.parent.stat().st_dev
    return False


def delete_namespace(path: Path) -> None:
    """What `ip netns delete` does. Idempotent."""
    with contextlib.suppress(OSError):
        kernel.unmount(path, kernel.MNT_DETACH)
    path.unlink(missing_ok=True)


def namespaces(prefix: str) -> Iterator[Path]:
    """The named network namespaces whose name starts with ``prefix``."""
    if NETNS_DIR.is_dir():
        yield from sorted(p for p in NETNS_DIR.iterdir() if p.name.startswith(prefix))


def _make_namespace(
    path: Path, sysctls: dict[str, str], then: Callable[[], None] = lambda: None
) -> None:
    """What `ip netns add` does, then the sysctls, then ``then()`` inside it."""
    NETNS_DIR.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o444, exist_ok=True)

    def make() -> None:
        kernel.unshare_network()
        source = f"/proc/self/task/{threading.get_native_id()}/ns/net"
        kernel.mount(source, path, None, kernel.MS_BIND)
        for name, value in sysctls.items():
            Path("/proc/sys/net", name).write_text(value)
        then()

    kernel.in_own_thread(make)


def _bring_up_region(region_address: str, host_address: str) -> None:
    with IPRoute() as netlink:
        link = netlink.link_lookup(ifname=_REGION_LINK)[0]
        for address in (METADATA_ADDRESS, DNS_ADDRESS, SERVICE_ADDRESS):
            netlink.addr("add", index=_LOOPBACK, address=address, prefixlen=32)
        netlink.link("set", index=_LOOPBACK, state="up")
        netlink.addr("add", index=link, address=region_address, prefixlen=30)
        netlink.link("set", index=link, state="up")
        netlink.route("add", dst="default", gateway=host_address, oif=link)


def _wire_machine(address: str, region_end: str, region_fd: int) -> None:
    with IPRoute() as netlink:
        peer = {"ifname": region_end, "net_ns_fd": region_fd}
        netlink.link("add", ifname="eth0", kind="veth", peer=peer)
        link = netlink.link_lookup(ifname="eth0")[0]
        netlink.link("set", index=_LOOPBACK, state="up")
        netlink.addr("add", index=link, address=address, prefixlen=32)
        netlink.link("set", index=link, state="up")
        netlink.route("add", dst=f"{GATEWAY_ADDRESS}/32", oif=link, scope=_LINK_SCOPE)
        netlink.route("add", dst="default", gateway=GATEWAY_ADDRESS, oif=link)


def _wire_region(address: str, region_end: str, alias: str) -> None:
    conf = Path("/proc/sys/net/ipv4/conf") / region_end
    (conf / "proxy_arp").write_text("1")
    (conf / "rp_filter").write_text("1")
    # By default the kernel thinks up to 0.8 s before it answers for somebody else (arp(7)).
    Path("/proc/sys/net/ipv4/neigh", region_end, "proxy_delay").write_text("0")
    with IPRoute() as netlink:
        link = netlink.link_lookup(ifname=region_end)[0]
        netlink.link("set", index=link, state="up", ifalias=alias)
        netlink.route("add", dst=f"{address}/32", oif=link, scope=_LINK_SCOPE)


def _has_link(name: str) -> bool:
    return Path("/sys/class/net", name).exists()


def _delete_link(name: str) -> None:
    with IPRoute() as netlink:
        for index in netlink.link_lookup(ifname=name):
            # Gone between the look and the deletion is as good as deleted.
            with contextlib.suppress(NetlinkError):
                netlink.link("del", index=index)
