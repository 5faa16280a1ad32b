"""Who is there, how they stand, and how they stood."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from app_stage import Stage, make_stack, request
from hypothesis import given
from hypothesis import strategies as st

from greenroom.app.inventory import service
from greenroom.app.inventory.changes import changes_between, rolled_back
from greenroom.app.inventory.records import Seen, records_of
from greenroom.app.inventory.service import Inventory
from greenroom.errors import InputError
from greenroom.model.incidents import Ended, Part
from greenroom.model.inventory import (
    ChangeKind,
    Health,
    MachineChange,
    MachineKey,
    MachineQuery,
    MachineRecord,
)
from greenroom.model.names import EnvironmentName
from greenroom.model.offers import services_of
from greenroom.model.requests import DestroyRequest, ReplaceRequest
from greenroom.model.stack import CommandCheck, HttpCheck, TcpCheck
from greenroom.model.views import Artifact, EnvironmentStatus, MachineReport
from greenroom.store import inventory as queries

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
NAME = EnvironmentName("photos", "feature-x")
BACKEND = ("photos/feature-x", "backend1")
DB = ("photos/feature-x", "db1")
TIMEOUT_S = 20.0


class SteppedClock:
    """Stands still until it is told otherwise."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at

    def monotonic_s(self) -> float:
        return (self.at - NOW).total_seconds()

    def step(self, **time_: float) -> None:
        self.at += timedelta(**time_)


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def stage(tmp_path: Path, clock: SteppedClock) -> Iterator[Stage]:
    stage = Stage(tmp_path, clock=clock)
    yield stage
    stage.close()


def inventory_of(stage: Stage) -> Inventory:
    return Inventory(database=stage.database, provider=stage.provider, clock=stage.clock)


def all_of(inventory: Inventory) -> dict[MachineKey, MachineRecord]:
    return {record.key: record for record in inventory.machines(MachineQuery()).machines}


def at_once(inventory: Inventory, at: datetime) -> tuple[MachineRecord, ...]:
    return inventory.machines_at(MachineQuery(), at, limit=100).machines


def record(name: str = "backend1", **fields: object) -> MachineRecord:
    stack = make_stack(Path("/srv"), request())
    seen = Seen(stack=stack, status=EnvironmentStatus.READY, reports=(), lost=(), problems={})
    (found,) = (each for each in records_of(seen, {}, NOW) if each.name == name)
    return replace(found, **fields)  # type: ignore[arg-type]


def seen(status: EnvironmentStatus = EnvironmentStatus.READY, **fields: object) -> Seen:
    values = {"reports": (), "lost": (), "problems": {}} | fields
    return Seen(stack=make_stack(Path("/srv"), request()), status=status, **values)  # type: ignore[arg-type]


# The records of an environment.


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


# Changes and the way back.

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


# The service.


def test_the_inventory_follows_an_environment_from_its_first_to_its_last_machine(
    stage: Stage, clock: SteppedClock
) -> None:
    inventory = inventory_of(stage)
    stage.world.faults.hang_at = "machines"
    operation = stage.create()
    until(lambda: inventory.look() or all_of(inventory))
    assert {each.health for each in all_of(inventory).values()} == {Health.STARTING}
    clock.step(seconds=10)
    stage.world.release()
    stage.finish(operation.id)
    changes = inventory.look()
    assert [change.kind for change in changes] == [ChangeKind.CHANGED, ChangeKind.CHANGED]
    backend = all_of(inventory)[BACKEND]
    assert backend.health is Health.HEALTHY
    assert backend.artifact_key == "backend-feature_x.tar.gz"
    assert (backend.since, backend.health_since) == (NOW, NOW + timedelta(seconds=10))
    assert inventory.look() == ()
    stage.run(DestroyRequest(environment="feature-x"))
    assert [change.kind for change in inventory.look()] == [ChangeKind.GONE, ChangeKind.GONE]
    assert all_of(inventory) == {}


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + TIMEOUT_S
    while not true():
        assert time.monotonic() < end, "the state did not come"
        time.sleep(0.002)


def test_a_restart_goes_on_from_what_was_written_down(stage: Stage) -> None:
    stage.run(request())
    inventory_of(stage).look()
    stage.world.held(NAME).problems["db1"] = ("port 3306 did not accept a connection",)
    (change,) = inventory_of(stage).look()
    assert (change.machine, change.kind) == ("db1", ChangeKind.CHANGED)
    told = {each.field: (each.before, each.after) for each in change.fields}
    assert told["health"] == ("healthy", "unhealthy")


