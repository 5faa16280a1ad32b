"""The region's network: one routing namespace, and every machine on a veth of its own.

A machine has a /32 and reaches everything through its region's end of the veth, which answers
every ARP question (as Calico does it). There is no bridge, so nothing reaches a neighbour
without passing the region's forward chain. Reverse-path filtering drops a source address that
is not the veth's own.

Links come and go for all machines of an environment at once (docs/adr/0021-network-in-one-go.md).
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import threading
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Network
from pathlib import Path

from greenroom.errors import HostError
from greenroom.model.names import EnvironmentName
from greenroom.model.stack import Machine, Stack
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
from greenroom.providers.local.rtnetlink import (
    ANYWHERE,
    LOOPBACK,
    Message,
    Netlink,
    add_address,
    add_route,
    add_veth,
    answer_at_once,
    begin_to_use,
    delete_group,
    delete_link,
    set_alias,
    set_up,
)

_REGION_LINK = "host0"
_MACHINE_LINK = "eth0"
_MACHINE_LINK_INDEX = 2
_HOST_LINK_PREFIX = 30
_REGION_INDEXES = 0x10000
_GROUPS = 0xD000
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
    # A new namespace begins with the host's own values, which may be others.
    **{
        f"ipv4/conf/{scope}/{name}": "0"
        for scope in ("all", "default")
        for name in ("accept_local", "accept_source_route", "proxy_arp", "route_localnet")
    },
    **{f"ipv4/conf/{scope}/rp_filter": "0" for scope in ("all", "default")},
}
_REGION_LINK_SYSCTLS = {
    # What every machine's link begins with: the region answers for all others, and drops a source
    # address that is not the link's own.
    "ipv4/conf/default/proxy_arp": "1",
    "ipv4/conf/default/rp_filter": "1",
}
_MACHINE_SYSCTLS = {
    # A new namespace begins with the host's own value, and a host with containers forwards.
    "ipv4/ip_forward": "0",
    "ipv6/conf/all/disable_ipv6": "1",
    "ipv6/conf/default/disable_ipv6": "1",
    # The namespace belongs to the host's user namespace, so a machine's root has no right of its
    # own to the low ports in it.
    "ipv4/ip_unprivileged_port_start": "0",
    "ipv4/ping_group_range": "0 2147483647",
    # As in the region: that nobody listens on a UDP port is answered every time, and at once.
    "ipv4/icmp_ratemask": "0",
}


def open_region_network(layout: Layout) -> None:
    """Make the region's namespace and its link to the host. Idempotent.

    Raises HostError (E_REGION_ROUTE) if the host already uses the region's addresses.
    """
    if is_namespace(layout.namespace) and _has_link(layout.host_link):
        _close_six(layout.host_link)
        return
    close_region_network(layout)
    refuse_used_addresses(layout)
    _share_names()
    _make_namespace(layout.namespace, _REGION_SYSCTLS)
    host_address, region_address = host_link_addresses(layout)
    with contextlib.ExitStack() as undo:
        host = undo.enter_context(Netlink())
        descriptor = os.open(layout.namespace, os.O_RDONLY | os.O_CLOEXEC)
        undo.callback(os.close, descriptor)
        host.ask(add_veth(layout.host_link, peer=_REGION_LINK, namespace_fd=descriptor))
        _close_six(layout.host_link)
        index = socket.if_nametoindex(layout.host_link)
        host.ask(add_address(index, host_address, _HOST_LINK_PREFIX), set_up(index))
        kernel.in_network(layout.namespace, lambda: _bring_up_region(region_address, host_address))
        host.ask(add_route(layout.region.cidr, index, gateway=region_address))


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


def attach_machines(layout: Layout, stack: Stack, machines: Sequence[Machine]) -> None:
    """Make the machines' namespaces, veths, addresses and routes. Idempotent: what a crash left,
    whole or half, is made anew."""
    places = [layout.machine(stack.environment, machine.name) for machine in machines]
    for place in places:
        delete_namespace(place.namespace)

    def attach() -> None:
        with contextlib.ExitStack() as undo:
            namespaces = [undo.enter_context(_new_namespace(place.namespace)) for place in places]
            kernel.enter_network(layout.namespace)
            region = undo.enter_context(Netlink())
            messages: list[Message] = []
            for machine, place, (descriptor, _) in zip(machines, places, namespaces, strict=True):
                messages += _region_wiring(str(machine.address), place.container_id, descriptor)
            region.ask(*messages)
            for machine, (_, netlink) in zip(machines, namespaces, strict=True):
                netlink.ask(*_machine_wiring(str(machine.address)))
            region.ask(*(begin_to_use(_region_index(str(m.address))) for m in machines))

    kernel.in_own_thread(attach)


def detach_machine(layout: Layout, place: MachineLayout, machine: Machine) -> None:
    """Remove one machine's veth and namespace. Idempotent."""
    region_end = link_name(str(machine.address))
    kernel.in_network(layout.namespace, lambda: _delete_link(region_end))
    delete_namespace(place.namespace)


