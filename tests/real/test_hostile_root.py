"""Whatever a root user inside a machine does, no flow opens: each test tries one thing for real.

The first half runs as the machine's root. That root can send no raw packet and change no address,
so the second half goes further than it ever could: the host's root enters the machine's network
namespace and sends from there, to show that the region resists by itself.
"""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Iterator

import pytest

from tests.real.hostility import (
    FORGED,
    HONEST,
    HOST,
    PACKETS,
    arrivals,
    connect,
    connections,
    dropped_as_spoofed,
    forged,
    held,
    host_addresses,
    link_address,
    run_inside,
    send,
    speak,
    with_host_power,
)
from tests.real.site import NET, PORT, RUN, Site, get, wait_until

BACKEND, DB, FEED = (f"{NET}.0.{last}" for last in (10, 11, 12))
FILTERED = errno.EHOSTUNREACH
METADATA = "http://169.254.169.254/latest"
BUCKETS = "http://169.254.169.252/s3"
TOKEN = f"curl -s -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' {METADATA}/api/token"


@pytest.fixture(autouse=True)
def _all_flows_stay_as_declared(feature: Site, request: pytest.FixtureRequest) -> Iterator[None]:
    """After each attempt the environment is proved as before; after a table of them, once."""
    yield
    following = request.session.items[request.session.items.index(request.node) + 1 :]
    same = [item for item in following if item.function is request.function]
    if not same:
        feature.ok("flows", "feature_x")


@pytest.fixture(scope="module")
def other(site: Site) -> Iterator[str]:
    """Another environment next door, whose one machine has this address."""
    site.ok("create", "--branch", "next-door", "--machines", "feed")
    (machine,) = site.data("show", "next-door")["machines"]
    yield machine["address"]
    site.ok("destroy", "next-door")


# As the machine's root

NETLINK = """
import socket, struct
def ask(family, *messages):
    link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, family)
    link.settimeout(3)
    link.send(b"".join(struct.pack("=IHHII", 16 + len(b), k, f, 1, 0) + b for k, f, b in messages))
    reply = link.recv(4096)
    assert struct.unpack_from("=H", reply, 4)[0] == 2, reply
    print(-struct.unpack_from("=i", reply, 16)[0])
def attribute(kind, value):
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)
index = socket.if_nametoindex("eth0")
"""
ADDRESS = (
    'ask(0, (20, 0x605, struct.pack("=BBBBi", {family}, {bits}, 0, 0, index)'
    ' + attribute(2, socket.inet_pton({family}, "{address}"))))'
)
KERNEL_ATTEMPTS = {
    "flush all rules": 'ask(12, (16, 1, struct.pack("!BBH", 0, 0, 10)), '
    '(0xA02, 5, struct.pack("!BBH", 0, 0, 0)), (17, 1, struct.pack("!BBH", 0, 0, 10)))',
    "make a table of rules": 'ask(12, (16, 1, struct.pack("!BBH", 0, 0, 10)), '
    '(0xA00, 0x405, struct.pack("!BBH", 1, 0, 0) + attribute(1, b"mine")), '
    '(17, 1, struct.pack("!BBH", 0, 0, 10)))',
    "take a neighbour's address": ADDRESS.format(family=2, bits=32, address=BACKEND),
    "take an IPv6 address": ADDRESS.format(family=10, bits=64, address="fd00::12"),
    "route through a neighbour": 'ask(0, (24, 0x605, struct.pack("=BBBBBBBBI", 2, 32, 0, 0, 254, 4,'
    f' 0, 1, 0) + attribute(1, socket.inet_aton("{DB}")) + attribute(5, socket.inet_aton'
    f'("{BACKEND}")) + attribute(4, struct.pack("=i", index))))',
    "take another MAC": 'ask(0, (16, 5, struct.pack("=BxHiII", 0, 0, index, 0, 0)'
    ' + attribute(1, bytes.fromhex("020000000001"))))',
    "set a neighbour's entry": 'ask(0, (28, 0x605, struct.pack("=BxxxiHBB", 2, index, 0x80, 0, 0)'
    f' + attribute(1, socket.inet_aton("{DB}")) + attribute(2, bytes(6))))',
    "count its own connections": 'ask(12, (0x102, 5, struct.pack("=BBH", 2, 0, 0)))',
}