def test_the_inventory_tells_how_it_was_at_a_time(stage: Stage, clock: SteppedClock) -> None:
    inventory = inventory_of(stage)
    stage.run(request())
    inventory.look()
    clock.step(minutes=5)
    stage.world.held(NAME).problems["db1"] = ("port 3306",)
    inventory.look()
    clock.step(minutes=5)
    stage.run(DestroyRequest(environment="feature-x"))
    inventory.look()

    def health_at(**ago: float) -> dict[str, Health]:
        at = clock.now() - timedelta(**ago)
        return {each.name: each.health for each in at_once(inventory, at)}

    assert health_at(minutes=0) == {}
    assert health_at(minutes=1) == {"backend1": Health.HEALTHY, "db1": Health.UNHEALTHY}
    assert health_at(minutes=6) == {"backend1": Health.HEALTHY, "db1": Health.HEALTHY}
    assert health_at(minutes=11) == {}
    changes = inventory.changes(MachineQuery(), NOW + timedelta(minutes=1), 100)
    assert [(each.machine, each.kind) for each in changes] == [
        ("db1", ChangeKind.CHANGED),
        ("backend1", ChangeKind.GONE),
        ("db1", ChangeKind.GONE),
    ]
    assert inventory.changes(MachineQuery(stack="other"), NOW - timedelta(minutes=1), 100) == ()
    only_newest = inventory.changes(MachineQuery(), NOW - timedelta(minutes=1), 1)
    assert [(each.machine, each.kind) for each in only_newest] == [("db1", ChangeKind.GONE)]


def test_a_time_that_is_not_known_is_refused(stage: Stage, clock: SteppedClock) -> None:
    inventory = inventory_of(stage)
    stage.run(request())
    inventory.look()
    with pytest.raises(InputError, match="has not come yet") as refused:
        inventory.machines_at(MachineQuery(), clock.now() + timedelta(seconds=1), limit=10)
    assert refused.value.code == "E_INVENTORY_TIME"


def test_what_is_older_than_a_month_is_forgotten_and_said_to_be(
    stage: Stage, clock: SteppedClock
) -> None:
    inventory = inventory_of(stage)
    stage.run(request())
    inventory.look()
    clock.step(days=31)
    stage.world.held(NAME).problems["db1"] = ("port 3306",)
    inventory.look()
    with pytest.raises(InputError, match="is not known any more") as refused:
        inventory.changes(MachineQuery(), NOW - timedelta(seconds=1), 100)
    assert refused.value.hint == f"changes are kept since {NOW.isoformat()}"
    then = at_once(inventory, NOW)
    assert [each.health for each in then] == [Health.HEALTHY, Health.HEALTHY]


def test_no_more_changes_are_kept_than_there_is_room_for(
    stage: Stage, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "CHANGES_MAX", 3)
    inventory = inventory_of(stage)
    stage.run(request())
    inventory.look()
    for times in range(4):
        clock.step(seconds=service.FORGET_EVERY_S + 1)
        stage.world.held(NAME).problems["db1"] = (f"problem {times}",)
        inventory.look()
    with stage.database.read() as connection:
        kept = queries.changes_since(connection, NOW - timedelta(days=1), MachineQuery())
        begins = queries.history_begins(connection)
    assert len(kept) == 3
    assert begins is not None and NOW < begins < kept[-1].at


def test_a_clock_that_was_set_back_makes_no_history_that_runs_backwards(
    stage: Stage, clock: SteppedClock
) -> None:
    inventory = inventory_of(stage)
    stage.run(request())
    inventory.look()
    clock.step(hours=-1)
    stage.world.held(NAME).problems["db1"] = ("port 3306",)
    (change,) = inventory.look()
    assert change.at == NOW


@pytest.mark.parametrize("branch", ["feature_x", "feature-x"])
def test_machines_are_found_by_what_is_known_of_them(stage: Stage, branch: str) -> None:
    inventory = inventory_of(stage)
    for other in ("feature_x", "master"):
        stage.run(request(other))
    inventory.look()

    def names(**query: object) -> list[str]:
        page = inventory.machines(MachineQuery(**query))  # type: ignore[arg-type]
        return [f"{each.slug}/{each.name}" for each in page.machines]

    assert names() == ["feature-x/backend1", "feature-x/db1", "master/backend1", "master/db1"]
    assert names(branch=branch) == ["feature-x/backend1", "feature-x/db1"]
    assert names(branch=branch, role="backend") == ["feature-x/backend1"]
    assert names(role="db") == ["feature-x/db1", "master/db1"]
    assert names(stack="other") == []
    assert names(stacks=frozenset({"other"})) == []
    assert names(environment="photos/master", health=Health.HEALTHY) == [
        "master/backend1",
        "master/db1",
    ]


