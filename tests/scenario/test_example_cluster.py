"""examples/cluster, brought up by its README's one command: a balancer whose members come from
the environment's names."""

from __future__ import annotations

import json
import urllib.request
from collections import Counter
from collections.abc import Iterator

import pytest

from greenroom.app.visitor import READERS
from tests.real.site import PORT, Site, bring_up, wait_until

HOST = "www.{}.cluster.localhost"
BACKENDS = {"backend1", "backend2", "backend3"}


@pytest.fixture(scope="module")
def cluster(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The example; the region and its end are those of ``site``."""
    made = bring_up("cluster", tmp_path_factory.mktemp("cluster"))
    yield made
    made.ok("destroy", "feature_x")


def answers(branch: str, number: int) -> Counter[str]:
    """Which machine answered how many of so many requests; one that fails, fails the test."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{PORT}/", headers={"Host": HOST.format(branch)}
    )
    found: Counter[str] = Counter()
    for _ in range(number):
        with urllib.request.urlopen(request, timeout=10) as answer:
            found[answer.read().decode().split()[0]] += 1
    return found


def test_the_one_command_brings_up_three_backends_that_share_the_load(cluster: Site) -> None:
    detail = cluster.data("show", "feature_x")
    assert detail["summary"]["verdict"] == "proved"
    assert {m["name"] for m in detail["machines"]} == {"balancer1", *BACKENDS}
    # HAProxy's turns know what a member got before another came up: that is evened out first.
    assert set(answers("feature-x", 60)) == BACKENDS
    shared = answers("feature-x", 60)
    assert min(shared.values()) >= 15, shared


def test_nobody_reaches_a_backend_but_through_the_balancer(cluster: Site) -> None:
    proof = cluster.data("flows", "feature_x")
    machines = {"balancer1", *BACKENDS}
    reached = {(f["source"], f["target"]) for f in proof["flows"] if f["reach"] == "open"}
    reached = {(source, target) for source, target in reached if target in machines}
    to_balancer = {(source, "balancer1") for source in (*BACKENDS, "outside")}
    assert reached == to_balancer | {("balancer1", backend) for backend in BACKENDS}


def test_a_backend_that_dies_is_left_out_and_found_and_comes_back(cluster: Site) -> None:
    service = "/etc/greenroom/service/nginx"
    assert cluster.inside("feature_x", "backend2", f"s6-svc -d -wd {service}")[0] == 0
    try:
        # No visitor sees an error, also before the balancer's own check has noticed.
        wait_until(lambda: "backend2" not in answers("feature-x", 12))
        assert set(answers("feature-x", 12)) == {"backend1", "backend3"}
        # Its own check asks every second, and gives a member up after a few.
        up = "2 of 3 backends are members and up"
        wait_until(lambda: up in cluster.greenroom("flows", "feature_x").stdout)
        done = cluster.greenroom("flows", "feature_x")
        assert done.returncode == 3
        assert "backend2: healthy (service nginx is down; " in done.stdout
        assert "balancer1 → backend2:80/tcp is refused, declared" in done.stdout
    finally:
        assert cluster.inside("feature_x", "backend2", f"s6-svc -u -wu {service}")[0] == 0
    wait_until(lambda: set(answers("feature-x", 12)) == BACKENDS)
    cluster.ok("flows", "feature_x")


def test_every_machine_is_thrown_away_in_turn_and_the_others_serve(cluster: Site) -> None:
    told = json.loads(cluster.ok("drill", "feature_x", "--throw-away", "--json").splitlines()[-1])

    assert told["environment"]["summary"]["verdict"] == "proved"
    seen = {row["machine"]: row["seen"] for row in told["timings"]}
    assert set(seen) == {"balancer1", *BACKENDS}
    for machine in BACKENDS:
        # The balancer goes to another member at once; what fails was on its way to this one.
        assert sum(count for _, count in seen[machine]["errors"]) <= READERS, seen
    assert set(answers("feature-x", 60)) == BACKENDS


@pytest.mark.parametrize("number", [1, 4])
def test_another_number_of_backends_needs_no_edit(cluster: Site, number: int) -> None:
    cluster.ok(f"create --machines balancer backend={number} --branch other")
    try:
        named = {f"backend{n}" for n in range(1, number + 1)}
        # A member that came up late makes good what it missed: one round may leave another out.
        wait_until(lambda: set(answers("other", 4 * number)) == named)
        # What the balancer checks of itself is that each name is a member which is up.
        assert cluster.data("show", "other")["summary"]["verdict"] == "proved"
    finally:
        cluster.ok("destroy", "other")
