"""Links, addresses, routes and settings of the region and its machines, held against what the
Stacks declare: pure. Each difference is one sentence with the command that mends it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from greenroom.model.stack import Machine, Stack
from greenroom.providers.local.layout import (
    DNS_ADDRESS,
    GATEWAY_ADDRESS,
    METADATA_ADDRESS,
    SERVICE_ADDRESS,
    Layout,
    link_name,
)
from greenroom.providers.local.network_state import Link, NetworkState

_MAIN, _LOCAL = 254, 255
_KERNEL_RULES = frozenset({(0, 255, True), (32766, 254, True), (32767, 253, True)})
_QUIET_QUEUES = frozenset({"noqueue", "pfifo_fast", "fq_codel", "fq", "pfifo", "mq"})
"""Those that a kernel gives by default: they hold packets back, but send none elsewhere."""
_MACHINE_SETTINGS = {"forwarding": 0, "disable_ipv6": 1}
_TOWARDS_MACHINE = {
    **{"forwarding": 1, "proxy_arp": 1, "rp_filter": 1},
    **{"accept_local": 0, "route_localnet": 0, "disable_ipv6": 1},
}
_REGION_SETTINGS = {
    **{"forwarding": 1, "proxy_arp": 0, "accept_local": 0},
    **{"route_localnet": 0, "disable_ipv6": 1},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredLink:
    """A link that must be there, with what the kernel would say of it."""

    alias: str
    settings: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredNetwork:
    """One namespace. ``optional`` links, with their routes, need not be there: an environment
    beside may be on its way. ``tables`` are the firewall tables that belong there."""

    namespace: str
    whose: str
    links: Mapping[str, DeclaredLink]
    addresses: frozenset[tuple[str, str]]
    routes: frozenset[tuple[int, str, str, str, str]]
    tables: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()


def declared_region(
    layout: Layout, link_address: str, own: Stack, others: Sequence[Stack]
) -> DeclaredNetwork:
    """The region's namespace. ``link_address`` is its end of the link to the host."""
    prefix = link_address.rpartition(".")[0]
    links = {
        "lo": DeclaredLink(alias="", settings={"disable_ipv6": 1}),
        "host0": DeclaredLink(alias="", settings=_REGION_SETTINGS),
    }
    services = [(METADATA_ADDRESS, "lo"), (DNS_ADDRESS, "lo"), (SERVICE_ADDRESS, "lo")]
    routes = [
        (_MAIN, "unicast", "0.0.0.0/0", f"{prefix}.1", "host0"),
        (_MAIN, "unicast", f"{prefix}.0/30", "", "host0"),
        *_local_routes((*services, (link_address, "host0"))),
    ]
    optional = set()
    for stack in (own, *others):
        for machine in stack.machines if stack is own else (*stack.machines, *stack.drills):
            name, address = link_name(str(machine.address)), str(machine.address)
            alias = layout.machine(stack.environment, machine.name).container_id
            links[name] = DeclaredLink(alias=alias, settings=_TOWARDS_MACHINE)
            routes.append((_MAIN, "unicast", f"{address}/32", "", name))
            if stack is not own:
                optional.add(name)
    return DeclaredNetwork(
        namespace=layout.namespace.name,
        whose="the region",
        links=links,
        addresses=frozenset(
            {("lo", "127.0.0.1/8"), ("host0", f"{link_address}/30")}
            | {(link, f"{address}/32") for address, link in services}
        ),
        routes=frozenset(routes),
        tables=frozenset({"inet greenroom"}),
        optional=frozenset(optional),
    )


def declared_machine(namespace: str, label: str, machine: Machine) -> DeclaredNetwork:
    """A machine's namespace; ``label`` is how a person calls the machine."""
    address = str(machine.address)
    return DeclaredNetwork(
        namespace=namespace,
        whose=label,
        links={
            "lo": DeclaredLink(alias="", settings={"disable_ipv6": 1}),
            "eth0": DeclaredLink(alias="", settings=_MACHINE_SETTINGS),
        },
        addresses=frozenset({("lo", "127.0.0.1/8"), ("eth0", f"{address}/32")}),
        routes=frozenset(
            {
                (_MAIN, "unicast", "0.0.0.0/0", GATEWAY_ADDRESS, "eth0"),
                (_MAIN, "unicast", f"{GATEWAY_ADDRESS}/32", "", "eth0"),
                *_local_routes(((address, "eth0"),)),
            }
        ),
    )


