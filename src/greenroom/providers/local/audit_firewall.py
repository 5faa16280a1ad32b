"""The region's nftables held against what the Stacks declare: pure.

A probe shows what one packet met; this shows that no rule is there for packets that nobody sent.
Each difference is one sentence: what, where, what is expected, and the command that mends it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from greenroom.model.stack import Stack
from greenroom.providers.local.firewall import group_label, machine_label, render_add
from greenroom.providers.local.region_table import TABLE, render_region
from greenroom.providers.local.ruleset import (
    Chain,
    Collection,
    Rule,
    Table,
    add_script,
    parse_listing,
)

_COUNTED = ("clients", "callers", "askers", "resolvers")
"""Sets that packets fill, not people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredFirewall:
    """``required`` is what must be there; ``allowed`` also holds what an environment beside adds
    that is being made or removed just now. ``names`` says whose a chain, set or address is."""

    namespace: str
    required: Table
    allowed: Table
    names: Mapping[str, str]


def declared_firewall(
    namespace: str, cidr: str, own: Stack, others: Sequence[Stack], observed: Mapping[str, Table]
) -> DeclaredFirewall:
    """What the region's table holds for these environments.

    One transaction adds or removes an environment, so one of the others is there whole or not
    at all: it may be on its way.
    """
    required, allowed = _region_table(cidr), _region_table(cidr)
    names: dict[str, str] = {}
    there = observed.get(TABLE, Table()).chains.keys()
    for stack in (own, *others):
        part = _part_of(_Same(stack))
        allowed.add(part.whole)
        if stack is own or not part.groups.isdisjoint(there):
            required.add(part.whole)
        if stack is not own:
            allowed.add(part.drills)
        names.update(part.names)
    return DeclaredFirewall(namespace=namespace, required=required, allowed=allowed, names=names)


def _region_table(cidr: str) -> Table:
    return parse_listing(render_region(cidr))[TABLE]


@dataclass(frozen=True, slots=True, eq=False)
class _Same:
    """A Stack by its identity: to compare two, or to hash one, takes longer than to render it."""

    stack: Stack

    def __hash__(self) -> int:
        return id(self.stack)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.stack is self.stack


@dataclass(frozen=True, slots=True)
class _Part:
    """What one environment adds to the region's table, and the labels of its groups."""

    whole: Table
    drills: Table
    groups: frozenset[str]
    names: Mapping[str, str]


@lru_cache(maxsize=256)
def _part_of(same: _Same) -> _Part:
    """Remembered: a proof asks for the parts of all environments beside, which do not change."""
    stack = same.stack
    whole, drills = Table(), Table()
    add_script(whole, render_add(stack, stack.machines, stack.groups))
    add_script(drills, render_add(stack, stack.drills, ()))
    groups = frozenset(group_label(stack.environment, group.name) for group in stack.groups)
    return _Part(whole, drills, groups, dict(_names(stack)))


def _names(stack: Stack) -> Iterator[tuple[str, str]]:
    for group in stack.groups:
        yield (
            group_label(stack.environment, group.name),
            f"group {group.name} of {stack.environment}",
        )
    for machine in stack.machines:
        label = machine_label(stack.environment, machine.name)
        yield label, f"machine {machine.name} of {stack.environment}"
        yield str(machine.address), f"{machine.name} of {stack.environment}"


def audit_firewall(declared: DeclaredFirewall, observed: Mapping[str, Table]) -> Iterator[str]:
    """A sentence for every difference."""
    nft = f"ip netns exec {declared.namespace} nft"
    for name in sorted(observed.keys() - {TABLE}):
        yield (
            f"the region's namespace has the table {name}, which greenroom did not make; "
            f"remove it: {nft} delete table {name}"
        )
    table = observed.get(TABLE)
    if table is None:
        yield (
            f"the region has lost its table {TABLE}, so every flow is open; "
            "destroy its environments, stop the daemon and create them again"
        )
        return
    for other in table.others:
        yield (
            f"table {TABLE} holds `{other}`, which greenroom did not put there; "
            f"look at it: {nft} list table {TABLE}"
        )
    yield from _audit_chains(declared, table, nft)
    yield from _audit_collections(declared, table, nft)


def _audit_chains(declared: DeclaredFirewall, table: Table, nft: str) -> Iterator[str]:
    for name in sorted(table.chains.keys() - declared.allowed.chains.keys()):
        yield (
            f"table {TABLE} has the chain {name} ({_quoted(table.chains[name])}), which no "
            f"environment declares; remove it: {nft} delete chain {TABLE} {name}"
        )
    for name in sorted(declared.required.chains.keys() - table.chains.keys()):
        yield (
            f"chain {_whose(declared, name)} is gone from table {TABLE}; "
            "create the environment again"
        )
    for name in sorted(table.chains.keys() & declared.allowed.chains.keys()):
        whose = _whose(declared, name)
        yield from _audit_chain(name, whose, declared.allowed.chains[name], table.chains[name], nft)


