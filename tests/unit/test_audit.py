"""The audit: a ruleset is what the Stacks declare, word for word, or a sentence says why not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.unit.blueprint_values import allocation, blueprint_of, request, stack_of

from greenroom.model.proof import Verdict
from greenroom.model.stack import Stack
from greenroom.plan.plan import plan
from greenroom.providers.local import audit as audit_module
from greenroom.providers.local.audit import Seen, SeenMachine, SeenRegion, audit
from greenroom.providers.local.audit_firewall import audit_firewall, declared_firewall
from greenroom.providers.local.audit_network import (
    DeclaredNetwork,
    audit_network,
    declared_machine,
    declared_region,
)
from greenroom.providers.local.firewall import render_add
from greenroom.providers.local.layout import Layout, link_name
from greenroom.providers.local.network import host_link_addresses
from greenroom.providers.local.network_state import Link, NetworkState
from greenroom.providers.local.region_table import TABLE, render_region
from greenroom.providers.local.ruleset import (
    Chain,
    Collection,
    Rule,
    Table,
    add_script,
    parse_listing,
)
from greenroom.region import Region

CIDR = "10.213.0.0/16"
NOWHERE = Layout(Region(label="nowhere"))
DB_CHAIN = "group.photos.feature-x.db"
LISTING = """\
table inet greenroom { # handle 1
  set bindings { # handle 7
    typeof iifname . ip saddr
    elements = { "m0-10" . 10.213.0.10,
      "m0-11" . 10.213.0.11 }
  }

  map machines { # handle 9
    type ipv4_addr : verdict
    elements = { 10.213.0.10 : jump machine.photos.a.b1,
      10.213.0.11 : jump machine.photos.a.c1 }
  }

  flowtable fast { # handle 3
    hook ingress priority filter
  }

  chain forward { # handle 4
    type filter hook forward priority filter; policy drop;
    ct state established,related accept # handle 15
    ip daddr { 10.0.0.1, 10.0.0.2 } tcp dport 80 accept # handle 16
  }

  chain empty { # handle 5
  }
}
table ip evil { # handle 2
  chain x { # handle 1
  }
}
"""


@pytest.fixture
def stack() -> Stack:
    return stack_of("backend", "db", "feed", branch="feature_x")


@pytest.fixture
def beside() -> Stack:
    return plan(blueprint_of(), request(branch="beside"), allocation(7))


def kernel_of(*stacks: Stack) -> dict[str, Table]:
    """What a kernel holds that got our scripts; it numbers its rules."""
    tables = parse_listing(render_region(CIDR))
    for stack in stacks:
        add_script(tables[TABLE], render_add(stack, stack.machines, stack.groups))
    for chain in tables[TABLE].chains.values():
        chain.rules[:] = [Rule(rule.text, n) for n, rule in enumerate(chain.rules, start=101)]
    return tables


def findings(stack: Stack, tables: dict[str, Table], *others: Stack) -> list[str]:
    return list(audit_firewall(declared_firewall("greenroom", CIDR, stack, others, tables), tables))


def test_a_listing_is_read_with_handles_elements_and_what_we_never_make() -> None:
    tables = parse_listing(LISTING)
    assert tables.keys() == {"inet greenroom", "ip evil"}
    table = tables["inet greenroom"]
    assert table.collections["bindings"] == Collection(
        ["typeof iifname . ip saddr"], {'"m0-10" . 10.213.0.10', '"m0-11" . 10.213.0.11'}
    )
    assert "10.213.0.11 : jump machine.photos.a.c1" in table.collections["machines"].elements
    assert table.chains["forward"] == Chain(
        "type filter hook forward priority filter; policy drop;",
        [
            Rule("ct state established,related accept", 15),
            Rule("ip daddr { 10.0.0.1, 10.0.0.2 } tcp dport 80 accept", 16),
        ],
    )
    assert table.chains["empty"] == Chain()
    assert table.others == ["flowtable fast"]


def test_what_our_own_scripts_make_is_as_declared(stack: Stack, beside: Stack) -> None:
    assert findings(stack, kernel_of(stack, beside), beside) == []


def test_another_environment_may_be_on_its_way_but_not_half_there(
    stack: Stack, beside: Stack
) -> None:
    assert findings(stack, kernel_of(stack), beside) == []
    tables = kernel_of(stack, beside)
    del tables[TABLE].chains["machine.photos.beside.db1"]
    assert any("machine.photos.beside.db1" in text for text in findings(stack, tables, beside))


def test_an_environment_that_nobody_knows_is_found(stack: Stack, beside: Stack) -> None:
    found = findings(stack, kernel_of(stack, beside))
    assert any("chain group.photos.beside.db" in text for text in found)
    assert any("10.213.7.11" in text for text in found)


NFT = "ip netns exec greenroom nft"
TAMPERINGS: list[tuple[str, Callable[[dict[str, Table]], object], str]] = [
    (
        "a rule of the group's own chain",
        lambda t: t[TABLE].chains[DB_CHAIN].rules.append(Rule("tcp dport 9999 accept", 61)),
        f"chain {DB_CHAIN} (group db of photos/feature-x) has a rule that nobody declares: "
        f"`tcp dport 9999 accept`; remove it: {NFT} delete rule {TABLE} {DB_CHAIN} handle 61",
    ),
    (
        "the same rule a second time",
        lambda t: t[TABLE].chains["input"].rules.append(Rule('iifname "lo" accept', 62)),
        'chain input has a rule that nobody declares: `iifname "lo" accept`; '
        f"remove it: {NFT} delete rule {TABLE} input handle 62",
    ),
    (
        "a removed rule in the middle",
        lambda t: t[TABLE].chains["spoofed"].rules.pop(1),
        'chain spoofed lacks its rule `iifname "m*" iifname . ip saddr != @bindings counter drop`; '
        f"put it back: {NFT} 'insert rule {TABLE} spoofed position 103 "
        'iifname "m*" iifname . ip saddr != @bindings counter drop\'',
    ),
    (
        "a removed rule at the end",
        lambda t: t[TABLE].chains[DB_CHAIN].rules.clear(),
        f"chain {DB_CHAIN} (group db of photos/feature-x) lacks its rule "
        "`ip saddr @group.photos.feature-x.backend tcp dport 3306 accept`; put it back: "
        f"{NFT} 'add rule {TABLE} {DB_CHAIN} "
        "ip saddr @group.photos.feature-x.backend tcp dport 3306 accept'",
    ),
    (
        "a policy",
        lambda t: setattr(
            t[TABLE].chains["forward"],
            "head",
            "type filter hook forward priority filter; policy accept;",
        ),
        "chain forward is hooked as `type filter hook forward priority filter; policy accept;`, "
        "expected `type filter hook forward priority filter; policy drop;`; "
        f"mend it: {NFT} chain {TABLE} forward '{{ policy drop; }}'",
    ),
    (
        "a member",
        lambda t: (
            t[TABLE].collections["group.photos.feature-x.backend"].elements.add("10.213.0.12")
        ),
        "set group.photos.feature-x.backend (group backend of photos/feature-x) has the element "
        "10.213.0.12 (feed1 of photos/feature-x), which nobody declares; remove it: "
        f"{NFT} 'delete element {TABLE} group.photos.feature-x.backend {{ 10.213.0.12 }}'",
    ),
    (
        "a binding",
        lambda t: t[TABLE].collections["bindings"].elements.discard('"m0-11" . 10.213.0.11'),
        'set bindings lacks the element "m0-11" . 10.213.0.11 (db1 of photos/feature-x); '
        f"put it back: {NFT} 'add element {TABLE} bindings {{ \"m0-11\" . 10.213.0.11 }}'",
    ),
    (
        "another table",
        lambda t: t.update({"ip evil": Table()}),
        "the region's namespace has the table ip evil, which greenroom did not make; "
        f"remove it: {NFT} delete table ip evil",
    ),
    (
        "another chain",
        lambda t: t[TABLE].chains.update(
            {"evil": Chain("type filter hook forward priority -10; policy accept;")}
        ),
        f"table {TABLE} has the chain evil (`type filter hook forward priority -10; policy "
        f"accept;`), which no environment declares; remove it: {NFT} delete chain {TABLE} evil",
    ),
    (
        "another set",
        lambda t: t[TABLE].collections.update({"evil": Collection()}),
        f"table {TABLE} has the set evil, which no environment declares; "
        f"remove it: {NFT} delete set {TABLE} evil",
    ),
    (
        "the dormant flag",
        lambda t: t[TABLE].others.append("flags dormant"),
        f"table {TABLE} holds `flags dormant`, which greenroom did not put there; "
        f"look at it: {NFT} list table {TABLE}",
    ),
    (
        "the table gone",
        lambda t: t.pop(TABLE),
        f"the region has lost its table {TABLE}, so every flow is open; "
        "destroy its environments, stop the daemon and create them again",
    ),
]


@pytest.mark.parametrize(
    ("tamper", "sentence"), [(t, s) for _, t, s in TAMPERINGS], ids=[n for n, _, _ in TAMPERINGS]
)
def test_each_change_of_the_firewall_is_one_sentence_with_its_mend(
    stack: Stack, tamper: Callable[[dict[str, Table]], object], sentence: str
) -> None:
    tables = kernel_of(stack)
    tamper(tables)
    assert findings(stack, tables) == [sentence]


def test_rules_in_another_order_are_found(stack: Stack) -> None:
    tables = kernel_of(stack)
    tables[TABLE].chains["forward"].rules.reverse()
    (sentence,) = findings(stack, tables)
    assert sentence.startswith("the rules of chain forward stand in another order than declared")


def test_connections_counted_by_packets_are_no_finding(stack: Stack) -> None:
    tables = kernel_of(stack)
    counted = {
        "clients": "ct count over 64",
        "callers": "limit rate over 100/second burst 400 packets",
        "askers": "limit rate over 500/second burst 1000 packets",
        "resolvers": "ct count over 4",
    }
    for name, count in counted.items():
        tables[TABLE].collections[name].elements.add(f"10.213.0.10 {count}")
    assert findings(stack, tables) == []


# Links, addresses, routes


def state_of(declared: DeclaredNetwork, *left_out: str) -> NetworkState:
    """A namespace that is just as declared, without some links."""
    return NetworkState(
        links=tuple(
            Link(
                index=number,
                name=name,
                up=True,
                alias=link.alias,
                xdp=False,
                settings=tuple(link.settings.items()),
            )
            for number, (name, link) in enumerate(declared.links.items(), start=1)
            if name not in left_out
        ),
        addresses=declared.addresses,
        routes=frozenset(route for route in declared.routes if route[4] not in left_out),
        rules=frozenset({(0, 255, True), (32766, 254, True), (32767, 253, True)}),
        neighbours=frozenset(),
        queues=frozenset({(name, "noqueue") for name in declared.links}),
        tables=declared.tables,
    )


@pytest.fixture
def region(stack: Stack, beside: Stack) -> DeclaredNetwork:
    layout = Layout(Region(label=""))
    return declared_region(layout, "10.213.255.2", stack, (beside,))


def test_a_region_as_declared_has_no_finding(
    region: DeclaredNetwork, stack: Stack, beside: Stack
) -> None:
    assert list(audit_network(region, state_of(region))) == []
    links = [link_name(str(machine.address)) for machine in beside.machines]
    assert list(audit_network(region, state_of(region, *links))) == []
    own = link_name(str(stack.machines[0].address))
    assert list(audit_network(region, state_of(region, own))) == [
        f"the region has lost its link {own}; create the environment again",
        f"the region lacks its route `{stack.machines[0].address}/32 dev {own}`; "
        f"put it back: ip -n greenroom route add {stack.machines[0].address}/32 dev {own}",
    ]


STRANGE: list[tuple[dict[str, object], str]] = [
    (
        {"addresses": ("m0-10", "10.213.0.99/32")},
        "the region has the address 10.213.0.99/32 on m0-10, which nobody declares; "
        "remove it: ip -n greenroom addr del 10.213.0.99/32 dev m0-10",
    ),
    (
        {"addresses": ("host0", "fe80::1/64")},
        "the region has the address fe80::1/64 on host0, which nobody declares; "
        "remove it: ip -n greenroom addr del fe80::1/64 dev host0",
    ),
    (
        {"routes": (254, "unicast", "10.213.0.11/32", "10.213.0.10", "m0-10")},
        "the region has the route `10.213.0.11/32 via 10.213.0.10 dev m0-10`, which nobody "
        "declares; remove it: ip -n greenroom route del 10.213.0.11/32 via 10.213.0.10 dev m0-10",
    ),
    (
        {"routes": (100, "unicast", "0.0.0.0/0", "10.213.0.10", "m0-10")},
        "the region has the route `0.0.0.0/0 via 10.213.0.10 dev m0-10 table 100`, which nobody "
        "declares; remove it: "
        "ip -n greenroom route del 0.0.0.0/0 via 10.213.0.10 dev m0-10 table 100",
    ),
    (
        {"rules": (100, 100, False)},
        "the region has a routing rule of preference 100 into table 100, which greenroom did not "
        "make; remove it: ip -n greenroom rule del pref 100",
    ),
    (
        {"neighbours": ("m0-10", "10.213.0.11", "permanent")},
        "the region has a permanent neighbour entry for 10.213.0.11 on m0-10, which greenroom "
        "did not set; remove it: ip -n greenroom neigh del 10.213.0.11 dev m0-10",
    ),
    (
        {"queues": ("m0-10", "clsact")},
        "link m0-10 of the region has the queueing discipline clsact, which can send packets "
        "past the firewall; remove it: tc -n greenroom qdisc del dev m0-10 clsact",
    ),
    (
        {"tables": "iptables nat"},
        "the namespace of the region has the firewall table iptables nat, which greenroom did "
        "not make; look at it: ip netns exec greenroom nft list ruleset",
    ),
]


@pytest.mark.parametrize(("change", "sentence"), STRANGE)
def test_each_stranger_in_the_region_is_one_sentence_with_its_mend(
    region: DeclaredNetwork, change: dict[str, object], sentence: str
) -> None:
    state = state_of(region)
    changed = replace(state, **{key: getattr(state, key) | {new} for key, new in change.items()})
    assert list(audit_network(region, changed)) == [sentence]


def test_a_links_name_state_and_settings_count(region: DeclaredNetwork) -> None:
    state = state_of(region)
    (link,) = [link for link in state.links if link.name == "m0-10"]
    others = tuple(other for other in state.links if other is not link)

    def said(**change: object) -> list[str]:
        links = (*others, replace(link, **change))
        return list(audit_network(region, replace(state, links=links)))

    assert said(up=False) == [
        "link m0-10 of the region is down; bring it up: ip -n greenroom link set m0-10 up"
    ]
    assert "is called nothing, expected photos.feature-x.backend1" in said(alias="")[0]
    assert "runs a BPF program before the firewall" in said(xdp=True)[0]
    settings = tuple({**dict(link.settings), "rp_filter": 0}.items())
    assert said(settings=settings) == [
        "rp_filter of link m0-10 of the region is 0, expected 1; "
        "mend it: ip netns exec greenroom sysctl net.ipv4.conf.m0-10.rp_filter=1"
    ]
    stranger = replace(link, name="evil0")
    (sentence,) = audit_network(region, replace(state, links=(*state.links, stranger)))
    assert sentence == (
        "the region has the link evil0, which belongs to no environment; "
        "remove it: ip -n greenroom link del evil0"
    )


def test_a_machines_namespace_is_its_own_address_and_no_firewall(stack: Stack) -> None:
    machine = stack.machines[0]
    declared = declared_machine("greenroom.photos.feature-x.backend1", "backend1", machine)
    state = state_of(declared)
    assert list(audit_network(declared, state)) == []
    changed = replace(
        state,
        addresses=state.addresses | {("eth0", "10.213.0.11/32")},
        tables=frozenset({"inet mine"}),
    )
    address, table = audit_network(declared, changed)
    assert address.startswith("backend1 has the address 10.213.0.11/32 on eth0, which nobody")
    assert table.startswith("the namespace of backend1 has the firewall table inet mine, which")


# The claims


def seen_of(stack: Stack, **tried: int) -> Seen:
    """A region and machines just as declared; ``tried`` is how often a machine tried IPv6."""
    declared = declared_region(NOWHERE, host_link_addresses(NOWHERE)[1], stack, ())
    return Seen(
        SeenRegion(network=state_of(declared), tables=kernel_of(stack), settings={}),
        {
            machine.name: SeenMachine(
                network=state_of(declared_machine("its-own", machine.name, machine)),
                six=(),
                six_tried=tried.get(machine.name, 6),
            )
            for machine in stack.machines
        },
    )


def verdicts(stack: Stack, seen: Seen) -> dict[str, tuple[Verdict, str]]:
    """Of an audit in a region that does not exist, so no further look finds anything."""
    claims = audit(NOWHERE, stack, seen, lambda: [])
    return {claim.subject: (claim.verdict, claim.evidence) for claim in claims}


def test_what_was_looked_at_and_is_as_declared_is_proved(stack: Stack) -> None:
    said = verdicts(stack, seen_of(stack))
    assert {subject: verdict for subject, (verdict, _) in said.items()} == dict.fromkeys(
        ("firewall", "network", "IPv6"), Verdict.PROVED
    )


def test_nothing_is_proved_of_a_region_that_nobody_could_look_at(stack: Stack) -> None:
    said = verdicts(stack, Seen(None, {}))
    assert said["firewall"] == (Verdict.NOT_VERIFIED, "the region could not be looked at")
    assert said["network"][0] is Verdict.FAILED
    assert said["IPv6"] == (
        Verdict.NOT_VERIFIED,
        "the region could not be looked at; backend1 could not be looked at; "
        "db1 could not be looked at; feed1 could not be looked at",
    )


def test_a_machine_that_tried_nothing_proves_nothing_of_ipv6(stack: Stack) -> None:
    said = verdicts(stack, seen_of(stack, db1=0))
    assert said["IPv6"] == (Verdict.NOT_VERIFIED, "nothing was tried from db1")
    assert said["firewall"][0] is said["network"][0] is Verdict.PROVED


def test_a_look_that_saw_too_little_does_not_outweigh_the_next(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the whole look finds must be told, although the one before had not found it."""
    tampered = seen_of(stack)
    assert tampered.region is not None
    tampered.region.tables[TABLE].chains[DB_CHAIN].rules.append(Rule("accept", 61))
    monkeypatch.setattr(audit_module, "_look_again", lambda layout, stack: tampered)
    verdict, evidence = verdicts(stack, Seen(None, {}))["firewall"]
    assert verdict is Verdict.FAILED
    assert "a rule that nobody declares: `accept`" in evidence