def delete_links(layout: Layout, environment: EnvironmentName) -> None:
    """Remove the region's ends of all veths of an environment. Idempotent.

    Deleted explicitly: now and then a veth outlives the namespace of its peer. They go as the
    group that they have been from the first, because the kernel waits some 20 ms for a grace
    period at each deletion.
    """
    aliases = region_links(layout)
    ends = [name for name, alias in aliases.items() if alias.startswith(f"{environment.key}.")]
    if not ends:
        return

    def delete() -> None:
        with Netlink() as netlink:
            netlink.ask(delete_group(_group(ends[0])))

    kernel.in_network(layout.namespace, delete)


def region_links(layout: Layout) -> dict[str, str]:
    """The region's machine links: name to alias (the container id)."""
    if not is_namespace(layout.namespace):
        return {}

    def read() -> dict[str, str]:
        with Netlink() as netlink:
            aliases = netlink.aliases()
        return {name: alias for name, alias in aliases.items() if name.startswith("m")}

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


def open_datagrams(layout: Layout, address: str, port: int) -> socket.socket:
    """A UDP socket inside the region, for the daemon to serve."""

    def bind() -> socket.socket:
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        datagrams.setblocking(False)
        datagrams.bind((address, port))
        return datagrams

    return kernel.in_network(layout.namespace, bind)


def is_namespace(path: Path) -> bool:
    """Whether a network namespace is mounted there, and not just an empty file left."""
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_dev != path.parent.stat().st_dev
    return False


def delete_namespace(path: Path) -> None:
    """What `ip netns delete` does. Idempotent."""
    with contextlib.suppress(OSError):
        kernel.unmount(path, kernel.MNT_DETACH)
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        kernel.in_own_thread(lambda: _delete_covered(path))


def _delete_covered(path: Path) -> None:
    """Delete a namespace whose mount no name leads to any more, which keeps its file busy.

    The first `ip netns add` of a host binds the folder onto itself, over what was mounted there
    before. In a mount namespace of our own everything can be unmounted, then the file can be
    removed, and that ends its mounts wherever they are (linux/fs/namei.c, since 3.18).
    """
    kernel.unshare_mounts()
    for covering in (NETNS_DIR, path):
        # Ends with EINVAL: nothing is mounted there any more.
        with contextlib.suppress(OSError):
            while True:
                kernel.unmount(covering, kernel.MNT_DETACH)
    path.unlink(missing_ok=True)


def namespaces(prefix: str) -> Iterator[Path]:
    """The named network namespaces whose name starts with ``prefix``."""
    if NETNS_DIR.is_dir():
        mine = sorted(p for p in NETNS_DIR.iterdir() if p.name.startswith(prefix))
        yield from (path for path in mine if is_namespace(path))


def _make_namespace(path: Path, sysctls: dict[str, str]) -> None:
    """What `ip netns add` does, then the sysctls."""

    def make() -> None:
        kernel.unshare_network()
        _name_namespace(path)
        _write_sysctls(sysctls)

    kernel.in_own_thread(make)


