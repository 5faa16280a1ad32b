"""What somebody changes by hand in the region or in a machine's network is found and named."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.real.site import NET, REGION, Site

TABLE = "inet greenroom"
DB = "group.photos.feature-x.db"
BACKEND = "group.photos.feature-x.backend"
MACHINE = f"{REGION}.photos.feature-x.feed1"
FEED, REGION_IP = f"{NET}.0.12", f"{NET}.255.2"


@dataclass(frozen=True, slots=True)
class Tampering:
    """Commands that change something, those that put it back, and what must be said of it.

    They run in the region's namespace, or in feed1's with ``inside``. ``{link}`` is feed1's link.
    """

    name: str
    do: tuple[str, ...]
    undo: tuple[str, ...]
    said: str
    inside: bool = False


def nft(*commands: str) -> tuple[str, ...]:
    return tuple(f"nft {command}" for command in commands)


DELETE_FORWARD = f"delete rule {TABLE} forward handle HANDLE"
TAMPERINGS = [
    Tampering(
        "a port opened in a group",
        nft(f"add rule {TABLE} {DB} tcp dport 9999 accept"),
        nft(f"delete rule {TABLE} {DB} handle HANDLE"),
        r"chain group\.photos\.feature-x\.db \(group db of photos/feature-x\) has a rule that "
        r"nobody declares: `tcp dport 9999 accept`; remove it: .* handle \d+",
    ),
    Tampering(
        "a port opened before the groups",
        nft(f"insert rule {TABLE} forward tcp dport 9999 accept"),
        nft(f"delete rule {TABLE} forward handle HANDLE"),
        r"chain forward has a rule that nobody declares: `tcp dport 9999 accept`",
    ),
    Tampering(
        "a port of the region itself",
        nft(f"insert rule {TABLE} input tcp dport 22 accept"),
        nft(f"delete rule {TABLE} input handle HANDLE"),
        r"chain input has a rule that nobody declares: `tcp dport 22 accept`",
    ),
    Tampering(
        "a rule removed",
        nft(f"flush chain {TABLE} {DB}"),
        nft(f"add rule {TABLE} {DB} ip saddr @{BACKEND} tcp dport 3306 accept"),
        rf"chain .*\.db \(.*\) lacks its rule `ip saddr @{BACKEND} tcp dport 3306 accept`; "
        "put it back: ",
    ),
    Tampering(
        "a member added to a group",
        nft(f"add element {TABLE} {BACKEND} {{ {FEED} }}"),
        nft(f"delete element {TABLE} {BACKEND} {{ {FEED} }}"),
        rf"set group\.photos\.feature-x\.backend \(group backend of photos/feature-x\) has the "
        rf"element {FEED} \(feed1 of photos/feature-x\), which nobody declares",
    ),
    Tampering(
        "a binding removed",
        nft(f'delete element {TABLE} bindings {{ "m0-12" . {FEED} }}'),
        nft(f'add element {TABLE} bindings {{ "m0-12" . {FEED} }}'),
        rf'set bindings lacks the element "m0-12" \. {FEED} \(feed1 of photos/feature-x\)',
    ),
    Tampering(
        "another table, hooked before ours",
        nft(
            "add table ip evil",
            "add chain ip evil c { type filter hook prerouting priority -400; }",
            "add rule ip evil c tcp dport 9999 notrack accept",
        ),
        nft("delete table ip evil"),
        r"namespace has the table ip evil, which greenroom did not make",
    ),
    Tampering(
        "a policy",
        nft(f"chain {TABLE} forward {{ policy accept; }}"),
        nft(f"chain {TABLE} forward {{ policy drop; }}"),
        r"chain forward is hooked as `[^`]*policy accept;`, expected `[^`]*policy drop;`",
    ),
    Tampering(
        "an address in the region",
        (f"ip addr add {NET}.0.99/32 dev lo",),
        (f"ip addr del {NET}.0.99/32 dev lo",),
        rf"the region has the address {NET}\.0\.99/32 on lo, which nobody declares; remove it",
    ),
    Tampering(
        "a route in the region",
        (f"ip route add 203.0.113.0/24 via {NET}.255.1",),
        ("ip route del 203.0.113.0/24",),
        r"the region has the route `203\.0\.113\.0/24 via .* dev host0`, which nobody declares",
    ),
    Tampering(
        "a routing rule",
        ("ip rule add pref 100 from 10.0.0.0/8 lookup 100",),
        ("ip rule del pref 100",),
        r"the region has a routing rule of preference 100 into table 100",
    ),
    Tampering(
        "a link in the region",
        ("ip link add evil0 type veth peer name evil1",),
        ("ip link del evil0",),
        r"the region has the link evil0, which belongs to no environment; remove it",
    ),
    Tampering(
        "a neighbour entry",
        (f"ip neigh add {NET}.0.11 lladdr 02:00:00:00:00:01 nud permanent dev m0-12",),
        (f"ip neigh del {NET}.0.11 dev m0-12",),
        rf"the region has a permanent neighbour entry for {NET}\.0\.11 on m0-12",
    ),
    Tampering(
        "a way round the firewall",
        ("tc qdisc add dev m0-12 clsact",),
        ("tc qdisc del dev m0-12 clsact",),
        r"link m0-12 of the region has the queueing discipline clsact, which can send packets "
        r"past the firewall",
    ),
    Tampering(
        "the check of source addresses",
        ("sysctl -qw net.ipv4.conf.m0-12.rp_filter=0",),
        ("sysctl -qw net.ipv4.conf.m0-12.rp_filter=1",),
        r"rp_filter of link m0-12 of the region is 0, expected 1",
    ),
    Tampering(
        "IPv6 in the region",
        ("sysctl -qw net.ipv6.conf.m0-12.disable_ipv6=0",),
        ("sysctl -qw net.ipv6.conf.m0-12.disable_ipv6=1",),
        r"the region has the address fe80::[0-9a-f:]+/64 on m0-12, which nobody declares",
    ),
    Tampering(
        "an address in a machine",
        (f"ip addr add {NET}.0.11/32 dev eth0",),
        (f"ip addr del {NET}.0.11/32 dev eth0",),
        rf"feed1 has the address {NET}\.0\.11/32 on eth0, which nobody declares; remove it",
        inside=True,
    ),
    Tampering(
        "a firewall in a machine",
        nft("add table inet mine"),
        nft("delete table inet mine"),
        r"the namespace of feed1 has the firewall table inet mine, which greenroom did not make",
        inside=True,
    ),
    Tampering(
        "IPv6 in a machine",
        (
            "sysctl -qw net.ipv6.conf.eth0.disable_ipv6=0",
            "ip addr add fd00::12/64 dev eth0 nodad",
        ),
        ("sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1",),
        r"feed1 can send over IPv6: to fd00::1 port 80: it went out",
        inside=True,
    ),
]


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=[t.name for t in TAMPERINGS])
def test_what_is_changed_by_hand_is_found_and_named(feature: Site, tampering: Tampering) -> None:
    with tampered(tampering):
        done = feature.greenroom("flows", "feature_x")
        assert done.returncode == 3, done.stdout
        assert re.search(tampering.said, done.stdout), done.stdout
        assert "error E_NOT_PROVED: the environment is " in done.stderr
    feature.ok("flows", "feature_x")


def test_a_rule_for_a_port_that_a_machine_listens_on_is_met_by_a_probe_too(feature: Site) -> None:
    opened = Tampering(
        "", nft(f"insert rule {TABLE} forward tcp dport 9000 accept"), nft(DELETE_FORWARD), ""
    )
    with listening(feature, "feed1", 9000):
        flows = flows_to(feature, "feed1", 9000)
        assert {f["source"] for f in flows} == {"backend1", "db1", "outside"}
        assert {(f["chosen"], f["reach"], f["verdict"]) for f in flows} == {
            ("listening", "filtered", "proved")
        }
        with tampered(opened):
            flows = flows_to(feature, "feed1", 9000)
            assert {(f["reach"], f["verdict"]) for f in flows} == {("open", "failed")}
            done = feature.greenroom("flows", "feature_x")
            assert "outside → feed1:9000/tcp is open, not declared" in done.stdout
    with tampered(opened):
        # Nobody listens any more: a port that was sampled, or none, but the rule is still found.
        done = feature.greenroom("flows", "feature_x")
        assert "`tcp dport 9000 accept`" in done.stdout


def test_a_datagram_that_the_region_drops_in_silence_is_not_called_open(feature: Site) -> None:
    lost = Tampering(
        "",
        nft(f"insert rule {TABLE} spoofed udp dport 53 drop"),
        nft(f"delete rule {TABLE} spoofed handle HANDLE"),
        "",
    )
    with tampered(lost):
        done = feature.greenroom("flows", "feature_x", "--json")
        assert done.returncode == 3
        flows = json.loads(done.stdout)["flows"]
        dns = [f for f in flows if (f["target"], f["port"], f["protocol"]) == ("dns", 53, "udp")]
        assert {(f["reach"], f["verdict"]) for f in dns} == {("silent", "not verified")}


def test_watch_tells_of_a_rule_that_comes_and_goes_and_ends_with_the_verdict(
    feature: Site,
) -> None:
    rule = next(t for t in TAMPERINGS if t.name == "a port opened before the groups")
    watching = feature.start("flows", "feature_x", "--watch", "--json")
    assert watching.stdout is not None
    try:
        start = json.loads(watching.stdout.readline())
        assert start["verdict"] == "proved" and start["flows"]
        with tampered(rule):
            change = json.loads(watching.stdout.readline())
            assert change["verdict"] == "failed"
            assert any("`tcp dport 9999 accept`" in c["evidence"] for c in change["failed"])
        change = json.loads(watching.stdout.readline())
        assert (change["verdict"], change["failed"]) == ("proved", [])
        assert any("`tcp dport 9999 accept`" in c["evidence"] for c in change["mended"])
    finally:
        watching.send_signal(signal.SIGINT)
        rest, err = watching.communicate(timeout=60)
    assert (watching.returncode, rest, err) == (0, "", "")


def test_watch_that_ends_while_something_is_wrong_exits_with_3(feature: Site) -> None:
    with tampered(TAMPERINGS[0]):
        watching = feature.start("flows", "feature_x", "--watch")
        assert watching.stdout is not None
        seen = iter(watching.stdout.readline, "")
        assert any(line.startswith("the environment is failed: ") for line in seen)
        watching.send_signal(signal.SIGTERM)
        _, err = watching.communicate(timeout=60)
        assert watching.returncode == 3
        assert err.startswith("error E_NOT_PROVED: the environment is failed")


def test_the_drawing_is_of_the_real_environment(feature: Site) -> None:
    feature.ok("flows", "feature_x", "--graph", "flows.svg")
    drawn = (feature.folder / "flows.svg").read_text()
    assert "backend to db: 3306/tcp; declared, and proved open" in drawn
    assert feature.ok("flows", "feature_x", "--graph", "-").startswith("<svg ")
    done = feature.greenroom("flows", "feature_x", "--graph", "nowhere/flows.svg")
    assert done.returncode == 1
    assert done.stderr.startswith("error E_GRAPH_FILE: cannot write nowhere/flows.svg: No such")
    assert feature.greenroom("flows", "feature_x", "--graph", "-", "--watch").returncode == 2


def flows_to(site: Site, machine: str, port: int) -> list[dict[str, str]]:
    done = site.greenroom("flows", "feature_x", "--json")
    flows = json.loads(done.stdout)["flows"]
    return [f for f in flows if (f["target"], f["port"]) == (machine, port)]


@contextmanager
def listening(site: Site, machine: str, port: int) -> Iterator[None]:
    """Something in the machine that nobody declared, as its root may start it."""
    program = (
        f'import socket; s = socket.create_server(("0.0.0.0", {port})); print(1, flush=True)\n'
        "while True: s.accept()[0].close()"
    )
    server = site.start("exec", "feature_x", machine, "--", "python3", "-c", program)
    try:
        assert server.stdout is not None and server.stdout.readline() == "1\n"
        yield
    finally:
        mine = "grep -qs '[c]reate_server' $p/cmdline && kill ${p#/proc/}"
        site.inside("feature_x", machine, f"for p in /proc/[0-9]*; do {mine}; done")
        server.wait(timeout=30)


@contextmanager
def tampered(tampering: Tampering) -> Iterator[None]:
    namespace = MACHINE if tampering.inside else REGION
    before = handles(namespace)
    try:
        for command in tampering.do:
            in_namespace(namespace, command)
        yield
    finally:
        new = handles(namespace) - before
        handle = next(iter(new), "")
        for command in tampering.undo:
            in_namespace(namespace, command.replace("HANDLE", handle))


def handles(namespace: str) -> set[str]:
    """The kernel's numbers for the rules of a namespace."""
    listing = in_namespace(namespace, "nft -a list ruleset")
    return set(re.findall(r"[^{] # handle (\d+)$", listing, re.MULTILINE))


def in_namespace(namespace: str, command: str) -> str:
    program, _, rest = command.partition(" ")
    # nft reads its command from one argument; its own options stand apart.
    whole = program == "nft" and not rest.startswith("-")
    argv = ["ip", "netns", "exec", namespace, *([program, rest] if whole else command.split())]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout
