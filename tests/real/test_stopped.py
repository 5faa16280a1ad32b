"""An environment that is stopped holds no process, keeps its data, and says at its URL what it is;
and what no environment owns is found on the host."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenroom.providers.local.cgroups import cgroup_folders
from tests.real.reboot import machine_pids
from tests.real.site import REGION, STATE, Site, destroy_all, get, stop_daemon, wait_until

HOST = "api.stays.photos.localhost"
_WRITE = 'mariadb -e "CREATE TABLE mine (x INT); INSERT INTO mine VALUES (7)" photos'
_READ = 'mariadb -N -e "SELECT x FROM mine" photos'


@pytest.fixture
def stays(site: Site) -> Iterator[Site]:
    """The site with branch ``stays`` and nothing else."""
    destroy_all(site)
    site.ok("create", "--machines", "backend", "db", "feed", "--branch", "stays")
    yield site
    destroy_all(site)


def test_a_stopped_environment_frees_its_memory_and_comes_back_with_its_data(stays: Site) -> None:
    assert stays.inside("stays", "db1", _WRITE) == (0, "")
    page = get(HOST)
    assert page[0] == 200

    assert "is stopped" in stays.ok("stop", "stays")

    told = (503, "photos/stays is stopped; greenroom start photos/stays boots it again.\n")
    assert get(HOST) == told
    assert machine_pids("photos.stays") == set()
    assert (STATE / "pool/environments/photos.stays/db1/volume").is_dir()
    refused = stays.greenroom("exec", "stays", "db1", "--", "true")
    assert (refused.returncode, "E_NOT_READY" in refused.stderr) == (4, True)
    # The database was asked to end, not killed.
    assert "Shutdown complete" in stays.ok("logs", "stays", "--machine", "db1")

    stop_daemon(stays)
    assert [e["status"] for e in stays.data("list")] == ["stopped"]
    assert get(HOST) == told

    assert "runs and is proved" in stays.ok("start", "stays")
    assert stays.inside("stays", "db1", _READ) == (0, "7\n")
    assert get(HOST) == page
    assert stays.data("show", "stays")["incidents"] == []


def test_what_no_environment_owns_is_named_and_removed(stays: Site) -> None:
    folder = leave_behind("photos.gone")
    stranger = f"{REGION}.nobody"
    subprocess.run(["ip", "netns", "add", stranger], check=True)
    try:
        done = stays.greenroom("doctor", "--orphans")
        assert done.returncode == 1
        found = {tuple(line.split(maxsplit=1)) for line in done.stdout.splitlines()}
        assert found >= {
            ("photos/gone", f"network namespace  {REGION}.photos.gone.db1"),
            ("photos/gone", f"cgroup             /{REGION}/photos.gone"),
            ("photos/gone", f"directory          {folder}"),
            ("(nobody)", f"network namespace  {stranger}"),
        }
        assert not [line for line in done.stdout.splitlines() if "photos.stays" in line]

        assert "photos/gone: " in stays.greenroom("doctor", "--orphans", "--remove").stdout
        assert holds("photos.gone") == []
        assert Path("/run/netns", stranger).exists()
    finally:
        subprocess.run(["ip", "netns", "delete", stranger], check=True)
    assert stays.ok("doctor", "--orphans").startswith("the host holds nothing")

    # Of what the ledger knows to be gone, the daemon removes what is left by itself.
    stays.ok("destroy", "stays")
    leave_behind("photos.stays")
    stop_daemon(stays)
    stays.ok("list")
    wait_until(lambda: holds("photos.stays") == [])


def leave_behind(key: str) -> Path:
    """A namespace, a cgroup and a folder of an environment that does not exist."""
    subprocess.run(["ip", "netns", "add", f"{REGION}.{key}.db1"], check=True)
    for folder in cgroup_folders(f"/{REGION}"):
        (folder / key / "db1").mkdir(parents=True)
    left = STATE / "pool/environments" / key
    (left / "db1/upper").mkdir(parents=True)
    return left


def holds(key: str) -> list[Path]:
    """What there is of them."""
    places = [STATE / "pool/environments" / key, *cgroup_folders(f"/{REGION}/{key}")]
    there = [place for place in places if place.exists()]
    return [*there, *Path("/run/netns").glob(f"{REGION}.{key}.*")]
