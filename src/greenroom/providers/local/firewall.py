"""The security groups as nftables in the region's namespace: rendering is pure, applying is one
transaction.

A destination looks up its own chain in a verdict map, and its chain jumps to the chains of its
groups, so a packet's cost does not grow with the number of machines or environments. What is not
allowed is rejected with an ICMP answer, not dropped: a mistake is seen at once instead of after
a minute, and every probe of the proof gets an answer (docs/adr/0002-reject.md).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from greenroom.model.names import EnvironmentName
from greenroom.model.stack import IngressRule, Machine, SecurityGroup, Stack
from greenroom.providers.local import kernel
from greenroom.providers.local.command import run
from greenroom.providers.local.layout import (
    DNS_ADDRESS,
    METADATA_ADDRESS,
    SERVICE_ADDRESS,
    Layout,
    link_name,
)
from greenroom.providers.local.network import is_namespace

TABLE = "inet greenroom"
_TIMEOUT_S = 20
_CONNECTIONS = 64
"""What one machine may have open to the region's services at a time; a boot needs three."""


def render_region(cidr: str) -> str:
    """The ruleset of an empty region. ``cidr`` is its /16; its last /24 is the host's link."""
    prefix = cidr.rsplit(".", 2)[0]
    return f"""
table {TABLE} {{
  set inside {{
    type ipv4_addr; flags interval; elements = {{ {prefix}.0.0-{prefix}.254.255 }}
  }}
  set bindings {{ typeof iifname . ip saddr; }}
  set clients {{ type ipv4_addr; size 65535; flags dynamic; }}
  map machines {{ type ipv4_addr : verdict; }}

  chain spoofed {{
    type filter hook prerouting priority -150; policy accept;
    iifname "m*" meta nfproto ipv6 counter drop
    iifname "m*" iifname . ip saddr != @bindings counter drop
    iifname != "m*" ip saddr @inside counter drop
  }}
  chain untracked {{
    type filter hook prerouting priority raw; policy accept;
    ip daddr {DNS_ADDRESS} udp dport 53 notrack
  }}
  chain untracked-answers {{
    type filter hook output priority raw; policy accept;
    ip saddr {DNS_ADDRESS} udp sport 53 notrack
  }}
  chain forward {{
    type filter hook forward priority 0; policy drop;
    ct state established,related accept
    ct state invalid counter drop
    ip daddr vmap @machines
    counter reject with icmp admin-prohibited
  }}
  chain input {{
    type filter hook input priority 0; policy drop;
    iifname "lo" accept
    ct state established,related accept
    ct state new tcp dport 80 add @clients {{ ip saddr ct count over {_CONNECTIONS} }} reject
    ip daddr {{ {METADATA_ADDRESS}, {SERVICE_ADDRESS} }} ip saddr @inside tcp dport 80 accept
    ip daddr {DNS_ADDRESS} ip saddr @inside meta l4proto {{ tcp, udp }} th dport 53 accept
    counter reject with icmp admin-prohibited
  }}
}}
"""


def render_add(stack: Stack, machines: Sequence[Machine], groups: Sequence[SecurityGroup]) -> str:
    """The transaction that adds groups and machines of an environment.

    Every object is added and then flushed, so that what a crash left of it is replaced.
    """
    name = stack.environment
    lines: list[str] = []
    for group in groups:
        label = group_label(name, group.name)
        lines.append(f"add set {TABLE} {label} {{ type ipv4_addr; }}")
        lines.append(f"flush set {TABLE} {label}")
        lines += _fresh_chain(label)
        members = ", ".join(str(m.address) for m in machines if group.name in m.groups)
        if members:
            lines.append(f"add element {TABLE} {label} {{ {members} }}")
    for group in groups:
        lines += _group_rules(stack, group)
    for machine in machines:
        lines += _machine_rules(name, machine)
    return "\n".join(lines) + "\n"


def render_remove(mine: FirewallState) -> str:
    """The transaction that removes everything in ``mine``; may be empty."""
    lines = [f"delete element {TABLE} machines {{ {address} }}" for address, _ in mine.machines]
    lines += [
        f'delete element {TABLE} bindings {{ "{link_name(address)}" . {address} }}'
        for address in mine.bindings
    ]
    lines += [f"flush chain {TABLE} {chain}" for chain in mine.chains]
    lines += [f"delete chain {TABLE} {chain}" for chain in mine.chains]
    lines += [f"delete set {TABLE} {group}" for group in mine.sets]
    return "\n".join(lines) + "\n" if lines else ""


def group_label(environment: EnvironmentName, group: str) -> str:
    """The nft name of a group's set and chain (letters, digits, dots and dashes only)."""
    return f"group.{environment.key}.{group}"


def machine_label(environment: EnvironmentName, machine: str) -> str:
    """The nft name of a machine's chain."""
    return f"machine.{environment.key}.{machine}"


def _fresh_chain(label: str) -> list[str]:
    return [f"add chain {TABLE} {label}", f"flush chain {TABLE} {label}"]


