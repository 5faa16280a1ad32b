"""The reconciler on a simulated host: it ends, stops, starts, finishes, removes and reports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.component.app_stage import TIMEOUT_S, request
from tests.component.reconciler_stage import (
    HOUR,
    LIFETIME,
    MONDAY,
    NAME,
    OFFICE,
    Theatre,
    known_to_have_ended,
    leave,
    until,
)

from greenroom.app.lifetimes import Lifetimes
from greenroom.app.reconciliation import Action, Expire, ShiftEnds, Sleep, Warn
from greenroom.daemon import reconcile_period_s
from greenroom.errors import HostError, InputError, UsageError
from greenroom.jobs.memory import Crash
from greenroom.model.access import ITSELF
from greenroom.model.events import OperationStatus
from greenroom.model.requests import StartRequest, StopRequest
from greenroom.model.stack import Stack
from greenroom.model.views import EnvironmentStatus
from greenroom.store.incidents import incidents_of


@pytest.fixture
def theatre(tmp_path: Path) -> Iterator[Theatre]:
    theatre = Theatre(tmp_path)
    yield theatre
    theatre.stage.close()


def test_an_environment_is_warned_of_and_then_destroyed_by_an_ordinary_operation(
    theatre: Theatre,
) -> None:
    theatre.stage.run(request())
    quiet = theatre.look_each_minute(timedelta(hours=6, minutes=58))
    assert quiet == []

    theatre.look(timedelta(minutes=2))
    (view,) = theatre.stage.control.environments()
    assert view.warned_at == theatre.clock.at
    assert theatre.told() == [
        "photos/feature-x: is destroyed at 2026-11-23 16:00 UTC, with all its data; "
        "greenroom extend photos/feature-x keeps it"
    ]

    assert theatre.look_each_minute(timedelta(minutes=59)) == []
    assert theatre.look_each_minute(timedelta(minutes=1)) == [Expire(name=NAME)]
    assert theatre.status() is None
    assert theatre.stage.observe() == () == theatre.stage.intents()
    last = theatre.last()
    assert (last.kind, last.asked_by) == ("destroy", "greenroom:reconciler")
    with pytest.raises(InputError) as gone:
        theatre.stage.control.environment("feature_x")
    assert gone.value.message == (
        "there is no environment 'feature_x': it expired and was destroyed at 2026-11-23 16:00 UTC"
    )


def test_a_webhook_hears_of_the_warning(theatre: Theatre) -> None:
    theatre.stage.lifetime = replace(LIFETIME, notify="https://chat.example.org/hook/s3cret")
    theatre.stage.run(request(owner="claudia"))
    theatre.look(timedelta(hours=7))
    theatre.look(timedelta(minutes=1))
    ((url, told),) = theatre.sent
    assert url == "https://chat.example.org/hook/s3cret"
    assert told == {
        "event": "expires-soon",
        "environment": "photos/feature-x",
        "branch": "feature_x",
        "owner": "claudia",
        "expires_at": "2026-11-23T16:00:00+00:00",
        "message": "photos/feature-x is destroyed at 2026-11-23 16:00 UTC, with all its data; "
        "greenroom extend photos/feature-x keeps it",
    }


def test_an_extension_after_the_warning_is_warned_of_again(theatre: Theatre) -> None:
    theatre.stage.run(request())
    theatre.look(timedelta(hours=7))
    lifetimes = Lifetimes(database=theatre.stage.database, clock=theatre.clock)
    lifetimes.extend("feature-x", None, ITSELF)
    assert theatre.stage.control.environments()[0].warned_at is None
    assert theatre.look_each_minute(timedelta(hours=6)) == []
    (warned,) = theatre.look(HOUR)
    assert isinstance(warned, Warn)


def meanwhile(theatre: Theatre, act: Callable[[], object]) -> None:
    """Have ``act`` done once, after the reconciler's next look at the ledger and before it acts."""
    provider = theatre.stage.provider
    looked = provider.lost

    def lost(stack: Stack) -> tuple[str, ...]:
        provider.lost = looked  # type: ignore[method-assign]
        found = looked(stack)
        act()
        return found

    provider.lost = lost  # type: ignore[method-assign]