@pytest.mark.parametrize("attempt", KERNEL_ATTEMPTS.values(), ids=KERNEL_ATTEMPTS.keys())
def test_the_kernel_refuses_to_change_the_machines_network(feature: Site, attempt: str) -> None:
    assert run_inside(feature, "feed1", NETLINK + attempt) == str(errno.EPERM)


SYSTEM_ATTEMPTS = {
    "packet socket": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "raw IP socket": "socket.socket(socket.AF_INET, socket.SOCK_RAW, 255)",
    "raw ICMP socket": "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
    "raw IPv6 socket": "socket.socket(socket.AF_INET6, socket.SOCK_RAW, 255)",
    "vsock": "socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)",
    "a new network namespace": "assert libc.unshare(0x40000000) == 0, ctypes.get_errno()",
    "the host's namespace": 'assert libc.setns(os.open("/proc/1/ns/net", 0), 0) == 0, '
    "ctypes.get_errno()",
    "forwarding": 'open("/proc/sys/net/ipv4/ip_forward", "w").write("1")',
    "IPv6": 'open("/proc/sys/net/ipv6/conf/all/disable_ipv6", "w").write("0")',
    "a foreign source address": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)"
    ".setsockopt(socket.SOL_IP, 19, 1)",
    "a mark": "socket.socket().setsockopt(socket.SOL_SOCKET, 36, 1)",
    "a neighbour's address": f'socket.socket().bind(("{BACKEND}", 0))',
    "reading the host's memory": 'open("/dev/mem", "rb")',
}
REFUSALS = {
    str(getattr(errno, name))
    for name in ("EPERM", "EACCES", "EROFS", "EAFNOSUPPORT", "EADDRNOTAVAIL", "ENOENT")
}


@pytest.mark.parametrize("attempt", SYSTEM_ATTEMPTS.values(), ids=SYSTEM_ATTEMPTS.keys())
def test_the_kernel_refuses_what_would_lead_past_the_region(feature: Site, attempt: str) -> None:
    program = (
        "import ctypes, os, socket\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        f"try:\n    {attempt}\nexcept OSError as error:\n    print(error.errno)\n"
        "except AssertionError as error:\n    print(error)\n"
        'else:\n    print("it worked")'
    )
    assert run_inside(feature, "feed1", program) in REFUSALS


