"""The security groups as nftables in the region's namespace: rendering is pure, applying is one
transaction. They are added to the table of the empty region (``region_table``).

A destination looks up its own chain in a verdict map, and its chain jumps to the chains of its
groups, so a packet's cost does not grow with the number of machines or environments. What is not
allowed is rejected with an ICMP answer, not dropped: a mistake is seen at once instead of after
a minute, and every probe of the proof gets an answer (docs/adr/0002-reject.md).

Beside the sets of an environment's own groups stand those of the whole stack, `every.STACK.GROUP`:
each environment puts its members in and takes them out, and only the rules from and to shared
machines look there (docs/adr/0018-shared-environments.md).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from greenroom.model.names import EnvironmentName
from greenroom.model.stack import IngressRule, Machine, SecurityGroup, Stack
from greenroom.providers.local import kernel
from greenroom.providers.local.conntrack import forget
from greenroom.providers.local.layout import Layout, link_name
from greenroom.providers.local.network import is_namespace
from greenroom.providers.local.nftables import apply, list_ruleset, list_set, list_table
from greenroom.providers.local.region_table import PACED, TABLE, render_region

_EVERY = "every."
_T = TypeVar("_T")
_CHANGES = threading.Lock()
"""A removal looks first and then changes: between the two nobody may join a set that goes."""


def render_add(stack: Stack, machines: Sequence[Machine], groups: Sequence[SecurityGroup]) -> str:
    """The transaction that adds groups and machines of an environment.

    Every object is added and then flushed, so that what a crash left of it is replaced.
    """
    name = stack.environment
    lines = [
        f"add set {TABLE} {label} {{ type ipv4_addr; }}" for label in _every_labels(stack, groups)
    ]
    for group in groups:
        label = group_label(name, group.name)
        lines.append(f"add set {TABLE} {label} {{ type ipv4_addr; }}")
        lines.append(f"flush set {TABLE} {label}")
        lines += _fresh_chain(label)
        members = ", ".join(str(m.address) for m in machines if group.name in m.groups)
        if members:
            lines.append(f"add element {TABLE} {label} {{ {members} }}")
        lines += _every_members(name, group, machines)
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
    lines += [f"delete element {TABLE} {m.set} {{ {m.address} }}" for m in mine.members]
    lines += [f"delete set {TABLE} {group}" for group in mine.sets]
    return "\n".join(lines) + "\n" if lines else ""


def group_label(environment: EnvironmentName, group: str) -> str:
    """The nft name of a group's set and chain (letters, digits, dots and dashes only)."""
    return f"group.{environment.key}.{group}"


def machine_label(environment: EnvironmentName, machine: str) -> str:
    """The nft name of a machine's chain."""
    return f"machine.{environment.key}.{machine}"


def every_label(stack: str, group: str) -> str:
    """The nft name of the set of a group's members in every environment of the stack."""
    return f"{_EVERY}{stack}.{group}"


def _every_labels(stack: Stack, groups: Sequence[SecurityGroup]) -> list[str]:
    """The stack's sets that these groups fill or that their rules look into."""
    named = [group.name for group in groups]
    named += [r.group for g in groups for r in g.ingress if r.everywhere and r.group is not None]
    return [every_label(stack.environment.stack, group) for group in dict.fromkeys(named)]


def _every_members(
    environment: EnvironmentName, group: SecurityGroup, machines: Sequence[Machine]
) -> Iterator[str]:
    """Each element bears its environment's name, for the set itself belongs to all of them."""
    label = every_label(environment.stack, group.name)
    mark = f'comment "{environment.key}"'
    members = ", ".join(f"{m.address} {mark}" for m in machines if group.name in m.groups)
    if members:
        yield f"add element {TABLE} {label} {{ {members} }}"


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
    if rule.group is not None and rule.everywhere:
        return (f"ip saddr @{every_label(stack.environment.stack, rule.group)}",)
    if rule.group is not None:
        return (f"ip saddr @{group_label(stack.environment, rule.group)}",)
    assert rule.network is not None
    outside = f"ip saddr {rule.network} ip saddr != @inside"
    if rule.network.overlaps(stack.subnet):
        return (outside, f"ip saddr {rule.network} ip saddr {stack.subnet}")
    return (outside,)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Member:
    """An element of a stack's set: the machine at ``address`` of the environment ``key``."""

    set: str
    address: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FirewallState:
    """What the region's table holds, read back from the kernel.

    ``machines`` maps an address to its chain; ``bindings`` are the addresses that have a link;
    ``members`` are those of the stacks' sets, and ``uses`` which chain looks into which of these.
    """

    chains: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    machines: tuple[tuple[str, str], ...] = ()
    bindings: tuple[str, ...] = ()
    members: tuple[Member, ...] = ()
    uses: tuple[tuple[str, str], ...] = ()

    def of(self, environment: EnvironmentName) -> FirewallState:
        """Only what bears the environment's name; bindings by their machines' addresses.

        To it belong also the stack's sets that nobody else needs.
        """
        prefixes = (f"group.{environment.key}.", f"machine.{environment.key}.")
        mine = self._where(lambda name: name.startswith(prefixes))
        needed = {member.set for member in self.members if member.key != environment.key}
        needed |= {label for chain, label in self.uses if not chain.startswith(prefixes)}
        of_stack = every_label(environment.stack, "")
        return replace(
            mine,
            sets=(
                *mine.sets,
                *(s for s in self.sets if s.startswith(of_stack) and s not in needed),
            ),
            members=tuple(m for m in self.members if m.key == environment.key),
        )

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
    if TABLE not in _in_region(layout, list_ruleset):
        _in_region(layout, lambda: apply(render_region(layout.region.cidr)))