def test_what_is_extended_at_the_last_moment_is_not_destroyed(theatre: Theatre) -> None:
    theatre.stage.run(request())
    theatre.stage.watched()
    theatre.look(timedelta(hours=7))
    lifetimes = Lifetimes(database=theatre.stage.database, clock=theatre.clock)
    meanwhile(theatre, lambda: lifetimes.extend("feature-x", None, ITSELF))
    assert theatre.look(HOUR) == (Expire(name=NAME),)
    assert theatre.status() is EnvironmentStatus.READY
    assert theatre.left() == timedelta(hours=8)
    assert theatre.look_each_minute(timedelta(hours=6, minutes=59)) == []


def test_an_extension_while_it_is_warned_of_is_warned_of_again(theatre: Theatre) -> None:
    theatre.stage.run(request())
    theatre.stage.watched()
    lifetimes = Lifetimes(database=theatre.stage.database, clock=theatre.clock)
    meanwhile(theatre, lambda: lifetimes.extend("feature-x", None, ITSELF))
    theatre.look(timedelta(hours=7))
    assert theatre.stage.control.environments()[0].warned_at is None
    assert theatre.told() == [] == theatre.sent


def test_what_is_extended_as_its_hours_end_is_not_stopped(theatre: Theatre) -> None:
    theatre.stage.lifetime = replace(LIFETIME, ttl_s=None, working_hours=OFFICE)
    theatre.clock.go(HOUR)
    theatre.stage.run(request())
    theatre.stage.watched()
    lifetimes = Lifetimes(database=theatre.stage.database, clock=theatre.clock)
    meanwhile(theatre, lambda: lifetimes.extend("feature-x", None, ITSELF))
    assert theatre.look(timedelta(hours=8)) == (Sleep(name=NAME),)
    assert theatre.status() is EnvironmentStatus.READY