def test_the_host_and_its_daemon_are_out_of_reach(feature: Site) -> None:
    with (
        socket.create_server(("0.0.0.0", 0)) as listener,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        abstract.bind("\0greenroom-abstract")
        abstract.listen()
        port = listener.getsockname()[1]
        addresses = {HOST, f"{NET}.255.2", *host_addresses()}
        for address in sorted(addresses):
            for asked in (port, PORT, 22):
                assert connect(feature, "feed1", address, asked) == FILTERED, (address, asked)
        sockets = ("\0greenroom-abstract", f"{RUN}/daemon.sock", "/run/dbus/system_bus_socket")
        reach = (
            f"import socket\nfor path in {sockets}:\n"
            "    print(socket.socket(socket.AF_UNIX).connect_ex(path))"
        )
        codes = run_inside(feature, "feed1", reach).split()
        assert codes == [str(errno.ECONNREFUSED), str(errno.ENOENT), str(errno.ENOENT)]


def test_a_machine_reads_only_its_own_metadata_whatever_it_claims(feature: Site) -> None:
    _, token_of_db = feature.inside("feature_x", "db1", TOKEN)
    _, mine = feature.inside("feature_x", "feed1", TOKEN)
    use = "curl -s -w '%{http_code}' -H 'X-aws-ec2-metadata-token: "
    stolen = feature.inside("feature_x", "feed1", f"{use}{token_of_db}' {METADATA}/user-data")
    assert stolen[1] == "401"
    claims = (
        *(f"{name}: {DB}" for name in ("X-Forwarded-For", "X-Real-IP", "Client-IP", "Via")),
        f"Forwarded: for={DB}",
        f"Host: {DB}",
    )
    for claim in claims:
        path = f"{METADATA}/meta-data/local-ipv4"
        _, told = feature.inside("feature_x", "feed1", f"{use}{mine}' -H '{claim}' {path}")
        assert told == f"{FEED}200", claim
    _, forwarded = feature.inside(
        "feature_x", "feed1", f"{TOKEN} -o /dev/null -w '%{{http_code}}' -H 'X-Forwarded-For: {DB}'"
    )
    assert forwarded == "403"
    # Its wait handle answers nobody else either: the token of another is of no use.
    code = "curl -s -o /dev/null -w '%{http_code}' -X PUT -d '{}' http://169.254.169.252/signal/"
    assert feature.inside("feature_x", "feed1", code + "0" * 43)[1] == "404"


BUCKET_PATHS = (
    "extracts/extract/manifest.json",
    "code/../extracts/extract/manifest.json",
    "code/..%2fdata/extract/manifest.json",
    "code/%2e%2e/%2e%2e/etc/passwd",
    "code//etc/passwd",
    "code/%2fetc/passwd",
    "code/....//greenroom.yaml",
    "code/..%5c..%5cetc%5cpasswd",
    "code/%00",
    "code/link-out/passwd",
    "code/",
    "..%2f..%2fetc/passwd",
    "greenroom-agent/..%2fledger%2fledger.db",
    "CODE/../data/extract/manifest.json",
)


@pytest.mark.parametrize("path", BUCKET_PATHS)
def test_no_path_leads_out_of_a_machines_own_buckets(feature: Site, path: str) -> None:
    link = feature.folder / "artifacts" / "link-out"
    link.symlink_to("/etc")
    try:
        ask = f"curl -s --path-as-is -o /dev/null -w '%{{http_code}}' '{BUCKETS}/{path}'"
        assert feature.inside("feature_x", "backend1", ask)[1] in ("403", "404", "400")
    finally:
        link.unlink()
    own = f"curl -s -o /dev/null -w '%{{http_code}}' {BUCKETS}/code/backend-feature_x.tar.gz"
    assert feature.inside("feature_x", "backend1", own)[1] == "200"


def test_a_ping_sweep_finds_nobody(feature: Site, other: str) -> None:
    sweep = (
        "import socket\n"
        "echo = bytes.fromhex('0800f7ff00000000')\n"
        f"for address in ('{FEED}', '{BACKEND}', '{DB}', '{other}', '{HOST}', '169.254.1.1',\n"
        "                '169.254.169.254', '224.0.0.1', '255.255.255.255'):\n"
        "    ping = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)\n"
        "    ping.setsockopt(socket.SOL_IP, 11, 1)\n"
        "    ping.settimeout(1)\n"
        "    try:\n"
        "        ping.connect((address, 0))\n"
        "        ping.send(echo)\n"
        "        ping.recv(64)\n"
        "    except OSError as error:\n"
        "        print(address, 'nothing')\n"
        "    else:\n"
        "        print(address, 'answers')"
    )
    said = dict(line.split() for line in run_inside(feature, "feed1", sweep).splitlines())
    # It finds itself: the sweep works.
    assert said.pop(FEED) == "answers"
    assert set(said.values()) == {"nothing"}


def test_names_of_another_environment_lead_nowhere(feature: Site, other: str) -> None:
    names = ("feed1.next-door.photos.internal", "feed.next-door.photos.internal")
    look = f"import socket\nfor name in {names}:\n    print(socket.gethostbyname(name))"
    # They are no secret, and of no use.
    assert set(run_inside(feature, "backend1", look).split()) == {other}
    assert connect(feature, "backend1", other, 6379) == FILTERED
    # A short name is looked up at home: next door's feed cannot stand in for ours.
    assert run_inside(
        feature, "backend1", "import socket; print(socket.gethostbyname('feed'))"
    ) == (FEED)
    code, _ = feature.inside("feature_x", "backend1", "getent hosts example.com")
    assert code == 2


def test_who_takes_all_connections_of_a_service_takes_only_its_own(feature: Site) -> None:
    with held(feature, "feed1", "169.254.169.254", 80, 80) as opened:
        assert 0 < opened <= 64
        assert connect(feature, "feed1", "169.254.169.254", 80) == errno.ECONNREFUSED
        assert connect(feature, "backend1", "169.254.169.254", 80) == 0
        assert feature.inside("feature_x", "db1", f'test -n "$({TOKEN})"')[0] == 0


def test_thousands_of_connections_open_nothing_and_shut_nobody_out(
    feature: Site, other: str
) -> None:
    with held(feature, "backend1", FEED, 6379, 3000) as opened:
        assert opened >= 1000
        assert connections() >= opened
        assert connect(feature, "backend1", DB, 3306) == 0
        assert connect(feature, "feed1", DB, 3306) == FILTERED
        assert connect(feature, "backend1", other, 6379) == FILTERED
        assert get("api.feature-x.photos.localhost", "/health")[0] == 200


# With the host's power, in the machine's network namespace


def test_without_any_rule_of_its_own_a_machine_reaches_no_more(feature: Site) -> None:
    with_host_power("feed1", "nft", "flush ruleset")
    assert connect(feature, "feed1", DB, 3306) == FILTERED
    assert connect(feature, "feed1", BACKEND, 80) == 0


SPOOFED = {
    "a neighbour": BACKEND,
    "the host": HOST,
    "somebody outside": "203.0.113.7",
    "metadata": "169.254.169.254",
    "loopback": "127.0.0.1",
    "nobody": "0.0.0.0",
}


@pytest.mark.parametrize("source", SPOOFED.values(), ids=SPOOFED.keys())
def test_a_packet_with_another_source_address_never_arrives(feature: Site, source: str) -> None:
    speak(feature)
    with arrivals("db1") as at_db, arrivals("backend1") as at_backend:
        send("feed1", source, FORGED, DB, 3306)
        send("feed1", source, FORGED, BACKEND, 80)
        # What may pass comes last: when it is there, so is all that was before it.
        send("backend1", BACKEND, HONEST, DB, 3306)
        send("feed1", FEED, HONEST, BACKEND, 80)
        wait_until(lambda: f"{BACKEND} {HONEST} {DB} 3306" in at_db())
        wait_until(lambda: f"{FEED} {HONEST} {BACKEND} 80" in at_backend())
        assert not forged(at_db()) and not forged(at_backend())


def test_a_spoofed_question_to_metadata_is_dropped_and_counted(feature: Site) -> None:
    speak(feature)
    before = dropped_as_spoofed()
    send("feed1", DB, FORGED, "169.254.169.254", 80)
    wait_until(lambda: dropped_as_spoofed() > before)


def test_another_mac_is_of_no_use(feature: Site) -> None:
    speak(feature)
    mac = link_address("backend1")
    with arrivals("db1") as seen:
        send("feed1", BACKEND, FORGED, DB, 3306, "--mac", mac)
        send("feed1", FEED, FORGED, DB, 3306, "--mac", mac)
        send("backend1", BACKEND, HONEST, DB, 3306)
        wait_until(lambda: f"{BACKEND} {HONEST} {DB} 3306" in seen())
        assert not forged(seen())


def test_an_address_claimed_by_arp_stays_with_its_owner(feature: Site) -> None:
    speak(feature)
    with arrivals("feed1") as seen:
        for address in (BACKEND, HOST, "169.254.1.1", "169.254.169.254"):
            with_host_power("feed1", sys.executable, PACKETS, "claim", address)
        assert get("api.feature-x.photos.localhost", "/health")[0] == 200
        assert connect(feature, "backend1", DB, 3306) == 0
        assert feature.inside("feature_x", "db1", f'test -n "$({TOKEN})"')[0] == 0
        assert not [line for line in seen() if BACKEND in line.split()[2:3]]


def test_an_address_taken_for_real_gets_no_answer_and_is_named(feature: Site) -> None:
    with_host_power("feed1", "ip", "addr", "add", f"{BACKEND}/32", "dev", "eth0")
    try:
        program = (
            "import socket\ns = socket.socket()\ns.settimeout(1.5)\n"
            f's.bind(("{BACKEND}", 0))\nprint(s.connect_ex(("{DB}", 3306)))'
        )
        assert run_inside(feature, "feed1", program) == str(errno.EAGAIN)
        # Whoever asks for the address still gets its owner, on whose port 80 somebody listens.
        socket.create_connection((BACKEND, 80), timeout=10).close()
        done = feature.greenroom("flows", "feature_x")
        assert done.returncode == 3
        assert f"feed1 has the address {BACKEND}/32 on eth0, which nobody declares" in done.stdout
    finally:
        with_host_power("feed1", "ip", "addr", "del", f"{BACKEND}/32", "dev", "eth0")


def test_a_route_through_a_neighbour_leads_through_the_region_all_the_same(feature: Site) -> None:
    speak(feature)
    route = (f"{DB}/32", "via", BACKEND, "dev", "eth0", "onlink")
    with_host_power("feed1", "ip", "route", "add", *route)
    try:
        assert connect(feature, "feed1", DB, 3306) == FILTERED
    finally:
        with_host_power("feed1", "ip", "route", "del", *route)
    with arrivals("db1") as seen, arrivals("backend1") as at_backend:
        send("feed1", FEED, FORGED, DB, 3306, "--through", BACKEND)
        send("feed1", FEED, HONEST, BACKEND, 80)
        wait_until(lambda: f"{FEED} {HONEST} {BACKEND} 80" in at_backend())
        assert not forged(seen()) and not forged(at_backend())


def test_a_forged_redirect_does_not_arrive(feature: Site) -> None:
    speak(feature)
    with arrivals("db1") as seen:
        for source in ("169.254.1.1", BACKEND, HOST):
            words = ("redirect", source, DB, BACKEND, FEED)
            with_host_power("feed1", sys.executable, PACKETS, *words)
        send("backend1", BACKEND, HONEST, DB, 3306)
        wait_until(lambda: f"{BACKEND} {HONEST} {DB} 3306" in seen())
        assert not [line for line in seen() if line.endswith("ip1")]


def test_ipv6_addresses_lead_nowhere(feature: Site) -> None:
    speak(feature)
    machines = {"feed1": "fd00::12", "db1": "fd00::11"}
    try:
        for machine, address in machines.items():
            with_host_power(machine, "sysctl", "-qw", "net.ipv6.conf.eth0.disable_ipv6=0")
            with_host_power(machine, "ip", "addr", "add", f"{address}/64", "dev", "eth0", "nodad")
        with arrivals("db1") as seen:
            program = (
                "import socket\n"
                'for target in (("fd00::11", 3306, 0, 0), ("ff02::1", 3306, 0, 2)):\n'
                "    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)\n"
                "    s.sendto(b'x', target)\n"
                "s = socket.socket(socket.AF_INET6)\n"
                "s.settimeout(1)\n"
                'print(s.connect_ex(("fd00::11", 3306)))'
            )
            assert run_inside(feature, "feed1", program) != "0"
            send("backend1", BACKEND, HONEST, DB, 3306)
            wait_until(lambda: f"{BACKEND} {HONEST} {DB} 3306" in seen())
            assert not [
                line for line in seen() if line.startswith("ipv6 fd000000000000000000000000000012")
            ]
        done = feature.greenroom("flows", "feature_x")
        assert done.returncode == 3
        assert "feed1 has the address fd00::12/64 on eth0, which nobody declares" in done.stdout
    finally:
        for machine in machines:
            with_host_power(machine, "sysctl", "-qw", "net.ipv6.conf.eth0.disable_ipv6=1")


# How it is tried
