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
    files: {/usr/local/bin/peer-changed: peer-changed}
    services:
      web: {command: "cd /srv && exec python3 -m http.server 80"}
      node-exporter: {command: exec prometheus-node-exporter}

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
    check: [{tcp: 9100, deadline_s: 60}]
"""

HOOK = """\
#!/bin/sh
exec >> /var/log/greenroom/peers
echo "$GREENROOM_EVENT $GREENROOM_PEER $(cat)"
"""

PATH = f"{Path(sys.executable).parent}:{REPOSITORY}/packaging/ansible:{ENVIRONMENT['PATH']}"


def lay_out(folder: Path) -> Site:
    """The blueprint and what it needs."""
    folder.mkdir()
    (folder / "greenroom.yaml").write_text(BLUEPRINT)
    (folder / "peer-changed").write_text(HOOK)
    return Site(folder)


def surroundings(folder: Path, **more: str) -> dict[str, str]:
    """The environment of a program that meets greenroom: its commands are found, and what the
    program keeps lies in ``folder``."""
    wanted = {"PATH": PATH, "HOME": str(folder), **more}
    return {**ENVIRONMENT, **wanted, "LC_ALL": "C.UTF-8", "TERM": os.environ.get("TERM", "dumb")}
