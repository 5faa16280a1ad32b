"""How long environments live and when they run: the rules, without a daemon."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.blueprint_values import PHOTOS, allocation, blueprint_of, edited, faults_of, request

from greenroom.errors import InputError
from greenroom.model.durations import duration_words, parse_duration_s
from greenroom.model.lifetimes import Lifetime, WorkingHours, parse_days
from greenroom.model.requests import CreateRequest
from greenroom.plan.plan import plan
from greenroom.plan.render import plan_to_dict

OFFICE = WorkingHours(days=(0, 1, 2, 3, 4), start=time(9), end=time(17), time_zone="Europe/Berlin")
ZONE = "zone: photos.internal"


def lifetime(text: str, **more: object) -> Lifetime | None:
    """Of a branch, where the blueprint has that ``lifetime:``."""
    blueprint = edited((ZONE, f"{ZONE}\nlifetime: {text}")) if text else blueprint_of()
    fields = {"blueprint": blueprint.path, "branch": "feature_x"} | more
    return plan(blueprint, CreateRequest(**fields), allocation()).lifetime  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("8h", 28800), ("45m", 2700), ("1d12h", 129600), ("2d", 172800), ("1d0h5m", 86700)],
)
def test_a_duration_is_days_hours_and_minutes(text: str, seconds: float) -> None:
    assert parse_duration_s(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "8", "h", "8s", "-8h", "8h ", "5m8h", "8 h", "1.5h", "9" * 30 + "h", "٣h"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration; expected one such as 8h"):
        parse_duration_s(text)


@given(st.integers(min_value=1, max_value=10**6))
def test_the_words_of_a_duration_mean_it(minutes: int) -> None:
    assert parse_duration_s(duration_words(minutes * 60)) == minutes * 60


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("mon-fri", (0, 1, 2, 3, 4)),
        ("sat", (5,)),
        ("mon, wed,fri", (0, 2, 4)),
        ("sat-mon", (0, 5, 6)),
    ],
)
def test_weekdays_are_names_and_ranges(text: str, days: tuple[int, ...]) -> None:
    assert parse_days(text) == days


FAULTS = [
    ("{ttl: 8}", "lifetime.ttl", "8 is not text; put it in quotes"),
    ("{ttl: 8 hours}", "lifetime.ttl", "'8 hours' is not a duration such as 8h, 45m or 1d12h"),
    ("{ttl: 0m}", "lifetime.ttl", "'0m' is out of range; expected 1m to 365d"),
    ("{ttl: 400d}", "lifetime.ttl", "'400d' is out of range; expected 1m to 365d"),
    ("{ttl: 31d}", "lifetime", "the ttl 31d is longer than max, which is 30d"),
    ("{ttl: 1h, warn_before: 1h}", "lifetime", "warn_before 1h is not shorter than ttl 1h"),
    ("{notify: ftp://x}", "lifetime.notify", "the url is not an http or https address"),
    ("{tll: 8h}", "lifetime.tll", "unknown key 'tll'; did you mean 'ttl'?"),
    (
        '{working_hours: {from: "09:00", to: "17:00", time_zone: Europe/Berlni}}',
        "lifetime.working_hours.time_zone",
        "unknown time zone 'Europe/Berlni'; did you mean 'Europe/Berlin'?",
    ),
    (
        '{working_hours: {from: "9", to: "17:00", time_zone: UTC}}',
        "lifetime.working_hours.from",
        "'9' is not a time of day; expected one such as \"09:00\"",
    ),
    (
        '{working_hours: {from: "09:00", to: "24:00", time_zone: UTC}}',
        "lifetime.working_hours.to",
        "'24:00' is not a time of day; expected one such as \"09:00\"",
    ),
    (
        '{working_hours: {from: "17:00", to: "09:00", time_zone: UTC}}',
        "lifetime.working_hours",
        "the hours from 17:00 to 09:00 end before they begin",
    ),
    (
        '{working_hours: {days: workdays, from: "09:00", to: "17:00", time_zone: UTC}}',
        "lifetime.working_hours.days",
        "'workdays' does not name weekdays; expected such as mon-fri or mon, wed",
    ),
    (
        '{working_hours: {to: "17:00", time_zone: UTC}}',
        "lifetime.working_hours.from",
        "the required key 'from' is missing",
    ),
]


@pytest.mark.parametrize(("text", "path", "message"), FAULTS)
def test_a_bad_lifetime_is_told_with_its_place(text: str, path: str, message: str) -> None:
    (fault,) = faults_of(PHOTOS.replace(ZONE, f"{ZONE}\nlifetime: {text}"))
    assert (fault.path, fault.message) == (path, message)


def test_without_a_lifetime_nothing_expires() -> None:
    assert lifetime("") is None


def test_the_blueprint_says_how_long_a_branch_lives() -> None:
    found = lifetime(
        '{ttl: 8h, working_hours: {from: "09:00", to: "17:00", time_zone: Europe/Berlin}}'
    )
    assert found == Lifetime(
        ttl_s=28800.0, max_s=30 * 86400.0, warn_before_s=3600.0, working_hours=OFFICE
    )
    assert str(OFFICE) == "mon-fri 09:00-17:00 Europe/Berlin"


def test_a_webhook_s_address_is_in_the_plan_but_not_told() -> None:
    blueprint = edited((ZONE, f"{ZONE}\nlifetime: {{ttl: 8h, notify: https://x.org/s3cret}}"))
    stack = plan(blueprint, request(), allocation())
    assert stack.lifetime is not None and stack.lifetime.notify == "https://x.org/s3cret"
    assert plan_to_dict(stack)["lifetime"]["notify"] == "***"
    assert "s3cret" not in repr(stack.lifetime)


def test_a_ttl_that_is_asked_for_wins_and_needs_no_section() -> None:
    asked = lifetime("{ttl: 8h, warn_before: 2h}", ttl_s=600.0)
    assert asked is not None and (asked.ttl_s, asked.warn_before_s) == (600.0, 600.0)
    alone = lifetime("", ttl_s=3600.0)
    assert alone is not None and (alone.ttl_s, alone.warn_before_s) == (3600.0, 900.0)


@pytest.mark.parametrize("ttl_s", [0.0, 59.0, 8 * 86400.0, -60.0])
def test_a_ttl_out_of_range_is_refused(ttl_s: float) -> None:
    with pytest.raises(InputError) as raised:
        lifetime("{ttl: 8h, max: 7d}", ttl_s=ttl_s)
    assert raised.value.code == "E_TTL"
    assert "is out of range; expected 1m to 7d" in raised.value.message


@pytest.mark.parametrize("more", [{"branch": "master"}, {"branch": None, "shared": ("metrics",)}])
def test_production_and_shared_environments_never_expire(more: dict[str, object]) -> None:
    assert lifetime("{ttl: 8h}", **more) is None
    with pytest.raises(InputError) as raised:
        lifetime("{ttl: 8h}", ttl_s=3600.0, **more)
    assert raised.value.code == "E_TTL"
    assert raised.value.message.endswith(
        "production and shared environments of photos never expire"
    )


def test_a_lifetime_changes_nothing_else_of_a_plan() -> None:
    plain = plan(blueprint_of(), request(), allocation())
    ending = plan(edited((ZONE, f"{ZONE}\nlifetime: {{ttl: 8h}}")), request(), allocation())
    assert [m.user_data for m in plain.machines] == [m.user_data for m in ending.machines]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


# Clocks go forward on 2026-03-29 and back on 2026-10-25 in Berlin.
HOURS = [
    ("2026-11-23T07:59:59+00:00", False, "2026-11-23T08:00:00+00:00"),
    ("2026-11-23T08:00:00+00:00", True, "2026-11-24T08:00:00+00:00"),
    ("2026-11-23T15:59:59+00:00", True, "2026-11-24T08:00:00+00:00"),
    ("2026-11-23T16:00:00+00:00", False, "2026-11-24T08:00:00+00:00"),
    ("2026-11-27T16:00:00+00:00", False, "2026-11-30T08:00:00+00:00"),
    ("2026-03-27T16:00:00+00:00", False, "2026-03-30T07:00:00+00:00"),
    ("2026-03-30T07:30:00+00:00", True, "2026-03-31T07:00:00+00:00"),
    ("2026-10-23T15:30:00+00:00", False, "2026-10-26T08:00:00+00:00"),
    ("2026-10-26T07:30:00+00:00", False, "2026-10-26T08:00:00+00:00"),
]


@pytest.mark.parametrize(("moment", "working", "start"), HOURS)
def test_working_hours_go_by_the_clocks_of_their_zone(
    moment: str, working: bool, start: str
) -> None:
    assert OFFICE.includes(at(moment)) is working
    assert OFFICE.next_start(at(moment)) == at(start)


@given(st.datetimes(min_value=datetime(2026, 1, 1), max_value=datetime(2028, 1, 1)))
def test_the_next_start_begins_working_time(naive: datetime) -> None:
    moment = naive.replace(tzinfo=UTC)
    start = OFFICE.next_start(moment)
    assert moment < start <= moment + timedelta(days=4)
    assert OFFICE.includes(start) and not OFFICE.includes(start - timedelta(microseconds=1))


def test_a_start_that_the_clocks_leave_out_is_no_reason_to_sleep_on() -> None:
    night = WorkingHours(days=(6,), start=time(2, 30), end=time(6), time_zone="Europe/Berlin")
    start = night.next_start(at("2026-03-28T12:00:00+00:00"))
    assert start == at("2026-03-29T01:30:00+00:00")
    assert night.includes(start)
