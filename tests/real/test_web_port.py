"""A user of the host floods the page's port: others are answered, and descriptors are left."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from greenroom.web.crowd import CONNECTIONS_MAX
from tests.real.site import PORT, Site, daemon_pid, get, wait_until

WEB_PORT = PORT + 10
FLOOD = CONNECTIONS_MAX + 500
NOBODY = 65534
OTHERS_MAX = 100
"""Descriptors that the daemon may open meanwhile for what is no business of the flood's."""
HALF_REQUESTS = f"""\
import os, resource, socket
from contextlib import suppress
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
os.setgroups([])
os.setuid({NOBODY})
held = []
for _ in range({FLOOD}):
    held.append(socket.socket())
    held[-1].connect(("127.0.0.1", {WEB_PORT}))
    # It may have given way to another already.
    with suppress(ConnectionError):
        held[-1].send(b"GET / HTTP/1.1\\r\\n")
print("opened", flush=True)
for each in held:
    with suppress(ConnectionError):
        while each.recv(4096):
            pass
print("all closed", flush=True)
"""


def test_half_requests_of_one_user_hold_up_nobody_and_end(site: Site) -> None:
    assert json.loads(site.ok("list", "--json")) is not None
    descriptors = Path(f"/proc/{daemon_pid()}/fd")
    before = len(list(descriptors.iterdir()))

    argv = [sys.executable, "-c", HALF_REQUESTS]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as flood:
        assert flood.stdout is not None
        assert flood.stdout.readline() == "opened\n"
        status, page = get("localhost", "/login", WEB_PORT)
        site.ok("list")
        during = len(list(descriptors.iterdir()))
        assert flood.stdout.readline() == "all closed\n"

    assert (status, "<form" in page) == (200, True)
    assert during <= before + CONNECTIONS_MAX + OTHERS_MAX
    wait_until(lambda: len(list(descriptors.iterdir())) <= before + OTHERS_MAX)
