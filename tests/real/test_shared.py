"""A metrics server for every environment: who reaches it, what it counts, and that nobody misses
it when it is gone."""

from __future__ import annotations

import errno
import json
import re
import select
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenroom.providers.local import kernel
from greenroom.providers.local.conntrack import Datagram, forwarded
from tests.real.site import REGION, Site, get, wait_until

SHARED = "photos.shared"
QUERY = "curl -fsS http://127.0.0.1:9103/metrics"
COUNTER = re.compile(r'^collectd_statsd_derive_total\{statsd="([^"]+)",[^}]*\} (\d+) (\d+)$', re.M)
SETTLED_MS = 2500
"""Longer than two of the server's intervals: what it was sent is in its answers by then."""
ALL = ("--machines", "backend", "db", "feed")
FILTERED = str(errno.EHOSTUNREACH)


@pytest.fixture(scope="module")
def blueprint(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The same stack, with a feed that did not join `base`."""
    other = site.copied(tmp_path_factory.mktemp("outsider") / "photos")
    other.edit(
        "greenroom.yaml",
        "    instance_type: t3.micro\n    groups: [base]\n",
        "    instance_type: t3.micro\n",
    )
    yield other
    names = [environment["name"] for environment in site.data("list")]
    for name in ("photos/shared", "photos/early", "photos/late", "strangers/far"):
        if name in names:
            site.ok("destroy", name)


def test_created_after_an_environment_it_is_found_there_and_counts_its_requests(
    blueprint: Site,
) -> None:
    blueprint.ok("create", *ALL, "--branch", "early")
    # Nobody counts yet, and nobody minds.
    assert get("api.early.photos.localhost")[0] == 200
    assert blueprint.inside("early", "backend1", "getent hosts metrics") == (2, "")

    blueprint.ok("create", "--shared", "metrics")
    assert address_of(blueprint, "early", "metrics") == metrics_address(blueprint)
    for _ in range(7):
        assert get("api.early.photos.localhost")[0] == 200
    assert settled(blueprint, {"photos.early.requests": 7})["photos.early.requests"] == 7
    assert flow(blueprint, "early", "backend1", "photos/shared:metrics1", "udp", 8125)
    assert not flow(blueprint, "early", "feed1", "photos/shared:metrics1", "udp", 8125)


def test_an_environment_created_after_it_is_counted_by_its_own_name(blueprint: Site) -> None:
    blueprint.ok("create", *ALL, "--branch", "late")
    before = counters(blueprint)["photos.early.requests"]
    for _ in range(3):
        assert get("api.late.photos.localhost")[0] == 200
    found = settled(blueprint, {"photos.late.requests": 3})
    assert (found["photos.late.requests"], found["photos.early.requests"]) == (3, before)
    for name in ("early", "late", "shared"):
        assert blueprint.data("flows", name)["verdict"] == "proved"


def test_only_what_is_in_base_gets_there_and_only_on_that_port(blueprint: Site) -> None:
    metrics = metrics_address(blueprint)
    for environment in ("early", "late"):
        assert answer(blueprint, environment, "backend1", metrics, "udp", 8125) == "0"
        assert answer(blueprint, environment, "db1", metrics, "udp", 8125) == "0"
        assert answer(blueprint, environment, "feed1", metrics, "udp", 8125) == FILTERED
        for protocol, port in (("tcp", 8125), ("udp", 8126), ("udp", 53), ("tcp", 9103)):
            got = answer(blueprint, environment, "backend1", metrics, protocol, port)
            assert got == FILTERED, (environment, protocol, port)
    assert outside(metrics, 8125) == FILTERED


def test_the_shared_machine_reaches_nothing_in_the_environments(blueprint: Site) -> None:
    for machine in blueprint.data("show", "early")["machines"]:
        for protocol, port in (("tcp", 80), ("tcp", 3306), ("tcp", 6379), ("udp", 8125)):
            got = answer(blueprint, "shared", "metrics1", machine["address"], protocol, port)
            assert got == FILTERED, (machine["name"], protocol, port)


def test_two_branches_stay_closed_to_each_other(blueprint: Site) -> None:
    for machine in blueprint.data("show", "late")["machines"]:
        for port in (80, 3306, 6379):
            got = answer(blueprint, "early", "backend1", machine["address"], "tcp", port)
            assert got == FILTERED, (machine["name"], port)


def test_the_base_of_another_stack_is_another_group(
    site: Site, blueprint: Site, tmp_path: Path
) -> None:
    strangers = site.copied(tmp_path / "strangers")
    strangers.edit("greenroom.yaml", "stack: photos\n", "stack: strangers\n")
    strangers.ok("create", "--machines", "feed", "--branch", "far")
    metrics = metrics_address(blueprint)
    assert answer(strangers, "strangers/far", "feed1", metrics, "udp", 8125) == FILTERED
    assert "every.strangers.base" in members()
    strangers.ok("destroy", "strangers/far")
    assert not any(label.startswith("every.strangers.") for label in members())


def test_a_second_one_is_refused_with_the_way_out(blueprint: Site) -> None:
    done = blueprint.greenroom("create", "--shared", "metrics")
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(
        r"error E_ENVIRONMENT_EXISTS: environment photos/shared exists already "
        r"\(shared, ready since [0-9: -]+ UTC\)\n→ greenroom destroy photos/shared first\n",
        done.stderr,
    )


def test_an_environment_that_goes_takes_only_its_own_members_away(blueprint: Site) -> None:
    held = members()["every.photos.base"]
    assert {"photos.early", "photos.late", SHARED} <= set(held.values())
    *_, last = blueprint.ok("destroy", "late", "--json").splitlines()
    receipt = json.loads(last)["receipt"]
    assert receipt["left_over"] == []
    left = {address: key for address, key in held.items() if key != "photos.late"}
    assert members()["every.photos.base"] == left
    assert get("api.early.photos.localhost")[0] == 200
    assert blueprint.data("flows", "shared")["verdict"] == "proved"


def test_without_it_environments_go_on_and_with_it_they_count_again(blueprint: Site) -> None:
    metrics = metrics_address(blueprint)
    sent = datagram_to(blueprint, metrics)
    assert remembered(sent)
    done = blueprint.greenroom("destroy", "shared")
    assert done.returncode == 0, done.stderr
    # The tests' region may hold another environment of the stack beside ours.
    told = " on without metrics1: what is sent there from now on is lost"
    assert told in done.stderr, done.stderr
    assert "0 left over" in done.stdout
    assert not any(SHARED in held.values() for held in members().values())
    # Whoever gets its address next must not inherit what was open to it.
    assert not remembered(sent)
    wait_until(lambda: blueprint.inside("early", "backend1", "getent hosts metrics")[0] == 2)
    assert answer(blueprint, "early", "backend1", metrics, "udp", 8125) == FILTERED
    status, _ = get("api.early.photos.localhost")
    assert status == 200
    assert blueprint.data("flows", "early")["verdict"] == "proved"

    blueprint.ok("create", "--shared", "metrics")
    for _ in range(2):
        assert get("api.early.photos.localhost")[0] == 200
    # The counters are new: what was counted before went with the machine.
    assert settled(blueprint, {"photos.early.requests": 2}) == {"photos.early.requests": 2}


def metrics_address(site: Site) -> str:
    (machine,) = site.data("show", "photos/shared")["machines"]
    address: str = machine["address"]
    return address


def address_of(site: Site, environment: str, name: str) -> str:
    """What a name resolves to inside the environment's backend."""
    code, line = site.inside(environment, "backend1", f"getent ahostsv4 {name}")
    assert code == 0
    return line.split()[0]


def counters(site: Site) -> dict[str, int]:
    """What the server has counted, by its own answer."""
    code, text = site.inside("shared", "metrics1", QUERY)
    assert code == 0, text
    return {name: int(value) for name, value, _ in COUNTER.findall(text)}


def settled(site: Site, expected: dict[str, int]) -> dict[str, int]:
    """What is counted once ``expected`` is there and nothing more can be on its way."""

    def last_answer_ms() -> int:
        _, text = site.inside("shared", "metrics1", QUERY)
        return max((int(at) for _, _, at in COUNTER.findall(text)), default=0)

    wait_until(lambda: expected.items() <= counters(site).items())
    reached_ms = last_answer_ms()
    wait_until(lambda: last_answer_ms() > reached_ms + SETTLED_MS)
    return counters(site)


def answer(site: Site, environment: str, machine: str, host: str, protocol: str, port: int) -> str:
    """The error number that the machine's own socket gets; "0" if nothing turns it away.

    A datagram has passed when a second one meets no error: the region answers what it rejects.
    """
    kind = "SOCK_STREAM" if protocol == "tcp" else "SOCK_DGRAM"
    program = f"""
import select, socket
s = socket.socket(socket.AF_INET, socket.{kind})
s.settimeout(5)
code = s.connect_ex(({host!r}, {port}))
if {protocol!r} == "udp":
    s.send(b"")
    select.select([s], [], [], 0.5)
    code = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
print(code)
"""
    interpreter = ["exec", environment, machine, "--", "python3", "-c", program]
    return site.ok(*interpreter).strip()


def outside(host: str, port: int) -> str:
    """The same for a datagram of this host."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, port))
        probe.send(b"")
        select.select([probe], [], [], 0.5)
        return str(probe.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))


def flow(site: Site, environment: str, source: str, target: str, protocol: str, port: int) -> bool:
    """Whether the flow is declared, by a proof that insists that it was judged and holds."""
    proof = site.data("flows", environment)
    assert proof["verdict"] == "proved"
    (found,) = [
        each
        for each in proof["flows"]
        if (each["source"], each["target"], each["protocol"], each["port"])
        == (source, target, protocol, port)
    ]
    declared: bool = found["declared"]
    return declared


def datagram_to(site: Site, host: str) -> Datagram:
    """One datagram from early's backend, by its addresses and ports."""
    program = (
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
        f"s.connect(({host!r}, 8125)); s.send(b''); print(*s.getsockname())"
    )
    source, port = site.ok("exec", "early", "backend1", "--", "python3", "-c", program).split()
    return Datagram(source, int(port), host, 8125)


def remembered(datagram: Datagram) -> bool:
    """Whether the region's connection tracking still knows it."""
    region = Path("/run/netns") / REGION
    return kernel.in_network(region, lambda: bool(list(forwarded([datagram]))))


def members() -> dict[str, dict[str, str]]:
    """The sets of all stacks, read from the kernel: address to the environment that put it in."""
    listing = subprocess.run(
        ["ip", "netns", "exec", REGION, "nft", "-j", "list", "table", "inet", "greenroom"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    ).stdout
    found = {}
    for entry in json.loads(listing)["nftables"]:
        if "set" in entry and entry["set"]["name"].startswith("every."):
            elements = [each["elem"] for each in entry["set"].get("elem", [])]
            found[entry["set"]["name"]] = {each["val"]: each["comment"] for each in elements}
    return found
