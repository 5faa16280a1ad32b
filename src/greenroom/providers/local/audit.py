"""The audit: what the kernel holds of the region and the machines, held against the Stacks.

Probes and audit complete each other. A probe shows what a packet meets, whatever the rules look
like; the audit shows that nothing else is there, for packets that nobody sent.

Environments beside come and go while we look. What is on its way is gone at the next look, so a
difference counts only if it stays.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from greenroom.model.proof import Claim, Verdict
from greenroom.model.stack import Stack
from greenroom.providers.local import kernel
from greenroom.providers.local.audit_firewall import audit_firewall, declared_firewall
from greenroom.providers.local.audit_network import (
    audit_network,
    declared_machine,
    declared_region,
)
from greenroom.providers.local.layout import Layout
from greenroom.providers.local.network import host_link_addresses, is_namespace
from greenroom.providers.local.network_state import NetworkState, read_network
from greenroom.providers.local.nftables import list_ruleset
from greenroom.providers.local.region_table import TABLE
from greenroom.providers.local.ruleset import Table, parse_listing

_LOOKS = 4
_BETWEEN_LOOKS_S = 0.15
_FINDINGS_MAX = 25
_SETTINGS = {
    "ipv4/ip_forward": "1",
    "ipv4/icmp_ratemask": "0",
    **{
        f"ipv4/conf/all/{name}": "0"
        for name in (
            *("accept_local", "accept_redirects", "accept_source_route"),
            *("proxy_arp", "route_localnet", "rp_filter"),
        )
    },
    "ipv6/conf/all/disable_ipv6": "1",
}
"""Of the region as a whole; those of its links are listed with the links."""
_LINK_LOCAL_SIX = "fe80::1"
_PRIVATE_SIX = "fd00::1"
_NO_WAY = frozenset(
    {errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EHOSTUNREACH, errno.ENODEV}
)


@dataclass(frozen=True, slots=True)
class SeenRegion:
    """The region's namespace at one moment."""

    network: NetworkState
    tables: dict[str, Table]
    settings: dict[str, str]


