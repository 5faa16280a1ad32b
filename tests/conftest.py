"""How properties are tried; and, for tests/real and tests/scenario, real machines on this host in a
region of the tests' own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.real import host
from tests.real.reboot import lose_the_world
from tests.real.site import (
    REGION,
    REGION_FOLDERS,
    RUN,
    SEED_COMMAND,
    Site,
    destroy_all,
    make_site,
    refuse_if_in_use,
    stop_daemon,
)

# A busy host is no fault, so nothing here is held to a time; and what is landed must not hang on
# the day's random numbers. `--hypothesis-profile search` looks for more.
settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", parent=settings.get_profile("search"), derandomize=True)
settings.load_profile("same")


@pytest.fixture(scope="session")
def bare_host() -> host.HostState:
    """The host before the region's daemon ever ran."""
    assert os.geteuid() == 0, "tests/real and tests/scenario boot machines and need root"
    refuse_if_in_use(RUN)
    # What a run that was killed has left.
    lose_the_world()
    remove_state()
    return host.take(REGION, REGION_FOLDERS)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, bare_host: host.HostState) -> Iterator[Site]:
    """The photos example in a clean region; at the end the host must be as it was."""
    made = make_site(tmp_path_factory.mktemp("site") / "photos")
    yield made
    destroy_all(made)
    stop_daemon(made)
    remove_state()
    assert host.take(REGION, REGION_FOLDERS).changes_since(bare_host) == {}


def remove_state() -> None:
    """The region's files; its daemon is down, so nothing is mounted there any more."""
    # All of them first: half a region is worse than one that is in the way.
    for folder in REGION_FOLDERS:
        assert not (folder / "pool").is_mount(), f"{folder} is in use: stop its daemon first"
    for folder in REGION_FOLDERS:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def feature(site: Site) -> Iterator[Site]:
    """The site with branch feature_x booted."""
    if not any(environment["name"] == "photos/feature-x" for environment in site.data("list")):
        site.ok(SEED_COMMAND)
    yield site
