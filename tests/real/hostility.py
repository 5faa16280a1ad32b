"""What a hostile root does, and what is seen of it: packets by hand, and the host's own tables."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.real.site import NET, REGION, Site

HOST = f"{NET}.255.1"
FORGED, HONEST = 61234, 61235
"""Source ports of the packets that are sent by hand."""
PACKETS = str(Path(__file__).with_name("packets.py"))


def run_inside(site: Site, machine: str, program: str) -> str:
    """What a Python program prints that the machine's root runs."""
    done = site.greenroom("exec", "feature_x", machine, "--", "python3", "-c", program)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def connect(site: Site, machine: str, address: str, port: int) -> int:
    """The error number of a connect from inside a machine; 0 when it works."""
    program = (
        "import socket\ns = socket.socket()\ns.settimeout(5)\n"
        f'print(s.connect_ex(("{address}", {port})))'
    )
    return int(run_inside(site, machine, program))


def namespace_of(machine: str) -> str:
    return f"/run/netns/{REGION}.photos.feature-x.{machine}"


def with_host_power(machine: str, *argv: str) -> str:
    """Run a program as the host's root in the machine's network namespace."""
    whole = ["nsenter", f"--net={namespace_of(machine)}", *argv]
    done = subprocess.run(whole, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, (argv, done.stderr)
    return done.stdout


def send(machine: str, source: str, source_port: int, target: str, port: int, *more: str) -> None:
    """Send one TCP SYN from the machine's end of its link."""
    ends = (source, str(source_port), target, str(port))
    with_host_power(machine, sys.executable, PACKETS, "send", *ends, *more)


def forged(lines: list[str]) -> list[str]:
    """Those packets that should never have come."""
    return [line for line in lines if line.split()[1:2] == [str(FORGED)]]


def speak(site: Site) -> None:
    """Let every machine say something, so that each knows the region's end of its link."""
    for machine in ("backend1", "db1", "feed1"):
        assert connect(site, machine, "169.254.169.254", 80) == 0


@contextmanager
def arrivals(machine: str) -> Iterator[object]:
    """What arrives at a machine, as lines; the value is a function that gives them."""
    argv = ["nsenter", f"--net={namespace_of(machine)}", sys.executable, PACKETS, "sniff"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as sniffer:
        assert sniffer.stdout is not None
        assert sniffer.stdout.readline() == "listening\n"
        lines: list[str] = []
        reader = threading.Thread(
            target=lambda: lines.extend(line.strip() for line in sniffer.stdout), daemon=True
        )
        reader.start()
        try:
            yield lambda: list(lines)
        finally:
            sniffer.kill()
            reader.join()


@contextmanager
def held(site: Site, machine: str, address: str, port: int, count: int) -> Iterator[int]:
    """Connections that the machine's root keeps open; how many it got of ``count``."""
    program = (
        "import socket, time\nheld = []\n"
        f"for _ in range({count}):\n"
        "    s = socket.socket()\n"
        "    s.settimeout(10)\n"
        f'    if s.connect_ex(("{address}", {port})) == 0:\n'
        "        held.append(s)\n"
        "print(len(held), flush=True)\ntime.sleep(600)"
    )
    argv = ["exec", "feature_x", machine, "--", "python3", "-c", program]
    holder = site.start(*argv)
    try:
        assert holder.stdout is not None
        yield int(holder.stdout.readline())
    finally:
        # The brackets keep the pattern from being found in this shell's own command line.
        found = "grep -qs 'held[.]append' $p/cmdline"
        end = f"for p in /proc/[0-9]*; do {found} && kill ${{p#/proc/}}; done"
        site.inside("feature_x", machine, end)
        holder.communicate(timeout=30)


def connections() -> int:
    argv = ["ip", "netns", "exec", REGION, "cat", "/proc/sys/net/netfilter/nf_conntrack_count"]
    return int(subprocess.run(argv, capture_output=True, text=True, check=True).stdout)


def dropped_as_spoofed() -> int:
    argv = ["ip", "netns", "exec", REGION, "nft", "list", "chain", "inet", "greenroom", "spoofed"]
    listing = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    found = re.search(r"@bindings counter packets (\d+)", listing)
    assert found is not None, listing
    return int(found[1])


def link_address(machine: str) -> str:
    return with_host_power(machine, "cat", "/sys/class/net/eth0/address").strip()


def host_addresses() -> set[str]:
    """The host's own addresses but those of other regions."""
    argv = ["ip", "-4", "-o", "addr", "show", "scope", "global"]
    listing = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    return {
        line.split()[3].partition("/")[0] for line in listing.splitlines() if " gr-" not in line
    }
