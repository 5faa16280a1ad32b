"""Environments have an owner and an end, and are extended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest
from tests.component.app_stage import Stage, request

from greenroom.app.lifetimes import Lifetimes
from greenroom.errors import GreenroomError, InputError, RefusedError
from greenroom.model.access import ITSELF, Caller, Grant, Role
from greenroom.model.lifetimes import Lifetime, WorkingHours
from greenroom.model.requests import DestroyRequest

EIGHT_HOURS = Lifetime(ttl_s=28800.0, max_s=7 * 86400.0, warn_before_s=3600.0)
OFFICE = WorkingHours(days=(0, 1, 2, 3, 4), start=time(9), end=time(17), time_zone="UTC")
MONDAY_NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


class HandClock:
    """A clock that only goes when it is told to."""

    def __init__(self) -> None:
        self.at = MONDAY_NOON

    def now(self) -> datetime:
        return self.at

    def monotonic_s(self) -> float:
        return (self.at - MONDAY_NOON).total_seconds()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def stage(tmp_path: Path, clock: HandClock) -> Iterator[Stage]:
    stage = Stage(tmp_path, clock=clock, lifetime=EIGHT_HOURS)
    yield stage
    stage.close()


def lifetimes(stage: Stage) -> Lifetimes:
    return Lifetimes(database=stage.database, clock=stage.clock)


def refused(stage: Stage, kind: type[GreenroomError], *asked: object) -> GreenroomError:
    with pytest.raises(kind) as raised:
        lifetimes(stage).extend(*asked)  # type: ignore[arg-type]
    return raised.value


def test_an_environment_ends_so_long_after_its_create_was_accepted(stage: Stage) -> None:
    stage.run(request(owner="claudia"))
    (view,) = stage.control.environments()
    assert (view.owner, view.expires_at) == ("claudia", MONDAY_NOON + timedelta(hours=8))
    assert (view.warned_at, view.stopped_at) == (None, None)


def test_the_owner_is_the_caller_where_nobody_is_named(stage: Stage) -> None:
    # From a blueprint that is known.
    stage.finish(stage.create("a").id)
    everything = Grant(stack="photos", role=Role.DEVELOPER)
    operation = stage.control.submit(request(), Caller(name="ci", grants=(everything,)))
    stage.finish(operation.id)
    assert [each.owner for each in stage.control.environments()][1:] == ["ci"]


@pytest.mark.parametrize("owner", ["", " claudia", "a\x1b[31m", "x" * 65, "a\nb"])
def test_an_owner_that_is_no_name_is_refused(stage: Stage, owner: str) -> None:
    with pytest.raises(InputError) as raised:
        stage.create(owner=owner)
    assert raised.value.code == "E_OWNER"
    assert stage.control.environments() == ()


def test_an_extension_counts_from_now_and_takes_nothing_away(
    stage: Stage, clock: HandClock
) -> None:
    stage.run(request())
    clock.at += timedelta(hours=6)
    by_default = lifetimes(stage).extend("feature-x", None, ITSELF)
    assert by_default.expires_at == clock.at + timedelta(hours=8)
    assert lifetimes(stage).extend("feature_x", 3600.0, ITSELF) == by_default
    longer = lifetimes(stage).extend("photos/feature-x", 86400.0, ITSELF)
    assert longer.expires_at == clock.at + timedelta(days=1)
    assert stage.control.environments()[0].expires_at == longer.expires_at


@pytest.mark.parametrize("ttl_s", [0.0, -3600.0, 8 * 86400.0])
def test_an_extension_out_of_range_is_refused(stage: Stage, ttl_s: float) -> None:
    stage.run(request())
    error = refused(stage, InputError, "feature-x", ttl_s, ITSELF)
    assert error.code == "E_TTL"
    assert "is out of range; expected 1m to 7d" in error.message


@pytest.mark.parametrize("ttl_s", [None, 3600.0])
def test_production_is_not_extended(stage: Stage, ttl_s: float | None) -> None:
    stage.lifetime = None
    stage.run(request("master"))
    error = refused(stage, RefusedError, "master", ttl_s, ITSELF)
    assert (error.code, error.message) == (
        "E_NEVER_EXPIRES",
        "extend of photos/master refused: it is production, which never expires",
    )
    assert error.hint == "nothing needs to be done: photos/master stays"


@pytest.mark.parametrize("ttl_s", [None, 3600.0])
def test_what_is_shared_is_not_extended(stage: Stage, ttl_s: float | None) -> None:
    stage.lifetime = None
    stage.run(request(None, shared=("metrics",)))
    error = refused(stage, RefusedError, "shared", ttl_s, ITSELF)
    assert (error.code, error.message, error.hint) == (
        "E_NEVER_EXPIRES",
        "extend of photos/shared refused: it is shared, and what is shared never expires",
        "nothing needs to be done: photos/shared stays",
    )


@pytest.mark.parametrize("ttl_s", [None, 3600.0])
@pytest.mark.parametrize("lifetime", [None, replace(EIGHT_HOURS, ttl_s=None)])
def test_what_has_no_end_is_not_extended_and_told_how_to_get_one(
    stage: Stage, lifetime: Lifetime | None, ttl_s: float | None
) -> None:
    stage.lifetime = lifetime
    stage.run(request())
    error = refused(stage, RefusedError, "feature-x", ttl_s, ITSELF)
    assert (error.code, error.message, error.hint) == (
        "E_NEVER_EXPIRES",
        "extend of photos/feature-x refused: it was created without a ttl, so nothing ends it by "
        "itself",
        "it stays until greenroom destroy photos/feature-x; create --ttl 8h, or lifetime: with a "
        "ttl in the blueprint, gives the next one an end",
    )


def test_what_is_to_be_destroyed_is_not_extended_however_early(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.run(request())
    # Accepted, and not begun: a daemon that is killed here leaves it so until the next one.
    monkeypatch.setattr(stage.engine, "start", lambda *_: None)
    stage.control.submit(DestroyRequest(environment="feature-x"))
    error = refused(stage, RefusedError, "feature-x", None, ITSELF)
    assert (error.code, error.message) == (
        "E_NOT_READY",
        "extend of photos/feature-x refused: it is being destroyed",
    )


def test_who_may_not_change_it_does_not_extend_it(stage: Stage) -> None:
    stage.run(request())
    viewer = Caller(name="eve", grants=(Grant(stack="photos", role=Role.VIEWER),))
    assert refused(stage, RefusedError, "feature-x", None, viewer).code == "E_FORBIDDEN"


def test_an_extension_leaves_working_hours_out_until_they_begin_again(stage: Stage) -> None:
    stage.lifetime = replace(EIGHT_HOURS, ttl_s=None, working_hours=OFFICE)
    stage.run(request())
    extension = lifetimes(stage).extend("feature-x", None, ITSELF)
    assert extension.expires_at is None
    assert extension.awake_until == datetime(2026, 11, 24, 9, tzinfo=UTC)
    error = refused(stage, RefusedError, "feature-x", 60.0, ITSELF)
    assert (error.code, error.message, error.hint) == (
        "E_NEVER_EXPIRES",
        "extend of photos/feature-x refused: it has working hours and no ttl, so there is no end "
        "to put off",
        "greenroom extend photos/feature-x without a DURATION lets it run until working hours "
        "begin again",
    )
