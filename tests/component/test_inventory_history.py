"""How machines stood at a time, what changed since, and how long that is kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.component.app_stage import Stage, request
from tests.component.inventory_stage import DB, NAME, NOW, SteppedClock, all_of, inventory_of

from greenroom.app.inventory import service
from greenroom.app.inventory.service import Inventory
from greenroom.errors import InputError
from greenroom.model.inventory import (
    ChangeKind,
    Health,
    MachineChange,
    MachineQuery,
    MachineRecord,
)
from greenroom.model.names import EnvironmentName
from greenroom.model.requests import DestroyRequest
from greenroom.store import inventory as queries


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def stage(tmp_path: Path, clock: SteppedClock) -> Iterator[Stage]:
    stage = Stage(tmp_path, clock=clock)
    yield stage
    stage.close()


def at_once(inventory: Inventory, at: datetime) -> tuple[MachineRecord, ...]:
    return inventory.machines_at(MachineQuery(), at, limit=100).machines


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
