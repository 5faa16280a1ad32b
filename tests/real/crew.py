"""Small machines that do what the test of a fault needs, and one that stands beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.real.site import PORT, Site, get

BYSTANDER = "by"
"""The branch of the environment that no fault may hurt."""

BLUEPRINT = """
stack: crew
zone: crew.internal

images:
  crew:
    files: {/usr/local/bin/app.py: app.py}
    services:
      app: {command: "exec python3 -I -u /usr/local/bin/app.py"}

groups:
  base: {}

machines:
  serves:
    image: crew
    instance_type: t3.nano
    groups: [base]
    machine_tags: {conduct: serves}
    ingress: [{port: 8000, from: anywhere}]
    endpoint: {name: app, port: 8000}
    check: [{http: /, port: 8000, deadline_s: 60}]
  hungry:
    image: crew
    instance_type: t3.nano
    machine_tags: {conduct: hungry}
    check: [{http: /, port: 8000, deadline_s: 60}]
  breeds:
    image: crew
    instance_type: t3.nano
    pids: 48
    machine_tags: {conduct: breeds}
    check: [{http: /, port: 8000, deadline_s: 60}]
  gorges:
    image: crew
    instance_type: t3.nano
    machine_tags: {conduct: gorges}
    check: [{http: /, port: 8000, deadline_s: 60}]
  waits:
    image: crew
    instance_type: t3.nano
    machine_tags: {conduct: waits}
    check: [{http: /, port: 8000, deadline_s: 300}]
  clashes:
    image: crew
    instance_type: t3.nano
    machine_tags: {conduct: clashes}
    check: [{http: /, port: 8000, deadline_s: 60}]
"""

APP = """
import json, os, socket, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

conduct = json.load(open("/etc/greenroom/facts.json"))["tags"]["conduct"]
if conduct == "hungry":
    hoard = []
    while True:
        hoard.append(b"x" * 2**20)
if conduct == "breeds":
    while True:
        if os.fork() == 0:
            time.sleep(600)
            os._exit(0)
if conduct == "gorges":
    # At the pace of a fast disk: without one, a small pool is taken whole between two looks.
    with open("/var/hoard", "wb") as hoard:
        for start in range(0, 2**40, 2**23):
            os.posix_fallocate(hoard.fileno(), start, 2**23)
            time.sleep(0.01)
if conduct == "waits":
    time.sleep(3600)
if conduct == "clashes":
    first = socket.create_server(("", 8000))


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"well\\n")

    def log_message(self, *words):
        pass


ThreadingHTTPServer(("", 8000), Answer).serve_forever()
"""


def make_crew(folder: Path, region: Mapping[str, str] | None = None) -> Site:
    """The blueprint in ``folder``, with its one file."""
    (folder / "greenroom.yaml").write_text(BLUEPRINT)
    (folder / "app.py").write_text(APP)
    return Site(folder, region or {})


def create(site: Site, machine: str, branch: str) -> None:
    """An environment of one machine."""
    site.ok("create", "--machines", machine, "--branch", branch)


def assert_unhurt(site: Site, branch: str = BYSTANDER) -> None:
    """The bystander still answers, and its whole proof holds when it is made anew."""
    host, port = f"app.{branch}.crew.localhost", int(site.region.get("GREENROOM_PORT", PORT))
    assert get(host, port=port) == (200, "well\n")
    proof = site.data("flows", branch)
    assert proof["verdict"] == "proved", proof
