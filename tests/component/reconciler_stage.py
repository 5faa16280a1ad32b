"""The reconciler on a stage: environments in memory, and a clock that tests set."""

from __future__ import annotations

import json
import time as clocks
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

from tests.component.app_stage import TIMEOUT_S, Stage, request

from greenroom.app.reconciler import PERIOD_S, Reconciler
from greenroom.app.reconciliation import Action
from greenroom.model.lifetimes import Lifetime, WorkingHours
from greenroom.model.names import EnvironmentName
from greenroom.model.receipt import Resource, ResourceKind
from greenroom.model.requests import DestroyRequest
from greenroom.model.views import EnvironmentStatus
from greenroom.store.incidents import incidents_of
from greenroom.store.operations import OperationRecord, last_operation, unfinished_operations

NAME = EnvironmentName("photos", "feature-x")
OLD = EnvironmentName("photos", "old")
MONDAY = datetime(2026, 11, 23, 8, tzinfo=UTC)
LIFETIME = Lifetime(ttl_s=28800.0, max_s=7 * 86400.0, warn_before_s=3600.0)
OFFICE = WorkingHours(days=(0, 1, 2, 3, 4), start=time(9), end=time(17), time_zone="UTC")
HOUR = timedelta(hours=1)


class StepClock:
    """A clock that goes when it is told to, and that can be set, which is not the same."""

    def __init__(self) -> None:
        self.at = MONDAY
        self.passed_s = 0.0

    def go(self, by: timedelta) -> None:
        self.at += by
        self.passed_s += by.total_seconds()

    def now(self) -> datetime:
        return self.at

    def monotonic_s(self) -> float:
        return self.passed_s


class Theatre:
    """A stage whose reconciler looks when it is told to."""

    def __init__(self, folder: Path) -> None:
        self.clock = StepClock()
        self.sent: list[tuple[str, dict[str, str]]] = []
        self.stage = Stage(folder, clock=self.clock, lifetime=LIFETIME)
        self.rise_again()

    def rise_again(self, period_s: float = PERIOD_S) -> None:
        """A new reconciler, as a new daemon has."""
        control = self.stage.control
        self.reconciler = Reconciler(
            database=self.stage.database,
            provider=self.stage.provider,
            clock=self.clock,
            orphans=control.orphans,
            submit=control.submit,
            adopt=control.adopt,
            notify=lambda url, body: self.sent.append((url, json.loads(body))),
            period_s=period_s,
        )

    def look(self, after: timedelta = timedelta()) -> tuple[Action, ...]:
        """Look so much later, and wait until what that began has ended."""
        self.clock.go(after)
        actions = self.reconciler.look()
        self.settle()
        return actions

    def settle(self) -> None:
        def at_work() -> tuple[OperationRecord, ...]:
            with self.stage.database.read() as connection:
                return unfinished_operations(connection)

        for operation in at_work():
            self.stage.finish(operation.id)

    def look_each_minute(self, span: timedelta) -> list[Action]:
        found: list[Action] = []
        for _ in range(int(span / timedelta(minutes=1))):
            found += self.look(timedelta(minutes=1))
        return found

    def status(self) -> EnvironmentStatus | None:
        views = self.stage.control.environments()
        return views[0].status if views else None

    def left(self) -> timedelta:
        (view,) = self.stage.control.environments()
        assert view.expires_at is not None
        return view.expires_at - self.clock.at

    def last(self) -> OperationRecord:
        with self.stage.database.read() as connection:
            found = last_operation(connection, NAME)
        assert found is not None
        return found

    def told(self, name: EnvironmentName = NAME) -> list[str]:
        with self.stage.database.read() as connection:
            found = incidents_of(connection, name, MONDAY - timedelta(days=9999))
        return [f"{incident.subject}: {incident.message}" for incident in found]


def until(true: Callable[[], bool]) -> None:
    end = clocks.monotonic() + TIMEOUT_S
    while not true():
        assert clocks.monotonic() < end
        clocks.sleep(0.002)


# Ends.


def leave(theatre: Theatre, kind: ResourceKind = ResourceKind.NAMESPACE) -> Resource:
    item = Resource(kind=kind, name="photos.old.db1")
    theatre.stage.world.held(OLD).resources.add(item)
    return item


def known_to_have_ended(theatre: Theatre) -> None:
    theatre.stage.run(request("old"))
    theatre.stage.watched("photos/old")
    theatre.stage.run(DestroyRequest(environment="old"))
