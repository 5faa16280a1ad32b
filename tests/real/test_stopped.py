"""An environment that is stopped holds no process, keeps its data, and says at its URL what it is;
and what no environment owns is found on the host."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.real.reboot import machine_pids
from tests.real.site import STATE, Site, destroy_all, get, stop_daemon

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
