"""The daemon is killed after every journalled step of every operation, and in the middle of each;
the next one completes what was begun or takes it back, and the host holds exactly what the ledger
says, no more and no less."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from greenroom.jobs.mortal import VARIABLE
from tests.real.books import has_ended, held, journalled
from tests.real.reboot import command_line, kill_and_wait, machine_pids, runs
from tests.real.site import (
    ENVIRONMENT,
    RUN,
    STATE,
    Site,
    daemon_pid,
    destroy_all,
    stop_daemon,
    wait_until,
)

KINDS = ("create", "recover", "deploy", "replace", "stop", "start", "destroy")
STEPS = {"create": 5, "recover": 4, "deploy": 2, "replace": 6, "stop": 1, "start": 4, "destroy": 1}
POINTS = {kind: 2 * steps + 2 for kind, steps in STEPS.items()}
WALKED = {kind: range(1, points + 2) for kind, points in POINTS.items()}
"""One more of each kind, to see that it has no further point. But a walk is long: a replace's first
four, where it is accepted and proves what stands, make nothing that others do not make; and from
its machines on a start is a recovery."""
WALKED |= {"replace": range(5, POINTS["replace"] + 2), "start": range(1, 5)}
AFTER = {"stop": "stopped", "destroy": None}
"""How an environment stands then; after all others it is ready."""
TIMEOUT_S = 300.0


class Walk:
    """Operations on one environment after the other, each under a daemon that is to die."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.deaths: Counter[str] = Counter()
        self._armed = ""

    def perform(self, kind: str, branch: str, point: int, then: str, *, dies: bool) -> None:
        """Run an operation under a daemon that dies at that point of it, or that lives because
        the operation has fewer.

        The daemon that takes over is to die at ``then``.
        """
        self._arm(f"{kind}:{point}")
        doomed = daemon_pid()
        if kind == "recover":
            kill_and_wait([_first_process(branch)])
        else:
            self._run(_words(kind, branch), then)
        if dies:
            wait_until(lambda: not runs(doomed), TIMEOUT_S)
            self.deaths[kind] += 1
            self._run(["list"], then)
            self._armed = then
        wait_until(lambda: has_ended(f"walk/{branch}", kind), TIMEOUT_S)
        self.site.ok("list")
        assert runs(doomed) != dies, f"{kind} at point {point}"

    def status(self, branch: str) -> str | None:
        """Of the environment, or None."""
        found = [e for e in self.site.data("list") if e["branch"] == branch]
        return str(found[0]["status"]) if found else None

    def _arm(self, point: str) -> None:
        if self._armed == point and runs(daemon_pid()):
            return
        stop_daemon(self.site)
        with (STATE / "daemon.log").open("ab") as log:
            subprocess.Popen(
                [sys.executable, "-m", "greenroom.cli", "serve"],
                env={**ENVIRONMENT, VARIABLE: point},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until((RUN / "daemon.sock").exists, TIMEOUT_S)
        self._armed = point

    def _run(self, words: list[str], then: str) -> None:
        """Whatever it says: a command whose daemon dies is told of it or starts another."""
        subprocess.run(
            [sys.executable, "-m", "greenroom.cli", *words],
            cwd=self.site.folder,
            env={**ENVIRONMENT, VARIABLE: then},
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )


@pytest.fixture
def walk(site: Site, tmp_path: Path) -> Iterator[Walk]:
    """In a site whose only machine has a volume, a deploy, a route and a service."""
    destroy_all(site)
    own = site.copied(tmp_path / "walk")
    shutil.copy(Path(__file__).with_name("walk.yaml"), own.folder / "greenroom.yaml")
    # The example's jobs run on machines that this one does not have.
    shutil.rmtree(own.folder / "jobs")
    yield Walk(own)
    stop_daemon(own)
    destroy_all(own)


def test_a_crash_at_any_point_of_any_operation_is_made_good(walk: Walk) -> None:
    # The first makes image and golden volume, which stay.
    walk.site.ok("create", "--branch", "first")
    walk.site.ok("destroy", "first")
    last = max(POINTS.values()) + 1
    journey = [(p, kind) for p in range(1, last + 1) for kind in KINDS if p in WALKED[kind]]
    for (point, kind), (next_point, next_kind) in pairwise((*journey, (1, ""))):
        branch = f"at-{point}"
        # Whoever takes an operation over counts its points too, so it must not wait for one of the
        # next of the same kind.
        then = f"{next_kind}:{next_point}" if next_kind not in ("", kind) else ""
        if kind != "create" and walk.status(branch) is None:
            walk.site.ok("create", "--branch", branch)
        walk.perform(kind, branch, point, then, dies=point <= POINTS[kind])
        assert walk.status(branch) == AFTER.get(kind, "ready"), (kind, point)
        name = f"walk/{branch}"
        assert held(name) == journalled(name), f"{kind}, after a death at point {point}"
        assert bool(held(name)) == (kind != "destroy")
        if next_point != point and kind != "destroy":
            walk.site.ok("destroy", branch)
    assert walk.deaths == {
        kind: sum(point <= POINTS[kind] for point in walked) for kind, walked in WALKED.items()
    }


def test_a_crash_at_any_point_of_a_create_that_fails_leaves_nothing(walk: Walk) -> None:
    walk.site.edit("greenroom.yaml", "[test, -f, /srv/app/current/public/index.php]", '["false"]')
    walk.site.edit("greenroom.yaml", "deadline_s: 20", "deadline_s: 1")
    # images, ground, machines (which fails), compensate
    points = 2 * 4 + 2
    for point in range(1, points + 2):
        branch = f"fails-{point}"
        walk.perform("create", branch, point, "", dies=point <= points)
        assert walk.status(branch) is None
        assert held(f"walk/{branch}") == journalled(f"walk/{branch}") == set()


def _words(kind: str, branch: str) -> list[str]:
    words = {"create": ["create", "--branch", branch], "replace": ["replace", branch, "db1"]}
    return words.get(kind, [kind, branch])


def _first_process(branch: str) -> int:
    for pid in machine_pids(f"walk.{branch}", "db1"):
        if command_line(pid).startswith(b"s6-svscan"):
            return pid
    raise AssertionError(f"no machine of {branch} runs")
