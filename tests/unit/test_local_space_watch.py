"""The watch over pool and disk: whom it stops, when it holds everybody, when it lets them go."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from greenroom.errors import GreenroomError
from greenroom.model.names import EnvironmentName
from greenroom.providers.local import space, space_watch
from greenroom.providers.local.layout import Layout, MachineLayout
from greenroom.providers.local.space import Room
from greenroom.providers.local.space_watch import SpaceWatch
from greenroom.providers.local.usage import Tenant
from greenroom.region import Region

MIB = 1024**2
SIZE = 10_000 * MIB
RESERVE = 500 * MIB
LARGE = Tenant(EnvironmentName("photos", "feature-x"), "db1")
SMALL = Tenant(EnvironmentName("photos", "other"), "feed1")


@dataclass
class Ground:
    """What the watch finds: free bytes of pool and disk, what each machine holds; what it did."""

    pool: int = SIZE
    disk: int = SIZE
    trimmed: int = 0
    held: dict[Tenant, int] = field(default_factory=dict)
    stopped: list[Tenant] = field(default_factory=list)
    doubted: list[str] = field(default_factory=list)
    still: set[str] = field(default_factory=set)

    def disk_room(self, _: Layout) -> Room:
        return Room(what="the disk", free_bytes=self.disk, size_bytes=SIZE)

    def rooms(self, layout: Layout) -> tuple[Room, Room]:
        pool = Room(what="the pool", free_bytes=self.pool, size_bytes=SIZE)
        return pool, self.disk_room(layout)

    def trim(self, _: Layout) -> None:
        self.disk += self.trimmed
        self.trimmed = 0

    def place_of(self, layout: Layout, tenant: Tenant) -> MachineLayout:
        place = layout.machine(tenant.environment, tenant.machine)
        place.bundle.mkdir(parents=True, exist_ok=True)
        return place

    def usage_bytes(self, place: MachineLayout) -> int:
        return self.held[Tenant(place.environment, place.name)]


@pytest.fixture
def ground(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Ground:
    made = Ground(held={LARGE: 4000 * MIB, SMALL: 100 * MIB})
    monkeypatch.setattr(Region, "state_dir", tmp_path)
    monkeypatch.setattr(Region, "run_dir", tmp_path)
    monkeypatch.setattr(space, "rooms", made.rooms)
    monkeypatch.setattr(space, "disk_room", made.disk_room)
    monkeypatch.setattr(space, "trim", made.trim)
    monkeypatch.setattr(space, "_BALLAST_BYTES", MIB)
    monkeypatch.setattr(space_watch, "bound_consoles", lambda layout: None)
    monkeypatch.setattr(space_watch, "tenants", lambda layout: tuple(made.held))
    monkeypatch.setattr(space_watch, "place_of", made.place_of)
    monkeypatch.setattr(space_watch, "usage_bytes", made.usage_bytes)
    monkeypatch.setattr(space_watch, "freeze", made.still.add)
    monkeypatch.setattr(space_watch, "thaw", made.still.discard)
    monkeypatch.setattr(space_watch, "remove_container", lambda place: None)
    return made


@pytest.fixture
def watch(ground: Ground) -> SpaceWatch:
    def stopped(tenant: Tenant, error: GreenroomError) -> None:
        assert error.code == "E_POOL_EATEN"
        ground.stopped.append(tenant)

    def doubted(subject: str, error: GreenroomError) -> None:
        assert error.code == "E_DISK_FULL"
        ground.doubted.append(subject)

    return SpaceWatch(Layout(Region(label="unit")), stopped=stopped, doubted=doubted)


def ballast() -> Path:
    return space.ballast_path(Layout(Region(label="unit")))


def test_of_those_that_grow_the_largest_is_stopped_and_the_next_when_half_is_gone_too(
    ground: Ground, watch: SpaceWatch
) -> None:
    watch.look()
    ground.held[SMALL] += 4000 * MIB
    ground.pool = RESERVE - 100 * MIB
    watch.look()
    assert ground.stopped == [SMALL]
    ground.held[LARGE] += 50 * MIB
    ground.pool -= 50 * MIB
    watch.look()
    assert ground.stopped == [SMALL]
    ground.held[LARGE] += 200 * MIB
    ground.pool -= 200 * MIB
    watch.look()
    assert ground.stopped == [SMALL, LARGE]


def test_a_daemon_that_starts_in_a_tight_pool_blames_nobody_for_being_large(
    ground: Ground, watch: SpaceWatch
) -> None:
    ground.pool = RESERVE - 100 * MIB
    watch.look()
    watch.look()
    assert ground.stopped == []
    ground.held[SMALL] += 250 * MIB
    ground.pool -= 250 * MIB
    watch.look()
    assert ground.stopped == [SMALL]


def test_a_machine_that_came_in_a_tight_pool_is_not_blamed_for_what_it_brought(
    ground: Ground, watch: SpaceWatch
) -> None:
    database = ground.held.pop(LARGE)
    ground.pool = RESERVE - 100 * MIB
    watch.look()
    ground.held[LARGE] = database
    watch.look()
    ground.held[SMALL] += 210 * MIB
    ground.pool -= 210 * MIB
    watch.look()
    assert ground.stopped == [SMALL]


@pytest.mark.parametrize("ease", [0.1, 1.1])
def test_a_daemon_that_starts_on_a_tight_disk_holds_everybody_when_it_is_full(
    ground: Ground, watch: SpaceWatch, ease: float
) -> None:
    ground.disk = int(RESERVE * ease)
    watch.look()
    ground.disk = RESERVE // 10
    for _ in range(3):
        watch.look()
    assert ground.doubted == ["disk"]
    assert len(ground.still) == 2


def test_a_full_disk_holds_everybody_and_takes_its_ballast_back_when_there_is_room(
    ground: Ground, watch: SpaceWatch
) -> None:
    watch.look()
    assert ballast().exists()
    ground.disk = RESERVE // 10
    watch.look()
    assert ground.doubted == ["disk"]
    assert len(ground.still) == 2
    assert not ballast().exists()
    # There is room again, but by and by.
    ground.disk = 2 * RESERVE
    watch.look()
    assert ground.still == set()
    assert not ballast().exists()
    ground.disk = SIZE
    watch.look()
    assert ballast().exists()


def test_what_was_deleted_in_the_pool_comes_back_to_the_disk_before_anybody_is_held(
    ground: Ground, watch: SpaceWatch
) -> None:
    watch.look()
    ground.disk, ground.trimmed = RESERVE // 10, RESERVE // 2
    watch.look()
    assert (ground.doubted, ground.still) == ([], set())
    assert ballast().exists()
