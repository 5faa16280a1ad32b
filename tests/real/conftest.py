"""Real machines on this host, in a region of the tests' own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real import host
from tests.real.site import REGION, SEED_COMMAND, Site, make_site, stop_daemon


def pytest_configure(config: pytest.Config) -> None:
    if os.geteuid() != 0:
        raise pytest.UsageError("tests/real boots machines and needs root")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The photos example in a clean region; at the end the host must be as it was."""
    remove_state()
    before = host.take(REGION)
    made = make_site(tmp_path_factory.mktemp("site") / "photos")
    yield made
    for environment in made.data("list"):
        made.greenroom("destroy", environment["name"], "--confirm", environment["name"])
    stop_daemon(made)
    left = host.take(REGION).left_since(before)
    remove_state()
    assert left == {}


def remove_state() -> None:
    """The region's files; its daemon is down, so nothing is mounted there any more."""
    for folder in (Path("/var/lib") / REGION, Path("/run") / REGION):
        assert not (folder / "pool").is_mount(), f"{folder} is in use: stop its daemon first"
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def feature(site: Site) -> Iterator[Site]:
    """The site with branch feature_x booted."""
    if not any(environment["branch"] == "feature_x" for environment in site.data("list")):
        site.ok(SEED_COMMAND)
    yield site
