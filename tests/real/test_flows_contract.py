"""Flows as a contract on the real kernel: open just where declared, each answer told apart."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.real.site import REGION, Site

MACHINES = ("backend1", "db1", "feed1")
DECLARED = {
    ("outside", "backend1", "tcp", 80),
    ("db1", "backend1", "tcp", 80),
    ("feed1", "backend1", "tcp", 80),
    ("backend1", "db1", "tcp", 3306),
    ("backend1", "feed1", "tcp", 6379),
    *((machine, "metadata", "tcp", 80) for machine in MACHINES),
    *((machine, "buckets", "tcp", 80) for machine in MACHINES),
    *((machine, "dns", "tcp", 53) for machine in MACHINES),
    *((machine, "dns", "udp", 53) for machine in MACHINES),
}


def test_open_is_what_is_declared_and_nothing_else_from_anywhere(feature: Site) -> None:
    proof = feature.data("flows", "feature_x")
    flows = proof["flows"]
    opened = {way(f) for f in flows if f["reach"] == "open"}
    assert opened == {way(f) for f in flows if f["declared"]} == DECLARED
    assert {f["reach"] for f in flows if not f["declared"]} == {"filtered"}
    pairs = {(f["source"], f["target"]) for f in flows}
    places = (*MACHINES, "metadata", "dns", "buckets", "region", "host", "beyond")
    assert pairs >= {(a, b) for a in MACHINES for b in places if a != b}
    assert pairs >= {("outside", target) for target in (*MACHINES, "region")}
    for machine in MACHINES:
        asked = {(f["protocol"], f["chosen"]) for f in flows if f["target"] == machine}
        assert {("tcp", "declared"), ("tcp", "sample"), ("udp", "sample")} <= asked
    claims = {claim["subject"]: claim for claim in proof["claims"]}
    for subject in ("flows", "firewall", "network", "IPv6"):
        assert claims[subject]["verdict"] == "proved"
    assert "have no IPv6 address, and the kernel refused 18 attempts" in claims["IPv6"]["evidence"]


def test_the_same_sample_is_asked_every_time(feature: Site) -> None:
    first, second = (feature.data("flows", "feature_x")["flows"] for _ in range(2))
    assert {way(f) for f in first} == {way(f) for f in second}


def test_proofs_of_one_environment_at_once_find_the_same(feature: Site) -> None:
    """So the daemon's own, after it has mended something, and those that people ask for."""
    asking = [feature.start("flows", "feature_x", "--json") for _ in range(8)]
    for proof, errors in [process.communicate(timeout=120) for process in asking]:
        assert proof, errors
        # Not the whole: eight checks at once may find a server slow to answer.
        claims = {claim["subject"]: claim for claim in json.loads(proof)["claims"]}
        assert claims["flows"]["verdict"] == "proved", claims["flows"]
        flows = json.loads(proof)["flows"]
        assert {way(f) for f in flows if f["reach"] == "open"} == DECLARED


def test_a_datagram_that_is_let_in_is_refused_or_open_and_never_just_silent(feature: Site) -> None:
    flows = feature.data("flows", "feature_x")["flows"]
    port = next(
        f["port"]
        for f in flows
        if (f["source"], f["target"], f["protocol"]) == ("db1", "feed1", "udp") and f["port"] > 1024
    )
    assert udp_to_feed(feature, port) == {("filtered", "proved")}
    with let_in(port):
        assert udp_to_feed(feature, port) == {("refused", "failed")}
        with bound(feature, port):
            # A listener that never answers: connection tracking shows that it was let through.
            assert udp_to_feed(feature, port) == {("open", "failed")}
    with bound(feature, port):
        assert udp_to_feed(feature, port) == {("filtered", "proved")}


def way(flow: dict[str, Any]) -> tuple[str, str, str, int]:
    return flow["source"], flow["target"], flow["protocol"], flow["port"]


def udp_to_feed(site: Site, port: int) -> set[tuple[str, str]]:
    flows = json.loads(site.greenroom("flows", "feature_x", "--json").stdout)["flows"]
    asked = [f for f in flows if (f["target"], f["protocol"], f["port"]) == ("feed1", "udp", port)]
    assert {f["source"] for f in asked} == {"backend1", "db1", "outside"}
    return {(f["reach"], f["verdict"]) for f in asked}


@contextmanager
def let_in(port: int) -> Iterator[None]:
    """A rule that lets these datagrams in, as somebody may add it by hand."""
    chain = "inet greenroom group.photos.feature-x.feed"
    nft = ["ip", "netns", "exec", REGION, "nft"]
    argv = [*nft, "--echo", "--json", f"add rule {chain} udp dport {port} accept"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=30)
    (handle,) = [
        entry["add"]["rule"]["handle"]
        for entry in json.loads(done.stdout)["nftables"]
        if "rule" in entry.get("add", {})
    ]
    try:
        yield
    finally:
        subprocess.run([*nft, f"delete rule {chain} handle {handle}"], check=True, timeout=30)


@contextmanager
def bound(site: Site, port: int) -> Iterator[None]:
    """A UDP socket in feed1 that takes what comes and says nothing."""
    program = (
        "import socket\ntaker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        f'taker.bind(("0.0.0.0", {port}))\nprint(1, flush=True)\nwhile True: taker.recv(64)'
    )
    server = site.start("exec", "feature_x", "feed1", "--", "python3", "-c", program)
    try:
        assert server.stdout is not None and server.stdout.readline() == "1\n"
        yield
    finally:
        mine = "grep -qs '[t]aker.recv' $p/cmdline && kill ${p#/proc/}"
        site.inside("feature_x", "feed1", f"for p in /proc/[0-9]*; do {mine}; done")
        server.communicate(timeout=30)
