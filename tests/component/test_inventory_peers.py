"""Machines are told of their peers: each word at least once, and one after the other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.component.app_stage import Stage, make_stack, request
from tests.component.inventory_stage import NAME, NOW, SteppedClock, record, until

from greenroom.app.inventory import courier as couriers
from greenroom.app.inventory import peers
from greenroom.app.inventory.courier import Courier
from greenroom.app.inventory.peers import concerns, plan_notices
from greenroom.app.inventory.service import Inventory
from greenroom.app.planning import Draft
from greenroom.errors import OperationError
from greenroom.model.inventory import Health, MachineKey, MachineRecord, PeerEvent, PeerNotice
from greenroom.model.requests import CreateRequest, DestroyRequest, ReplaceRequest
from greenroom.model.stack import Machine, Stack, Subscription
from greenroom.providers.local.hooks import facts_of
from greenroom.store import notices as queues

SUBSCRIBER = ("photos/feature-x", "backend1")
PEER = ("photos/feature-x", "db1")
TO_DB = Subscription(roles=("db",), hook="/hook")


def events(
    before: MachineRecord | None, after: MachineRecord | None, me: tuple[bool, bool] = (True, True)
) -> list[PeerEvent]:
    """What backend1 hears when db1 changes so; ``me`` is whether it is up itself."""

    def world(peer: MachineRecord | None, up: bool) -> dict[tuple[str, str], MachineRecord]:
        mine = record(health=Health.HEALTHY if up else Health.STARTING)
        return {SUBSCRIBER: mine} | ({} if peer is None else {PEER: peer})

    found = plan_notices(world(before, me[0]), world(after, me[1]), {SUBSCRIBER: TO_DB}, NOW)
    assert all(notice.to == SUBSCRIBER and notice.peer.name == "db1" for notice in found)
    return [notice.event for notice in found]


def db(health: Health) -> MachineRecord:
    return record("db1", health=health)


UP, SICK, BOOTS = db(Health.HEALTHY), db(Health.UNHEALTHY), db(Health.STARTING)


@pytest.mark.parametrize(
    ("before", "after", "heard"),
    [
        (None, BOOTS, []),
        (BOOTS, UP, ["came"]),
        (None, SICK, ["came"]),
        (UP, SICK, ["unhealthy"]),
        (SICK, UP, ["healthy"]),
        (UP, BOOTS, ["gone"]),
        (UP, db(Health.STOPPED), ["gone"]),
        (SICK, None, ["gone"]),
        (BOOTS, None, []),
        (UP, replace(UP, artifact_key="new"), []),
    ],
)
def test_each_change_of_a_peer_is_one_event(
    before: MachineRecord | None, after: MachineRecord | None, heard: list[str]
) -> None:
    assert events(before, after) == heard


def test_who_begins_to_run_is_told_of_every_peer_that_does() -> None:
    assert events(UP, UP, (False, True)) == ["came"]
    assert events(BOOTS, UP, (False, True)) == ["came"]
    assert events(BOOTS, BOOTS, (False, True)) == []
    assert events(UP, None, (False, True)) == ["gone"]


def test_peers_are_those_of_the_own_environment_and_the_shared_ones_of_its_stack() -> None:
    def heard(subscriber: str, peer: MachineRecord) -> bool:
        return concerns(TO_DB, (subscriber, "backend1"), peer)

    other = replace(UP, environment="photos/master", slug="master")
    shared = replace(UP, environment="photos/shared", slug="shared")
    assert heard("photos/feature-x", UP)
    assert not heard("photos/feature-x", replace(UP, role="cache"))
    assert not heard("photos/feature-x", other)
    assert heard("photos/feature-x", shared)
    assert heard("photos/shared", other)
    assert not heard("photos/shared", replace(other, stack="shop", environment="shop/master"))


def test_all_subscribers_hear_of_all_their_peers_and_only_those_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the index finds is what a walk through all pairs would."""
    slugs = ("a", "b", "c", "shared")
    world = {
        (f"{stack}/{slug}", name): replace(
            record(name), environment=f"{stack}/{slug}", stack=stack, slug=slug
        )
        for stack in ("photos", "shop")
        for slug in slugs
        for name in ("backend1", "db1")
    }
    subscriptions = {key: TO_DB for key in world if key[1] == "backend1"}
    asked: list[bool] = []

    def counted(subscription: Subscription, me: MachineKey, peer: MachineRecord) -> bool:
        asked.append(concerns(subscription, me, peer))
        return asked[-1]

    monkeypatch.setattr(peers, "concerns", counted)
    expected = [
        (key, PeerEvent.CAME, peer)
        for key in sorted(subscriptions)
        for peer_key, peer in sorted(world.items())
        if peer_key != key and concerns(TO_DB, key, peer)
    ]
    found = plan_notices({}, world, subscriptions, NOW)
    assert [(each.to, each.event, each.peer) for each in found] == expected
    assert all(asked)

    asked.clear()
    ill = ("photos/a", "db1")
    changed = world | {ill: replace(world[ill], health=Health.UNHEALTHY)}
    found = plan_notices(world, changed, subscriptions, NOW)
    assert [(each.to[0], each.event) for each in found] == [
        ("photos/a", PeerEvent.UNHEALTHY),
        ("photos/shared", PeerEvent.UNHEALTHY),
    ]
    assert plan_notices(world, world, subscriptions, NOW) == ()
    assert len(asked) == 2