def _audit_chain(name: str, whose: str, wanted: Chain, found: Chain, nft: str) -> Iterator[str]:
    if found.head != wanted.head:
        yield (
            f"chain {whose} is hooked as `{found.head or 'nothing'}`, expected "
            f"`{wanted.head or 'nothing'}`; {_mend_head(name, wanted, found, nft)}"
        )
    strangers = _beyond(found.rules, wanted.rules)
    for rule in strangers:
        yield (
            f"chain {whose} has a rule that nobody declares: `{rule.text}`; remove it: "
            f"{nft} delete rule {TABLE} {name} handle {rule.handle}"
        )
    missing = _beyond(wanted.rules, found.rules)
    for rule in missing:
        yield (
            f"chain {whose} lacks its rule `{rule.text}`; put it back: "
            f"{nft} {_put_back(name, rule, wanted, found)}"
        )
    if not strangers and not missing and _texts(found) != _texts(wanted):
        yield (
            f"the rules of chain {whose} stand in another order than declared: "
            f"{'; '.join(_texts(found))}; expected: {'; '.join(_texts(wanted))}"
        )


def _mend_head(name: str, wanted: Chain, found: Chain, nft: str) -> str:
    place, _, policy = wanted.head.partition("; ")
    if policy and found.head.startswith(place):
        return f"mend it: {nft} chain {TABLE} {name} '{{ {policy} }}'"
    return "create the environments again"


def _put_back(name: str, rule: Rule, wanted: Chain, found: Chain) -> str:
    """`add` at the end of a chain, or `insert` before the rule that follows."""
    handles = {r.text: r.handle for r in found.rules}
    after = _texts(wanted)[_texts(wanted).index(rule.text) + 1 :]
    place = next((handles[text] for text in after if text in handles), None)
    if place is None:
        return f"'add rule {TABLE} {name} {rule.text}'"
    return f"'insert rule {TABLE} {name} position {place} {rule.text}'"


def _audit_collections(declared: DeclaredFirewall, table: Table, nft: str) -> Iterator[str]:
    for name in sorted(table.collections.keys() - declared.allowed.collections.keys()):
        yield (
            f"table {TABLE} has the set {name}, which no environment declares; "
            f"remove it: {nft} delete set {TABLE} {name}"
        )
    for name in sorted(declared.required.collections.keys() - table.collections.keys()):
        yield (
            f"set {_whose(declared, name)} is gone from table {TABLE}; create the environment again"
        )
    for name in sorted(table.collections.keys() & declared.allowed.collections.keys()):
        found, allowed = table.collections[name], declared.allowed.collections[name]
        required = declared.required.collections.get(name, Collection())
        if found.head != allowed.head:
            yield (
                f"set {_whose(declared, name)} is of the kind `{'; '.join(found.head)}`, "
                f"expected `{'; '.join(allowed.head)}`; create the environments again"
            )
        if name not in _COUNTED:
            yield from _audit_elements(declared, name, found, required, allowed, nft)


def _audit_elements(
    declared: DeclaredFirewall,
    name: str,
    found: Collection,
    required: Collection,
    allowed: Collection,
    nft: str,
) -> Iterator[str]:
    whose = _whose(declared, name)
    for element in sorted(found.elements - allowed.elements):
        key = element.partition(" : ")[0]
        known = declared.names.get(key.rpartition(" . ")[2])
        yield (
            f"set {whose} has the element {element}{f' ({known})' if known else ''}, which nobody "
            f"declares; remove it: {nft} 'delete element {TABLE} {name} {{ {key} }}'"
        )
    for element in sorted(required.elements - found.elements):
        known = declared.names.get(element.partition(" : ")[0].rpartition(" . ")[2])
        yield (
            f"set {whose} lacks the element {element}{f' ({known})' if known else ''}; "
            f"put it back: {nft} 'add element {TABLE} {name} {{ {element} }}'"
        )


def _whose(declared: DeclaredFirewall, name: str) -> str:
    known = declared.names.get(name)
    return f"{name} ({known})" if known else name


def _beyond(rules: Iterable[Rule], others: Iterable[Rule]) -> list[Rule]:
    """The rules that ``others`` lack, the later ones where a rule stands too often."""
    left = Counter(rule.text for rule in others)
    beyond = []
    for rule in rules:
        if left[rule.text]:
            left[rule.text] -= 1
        else:
            beyond.append(rule)
    return beyond


def _texts(chain: Chain) -> list[str]:
    return [rule.text for rule in chain.rules]


def _quoted(chain: Chain) -> str:
    lines = [*([chain.head] if chain.head else []), *_texts(chain)]
    return "; ".join(f"`{line}`" for line in lines[:3]) or "empty"