def _machine_rules(environment: EnvironmentName, machine: Machine) -> Iterable[str]:
    label = machine_label(environment, machine.name)
    address = str(machine.address)
    yield from _fresh_chain(label)
    for group in machine.groups:
        yield f"add rule {TABLE} {label} jump {group_label(environment, group)}"
    yield f"add element {TABLE} machines {{ {address} : jump {label} }}"
    yield f'add element {TABLE} bindings {{ "{link_name(address)}" . {address} }}'


def _group_rules(stack: Stack, group: SecurityGroup) -> Iterable[str]:
    label = group_label(stack.environment, group.name)
    for rule in group.ingress:
        for source in _sources(stack, rule):
            port = f"{rule.protocol} dport {rule.ports}"
            yield f"add rule {TABLE} {label} {source} {port} accept"


def _sources(stack: Stack, rule: IngressRule) -> tuple[str, ...]:
    """The matches of a rule's source.

    A network is split in two, the world outside and the environment's own machines: another
    environment's machine is never admitted by an address range.
    """
    if rule.group is not None:
        return (f"ip saddr @{group_label(stack.environment, rule.group)}",)
    assert rule.network is not None
    outside = f"ip saddr {rule.network} ip saddr != @inside"
    if rule.network.overlaps(stack.subnet):
        return (outside, f"ip saddr {rule.network} ip saddr {stack.subnet}")
    return (outside,)


@dataclass(frozen=True, slots=True, kw_only=True)
class FirewallState:
    """What the region's table holds, read back from the kernel.

    ``machines`` maps an address to its chain; ``bindings`` are the addresses that have a link.
    """

    chains: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    machines: tuple[tuple[str, str], ...] = ()
    bindings: tuple[str, ...] = ()

    def of(self, environment: EnvironmentName) -> FirewallState:
        """Only what bears the environment's name; bindings by their machines' addresses."""
        prefixes = (f"group.{environment.key}.", f"machine.{environment.key}.")
        return self._where(lambda name: name.startswith(prefixes))

    def only(self, label: str) -> FirewallState:
        """Only the chain of that name and what leads to it."""
        return self._where(lambda name: name == label)

    def _where(self, wanted: Callable[[str], bool]) -> FirewallState:
        machines = tuple((a, c) for a, c in self.machines if wanted(c))
        mine = {address for address, _ in machines}
        # Machine chains come first: they jump to the group chains, which cannot go before them.
        chains = sorted((c for c in self.chains if wanted(c)), reverse=True)
        return FirewallState(
            chains=tuple(chains),
            sets=tuple(s for s in self.sets if wanted(s)),
            machines=machines,
            bindings=tuple(address for address in self.bindings if address in mine),
        )


def open_firewall(layout: Layout) -> None:
    """Load the empty region's ruleset, unless it is there already."""
    if "greenroom" not in _nft(layout, ["list", "tables"]):
        _nft(layout, ["-f", "-"], stdin=render_region(layout.region.cidr))


def apply_add(
    layout: Layout, stack: Stack, machines: Sequence[Machine], groups: Sequence[SecurityGroup]
) -> None:
    """Add machines and groups in one transaction. Idempotent."""
    _nft(layout, ["-f", "-"], stdin=render_add(stack, machines, groups))


def apply_remove(layout: Layout, environment: EnvironmentName, machine: str | None = None) -> None:
    """Remove the rules of an environment, or of one machine in it, in one transaction.
    Idempotent."""
    state = observe_firewall(layout).of(environment)
    if machine is not None:
        state = state.only(machine_label(environment, machine))
    script = render_remove(state)
    if script:
        _nft(layout, ["-f", "-"], stdin=script)


def observe_firewall(layout: Layout) -> FirewallState:
    """Read the table back (JSON schema: libnftables-json(5))."""
    if not is_namespace(layout.namespace):
        return FirewallState()
    listing = json.loads(_nft(layout, ["-j", "list", "table", *TABLE.split()]))
    chains: list[str] = []
    sets: list[str] = []
    machines: list[tuple[str, str]] = []
    bindings: list[str] = []
    for entry in listing["nftables"]:
        if "chain" in entry:
            chains.append(entry["chain"]["name"])
        elif "set" in entry:
            sets.append(entry["set"]["name"])
            if entry["set"]["name"] == "bindings":
                bindings += [e["concat"][1] for e in entry["set"].get("elem", [])]
        elif "map" in entry:
            machines += [(a, v["jump"]["target"]) for a, v in entry["map"].get("elem", [])]
    return FirewallState(
        chains=tuple(chains),
        sets=tuple(sets),
        machines=tuple(machines),
        bindings=tuple(bindings),
    )


def _nft(layout: Layout, arguments: list[str], stdin: str | None = None) -> str:
    def call() -> str:
        return run(["nft", *arguments], timeout_s=_TIMEOUT_S, stdin=stdin)

    return kernel.in_network(layout.namespace, call)