def test_pages_follow_each_other_without_a_gap(stage: Stage) -> None:
    inventory = inventory_of(stage)
    for branch in ("feature_x", "master"):
        stage.run(request(branch))
    inventory.look()
    found, after = [], None
    for _ in range(4):
        page = inventory.machines(MachineQuery(), after=after, limit=1)
        found += [each.key for each in page.machines]
        after = page.next
    assert found == sorted(all_of(inventory))
    assert after is None
    with pytest.raises(InputError) as refused:
        inventory.machines(MachineQuery(), after="nonsense")
    assert refused.value.code == "E_CURSOR"


def test_the_targets_of_a_monitoring_system_are_read_in_portions_of_one_snapshot(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "TARGETS_AT_ONCE", 1)
    inventory = inventory_of(stage)
    for branch in ("feature_x", "master"):
        stage.run(request(branch))
    inventory.look()
    targets = inventory.targets(MachineQuery())
    first = next(targets)
    stage.run(DestroyRequest(environment="master", confirm="photos/master"))
    inventory.look()
    found = [f"{slug}/{name}" for name, _, slug, *_ in [first, *targets]]
    assert found == ["feature-x/backend1", "feature-x/db1", "master/backend1", "master/db1"]
    assert [slug for _, _, slug, *_ in inventory.targets(MachineQuery())] == ["feature-x"] * 2


def test_pages_of_a_former_time_follow_each_other_without_a_gap(
    stage: Stage, clock: SteppedClock
) -> None:
    inventory = inventory_of(stage)
    for branch in ("feature_x", "master"):
        stage.run(request(branch))
    inventory.look()
    then = all_of(inventory)
    clock.step(minutes=1)
    stage.world.held(EnvironmentName("photos", "master")).problems["db1"] = ("port 3306",)
    inventory.look()
    stage.run(DestroyRequest(environment="feature-x"))
    stage.run(request("late"))
    inventory.look()

    def pages(query: MachineQuery) -> list[tuple[MachineRecord, ...]]:
        found, after = [], None
        while True:
            page = inventory.machines_at(query, NOW, after=after, limit=1)
            found.append(page.machines)
            after = page.next
            if after is None:
                return found

    everything = pages(MachineQuery())
    assert [each for machines in everything for each in machines] == [
        then[key] for key in sorted(then)
    ]
    # Those two that have come since are looked at and left out.
    assert [len(machines) for machines in everything] == [1, 1, 0, 0, 1, 1]
    assert sum(pages(MachineQuery(stacks=frozenset({"shop"}))), ()) == ()
    (db,) = sum(pages(MachineQuery(environment="photos/feature-x", role="db")), ())
    assert db == then[DB]