@contextlib.contextmanager
def _new_namespace(path: Path) -> Iterator[tuple[int, Netlink]]:
    """Move the calling thread into a new namespace of a machine; a descriptor of it, and a socket
    that speaks to it from anywhere."""
    kernel.unshare_network()
    _name_namespace(path)
    _write_sysctls(_MACHINE_SYSCTLS)
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with Netlink() as netlink:
            yield descriptor, netlink
    finally:
        os.close(descriptor)


def _share_names() -> None:
    """Make ``/run/netns`` a shared mount of itself, as `ip netns add` does before its first one.

    Done by it later, with our names there already, it would cover them with a second mount of
    each: no name could be removed any more, and no namespace would end (ip-netns(8)).
    """
    NETNS_DIR.mkdir(parents=True, exist_ok=True)
    try:
        kernel.mount(None, NETNS_DIR, None, kernel.MS_REC | kernel.MS_SHARED)
    except OSError:
        kernel.mount(NETNS_DIR, NETNS_DIR, None, kernel.MS_BIND | kernel.MS_REC)
        kernel.mount(None, NETNS_DIR, None, kernel.MS_REC | kernel.MS_SHARED)


def _name_namespace(path: Path) -> None:
    """Bind the calling thread's namespace to a file of ``/run/netns``."""
    path.touch(mode=0o444, exist_ok=True)
    source = f"/proc/self/task/{threading.get_native_id()}/ns/net"
    kernel.mount(source, path, None, kernel.MS_BIND)


def _write_sysctls(sysctls: dict[str, str]) -> None:
    for name, value in sysctls.items():
        Path("/proc/sys/net", name).write_text(value)


def _bring_up_region(region_address: str, host_address: str) -> None:
    link = socket.if_nametoindex(_REGION_LINK)
    own = (METADATA_ADDRESS, DNS_ADDRESS, SERVICE_ADDRESS)
    with Netlink() as netlink:
        netlink.ask(
            *(add_address(LOOPBACK, address) for address in own),
            set_up(LOOPBACK),
            add_address(link, region_address, _HOST_LINK_PREFIX),
            set_up(link),
            add_route(ANYWHERE, link, gateway=host_address),
        )
    _write_sysctls(_REGION_LINK_SYSCTLS)


def _region_wiring(address: str, alias: str, namespace_fd: int) -> Iterator[Message]:
    """The region's end of a machine's link, and the link itself."""
    name, index = link_name(address), _region_index(address)
    # Now and then a veth outlives the namespace of its peer.
    yield delete_link(name)
    yield add_veth(
        name,
        peer=_MACHINE_LINK,
        namespace_fd=namespace_fd,
        index=index,
        peer_index=_MACHINE_LINK_INDEX,
        group=_group(name),
    )
    yield set_up(index)
    yield set_alias(index, alias)
    yield answer_at_once(index)
    yield add_route(f"{address}/32", index)


def _machine_wiring(address: str) -> Iterator[Message]:
    yield set_up(LOOPBACK)
    yield add_address(_MACHINE_LINK_INDEX, address)
    yield set_up(_MACHINE_LINK_INDEX)
    yield add_route(f"{GATEWAY_ADDRESS}/32", _MACHINE_LINK_INDEX)
    yield add_route(ANYWHERE, _MACHINE_LINK_INDEX, gateway=GATEWAY_ADDRESS)


def _region_index(address: str) -> int:
    third, fourth = (int(octet) for octet in address.split(".")[2:])
    return _REGION_INDEXES + third * 256 + fourth


def _group(region_end: str) -> int:
    """The link group of an environment: all its links have the same third octet in their names,
    and no others have."""
    return _GROUPS + int(region_end.removeprefix("m").partition("-")[0])


def _close_six(link: str) -> None:
    """No IPv6 on the host's end either; the kernel would make an address of its own there."""
    setting = Path("/proc/sys/net/ipv6/conf", link, "disable_ipv6")
    if setting.exists():
        setting.write_text("1")


def _has_link(name: str) -> bool:
    return Path("/sys/class/net", name).exists()


def _delete_link(name: str) -> None:
    with Netlink() as netlink:
        netlink.ask(delete_link(name))
