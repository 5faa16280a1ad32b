"""What the inventory says of a machine, and what it calls a change (pure)."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.component.app_stage import make_stack, request
from tests.component.inventory_stage import BACKEND, NOW, record, seen

from greenroom.app.inventory.changes import changes_between, rolled_back
from greenroom.app.inventory.records import records_of
from greenroom.model.inventory import Health, MachineChange, MachineKey, MachineRecord
from greenroom.model.offers import services_of
from greenroom.model.stack import CommandCheck, HttpCheck, TcpCheck
from greenroom.model.views import Artifact, EnvironmentStatus, MachineReport


def test_a_record_says_what_others_want_to_know_of_a_machine() -> None:
    artifact = Artifact(key="backend-feature_x.tar.gz", sha256="ab" * 32, fallback=False)
    report = MachineReport(
        machine="backend1", phases=(), restore=None, artifact=artifact, notices=()
    )
    backend, db = records_of(seen(reports=(report,)), {}, NOW)
    assert backend.environment == "photos/feature-x"
    assert (backend.stack, backend.slug, backend.branch) == ("photos", "feature-x", "feature_x")
    assert (backend.role, backend.type) == ("backend", "backend")
    assert backend.public_dns == "api.feature-x.photos.localhost"
    assert backend.private_dns == "backend1.feature-x.photos.internal"
    assert (backend.image, backend.image_digest) == ("web", "web-digest")
    assert (backend.artifact_key, backend.artifact_sha256) == (artifact.key, artifact.sha256)
    assert backend.services == (("http", 80),)
    assert (backend.since, backend.health_since) == (NOW, NOW)
    assert db.public_dns is None
    assert db.artifact_key is None
    assert db.services == (("mysql", 3306),)


def test_a_machine_that_serves_all_branches_is_on_none() -> None:
    shared = make_stack(Path("/srv"), request(None, shared=("metrics",)))
    (backend, _) = records_of(replace(seen(), stack=shared), {}, NOW)
    assert backend.branch == ""
    assert backend.slug == "shared"


@pytest.mark.parametrize(
    ("status", "lost", "problems", "health", "failing"),
    [
        ("creating", ["backend1"], {}, "starting", ""),
        ("ready", [], {}, "healthy", ""),
        ("ready", [], {"backend1": ()}, "healthy", ""),
        ("not proved", [], {"backend1": ("port 80", "disk")}, "unhealthy", "port 80; disk"),
        ("recovering", ["backend1"], {}, "starting", ""),
        ("recovering", [], {}, "healthy", ""),
        ("stopped", ["backend1"], {}, "stopped", ""),
        ("starting", ["backend1"], {}, "starting", ""),
        ("failed", ["backend1"], {}, "stopped", ""),
        ("failed", [], {"backend1": ("port 80",)}, "unhealthy", "port 80"),
        ("destroying", [], {}, "stopped", ""),
    ],
)
def test_health_follows_from_the_environment_the_host_and_the_machines_own_word(
    status: str, lost: list[str], problems: dict[str, tuple[str, ...]], health: str, failing: str
) -> None:
    what = seen(EnvironmentStatus(status), lost=lost, problems=problems)
    backend, _ = records_of(what, {}, NOW)
    assert (backend.health, backend.failing) == (health, failing)


def test_what_was_known_holds_until_the_machine_is_heard_again() -> None:
    known = {"backend1": record(health=Health.UNHEALTHY, failing="port 80")}
    backend, _ = records_of(seen(), known, NOW)
    assert (backend.health, backend.failing) == (Health.UNHEALTHY, "port 80")
    backend, _ = records_of(seen(problems={"backend1": ()}), known, NOW)
    assert (backend.health, backend.failing) == (Health.HEALTHY, "")


def test_a_life_begins_when_a_machine_starts_and_not_when_its_health_changes() -> None:
    later = NOW + timedelta(hours=1)
    known = {"backend1": record()}
    sick, _ = records_of(seen(problems={"backend1": ("port 80",)}), known, later)
    assert (sick.since, sick.health_since) == (NOW, later)
    what = seen(EnvironmentStatus.RECOVERING, lost=("backend1",))
    begun, _ = records_of(what, {"backend1": sick}, later)
    assert (begun.since, begun.health_since) == (later, later)
    up, _ = records_of(seen(), {"backend1": begun}, later + timedelta(minutes=1))
    assert (up.since, up.health_since) == (later, later + timedelta(minutes=1))


def test_a_service_has_the_name_that_everybody_knows_or_its_ports_number() -> None:
    machine = make_stack(Path("/srv"), request()).machine("db1")
    checks = (
        HttpCheck(path="/", port=8080, status=200, contains="", deadline_s=1.0),
        TcpCheck(port=9100, deadline_s=1.0),
        TcpCheck(port=8080, deadline_s=1.0),
        CommandCheck(argv=("true",), deadline_s=1.0),
    )
    assert services_of(replace(machine, checks=checks)) == (("http", 8080), ("p9100", 9100))


_records = st.dictionaries(
    st.sampled_from(["backend1", "backend2", "db1"]),
    st.builds(
        record,
        health=st.sampled_from(Health),
        failing=st.sampled_from(["", "port 80"]),
        tags=st.sampled_from([(), (("role", "x"), ("branch", "ü"))]),
        public_dns=st.sampled_from([None, "api.photos.localhost"]),
        since=st.sampled_from([NOW, NOW + timedelta(seconds=1)]),
    ),
).map(
    lambda found: {
        ("photos/x", name): replace(each, environment="photos/x", name=name)
        for name, each in found.items()
    }
)


@given(st.lists(_records, min_size=1, max_size=6))
def test_the_changes_lead_back_to_every_former_state(
    states: list[dict[MachineKey, MachineRecord]],
) -> None:
    history: list[MachineChange] = []
    for before, after in itertools.pairwise(states):
        history += changes_between(before, after, NOW)
    assert rolled_back(states[-1], reversed(history)) == states[0]


def test_no_difference_is_no_change() -> None:
    mine = {BACKEND: record()}
    assert changes_between(mine, dict(mine), NOW) == ()