def test_of_changes_no_more_are_read_than_are_asked_for(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    inventory = inventory_of(stage)
    for branch in ("feature_x", "master"):
        stage.run(request(branch))
    inventory.look()
    limits: list[int | None] = []
    read = queries.changes_since

    def counted(*args: Any, limit: int | None = None, **bounds: Any) -> tuple[MachineChange, ...]:
        found = read(*args, limit=limit, **bounds)
        limits.append(len(found))
        return found

    monkeypatch.setattr(service, "changes_since", counted)
    ago = NOW - timedelta(minutes=1)

    def told(limit: int = 100, **query: Any) -> list[str]:
        found = inventory.changes(MachineQuery(**query), ago, limit)
        return [f"{each.environment}/{each.machine}" for each in found]

    assert told(1) == ["photos/master/db1"]
    assert told(environment="photos/feature-x") == [
        "photos/feature-x/backend1",
        "photos/feature-x/db1",
    ]
    assert len(told(stack="photos", stacks=frozenset({"photos", "shop"}))) == 4
    assert told(stack="photo") == []
    assert told(stacks=frozenset()) == []
    assert limits == [1, 2, 4, 0, 0]


def test_somebody_who_says_that_something_changed_is_believed_soon(stage: Stage) -> None:
    heard: list[tuple[MachineChange, ...]] = []
    inventory = Inventory(
        database=stage.database,
        provider=stage.provider,
        clock=stage.clock,
        changed=heard.append,
    )
    inventory.start()
    try:
        stage.run(request())
        inventory.nudge()
        until(lambda: len(all_of(inventory)) == 2)
        until(lambda: heard)
    finally:
        inventory.close()


def test_who_reads_after_a_change_reads_the_change(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "CATCH_UP_S", 60.0)
    inventory = inventory_of(stage)
    inventory.start()
    try:
        stage.run(request())
        inventory.nudge()
        assert {each.health for each in all_of(inventory).values()} == {Health.HEALTHY}
        # A look has just been: the next one pauses first, and is waited for all the same.
        stage.run(DestroyRequest(environment=str(NAME)))
        inventory.nudge()
        assert all_of(inventory) == {}
    finally:
        inventory.close()


def test_a_look_that_fails_is_followed_by_another(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.run(request())
    failures = [RuntimeError("first"), RuntimeError("second")]
    problems = stage.provider.problems

    def failing(stack: object) -> object:
        if failures:
            raise failures.pop()
        return problems(stack)  # type: ignore[arg-type]

    monkeypatch.setattr(stage.provider, "problems", failing)
    inventory = inventory_of(stage)
    inventory.start()
    try:

        def looked() -> bool:
            inventory.nudge()
            return len(all_of(inventory)) == 2

        until(looked)
    finally:
        inventory.close()
    assert failures == []


def test_a_machine_that_ended_is_gone_even_if_it_runs_again_before_anybody_looks(
    stage: Stage, clock: SteppedClock
) -> None:
    inventory = inventory_of(stage)
    stage.run(request())
    inventory.look()
    clock.step(minutes=1)
    inventory.ended(NAME, "db1")
    (change,) = inventory.look()
    told = {each.field: each.after for each in change.fields}
    assert told["health"] == "stopped"
    clock.step(seconds=1)
    inventory.look()
    back = all_of(inventory)[DB]
    assert back.health is Health.HEALTHY
    assert back.since == clock.now()


def test_the_end_of_a_machine_outlives_a_look_that_fails(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    inventory = inventory_of(stage)
    stage.run(request())
    inventory.look()
    inventory.ended(NAME, "db1")
    with monkeypatch.context() as patched:

        def locked(*_: object) -> None:
            raise RuntimeError("the ledger is locked")

        patched.setattr(service, "write_changes", locked)
        with pytest.raises(RuntimeError):
            inventory.look()
    (change,) = inventory.look()
    assert (change.machine, change.kind) == ("db1", ChangeKind.CHANGED)
    assert [each.after for each in change.fields if each.field == "health"] == ["stopped"]


def test_a_machine_that_ends_is_told_of_and_a_service_of_it_is_not(stage: Stage) -> None:
    told: list[tuple[EnvironmentName, str]] = []
    stage.control.listen_to_ends(lambda name, machine: told.append((name, machine)))
    stage.run(request())
    ended = Ended(
        environment=NAME,
        machine="db1",
        part=Part.SERVICE,
        service="mariadb",
        pid=1,
        how="was killed by SIGKILL",
        at=NOW,
    )
    tell = stage.watched()
    tell(ended)
    assert told == []
    tell(replace(ended, part=Part.MACHINE, service=""))
    assert told == [(NAME, "db1")]


def test_a_replaced_machine_begins_another_life(stage: Stage, clock: SteppedClock) -> None:
    inventory = inventory_of(stage)
    stage.control.listen_to_ends(inventory.ended)
    stage.run(request())
    inventory.look()
    clock.step(hours=1)
    stage.run(ReplaceRequest(environment="feature-x", machines=("backend1",)))
    (gone,) = inventory.look()
    clock.step(seconds=1)
    (back,) = inventory.look()
    assert (gone.machine, back.machine) == ("backend1", "backend1")
    assert all_of(inventory)[BACKEND].health is Health.HEALTHY
    assert all_of(inventory)[BACKEND].since == clock.now()
    assert all_of(inventory)[DB].since == NOW


def test_a_machine_is_starting_while_it_is_replaced(stage: Stage, clock: SteppedClock) -> None:
    inventory = inventory_of(stage)
    stage.run(request())
    inventory.look()
    clock.step(hours=1)
    stage.world.faults.hang_at = "boot-anew"
    asked = ReplaceRequest(environment="feature-x", machines=("backend1",))
    operation = stage.control.submit(asked)
    # Nobody told it of an end: it asks the host, since an operation is under way.
    until(inventory.look)
    assert all_of(inventory)[BACKEND].health is Health.STARTING
    clock.step(seconds=5)
    stage.world.release()
    stage.finish(operation.id)
    inventory.look()
    back = all_of(inventory)[BACKEND]
    assert (back.health, back.since) == (Health.HEALTHY, NOW + timedelta(hours=1))
    assert [each.kind for each in inventory.changes(MachineQuery(), NOW, 10)] == [
        ChangeKind.CHANGED,
        ChangeKind.CHANGED,
    ]