def apply_add(
    layout: Layout, stack: Stack, machines: Sequence[Machine], groups: Sequence[SecurityGroup]
) -> None:
    """Add machines and groups in one transaction. Idempotent."""
    with _CHANGES:
        script = render_add(stack, machines, groups)
        _in_region(layout, lambda: apply(script))


def apply_remove(layout: Layout, environment: EnvironmentName, machine: str | None = None) -> None:
    """Remove the rules of an environment, or of one machine in it, in one transaction, and what
    its connections were. Idempotent."""
    with _CHANGES:
        state = observe_firewall(layout)
        if machine is None:
            mine = state.of(environment)
        else:
            mine = state.only(machine_label(environment, machine))
        script = render_remove(mine)
        if script:
            _in_region(layout, lambda: apply(script))
    gone = {address for address, _ in mine.machines} | {m.address for m in mine.members}
    if gone:
        _in_region(layout, lambda: _forget_traffic(gone))


def _forget_traffic(addresses: Collection[str]) -> None:
    """What is known of the connections and the pace of machines that can send no more: not
    before, for a packet that comes while the rules go is counted too."""
    forget(addresses)
    for name in PACED:
        listed = next(e["set"] for e in json.loads(list_set(TABLE, name))["nftables"] if "set" in e)
        held = {element["elem"]["val"] for element in listed.get("elem", [])}
        gone = ", ".join(sorted(held.intersection(addresses)))
        if gone:
            apply(f"delete element {TABLE} {name} {{ {gone} }}\n")


def observe_firewall(layout: Layout) -> FirewallState:
    """Read the table back (JSON schema: libnftables-json(5))."""
    if not is_namespace(layout.namespace):
        return FirewallState()
    listing = json.loads(_in_region(layout, lambda: list_table(TABLE)))
    chains: list[str] = []
    sets: list[str] = []
    machines: list[tuple[str, str]] = []
    bindings: list[str] = []
    members: list[Member] = []
    uses: list[tuple[str, str]] = []
    for entry in listing["nftables"]:
        if "chain" in entry:
            chains.append(entry["chain"]["name"])
        elif "set" in entry:
            sets.append(entry["set"]["name"])
            if entry["set"]["name"] == "bindings":
                bindings += [e["concat"][1] for e in entry["set"].get("elem", [])]
            elif entry["set"]["name"].startswith(_EVERY):
                members += _members(entry["set"])
        elif "rule" in entry:
            uses += [(entry["rule"]["chain"], label) for label in _sets_used(entry["rule"])]
        elif "map" in entry:
            machines += [(a, v["jump"]["target"]) for a, v in entry["map"].get("elem", [])]
    return FirewallState(
        chains=tuple(chains),
        sets=tuple(sets),
        machines=tuple(machines),
        bindings=tuple(bindings),
        members=tuple(members),
        uses=tuple(uses),
    )


def _members(listed: Mapping[str, Any]) -> Iterator[Member]:
    for element in listed.get("elem", []):
        # An element with a comment is an object; a bare one was put there by hand.
        held = element["elem"] if isinstance(element, dict) else {"val": element}
        yield Member(set=listed["name"], address=held["val"], key=held.get("comment", ""))


def _sets_used(rule: Mapping[str, Any]) -> Iterator[str]:
    for statement in rule["expr"]:
        match = statement.get("match")
        if match is not None and isinstance(match["right"], str):
            label = match["right"].removeprefix("@")
            if label.startswith(_EVERY):
                yield label


def _in_region(layout: Layout, work: Callable[[], _T]) -> _T:
    return kernel.in_network(layout.namespace, work)
