"""Machines of the photo feed that are thrown away come back as they were declared, and a client
that reads meanwhile is told of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from greenroom.app.visitor import READERS
from tests.real.books import held
from tests.real.reboot import machine_pids
from tests.real.site import Site, get

HOST = "api.feature-x.photos.localhost"
_COUNT = 'mariadb -N -e "SELECT COUNT(*) FROM likes" photos'
_KINDS = {"connection refused", "connection broken", "timeout", "502", "503", "504"}


def rows_of(site: Site, *words: str) -> list[Any]:
    """The timings that the operation ends with; it succeeded, and all of it is proved."""
    last = json.loads(site.ok(*words, "--json").splitlines()[-1])
    assert last["environment"]["summary"]["verdict"] == "proved"
    assert [row["verdict"] for row in last["timings"]] == ["proved"] * len(last["timings"])
    rows: list[Any] = last["timings"]
    return rows


def test_stateless_machines_boot_anew_and_behave_as_before(feature: Site) -> None:
    mark = "touch /root/by-hand /tmp/by-hand"
    for machine in ("backend1", "feed1", "db1"):
        assert feature.inside("feature_x", machine, mark)[0] == 0
    database, before, page = (
        machine_pids("photos.feature-x", "db1"),
        held("photos/feature-x"),
        get(HOST),
    )

    rows = rows_of(feature, "replace", "feature_x", "--stateless")

    assert [row["machine"] for row in rows] == ["backend1", "feed1"]
    assert all(0 < row["boot_s"] <= row["total_s"] for row in rows)
    assert held("photos/feature-x") == before
    assert get(HOST) == page
    assert machine_pids("photos.feature-x", "db1") & database
    for machine, left in (("backend1", "gone"), ("feed1", "gone"), ("db1", "there")):
        looked = "test -e /root/by-hand && echo there || echo gone"
        assert feature.inside("feature_x", machine, looked) == (0, f"{left}\n")


def test_a_machine_with_data_keeps_its_volume_on_a_new_root_disk(feature: Site) -> None:
    script = 'mariadb -e "CREATE TABLE mine (x INT); INSERT INTO mine VALUES (7)" photos'
    assert feature.inside("feature_x", "db1", f"{script}; touch /root/by-hand")[0] == 0
    restores, likes = feature.data("show", "feature_x")["restores"], _likes(feature)

    rows_of(feature, "replace", "feature_x", "db1")

    assert feature.inside("feature_x", "db1", 'mariadb -N -e "SELECT x FROM mine" photos') == (
        *(0, "7\n"),
    )
    assert feature.inside("feature_x", "db1", "test -e /root/by-hand")[0] == 1
    assert feature.data("show", "feature_x")["restores"] == restores
    assert _likes(feature) == likes
    assert feature.inside("feature_x", "db1", 'mariadb -e "DROP TABLE mine" photos')[0] == 0


def test_a_drill_counts_what_a_client_met_while_each_machine_was_away(feature: Site) -> None:
    rows = rows_of(feature, "drill", "feature_x", "--throw-away")

    assert [row["machine"] for row in rows] == ["backend1", "feed1"]
    for row in rows:
        seen = row["seen"]
        assert seen["whole"] and seen["requests"] > sum(n for _, n in seen["errors"])
        assert {kind for kind, _ in seen["errors"]} <= _KINDS
        assert seen["longest_gap_s"] > 0


@pytest.fixture
def pair(site: Site) -> Iterator[Site]:
    site.ok("create", "--machines", "backend=2", "db", "feed", "--branch", "pair")
    yield site
    site.ok("destroy", "pair")


def test_of_two_machines_of_a_type_the_other_one_serves(pair: Site) -> None:
    rows = rows_of(pair, "drill", "pair", "--throw-away")

    backends = [row for row in rows if row["machine"].startswith("backend")]
    assert [row["machine"] for row in backends] == ["backend1", "backend2"]
    for row in backends:
        # Only what was on its way when the machine was killed: one request of each reader.
        assert sum(count for _, count in row["seen"]["errors"]) <= READERS, row


def test_a_restore_drill_verifies_the_artefact_and_leaves_nothing(feature: Site) -> None:
    before, likes = held("photos/feature-x"), _likes(feature)

    (row,) = rows_of(feature, "drill", "feature_x")

    assert (row["kind"], row["machine"]) == ("drill", "db-drill")
    assert 0 < row["restore_s"] <= row["boot_s"] <= row["total_s"]
    assert held("photos/feature-x") == before
    assert _likes(feature) == likes


def _likes(site: Site) -> str:
    code, count = site.inside("feature_x", "db1", _COUNT)
    assert code == 0
    return count