@dataclass(frozen=True, slots=True)
class SeenMachine:
    """A machine's namespace at one moment; ``six`` are the attempts to send over IPv6 that the
    kernel did not refuse at once, ``six_tried`` how many were made."""

    network: NetworkState
    six: tuple[str, ...]
    six_tried: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look found; a machine whose namespace is gone is missing."""

    region: SeenRegion | None
    machines: dict[str, SeenMachine]


def look_at_region() -> SeenRegion:
    """Read the calling thread's namespace, the region's."""
    settings = {name: Path("/proc/sys/net", name) for name in _SETTINGS}
    return SeenRegion(
        network=read_network(),
        tables=parse_listing(list_ruleset()),
        settings={
            name: path.read_text().strip() for name, path in settings.items() if path.exists()
        },
    )


def look_at_machine() -> SeenMachine:
    """Read the calling thread's namespace, a machine's, and try to send over IPv6."""
    attempts = [*_six_attempts()]
    return SeenMachine(
        network=read_network(),
        six=tuple(attempt for attempt in attempts if attempt),
        six_tried=len(attempts),
    )


def audit(
    layout: Layout, stack: Stack, seen: Seen, neighbours: Callable[[], Sequence[Stack]]
) -> tuple[Claim, ...]:
    """Claims on the region's and the machines' actual state. ``neighbours`` are the other
    environments that have anything in the region, as they are known at each look."""
    findings = dict.fromkeys(_findings(layout, stack, seen, neighbours()))
    for _ in range(_LOOKS - 1):
        if not findings:
            break
        time.sleep(_BETWEEN_LOOKS_S)
        # What a look could not see it cannot have missed: the next one begins anew.
        partial = bool(_unseen(stack, seen, "IPv6"))
        seen = _look_again(layout, stack)
        again = dict.fromkeys(_findings(layout, stack, seen, neighbours()))
        findings = again if partial else {f: None for f in findings if f in again}
    return tuple(_claims(stack, seen, list(findings)))


def _look_again(layout: Layout, stack: Stack) -> Seen:
    def look() -> Seen:
        machines = {}
        for machine in stack.machines:
            namespace = layout.machine(stack.environment, machine.name).namespace
            if is_namespace(namespace):
                kernel.enter_network(namespace)
                machines[machine.name] = look_at_machine()
        if not is_namespace(layout.namespace):
            return Seen(None, machines)
        kernel.enter_network(layout.namespace)
        return Seen(look_at_region(), machines)

    return kernel.in_own_thread(look)


def _findings(
    layout: Layout, stack: Stack, seen: Seen, others: Sequence[Stack]
) -> Iterator[tuple[str, str]]:
    """Every difference: which part it concerns, and the sentence."""
    if seen.region is None:
        yield "network", f"the region's namespace {layout.namespace.name} is gone"
        return
    cidr, name = layout.region.cidr, layout.namespace.name
    firewall = declared_firewall(name, cidr, stack, others, seen.region.tables)
    yield from (("firewall", text) for text in audit_firewall(firewall, seen.region.tables))
    region = declared_region(layout, host_link_addresses(layout)[1], stack, others)
    yield from (("network", text) for text in audit_network(region, seen.region.network))
    for key, value in seen.region.settings.items():
        if value != _SETTINGS[key]:
            sysctl = f"net.{key.replace('/', '.')}"
            yield (
                "network",
                f"{sysctl} of the region is {value}, expected {_SETTINGS[key]}; mend it: "
                f"ip netns exec {name} sysctl {sysctl}={_SETTINGS[key]}",
            )
    for machine in stack.machines:
        namespace = layout.machine(stack.environment, machine.name).namespace.name
        at = seen.machines.get(machine.name)
        if at is None:
            yield "network", f"{machine.name} has lost its namespace {namespace}"
            continue
        declared = declared_machine(namespace, machine.name, machine)
        yield from (("network", text) for text in audit_network(declared, at.network))
        for attempt in at.six:
            yield "IPv6", f"{machine.name} can send over IPv6: {attempt}"


def _claims(stack: Stack, seen: Seen, findings: Sequence[tuple[str, str]]) -> Iterator[Claim]:
    for subject, claim, evidence in _evidence(stack, seen):
        mine = [sentence for part, sentence in findings if part == subject]
        unseen = _unseen(stack, seen, subject)
        if not mine and unseen:
            yield Claim(
                subject=subject,
                claim=claim,
                verdict=Verdict.NOT_VERIFIED,
                evidence="; ".join(unseen[:_FINDINGS_MAX]),
            )
        elif not mine:
            yield Claim(subject=subject, claim=claim, verdict=Verdict.PROVED, evidence=evidence)
        for sentence in mine[:_FINDINGS_MAX]:
            yield Claim(subject=subject, claim=claim, verdict=Verdict.FAILED, evidence=sentence)
        if len(mine) > _FINDINGS_MAX:
            more = f"and {len(mine) - _FINDINGS_MAX} more differences"
            yield Claim(subject=subject, claim=claim, verdict=Verdict.FAILED, evidence=more)


def _unseen(stack: Stack, seen: Seen, part: str) -> list[str]:
    """What nobody could look at of that which the claim on this part is about."""
    said = [] if seen.region is not None else ["the region could not be looked at"]
    if part == "firewall":
        return said
    for machine in stack.machines:
        at = seen.machines.get(machine.name)
        if at is None:
            said.append(f"{machine.name} could not be looked at")
        elif part == "IPv6" and not at.six_tried:
            said.append(f"nothing was tried from {machine.name}")
    return said


def _evidence(stack: Stack, seen: Seen) -> Iterator[tuple[str, str, str]]:
    table = seen.region.tables.get(TABLE, Table()) if seen.region is not None else Table()
    rules = sum(len(chain.rules) for chain in table.chains.values())
    elements = sum(len(c.elements) for c in table.collections.values())
    yield (
        "firewall",
        "nothing but what is declared",
        f"{rules} rules in {len(table.chains)} chains and {elements} elements of "
        f"{len(table.collections)} sets are those of the Stacks, word for word",
    )
    networks = [at.network for at in seen.machines.values()]
    networks += [seen.region.network] if seen.region is not None else []
    yield (
        "network",
        "nothing but what is declared",
        f"{sum(len(n.links) for n in networks)} links, "
        f"{sum(len(n.addresses) for n in networks)} addresses and "
        f"{sum(len(n.routes) for n in networks)} routes in the region and {len(seen.machines)} "
        f"machines are those of the Stacks",
    )
    tried = sum(at.six_tried for at in seen.machines.values())
    yield (
        "IPv6",
        "closed",
        f"the region and {len(seen.machines)} machines have no IPv6 address, "
        f"and the kernel refused {tried} attempts to send",
    )


def _six_attempts() -> Iterator[str]:
    """Try to reach a neighbour on the link, all nodes of it, and a routed address; each is empty
    if there was no way."""
    try:
        index = socket.if_nametoindex("eth0")
    except OSError:
        index = 0
    places = ((_LINK_LOCAL_SIX, index), ("ff02::1", index), (_PRIVATE_SIX, 0))
    for address, scope in places:
        for kind, port in ((socket.SOCK_STREAM, 80), (socket.SOCK_DGRAM, 53)):
            number = _six_connect(kind, (address, port, 0, scope))
            if number in _NO_WAY:
                yield ""
            else:
                said = "it went out" if number in (0, errno.EINPROGRESS) else os.strerror(number)
                yield f"to {address} port {port}: {said}"


def _six_connect(kind: int, place: tuple[str, int, int, int]) -> int:
    try:
        with socket.socket(socket.AF_INET6, kind | socket.SOCK_NONBLOCK) as probe:
            return probe.connect_ex(place)
    except OSError as error:
        return error.errno or errno.EAFNOSUPPORT
