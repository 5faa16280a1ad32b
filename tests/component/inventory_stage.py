"""What the inventory's tests have in common: records made by hand, a clock that is told the time,
and an inventory on the simulated host."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.component.app_stage import Stage, make_stack, request

from greenroom.app.inventory.records import Seen, records_of
from greenroom.app.inventory.service import Inventory
from greenroom.model.inventory import MachineKey, MachineQuery, MachineRecord
from greenroom.model.names import EnvironmentName
from greenroom.model.views import EnvironmentStatus

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


def inventory_of(stage: Stage) -> Inventory:
    return Inventory(database=stage.database, provider=stage.provider, clock=stage.clock)


def all_of(inventory: Inventory) -> dict[MachineKey, MachineRecord]:
    return {record.key: record for record in inventory.machines(MachineQuery()).machines}


def record(name: str = "backend1", **fields: object) -> MachineRecord:
    stack = make_stack(Path("/srv"), request())
    seen = Seen(stack=stack, status=EnvironmentStatus.READY, reports=(), lost=(), problems={})
    (found,) = (each for each in records_of(seen, {}, NOW) if each.name == name)
    return replace(found, **fields)  # type: ignore[arg-type]


def seen(status: EnvironmentStatus = EnvironmentStatus.READY, **fields: object) -> Seen:
    values = {"reports": (), "lost": (), "problems": {}} | fields
    return Seen(stack=make_stack(Path("/srv"), request()), status=status, **values)  # type: ignore[arg-type]


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + TIMEOUT_S
    while not true():
        assert time.monotonic() < end, "the state did not come"
        time.sleep(0.002)
