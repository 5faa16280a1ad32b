"""What a machine tells of its health, and when."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.unit.agent_region import (
    DOWN,
    UP,
    add_service,
    boot_document,
    install_s6,
    machine_paths,
    running_region,
    write_boot,
)

from greenroom.agent import health
from greenroom.agent.config import parse_boot
from greenroom.agent.errors import AgentError


class OverError(Exception):
    """The test has seen enough."""


class Nap:
    """Does not sleep; ``between`` happens instead, one thing at a time."""

    def __init__(self, *between):
        self.slept_s = []
        self.between = list(between)

    def __call__(self, seconds):
        self.slept_s.append(seconds)
        if not self.between:
            raise OverError
        self.between.pop(0)()


def nothing():
    pass


@pytest.fixture(autouse=True)
def never_late(monkeypatch):
    """However long a look takes on a busy host."""
    monkeypatch.setattr(health, "SPEAK_EVERY_S", float("inf"))


@pytest.fixture
def region():
    with running_region() as region:
        yield region


@pytest.fixture
def paths(tmp_path, monkeypatch):
    paths = machine_paths(tmp_path / "root")
    install_s6(paths, tmp_path / "bin", monkeypatch)
    return paths


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def watched(region, port, paths, *between, services=()):
    """Report until all of ``between`` has happened; how long it slept each time."""
    check = {"kind": "tcp", "port": port, "deadline_s": 1}
    config = parse_boot(boot_document(region, checks=[check], services=list(services)))
    nap = Nap(*between)
    with pytest.raises(OverError):
        health.report_health(config, f"{region.url}/health/0123", "127.0.0.1", paths, nap)
    return nap.slept_s


def test_a_machine_that_is_well_says_so_once_and_not_at_every_look(region, port, paths):
    slept = watched(region, port, paths, nothing, nothing, nothing)
    assert region.healths == [{"problems": []}]
    assert slept == [health.EVERY_S] * 4


def test_it_is_said_again_after_a_while(region, port, paths, monkeypatch):
    monkeypatch.setattr(health, "SPEAK_EVERY_S", 0.0)
    watched(region, port, paths, nothing, nothing)
    assert region.healths == [{"problems": []}] * 2


class Patient:
    """Has the problems that it is given."""

    def __init__(self, monkeypatch):
        self.problems = []
        monkeypatch.setattr(health, "problems_of", lambda *_: self.problems)

    def falls_ill(self):
        self.problems = ["port 80"]

    def recovers(self):
        self.problems = []


def test_what_fails_twice_is_told_and_so_is_its_end(region, port, paths, monkeypatch):
    patient = Patient(monkeypatch)
    between = (nothing, patient.falls_ill, nothing, patient.recovers)
    slept = watched(region, port, paths, *between)
    told = [{"problems": []}, {"problems": ["port 80"]}, {"problems": []}]
    assert region.healths == told
    assert health.AGAIN_S in slept


def test_what_fails_once_is_not_told(region, port, paths, monkeypatch):
    patient = Patient(monkeypatch)
    slept = watched(region, port, paths, nothing, patient.falls_ill, patient.recovers)
    assert region.healths == [{"problems": []}]
    assert slept[2] == health.AGAIN_S


def test_a_port_that_nobody_listens_on_is_a_problem(region, paths):
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        port = deaf.getsockname()[1]
        watched(region, port, paths, nothing, nothing)
    problem = f"port {port} did not accept a connection (connection refused)"
    assert region.healths == [{"problems": [problem]}]


def test_a_service_that_is_down_is_a_problem(region, port, paths):
    add_service(paths, "web", UP, before=DOWN)
    watched(region, port, paths, nothing, nothing, services=["web"])
    assert region.healths == [{"problems": ["service web is down"]}]


def test_what_the_region_did_not_take_is_said_again(region, port, paths):
    region.failures = [503, 429]
    watched(region, port, paths, nothing, nothing, nothing, nothing)
    assert region.healths == [{"problems": []}]
    region_url, region.url = region.url, "http://127.0.0.1:1"
    watched(region, port, paths, nothing)
    region.url = region_url
    assert len(region.healths) == 1


def test_what_is_said_is_bounded(region, port, paths, monkeypatch):
    monkeypatch.setattr(health, "problems_of", lambda *_: ["x" * 1000] * 20)
    watched(region, port, paths, nothing, nothing)
    (said,) = region.healths
    assert said["problems"] == ["x" * health.PROBLEM_CHARACTERS] * health.PROBLEMS_MAX


def test_an_agent_that_cannot_look_says_that(region, port, paths, monkeypatch):
    def broken(*_):
        raise AgentError("s6-svstat is not there")

    monkeypatch.setattr(health, "problems_of", broken)
    watched(region, port, paths, nothing, nothing)
    assert region.healths == [{"problems": ["its agent cannot look: s6-svstat is not there"]}]


def test_the_child_that_a_boot_leaves_is_the_only_one_and_holds_up_nobody(
    region, port, paths, tmp_path
):
    check = {"kind": "tcp", "port": port, "deadline_s": 1}
    write_boot(paths, boot_document(region, checks=[check], health_url=f"{region.url}/health/0"))
    script = (
        "import sys\n"
        "from greenroom.agent import health\n"
        "from greenroom.agent.boot import boot\n"
        "from greenroom.agent.paths import paths_from_environment\n"
        "health.EVERY_S = 0.01\n"
        "sys.exit(boot(paths_from_environment()))\n"
    )
    environment = {
        **os.environ,
        "GREENROOM_AGENT_ROOT": paths.root,
        "GREENROOM_AGENT_METADATA": region.url,
    }
    for _ in range(2):
        # With its output in a pipe: a child that kept it would be waited for.
        subprocess.run(
            [sys.executable, "-c", script], env=environment, check=True, capture_output=True
        )
    try:
        wait_until(lambda: region.healths)
        wait_until(lambda: len(reporters(paths)) == 1)
    finally:
        for pid in reporters(paths):
            os.kill(pid, signal.SIGTERM)
    wait_until(lambda: reporters(paths) == [])


def reporters(paths):
    """The processes that hold this machine's boot.json open."""
    found = []
    for folder in Path("/proc").glob("[0-9]*/fd"):
        with contextlib.suppress(OSError):
            if any(each.readlink() == Path(paths.boot) for each in folder.iterdir()):
                found.append(int(folder.parent.name))
    return found


def wait_until(true):
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end, "the state did not come"
        time.sleep(0.01)
