"""A region whose ledger lies in a real PostgreSQL: a branch boots, a second daemon is refused, and
a server that goes away and comes back costs nobody their environment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import PostgresServer, make_server
from tests.real.site import (
    ENVIRONMENT,
    FREE_NET,
    LABEL,
    PORT,
    SEED_COMMAND,
    Site,
    destroy_all,
    get,
    stop_daemon,
)

FEATURE = "api.feature-x.photos.localhost"
SECOND = f"{LABEL}2"
"""A region that never comes up."""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    made = make_server()
    yield made
    made.remove()


@pytest.fixture(scope="module")
def url(server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> str:
    return server.url_of(tmp_path_factory.mktemp("ledger"))


@pytest.fixture
def on_postgresql(site: Site, url: str) -> Iterator[Site]:
    """The site, with its daemon's ledger in the server; afterwards it is in its file again."""
    # The host holds the environments of one ledger.
    destroy_all(site)
    stop_daemon(site)
    elsewhere = Site(site.folder, {"GREENROOM_DATABASE_URL": url})
    yield elsewhere
    destroy_all(elsewhere)
    stop_daemon(elsewhere)
    for folder in ("/run", "/var/lib"):
        # Its daemon never came further than its log.
        shutil.rmtree(Path(folder, f"greenroom-{SECOND}"), ignore_errors=True)


def test_a_branch_boots_and_outlives_the_server_of_its_ledger(
    on_postgresql: Site, server: PostgresServer, url: str
) -> None:
    assert on_postgresql.data("list") == []
    on_postgresql.ok(SEED_COMMAND)
    assert get(FEATURE)[0] == 200

    second = {"GREENROOM_DATABASE_URL": url, "GREENROOM_REGION": SECOND}
    second |= {"GREENROOM_CIDR": f"{FREE_NET}.0.0/16", "GREENROOM_PORT": str(PORT + 1)}
    refused = Site(on_postgresql.folder, second).greenroom("list", "--json")
    error = json.loads(refused.stderr)["error"]
    assert (refused.returncode, error["code"]) == (4, "E_LEDGER_HELD")
    assert "is held by greenroom" in error["message"]

    server.stop()
    away = on_postgresql.greenroom("list", "--json")
    assert json.loads(away.stderr)["error"]["code"] == "E_LEDGER_AWAY"
    assert (away.returncode, get(FEATURE)[0]) == (1, 200)
    server.start()

    (environment,) = on_postgresql.data("list")
    assert (environment["name"], environment["status"]) == ("photos/feature-x", "ready")
    on_postgresql.ok("flows", "feature_x")
    assert "0 left over" in on_postgresql.ok("destroy", "feature_x")


def test_a_url_of_another_database_ends_the_daemon_at_its_start(on_postgresql: Site) -> None:
    stop_daemon(on_postgresql)
    wrong = {"GREENROOM_DATABASE_URL": "mysql://root:hush@localhost/ledger"}
    done = subprocess.run(
        [sys.executable, "-m", "greenroom.cli", "serve", "--json"],
        env={**os.environ, **ENVIRONMENT, **wrong},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=Path("/"),
    )
    assert done.returncode == 1
    assert "hush" not in done.stderr
    assert json.loads(done.stderr.splitlines()[-1])["error"]["message"] == (
        "the ledger's URL begins with 'mysql': expected sqlite or postgresql"
    )