# Delivery.


class Subscribed(Stage):
    """The backend has subscribed to the database."""

    def draft(self, request: CreateRequest) -> Draft:
        def resolve(index: int, secret: str, taken: object) -> Stack:
            stack = make_stack(self.folder, request, self.stack_name, index, secret)
            machines = tuple(
                replace(each, subscription=TO_DB) if each.name == "backend1" else each
                for each in stack.machines
            )
            return replace(stack, machines=machines)

        return Draft(stack_name=self.stack_name, resolve=resolve)


class Hook:
    """What was heard, and how often it is refused before."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []
        self.refusals = 0

    def __call__(self, stack: Stack, machine: Machine, notice: PeerNotice) -> None:
        self.heard.append((notice.event.value, notice.peer.name))
        if self.refusals:
            self.refusals -= 1
            raise OperationError("E_HOOK", "it ended with exit code 3")


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def stage(tmp_path: Path, clock: SteppedClock) -> Iterator[Stage]:
    stage = Subscribed(tmp_path, clock=clock)
    yield stage
    stage.close()


@pytest.fixture
def inventory(stage: Stage) -> Inventory:
    return Inventory(database=stage.database, provider=stage.provider, clock=stage.clock)


@pytest.fixture
def hook() -> Hook:
    return Hook()


@pytest.fixture
def courier(stage: Stage, hook: Hook) -> Courier:
    return Courier(database=stage.database, clock=stage.clock, tell=hook)


def deliver_all(courier: Courier) -> None:
    while courier.deliver(SUBSCRIBER):
        pass


def fall_ill(stage: Stage, inventory: Inventory, *problems: str) -> None:
    stage.world.held(NAME).problems["db1"] = problems
    inventory.look()


def test_a_machine_hears_one_word_after_the_other(
    stage: Stage, inventory: Inventory, courier: Courier, hook: Hook
) -> None:
    stage.run(request())
    inventory.look()
    fall_ill(stage, inventory, "port 3306")
    fall_ill(stage, inventory)
    deliver_all(courier)
    assert hook.heard == [("came", "db1"), ("unhealthy", "db1"), ("healthy", "db1")]
    assert not courier.deliver(SUBSCRIBER)


def test_a_peer_that_is_replaced_goes_and_comes(
    stage: Stage, inventory: Inventory, courier: Courier, hook: Hook
) -> None:
    stage.control.listen_to_ends(inventory.ended)
    stage.run(request())
    inventory.look()
    stage.run(ReplaceRequest(environment="feature-x", machines=("db1",)))
    inventory.look()
    inventory.look()
    deliver_all(courier)
    assert hook.heard == [("came", "db1"), ("gone", "db1"), ("came", "db1")]


def test_what_is_not_taken_is_told_again_before_the_next_also_by_another_daemon(
    stage: Stage, inventory: Inventory, courier: Courier, hook: Hook
) -> None:
    stage.run(request())
    inventory.look()
    fall_ill(stage, inventory, "port 3306")
    hook.refusals = 2
    assert not courier.deliver(SUBSCRIBER)
    assert not courier.deliver(SUBSCRIBER)
    another = Courier(database=stage.database, clock=stage.clock, tell=hook)
    deliver_all(another)
    assert hook.heard == [("came", "db1")] * 3 + [("unhealthy", "db1")]


def test_what_is_never_taken_is_given_up_and_written_down(
    stage: Stage, inventory: Inventory, courier: Courier, hook: Hook
) -> None:
    stage.run(request())
    inventory.look()
    fall_ill(stage, inventory, "port 3306")
    hook.refusals = couriers.TRIES_MAX
    for _ in range(couriers.TRIES_MAX - 1):
        assert not courier.deliver(SUBSCRIBER)
    assert courier.deliver(SUBSCRIBER)
    deliver_all(courier)
    assert hook.heard == [("came", "db1")] * couriers.TRIES_MAX + [("unhealthy", "db1")]
    (incident,) = stage.control.environment("feature-x").incidents
    assert incident.subject == "backend1"
    assert incident.message == (
        "could not be told that db1 came: it ended with exit code 3; it was tried 6 times"
    )


def test_a_machine_that_does_not_run_is_told_when_it_does(
    stage: Stage, inventory: Inventory, courier: Courier, hook: Hook
) -> None:
    stage.run(request())
    inventory.look()
    deliver_all(courier)
    stage.world.faults.hang_at = "destroy"
    operation = stage.control.submit(DestroyRequest(environment="feature-x"))
    until(lambda: inventory.look())
    assert not courier.deliver(SUBSCRIBER)
    assert hook.heard == [("came", "db1")]
    stage.world.release()
    stage.finish(operation.id)
    inventory.look()
    with stage.database.read() as connection:
        assert queues.waiting_machines(connection) == ()


def test_a_queue_that_grows_keeps_the_last_word_about_each_peer(
    stage: Stage, inventory: Inventory, courier: Courier, hook: Hook
) -> None:
    stage.run(request())
    inventory.look()
    for times in range(queues.QUEUE_MAX):
        fall_ill(stage, inventory, *(["port 3306"] if times % 2 == 0 else []))
    deliver_all(courier)
    assert hook.heard == [("healthy", "db1")]


def test_the_courier_delivers_by_itself_and_tries_again_a_little_later(
    stage: Stage, inventory: Inventory, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(couriers, "_FIRST_PAUSE_S", 0.0)
    hook.refusals = 2
    courier = Courier(database=stage.database, clock=stage.clock, tell=hook)
    courier.start()
    try:
        stage.run(request())
        inventory.look()
        courier.nudge()
        until(lambda: len(hook.heard) == 3)
    finally:
        courier.close()
    assert hook.heard == [("came", "db1")] * 3


def test_the_courier_rests_once_a_machine_whose_hook_failed_is_gone(
    stage: Stage, inventory: Inventory, courier: Courier, hook: Hook
) -> None:
    hook.refusals = 1
    stage.run(request())
    inventory.look()
    assert not courier.deliver(SUBSCRIBER)
    with stage.database.write() as connection:
        queues.drop_queues(connection, (SUBSCRIBER,))
    stage.clock.step(seconds=60)
    assert courier._pause_s() < couriers.LOOK_EVERY_S
    courier._look()
    assert courier._pause_s() == couriers.LOOK_EVERY_S


def test_a_hook_reads_the_peers_facts() -> None:
    notice = PeerNotice(to=SUBSCRIBER, event=PeerEvent.UNHEALTHY, peer=SICK, at=NOW)
    facts = json.loads(facts_of(notice))
    assert facts["event"] == "unhealthy"
    assert (facts["machine"], facts["role"], facts["address"]) == ("db1", "db", "10.213.0.11")
    assert facts["services"] == {"mysql": 3306}
