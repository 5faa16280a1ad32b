"""What is to be done, by ledger, world and time: the decisions, without effects."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.component.app_stage import make_stack, request

from greenroom.app.reconciliation import (
    GRACE_S,
    JUMP,
    RECONCILER,
    RETRY_AFTER,
    Action,
    Expire,
    FinishRemoval,
    Known,
    Moment,
    Recover,
    RemoveOrphan,
    ReportOrphan,
    ShiftEnds,
    Sleep,
    Wake,
    Warn,
    World,
    plan_reconciliation,
)
from greenroom.model.lifetimes import Lifetime, WorkingHours
from greenroom.model.names import EnvironmentName
from greenroom.model.orphans import Orphan
from greenroom.model.receipt import Resource, ResourceKind
from greenroom.model.views import EnvironmentStatus
from greenroom.store.environments import EnvironmentRecord

NAME = EnvironmentName("photos", "feature-x")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
OFFICE = WorkingHours(days=(0, 1, 2, 3, 4), start=time(9), end=time(17), time_zone="UTC")
LIFETIME = Lifetime(ttl_s=28800.0, max_s=86400.0, warn_before_s=3600.0, working_hours=OFFICE)
LONG = {NAME: GRACE_S}
BY_HOURS = RECONCILER.name


def record(**more: object) -> EnvironmentRecord:
    stack = replace(make_stack(Path("/srv"), request()), lifetime=LIFETIME)
    fields: dict[str, object] = {
        "name": NAME,
        "subnet_index": 0,
        "secret": "s",
        "status": EnvironmentStatus.READY,
        "stack": stack,
        "created_by": "op-1",
        "created_at": NOON - HOUR,
    }
    return EnvironmentRecord(**(fields | more))  # type: ignore[arg-type]


def planned(
    found: EnvironmentRecord,
    now: datetime = NOON,
    *,
    near_s: dict[EnvironmentName, float] | None = None,
    lost: tuple[str, ...] = (),
    **more: object,
) -> tuple[Action, ...]:
    known = Known(record=found, **more)  # type: ignore[arg-type]
    world = World(lost={NAME: lost} if lost else {})
    moment = Moment(now=now, near_s=near_s or {})
    return plan_reconciliation((known,), world, moment)


def test_what_fits_is_left_alone() -> None:
    assert planned(record(expires_at=NOON + 2 * HOUR)) == ()
    assert planned(record()) == ()


def test_an_end_that_is_near_is_told_once() -> None:
    end = NOON + HOUR
    ending = record(expires_at=end)
    assert planned(ending) == (Warn(record=ending, expires_at=end),)
    assert planned(record(expires_at=end, warned_at=NOON)) == ()
    assert planned(ending, busy=True) == (Warn(record=ending, expires_at=end),)


def test_what_is_over_and_was_near_for_long_enough_is_destroyed() -> None:
    over = record(expires_at=NOON, warned_at=NOON - HOUR)
    assert planned(over, near_s=LONG) == (Expire(name=NAME),)
    assert planned(over, near_s={NAME: GRACE_S - 1}) == ()
    assert planned(over) == ()
    assert planned(over, near_s=LONG, busy=True) == ()
    assert planned(over, NOON - timedelta(seconds=1), near_s=LONG) == ()


def test_a_short_life_needs_no_longer_grace_than_its_warning() -> None:
    short = replace(LIFETIME, ttl_s=60.0, warn_before_s=15.0)
    stack = replace(record().stack, lifetime=short)
    over = record(expires_at=NOON, warned_at=NOON, stack=stack)
    assert planned(over, near_s={NAME: 15.0}) == (Expire(name=NAME),)


@pytest.mark.parametrize(
    "status", [s for s in EnvironmentStatus if s is not EnvironmentStatus.DESTROYING]
)
def test_whatever_stands_however_expires(status: EnvironmentStatus) -> None:
    over = record(expires_at=NOON, warned_at=NOON - HOUR, status=status, stopped_by=BY_HOURS)
    assert planned(over, near_s=LONG) == (Expire(name=NAME),)


def test_a_removal_that_left_something_is_tried_again_each_hour() -> None:
    failed = record(status=EnvironmentStatus.FAILED, expires_at=NOON - HOUR, warned_at=NOON)
    soon = NOON - RETRY_AFTER + timedelta(seconds=1)
    assert planned(failed, near_s=LONG, half_removed_at=soon) == ()
    for ended_at in (NOON - RETRY_AFTER, NOON + RETRY_AFTER):
        assert planned(failed, near_s=LONG, half_removed_at=ended_at) == (FinishRemoval(name=NAME),)


def test_what_only_failed_is_left_for_somebody_to_look_at() -> None:
    assert planned(record(status=EnvironmentStatus.FAILED), lost=("db1",)) == ()


def test_what_the_host_lost_is_brought_back() -> None:
    assert planned(record(), lost=("db1",)) == (Recover(name=NAME),)
    assert planned(record(), lost=("db1",), busy=True) == ()
    assert planned(record(status=EnvironmentStatus.STOPPED), lost=("db1",)) == ()


EVENING = NOON.replace(hour=17)


def test_outside_of_its_hours_it_is_stopped_unless_somebody_wants_it() -> None:
    assert planned(record(), EVENING - timedelta(seconds=1)) == ()
    assert planned(record(), EVENING) == (Sleep(name=NAME),)
    assert planned(record(), EVENING, busy=True) == ()
    assert planned(record(awake_until=EVENING + HOUR), EVENING) == ()
    assert planned(record(awake_until=EVENING), EVENING) == (Sleep(name=NAME),)
    assert planned(record(status=EnvironmentStatus.FAILED), EVENING) == ()


def test_within_its_hours_it_is_started_unless_a_person_stopped_it() -> None:
    asleep = record(status=EnvironmentStatus.STOPPED, stopped_by=BY_HOURS)
    assert planned(asleep) == (Wake(name=NAME),)
    assert planned(asleep, EVENING) == ()
    assert planned(replace(asleep, stopped_by="claudia")) == ()
    over = replace(asleep, expires_at=NOON, warned_at=NOON)
    assert planned(over) == ()


def orphan(
    kind: ResourceKind, environment: str | None = "photos/old", ended: bool = True
) -> Orphan:
    item = Resource(kind=kind, name="greenroom.photos.old.db1")
    return Orphan(environment=environment, ended=ended, resources=(item,))


@pytest.mark.parametrize(
    ("found", "removed"),
    [
        (orphan(ResourceKind.NAMESPACE), True),
        (orphan(ResourceKind.PROCESS), False),
        (orphan(ResourceKind.NAMESPACE, ended=False), False),
        (orphan(ResourceKind.NAMESPACE, environment=None), False),
    ],
)
def test_only_what_is_left_of_something_that_ended_and_is_dead_is_removed(
    found: Orphan, removed: bool
) -> None:
    (action,) = plan_reconciliation((), World(orphans=(found,)), Moment(now=NOON))
    assert action == (RemoveOrphan(orphan=found) if removed else ReportOrphan(orphan=found))


@given(st.timedeltas(min_value=timedelta(days=-4000), max_value=timedelta(days=4000)))
def test_a_clock_that_was_set_ends_nothing_and_is_made_up_for(jump: timedelta) -> None:
    known = (Known(record=record(expires_at=NOON + 5 * HOUR)),)
    moment = Moment(now=NOON, jump=jump, near_s=LONG)
    actions = plan_reconciliation(known, World(orphans=(orphan(ResourceKind.LINK),)), moment)
    if abs(jump) > JUMP:
        (shift,) = actions
        assert shift == ShiftEnds(jump=jump, at=NOON, at_s=0.0)
        assert shift.later == max(jump, timedelta())
    else:
        assert not any(isinstance(action, ShiftEnds | Expire) for action in actions)