@pytest.mark.parametrize("part", ["lost", "census"])
def test_a_part_that_cannot_be_looked_at_keeps_nothing_from_its_end(
    theatre: Theatre, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    theatre.stage.run(request())
    theatre.stage.watched()

    def broken(*_: object) -> tuple[str, ...]:
        raise OSError("the host does not answer")

    with monkeypatch.context() as patched:
        patched.setattr(theatre.stage.provider, part, broken)
        theatre.look(timedelta(hours=7))
        assert theatre.look(HOUR) == (Expire(name=NAME),)
    assert theatre.stage.control.environments() == ()
    with theatre.stage.database.read() as connection:
        told = [i.message for i in incidents_of(connection, NAME, MONDAY)]
    assert sum("could not be looked at: the host does not answer" in m for m in told) == 1


def test_a_busy_environment_expires_when_it_is_free(theatre: Theatre) -> None:
    theatre.stage.run(request())
    theatre.look(timedelta(hours=7))
    theatre.stage.world.faults.hang_at = "restart"
    theatre.stage.run(StopRequest(environment="feature-x"))
    start = theatre.stage.control.submit(StartRequest(environment="feature-x"))
    assert theatre.stage.world.wait_until_hanging(TIMEOUT_S)

    theatre.clock.go(2 * HOUR)
    assert theatre.reconciler.look() == ()
    theatre.stage.world.release()
    theatre.stage.finish(start.id)
    assert theatre.look() == (Expire(name=NAME),)
    assert theatre.status() is None


def test_what_expired_while_no_daemon_ran_is_given_time(theatre: Theatre) -> None:
    theatre.stage.run(request())
    theatre.clock.go(timedelta(days=3))
    theatre.rise_again()

    theatre.look()
    assert theatre.told() == [
        "photos/feature-x: has expired at 2026-11-23 16:00 UTC and is destroyed soon; "
        "greenroom extend photos/feature-x keeps it"
    ]
    assert theatre.look_each_minute(timedelta(minutes=14)) == []
    assert theatre.look(timedelta(minutes=1)) == (Expire(name=NAME),)


def test_a_warning_before_a_restart_is_no_reason_to_destroy_at_once(theatre: Theatre) -> None:
    theatre.stage.run(request())
    theatre.look(timedelta(hours=7))
    # No daemon ran when the clock was set, so nobody can tell.
    theatre.clock.at += timedelta(days=700)
    theatre.rise_again()
    assert theatre.look() == ()
    assert theatre.status() is EnvironmentStatus.READY


def shift_of(actions: Iterable[Action]) -> timedelta:
    (shift,) = actions
    assert isinstance(shift, ShiftEnds)
    return shift.jump


@pytest.mark.parametrize("jump", [timedelta(days=3650), timedelta(hours=9)])
def test_a_clock_that_is_set_forward_takes_nobody_s_time(theatre: Theatre, jump: timedelta) -> None:
    theatre.stage.run(request())
    theatre.look(HOUR)
    theatre.clock.at += jump

    assert shift_of(theatre.look(timedelta(minutes=1))) == jump
    assert theatre.left() == timedelta(hours=6, minutes=59)
    told = "environments keep at least the time that they had left"
    assert any(told in line for line in theatre.told())

    assert theatre.look_each_minute(timedelta(hours=5, minutes=58)) == []
    assert [type(a) for a in theatre.look_each_minute(timedelta(minutes=61))] == [Warn, Expire]


@pytest.mark.parametrize("ahead", [timedelta(hours=7), timedelta(days=700)])
def test_a_clock_that_was_ahead_at_the_start_and_is_corrected_takes_nobody_s_time(
    theatre: Theatre, ahead: timedelta
) -> None:
    theatre.stage.run(request())
    theatre.clock.at += ahead
    theatre.rise_again()
    theatre.look()
    theatre.clock.at -= ahead

    assert shift_of(theatre.look(timedelta(minutes=1))) == -ahead
    assert theatre.left() == timedelta(hours=7, minutes=59)
    assert theatre.look_each_minute(timedelta(hours=6, minutes=58)) == []
    assert [type(a) for a in theatre.look_each_minute(timedelta(minutes=61))] == [Warn, Expire]


def test_a_shift_that_could_not_be_written_is_made_up_for(
    theatre: Theatre, monkeypatch: pytest.MonkeyPatch
) -> None:
    theatre.stage.run(request())
    theatre.look()

    def full(*_: object) -> None:
        raise HostError("E_LEDGER_FULL", "the ledger's disk is full", hint="df -h")

    theatre.clock.at += timedelta(hours=9)
    with monkeypatch.context() as patched:
        patched.setattr("greenroom.app.reconciler.shift_ends", full)
        assert shift_of(theatre.look(timedelta(minutes=1))) == timedelta(hours=9)
        assert shift_of(theatre.look(timedelta(minutes=1))) == timedelta(hours=9)
    assert shift_of(theatre.look(timedelta(minutes=1))) == timedelta(hours=9)
    assert theatre.left() == timedelta(hours=7, minutes=57)
    assert theatre.look_each_minute(timedelta(minutes=20)) == []


def test_a_clock_that_is_slewed_is_no_step(theatre: Theatre) -> None:
    theatre.stage.run(request())
    theatre.look()
    theatre.clock.at += timedelta(seconds=90)
    assert theatre.look(timedelta(minutes=1)) == ()


def test_an_expiry_that_left_something_is_tried_again_each_hour(theatre: Theatre) -> None:
    theatre.stage.run(request())
    theatre.look(timedelta(hours=7))
    stuck = theatre.stage.observe()[0]
    theatre.stage.world.faults.sticks = (stuck,)
    assert theatre.look(HOUR) == (Expire(name=NAME),)
    assert theatre.status() is EnvironmentStatus.FAILED
    first = theatre.last().id

    assert theatre.look_each_minute(timedelta(minutes=59)) == []
    assert theatre.last().id == first
    theatre.stage.world.faults.sticks = ()
    theatre.look(timedelta(minutes=1))
    assert theatre.status() is None


@pytest.mark.parametrize("crash_in_step", [False, True])
def test_a_crash_during_an_expiry_is_made_good(theatre: Theatre, crash_in_step: bool) -> None:
    theatre.stage.run(request())
    theatre.look(timedelta(hours=7))
    theatre.clock.go(HOUR)
    if crash_in_step:
        theatre.stage.world.faults.fail_at = "destroy"
        theatre.stage.world.faults.error = Crash("destroy")
    else:
        theatre.stage.control.close()
        theatre.stage.rise(crash_after="destroy")
        now_s = theatre.reconciler._near_since_s
        theatre.rise_again()
        theatre.reconciler._near_since_s = now_s
    theatre.reconciler.look()
    operation = theatre.last()
    theatre.stage.control.close()
    assert not theatre.stage.control.operation(operation.id).status.final

    theatre.stage.world.faults.fail_at = None
    theatre.stage.rise()
    assert theatre.stage.finish(operation.id)[0].status is OperationStatus.SUCCEEDED
    assert theatre.status() is None
    assert theatre.stage.observe() == () == theatre.stage.intents()


# Working hours.


def test_it_sleeps_at_night_and_works_by_day(theatre: Theatre) -> None:
    theatre.stage.lifetime = replace(LIFETIME, ttl_s=None, working_hours=OFFICE)
    theatre.clock.go(HOUR)
    theatre.stage.run(request())
    theatre.look(timedelta(hours=8))
    assert theatre.status() is EnvironmentStatus.STOPPED
    theatre.look(timedelta(hours=15))
    assert theatre.status() is EnvironmentStatus.STOPPED
    theatre.look(HOUR)
    assert theatre.status() is EnvironmentStatus.READY
    assert theatre.last().asked_by == "greenroom:reconciler"


def test_who_creates_or_starts_it_at_night_has_it_until_the_morning(theatre: Theatre) -> None:
    theatre.stage.lifetime = replace(LIFETIME, ttl_s=None, working_hours=OFFICE)
    theatre.clock.go(timedelta(hours=12))
    theatre.stage.run(request())
    assert theatre.look(HOUR) == ()
    theatre.stage.run(StopRequest(environment="feature-x"))
    theatre.stage.run(StartRequest(environment="feature-x"))
    assert theatre.look(timedelta(hours=11, minutes=59)) == ()
    assert theatre.look(timedelta(hours=8)) == ()
    assert len(theatre.look(timedelta(minutes=1))) == 1
    assert theatre.status() is EnvironmentStatus.STOPPED


def test_an_extension_by_day_lasts_over_the_night(theatre: Theatre) -> None:
    theatre.stage.lifetime = replace(LIFETIME, ttl_s=None, working_hours=OFFICE)
    theatre.clock.go(timedelta(hours=4))
    theatre.stage.run(request())
    lifetimes = Lifetimes(database=theatre.stage.database, clock=theatre.clock)
    lifetimes.extend("feature-x", None, ITSELF)
    assert theatre.look(timedelta(hours=6)) == ()
    assert theatre.look(timedelta(hours=15)) == ()
    theatre.look(timedelta(hours=8))
    assert theatre.status() is EnvironmentStatus.STOPPED


def test_what_a_person_stopped_stays_stopped_by_day(theatre: Theatre) -> None:
    theatre.stage.lifetime = replace(LIFETIME, ttl_s=None, working_hours=OFFICE)
    theatre.clock.go(HOUR)
    theatre.stage.run(request())
    theatre.stage.run(StopRequest(environment="feature-x"))
    assert theatre.look(timedelta(days=1)) == ()
    assert theatre.status() is EnvironmentStatus.STOPPED


# What does not fit.


def test_what_the_host_lost_is_brought_back(theatre: Theatre) -> None:
    theatre.stage.run(request())
    theatre.stage.watched()
    theatre.stage.world.reboot()
    theatre.look()
    assert theatre.status() is EnvironmentStatus.READY
    assert theatre.last().kind == "recover"


def test_the_reconciler_looks_by_itself_and_ends_when_it_is_told(theatre: Theatre) -> None:
    known_to_have_ended(theatre)
    leave(theatre)
    theatre.reconciler.start()
    until(lambda: theatre.stage.observe("photos/old") == ())
    theatre.reconciler.close()
    leave(theatre)
    assert theatre.stage.observe("photos/old") != ()


def test_a_look_that_breaks_does_not_end_the_reconciler(
    theatre: Theatre, monkeypatch: pytest.MonkeyPatch
) -> None:
    theatre.rise_again(period_s=0.01)
    looked: list[int] = []

    def broken() -> tuple[Action, ...]:
        looked.append(1)
        raise ZeroDivisionError("simulated bug")

    monkeypatch.setattr(theatre.reconciler, "look", broken)
    theatre.reconciler.start()
    until(lambda: len(looked) > 2)
    theatre.reconciler.close()


@pytest.mark.parametrize(("text", "seconds"), [(None, 60.0), ("1", 1.0), ("3600", 3600.0)])
def test_how_often_it_looks_is_a_setting(
    monkeypatch: pytest.MonkeyPatch, text: str | None, seconds: float
) -> None:
    monkeypatch.delenv("GREENROOM_RECONCILE_S", raising=False)
    if text is not None:
        monkeypatch.setenv("GREENROOM_RECONCILE_S", text)
    assert reconcile_period_s() == seconds


@pytest.mark.parametrize("text", ["", "0", "3601", "1.5", "-1", "1m", "٣", "9" * 5000])
def test_a_setting_out_of_range_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("GREENROOM_RECONCILE_S", text)
    with pytest.raises(UsageError) as refused:
        reconcile_period_s()
    expected = f"GREENROOM_RECONCILE_S is {text[:40]!r}: expected whole seconds, 1 to 3600"
    assert (refused.value.code, refused.value.message) == ("E_RECONCILE_S", expected)
