"""An environment that other programs look at: three small machines of one image."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.real.site import ENVIRONMENT, REPOSITORY, Site

BLUEPRINT = """\
stack: park
zone: park.internal

images:
  node:
    packages: [prometheus-node-exporter]
    files:
      /usr/local/bin/peer-changed: peer-changed
      /usr/local/bin/front: front
    commands: [chmod 755 /usr/local/bin/peer-changed /usr/local/bin/front]
    services:
      web: {command: "cd /srv && exec python3 -m http.server 80"}
      node-exporter: {command: exec prometheus-node-exporter}
      front: {command: exec /usr/local/bin/front}

groups:
  watched:
    tags: {puppetbranch: feature-x, greeting: "{{ 6 * 7 }}"}
    ingress: [{port: 9100, from: anywhere}]

machines:
  backend:
    image: node
    count: 2
    groups: [watched]
    ingress: [{port: 80, from: anywhere}]
    endpoint: {name: api, port: 80}
    check: [{http: /, port: 80, deadline_s: 60}, {tcp: 9100, deadline_s: 60}]
  client:
    image: node
    groups: [watched]
    ingress: [{port: 8000, from: anywhere}]
    check: [{tcp: 9100, deadline_s: 60}, {tcp: 8000, deadline_s: 60}]
    subscribe: {roles: [backend], hook: /usr/local/bin/peer-changed}
"""

HOOK = """\
#!/bin/sh
# Keeps a file for each peer that is well, and a history of what it was told.
set -eu
mkdir -p /run/peers
facts=$(cat)
echo "$GREENROOM_EVENT $GREENROOM_PEER $facts" >> /var/log/greenroom/peers
[ ! -e /run/refuse ] || { echo refused >&2; exit 3; }
if [ "$GREENROOM_PEER_HEALTH" = healthy ] && [ "$GREENROOM_EVENT" != gone ]; then
    echo "$GREENROOM_PEER_ADDRESS" > "/run/peers/$GREENROOM_PEER"
else
    rm -f "/run/peers/$GREENROOM_PEER"
fi
"""

FRONT = """\
#!/usr/bin/python3
# An application that asks any backend that it was told of, and so goes on when one is lost.
import http.server, os, random, urllib.request

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        peers = sorted(os.listdir("/run/peers")) if os.path.isdir("/run/peers") else []
        if not peers:
            self.send_error(503)
            return
        peer = random.choice(peers)
        address = open(f"/run/peers/{peer}").read().strip()
        urllib.request.urlopen(f"http://{address}/", timeout=3).read()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(peer.encode())

http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
"""

PATH = f"{Path(sys.executable).parent}:{REPOSITORY}/packaging/ansible:{ENVIRONMENT['PATH']}"


def lay_out(folder: Path) -> Site:
    """The blueprint and what it needs."""
    folder.mkdir()
    (folder / "greenroom.yaml").write_text(BLUEPRINT)
    (folder / "peer-changed").write_text(HOOK)
    (folder / "front").write_text(FRONT)
    return Site(folder)


def surroundings(folder: Path, **more: str) -> dict[str, str]:
    """The environment of a program that meets greenroom: its commands are found, and what the
    program keeps lies in ``folder``."""
    wanted = {"PATH": PATH, "HOME": str(folder), **more}
    return {**ENVIRONMENT, **wanted, "LC_ALL": "C.UTF-8", "TERM": os.environ.get("TERM", "dumb")}