def audit_network(declared: DeclaredNetwork, observed: NetworkState) -> Iterator[str]:
    """A sentence for every difference."""
    ip = f"ip -n {declared.namespace}"
    yield from _audit_links(declared, observed.links, ip)
    yield from _audit_addresses(declared, observed, ip)
    yield from _audit_routes(declared, observed, ip)
    for link, address, kind in sorted(observed.neighbours):
        proxy = "proxy " if kind == "proxy" else ""
        yield (
            f"{declared.whose} has a {kind} neighbour entry for {address} on {link}, which "
            f"greenroom did not set; remove it: {ip} neigh del {proxy}{address} dev {link}"
        )
    for link, queue in sorted(observed.queues):
        if queue not in _QUIET_QUEUES:
            where = {"clsact": "clsact", "ingress": "ingress"}.get(queue, "root")
            yield (
                f"link {link} of {declared.whose} has the queueing discipline {queue}, which can "
                f"send packets past the firewall; remove it: "
                f"tc -n {declared.namespace} qdisc del dev {link} {where}"
            )
    for table in sorted(observed.tables - declared.tables):
        # The region's own tables are compared word for word elsewhere.
        if declared.tables and not table.startswith(("iptables", "ip6tables")):
            continue
        yield (
            f"the namespace of {declared.whose} has the firewall table {table}, which greenroom "
            f"did not make; look at it: ip netns exec {declared.namespace} nft list ruleset"
        )


def _audit_links(declared: DeclaredNetwork, links: Collection[Link], ip: str) -> Iterator[str]:
    found = {link.name: link for link in links}
    for name in sorted(found.keys() - declared.links.keys()):
        yield (
            f"{declared.whose} has the link {name}, which belongs to no environment; "
            f"remove it: {ip} link del {name}"
        )
    for name in sorted(declared.links.keys() - found.keys() - declared.optional):
        yield f"{declared.whose} has lost its link {name}; create the environment again"
    for name in sorted(declared.links.keys() & found.keys()):
        wanted, link = declared.links[name], found[name]
        if not link.up:
            yield f"link {name} of {declared.whose} is down; bring it up: {ip} link set {name} up"
        if link.alias != wanted.alias:
            yield (
                f"link {name} of {declared.whose} is called {link.alias or 'nothing'}, expected "
                f"{wanted.alias or 'nothing'}; {ip} link set {name} alias '{wanted.alias}'"
            )
        if link.xdp:
            yield (
                f"link {name} of {declared.whose} runs a BPF program before the firewall; "
                f"remove it: {ip} link set {name} xdp off"
            )
        for setting, value in link.settings:
            expected = wanted.settings.get(setting, value)
            if value != expected:
                family = "ipv6" if setting == "disable_ipv6" else "ipv4"
                key = f"net.{family}.conf.{name}.{setting}"
                yield (
                    f"{setting} of link {name} of {declared.whose} is {value}, expected "
                    f"{expected}; mend it: ip netns exec {declared.namespace} sysctl "
                    f"{key}={expected}"
                )


def _audit_addresses(declared: DeclaredNetwork, observed: NetworkState, ip: str) -> Iterator[str]:
    for link, address in sorted(observed.addresses - declared.addresses):
        yield (
            f"{declared.whose} has the address {address} on {link}, which nobody declares; "
            f"remove it: {ip} addr del {address} dev {link}"
        )
    for link, address in sorted(declared.addresses - observed.addresses):
        yield (
            f"{declared.whose} lacks its address {address} on {link}; "
            f"put it back: {ip} addr add {address} dev {link}"
        )


def _audit_routes(declared: DeclaredNetwork, observed: NetworkState, ip: str) -> Iterator[str]:
    for route in sorted(observed.routes - declared.routes):
        # A broadcast route follows from an address, and which ones differs between kernels.
        if route[1] != "broadcast":
            yield (
                f"{declared.whose} has the route `{_route_text(route)}`, which nobody declares; "
                f"remove it: {ip} route del {_route_text(route)}"
            )
    for route in sorted(declared.routes - observed.routes):
        if route[4] not in declared.optional:
            yield (
                f"{declared.whose} lacks its route `{_route_text(route)}`; "
                f"put it back: {ip} route add {_route_text(route)}"
            )
    for preference, table, _ in sorted(observed.rules - _KERNEL_RULES):
        yield (
            f"{declared.whose} has a routing rule of preference {preference} into table {table}, "
            f"which greenroom did not make; remove it: {ip} rule del pref {preference}"
        )


def _local_routes(
    addresses: Sequence[tuple[str, str]],
) -> Iterator[tuple[int, str, str, str, str]]:
    """The routes that the kernel makes for a namespace's own addresses."""
    yield _LOCAL, "local", "127.0.0.0/8", "", "lo"
    yield _LOCAL, "local", "127.0.0.1/32", "", "lo"
    for address, link in addresses:
        yield _LOCAL, "local", f"{address}/32", "", link


def _route_text(route: tuple[int, str, str, str, str]) -> str:
    table, kind, target, gateway, link = route
    words = [*([] if kind == "unicast" else [kind]), target]
    words += [*(["via", gateway] if gateway else []), *(["dev", link] if link else [])]
    words += [] if table == _MAIN else ["table", str(table)]
    return " ".join(words)
