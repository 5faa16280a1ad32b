"""The same three servers by docker compose and by podman-compose, until they answer.

Root filesystems, configuration, data and code are the ones of our machines. What a peer does not
do is not asked of it: its data is cloned and its code unpacked before the clock starts, and its
``down`` may kill at once, as our destroy does.
"""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import answers
import site_of_bench as site
from peers import CGROUP, Peers

_FILE = """\
services:
  backend:
    image: {registry}bench/web
    command: ["sh", "-c", "{php} & {nginx}"]
    volumes: ["/store/code:/var/www/backend/current:ro"]
    networks: {{site: {{ipv4_address: 10.89.0.10}}}}
    cgroup_parent: {cgroup}
  db:
    image: {registry}bench/mariadb
    command: ["sh", "-c", "{mariadb}"]
    volumes: ["/store/data:/data"]
    networks: {{site: {{ipv4_address: 10.89.0.11}}}}
    cgroup_parent: {cgroup}
  feed:
    image: {registry}bench/redis
    command: ["sh", "-c", "{redis}"]
    networks: {{site: {{ipv4_address: 10.89.0.12}}}}
    cgroup_parent: {cgroup}
networks:
  site:
    ipam: {{config: [{{subnet: 10.89.0.0/24}}]}}
"""
_ANSWERS = (
    answers.page("10.89.0.10", "/health"),
    answers.mariadb("10.89.0.11"),
    answers.redis("10.89.0.12"),
)


@dataclass(frozen=True, slots=True)
class Peer:
    """One way to run a compose file."""

    name: str
    registry: str
    command: tuple[str, ...]


DOCKER = Peer("docker compose", "", ("docker-compose",))
PODMAN = Peer(
    "podman-compose",
    "localhost/",
    ("env", "PYTHONPATH=/opt/peers", "python3", "-m", "podman_compose"),
)
BOTH = (DOCKER, PODMAN)


def prepare(peers: Peers, site_folder: Path) -> None:
    """Compose files and code; the images are imported already."""
    for peer in BOTH:
        text = _FILE.format(registry=peer.registry, cgroup=CGROUP, **_commands())
        (peers.store / f"{peer.command[-1]}.yaml").write_text(text)
    with tarfile.open(site_folder / "artifacts" / "backend-feature_x.tar.gz") as artifact:
        artifact.extractall(peers.store / "code", filter="data")


def _commands() -> dict[str, str]:
    """What the images' services run."""
    found = {}
    for service, image in {
        "php": "web",
        "nginx": "web",
        "mariadb": "mariadb",
        "redis": "redis",
    }.items():
        (folder,) = (site.image_root(image) / "etc/greenroom/service").glob(f"{service}*")
        found[service] = (folder / "run").read_text().splitlines()[-1]
    # The first of two in a shell that goes on.
    found["php"] = found["php"].removeprefix("exec ")
    return found


def up_and_down(peers: Peers, peer: Peer, golden: Path) -> tuple[float, float]:
    """Seconds from the start of ``up`` until all three answer, and those of ``down``."""
    site.clone(golden, peers.store / "data")
    try:
        up_s = site.timed(lambda: _up(peers, peer))
    finally:
        down_s = site.timed(lambda: peers.run(*_words(peer, "down", "-t", "0")))
        shutil.rmtree(peers.store / "data")
    return up_s, down_s


def _up(peers: Peers, peer: Peer) -> None:
    peers.run(*_words(peer, "up", "-d"))
    peers.in_network(lambda: answers.wait_for(_ANSWERS))
    site.favour(f"/{CGROUP}")


def _words(peer: Peer, *words: str) -> Sequence[str]:
    return (*peer.command, "-p", "site", "-f", f"/store/{peer.command[-1]}.yaml", *words)
