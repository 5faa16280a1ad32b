"""The inventory follows environments and machines, and answers for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.component.app_stage import Stage, request
from tests.component.inventory_stage import (
    BACKEND,
    DB,
    NAME,
    NOW,
    SteppedClock,
    all_of,
    inventory_of,
    until,
)

from greenroom.app.inventory import service
from greenroom.app.inventory.service import Inventory
from greenroom.app.inventory.snapshot import Snapshot, snapshot_of
from greenroom.errors import InputError
from greenroom.model.incidents import Ended, Part
from greenroom.model.inventory import ChangeKind, Health, MachineChange, MachineQuery, MachineRecord
from greenroom.model.names import EnvironmentName
from greenroom.model.requests import DestroyRequest, ReplaceRequest


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def stage(tmp_path: Path, clock: SteppedClock) -> Iterator[Stage]:
    stage = Stage(tmp_path, clock=clock)
    yield stage
    stage.close()


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


def test_a_restart_goes_on_from_what_was_written_down(stage: Stage) -> None:
    stage.run(request())
    inventory_of(stage).look()
    stage.world.held(NAME).problems["db1"] = ("port 3306 did not accept a connection",)
    (change,) = inventory_of(stage).look()
    assert (change.machine, change.kind) == ("db1", ChangeKind.CHANGED)
    told = {each.field: (each.before, each.after) for each in change.fields}
    assert told["health"] == ("healthy", "unhealthy")


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


def test_who_reads_on_while_machines_change_reads_of_one_moment(stage: Stage) -> None:
    inventory = inventory_of(stage)
    for branch in ("feature_x", "master"):
        stage.run(request(branch))
    inventory.look()
    targets = inventory.targets(MachineQuery())
    first = next(targets)
    stage.run(DestroyRequest(environment="master", confirm="photos/master"))
    inventory.look()
    found = [f"{each.slug}/{each.name}" for each in (first, *targets)]
    assert found == ["feature-x/backend1", "feature-x/db1", "master/backend1", "master/db1"]
    assert [each.slug for each in inventory.targets(MachineQuery())] == ["feature-x"] * 2


def test_who_asks_before_the_first_look_is_told_what_the_ledger_has(stage: Stage) -> None:
    stage.run(request())
    inventory_of(stage).look()
    assert sorted(all_of(inventory_of(stage))) == [BACKEND, DB]


def test_what_is_told_is_committed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    inventory = inventory_of(stage)
    stage.run(request())
    inventory.look()
    told: list[Health] = []
    write = service.queue_notices

    def asked_meanwhile(*values: Any) -> None:
        write(*values)
        told.append(all_of(inventory)[DB].health)

    monkeypatch.setattr(service, "queue_notices", asked_meanwhile)
    stage.world.held(NAME).problems["db1"] = ("port 3306",)
    inventory.look()
    assert told == [Health.HEALTHY]
    assert all_of(inventory)[DB].health is Health.UNHEALTHY


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


def test_after_a_look_that_failed_the_ledger_is_believed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its transaction may have been committed all the same."""
    inventory = inventory_of(stage)
    stage.run(request())
    made: list[int] = []

    def failing_behind_the_commit(records: Iterable[MachineRecord]) -> Snapshot:
        snapshot = snapshot_of(records)
        made.append(len(snapshot.records))
        if len(made) == 2:
            raise RuntimeError("the connection is lost")
        return snapshot

    monkeypatch.setattr(service, "snapshot_of", failing_behind_the_commit)
    inventory.start()
    try:
        until(lambda: len(all_of(inventory)) == 2)
    finally:
        inventory.close()
    assert made[:3] == [0, 2, 2]


class _Forgotten:
    """What is taken away as soon as it was looked at."""

    def __init__(self) -> None:
        self._value: Snapshot | None = None

    def __get__(self, inventory: object, owner: object) -> Snapshot | None:
        value, self._value = self._value, None
        return value

    def __set__(self, inventory: object, value: Snapshot | None) -> None:
        self._value = value


def test_who_asks_in_the_moment_of_a_look_that_fails_is_answered(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    inventory = inventory_of(stage)
    stage.run(request())
    inventory.look()
    snapshot = inventory._snapshot
    monkeypatch.setattr(Inventory, "_snapshot", _Forgotten(), raising=False)
    inventory._snapshot = snapshot
    assert all_of(inventory).keys() == {BACKEND, DB}


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


def test_a_machine_that_ended_is_away_until_it_runs_however_late_it_is_taken_up(
    stage: Stage,
) -> None:
    inventory = inventory_of(stage)
    stage.run(request())
    inventory.look()
    # Who looks for the first time at what has ended recovers it, beside the test.
    stage.watched()
    held = stage.world.held(NAME)
    report = held.reports.pop("db1")
    inventory.ended(NAME, "db1")
    (gone,) = inventory.look()
    assert (gone.machine, inventory.look()) == ("db1", ())
    assert all_of(inventory)[DB].health is Health.STOPPED
    held.reports["db1"] = report
    (came,) = inventory.look()
    assert (came.machine, all_of(inventory)[DB].health) == ("db1", Health.HEALTHY)


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
