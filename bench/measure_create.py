"""Create and destroy, beside docker compose, podman-compose and the bare server."""

from __future__ import annotations

from pathlib import Path

import bare
import compose
import site_of_bench as site
from peers import running_peers
from table import Row, milliseconds

_BRANCH = "feature_x"


def measure(folder: Path, rounds: int) -> list[Row]:
    """One row per bar. Every round measures each of them, so that all meet the same weather."""
    site.create(folder, _BRANCH)
    small = [
        Row(what=f"greenroom {words}", ours=milliseconds(_repeated(folder, rounds, words)))
        for words in (f"flows {_BRANCH}", "list", "--help")
    ]
    site.destroy(folder, _BRANCH)
    golden = site.golden_volume()
    ours: list[float] = []
    gone: list[float] = []
    bares: list[float] = []
    peers_up: dict[compose.Peer, list[float]] = {peer: [] for peer in compose.BOTH}
    peers_down: dict[compose.Peer, list[float]] = {peer: [] for peer in compose.BOTH}
    with running_peers() as peers:
        peers.import_images()
        compose.prepare(peers, folder)
        for number in range(rounds + 1):
            ours.append(site.timed(lambda: site.create(folder, _BRANCH)))
            gone.append(site.timed(lambda: site.destroy(folder, _BRANCH)))
            bares.append(bare.first_query_s(golden))
            for peer in compose.BOTH:
                up_s, down_s = compose.up_and_down(peers, peer, golden)
                peers_up[peer].append(up_s)
                peers_down[peer].append(down_s)
            if number == 0:
                # The first round warms everybody up.
                for kept in (ours, gone, bares, *peers_up.values(), *peers_down.values()):
                    kept.clear()
    create, destroy = milliseconds(ours), milliseconds(gone)
    docker_up, docker_down = peers_up[compose.DOCKER], peers_down[compose.DOCKER]
    podman_up = peers_up[compose.PODMAN]
    return [
        Row(
            what="create to proved, beside docker compose until it answers",
            ours=create,
            peer=milliseconds(docker_up),
            at_most=0.5,
        ),
        Row(
            what="create to proved, beside podman-compose until it answers",
            ours=create,
            peer=milliseconds(podman_up),
            at_most=0.5,
        ),
        Row(
            what="create to proved, beside the bare mariadbd to its first query",
            ours=create,
            peer=milliseconds(bares),
            at_most=2,
        ),
        Row(what="destroy to the receipt", ours=destroy, at_most=300),
        Row(
            what="destroy to the receipt, beside docker compose down",
            ours=destroy,
            peer=milliseconds(docker_down),
            at_most=0.2,
        ),
        *small,
    ]


def _repeated(folder: Path, rounds: int, words: str) -> list[float]:
    return [site.timed(lambda: site.greenroom(folder, *words.split())) for _ in range(rounds)]
