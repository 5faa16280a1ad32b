"""A machine that floods its console, metadata, DNS or the daemon's log hurts nobody else."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.crew import BYSTANDER, assert_unhurt, create, make_crew
from tests.real.site import RUN, STATE, Site, wait_until

MIB = 1024**2
HOSTILE = "hostile"


@pytest.fixture(scope="module")
def crew(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = make_crew(tmp_path_factory.mktemp("crew"))
    create(made, "serves", BYSTANDER)
    create(made, "serves", HOSTILE)
    yield made
    made.ok("destroy", BYSTANDER)
    made.ok("destroy", HOSTILE)


FLOOD = """
set -e
mkdir -p /etc/greenroom/service/flood
printf '#!/bin/sh\\nexec yes "a line of the flood"\\n' > /etc/greenroom/service/flood/run
chmod 755 /etc/greenroom/service/flood/run
s6-svscanctl -a /etc/greenroom/service
"""
END_OF_FLOOD = "s6-svc -d /etc/greenroom/service/flood; s6-svwait -D /etc/greenroom/service/flood"
CUT = b"[what came before was cut: the console had grown beyond 1 MiB]\n"


def beginning(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        return file.read(size)


def test_a_machine_that_floods_its_console_fills_no_memory(crew: Site) -> None:
    console = RUN / "machines" / f"crew.{HOSTILE}" / "serves1" / "console.log"
    assert crew.inside(HOSTILE, "serves1", FLOOD)[0] == 0
    try:
        # It floods, it is cut, and it floods on.
        for _ in range(3):
            wait_until(lambda: beginning(console, len(CUT)) == CUT)
            wait_until(lambda: console.stat().st_size > 2 * MIB)
        assert_unhurt(crew)
    finally:
        assert crew.inside(HOSTILE, "serves1", END_OF_FLOOD)[0] == 0
    wait_until(lambda: console.stat().st_size <= MIB)
    # Between the cut and what is put back it is empty for a moment.
    wait_until(lambda: b"a line of the flood\n" in beginning(console, MIB))
    assert_unhurt(crew)


HAMMER = """
import os, socket, struct, time
def ask_metadata(request):
    while True:
        try:
            with socket.create_connection(("169.254.169.254", 80), 5) as s:
                for _ in range(20):
                    s.sendall(request)
                    if not s.recv(65536):
                        break
        except OSError:
            pass
def ask_names(kind):
    while True:
        try:
            with socket.socket(socket.AF_INET, kind) as s:
                s.settimeout(0.5)
                s.connect(("169.254.169.253", 53))
                q = struct.pack("!6H", 7, 256, 1, 0, 0, 0) + b"\\x01x\\x00\\x00\\x01\\x00\\x01"
                for _ in range(1000):
                    s.sendall(q if kind == socket.SOCK_DGRAM else struct.pack("!H", len(q)) + q)
        except OSError:
            pass
good = b"GET /latest/meta-data/ HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n"
broken = b"\\x16\\x03 not http\\r\\n\\r\\n"
jobs = ([(ask_metadata, good)] * 8 + [(ask_metadata, broken)] * 8
        + [(ask_names, socket.SOCK_DGRAM)] * 8 + [(ask_names, socket.SOCK_STREAM)] * 8)
for job, what in jobs:
    if os.fork() == 0:
        job(what)
print("hammering", flush=True)
time.sleep(3600)
"""
STOP = (
    "for p in /proc/[0-9]*; do grep -qs '[a]sk_metadata' $p/cmdline && kill ${p#/proc/}; done; true"
)
TOKEN = (
    "import urllib.request as u\n"
    'r = u.Request("http://169.254.169.254/latest/api/token", method="PUT",'
    ' headers={"x-aws-ec2-metadata-token-ttl-seconds": "60"})\n'
    "for _ in range(10):\n    assert len(u.urlopen(r, timeout=30).read()) > 20\n"
)
NAMES = "import socket\nfor _ in range(10):\n    print(socket.gethostbyname('serves1'))\n"


@contextlib.contextmanager
def hammered(site: Site) -> Iterator[None]:
    """One machine asks metadata and DNS from 32 processes, as fast as it can, while this runs."""
    holder = site.start("exec", HOSTILE, "serves1", "--", "python3", "-c", HAMMER)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "hammering\n"
        yield
    finally:
        site.inside(HOSTILE, "serves1", STOP)
        holder.communicate(timeout=60)


def dropped(kind: str) -> int:
    """Packets that the region dropped because their sender's set says that it is too much."""
    argv = ["ip", "netns", "exec", RUN.name, "nft", "list", "chain", "inet", "greenroom", "input"]
    listing = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    (rule,) = [line for line in listing.splitlines() if f"@{kind} " in line]
    return int(rule.partition("counter packets ")[2].split()[0])


def verdict(site: Site, branch: str) -> str:
    """What the proof comes to now; empty if none could be made."""
    shown = site.greenroom("flows", branch, "--json").stdout
    return str(json.loads(shown)["verdict"]) if shown else ""


def test_a_machine_that_floods_metadata_and_names_shuts_nobody_out(crew: Site) -> None:
    log = STATE / "daemon.log"
    before = log.stat().st_size
    with hammered(crew):
        wait_until(lambda: dropped("askers") > 0 and dropped("callers") > 0, 60)
        for program in (TOKEN, NAMES):
            done = crew.greenroom("exec", BYSTANDER, "serves1", "--", "python3", "-c", program)
            assert (done.returncode, done.stderr) == (0, "")
        create(crew, "serves", "meanwhile")
        crew.ok("destroy", "meanwhile")
        assert_unhurt(crew)
    assert log.stat().st_size - before < MIB // 4
    wait_until(lambda: verdict(crew, HOSTILE) == "proved", 60)
