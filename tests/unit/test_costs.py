from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.cost_values import NOVEMBER_2014, PRICES, cloud_of, usd, with_volume

from greenroom.model.cloud import DataVolume
from greenroom.model.costs import (
    Billing,
    Cost,
    CostItem,
    Part,
    Per,
    Span,
    billed_hours,
    hourly_usd,
    months_charged,
)
from greenroom.plan.costs import NOT_COUNTED, costs_of

MINUTE_S = 60


def seed_cost(machines: int, region: str = "us-east-1") -> Cost:
    """The seed's environment: so many c3.large in November 2014, instances alone."""
    prices = NOVEMBER_2014.regions[region]
    items = tuple(
        CostItem(
            machine=f"m{number}",
            part=Part.INSTANCE,
            what="c3.large",
            per=Per.HOUR,
            usd=prices.instances["c3.large"],
        )
        for number in range(machines)
    )
    return Cost(
        region=region, as_of=prices.as_of, source=prices.source, items=items, not_counted=()
    )


def test_the_seeds_seven_machines_cost_17_64_a_day() -> None:
    assert seed_cost(7).per_day() == usd("17.640")
    assert seed_cost(7).per_hour() == usd("0.735")


def test_a_run_of_the_seed_was_billed_one_whole_hour() -> None:
    assert seed_cost(7).of_run(10 * MINUTE_S, Billing.BY_HOUR) == usd("0.735")
    assert seed_cost(7).of_run(61 * MINUTE_S, Billing.BY_HOUR) == usd("1.470")


def test_five_runs_of_the_seed_are_a_workday_of_about_3_50() -> None:
    runs = seed_cost(7).of_run(10 * MINUTE_S, Billing.BY_HOUR).usd * 5
    assert runs == Decimal("3.675")
    seventy_cents = (
        seed_cost(7).of_run(10 * MINUTE_S, Billing.BY_HOUR).usd.quantize(Decimal("0.1"), ROUND_DOWN)
    )
    assert seventy_cents * 5 == Decimal("3.50")  # as the talk rounds it


def test_three_machines_in_ireland_cost_0_36_an_hour_and_ten_minutes_six_cents() -> None:
    ireland = seed_cost(3, "eu-west-1")
    assert ireland.per_hour() == usd("0.360")
    assert ireland.per_day() == usd("8.640")
    ten_minutes = ireland.of_run(10 * MINUTE_S)
    assert ten_minutes.usd.quantize(Decimal("1E-20")) == Decimal("0.06")


@pytest.mark.parametrize(
    ("seconds", "hours"),
    [
        (0.0, "0"),
        (-5.0, "0"),
        (0.1, "60"),
        (59.0, "60"),
        (60.0, "60"),
        (60.2, "61"),
        (3600.0, "3600"),
    ],
)
def test_seconds_are_billed_as_they_begin_and_sixty_at_least(seconds: float, hours: str) -> None:
    assert billed_hours(seconds) == Decimal(hours) / 3600


@pytest.mark.parametrize(("seconds", "hours"), [(0.0, 0), (1.0, 1), (3600.0, 1), (3600.5, 2)])
def test_hours_were_billed_as_they_began(seconds: float, hours: int) -> None:
    assert billed_hours(seconds, Billing.BY_HOUR) == hours


def test_every_part_of_an_environment_is_an_item() -> None:
    cost = costs_of(replace(cloud_of("backend", "db", "feed"), public_addresses=True), PRICES)
    assert [(item.machine, item.part.value, item.what) for item in cost.items] == [
        ("backend1", "instance", "t3.small"),
        ("backend1", "root volume", "gp3, 8 GiB"),
        ("backend1", "public IPv4 address", "in use"),
        ("db1", "instance", "t3.small"),
        ("db1", "root volume", "gp3, 8 GiB"),
        ("db1", "data volume", "gp3, 20 GiB"),
        ("db1", "public IPv4 address", "in use"),
        ("feed1", "instance", "t3.micro"),
        ("feed1", "root volume", "gp3, 8 GiB"),
        ("feed1", "public IPv4 address", "in use"),
        (None, "hosted zone", "private"),
    ]
    gib_hour_usd = Decimal("0.0876") / 730
    assert cost.per_hour().usd == Decimal("0.065") + gib_hour_usd * (8 + 8 + 20 + 8)
    assert (cost.as_of, cost.not_counted) == (date(2026, 1, 2), NOT_COUNTED)


def test_without_public_addresses_and_with_a_zone_that_exists_neither_is_charged() -> None:
    cost = costs_of(replace(cloud_of("feed"), private_zone="Z1"), PRICES)
    assert [item.part for item in cost.items] == [Part.INSTANCE, Part.ROOT_VOLUME]


def test_a_snapshots_initialization_is_charged_once_for_each_create() -> None:
    snapshot = DataVolume(size_gib=50, snapshot="snap-1", initialization_mibps=300, retain=False)
    cost = costs_of(with_volume(cloud_of("db"), "db1", snapshot), PRICES)
    empty = replace(snapshot, snapshot=None, initialization_mibps=None)
    without = costs_of(with_volume(cloud_of("db"), "db1", empty), PRICES)
    assert (cost.once(), without.once()) == (usd("0.200"), usd("0"))
    assert cost.per_hour() == without.per_hour()
    assert cost.of_run(600).usd - without.of_run(600).usd == Decimal("0.2")


def test_a_hosted_zone_is_free_for_twelve_hours_and_then_costs_a_month() -> None:
    cost = costs_of(cloud_of("feed"), PRICES)
    half_day_s = 12 * 3600.0
    hour_usd = cost.per_hour().usd
    assert cost.of_run(half_day_s).usd == 12 * hour_usd
    assert cost.of_run(half_day_s + 3600).usd == 13 * hour_usd + Decimal("0.50")
    assert cost.per_workday().usd == 8 * hour_usd


def test_a_day_always_on_has_its_share_of_the_zones_month() -> None:
    cost = costs_of(cloud_of("feed"), PRICES)
    share = Decimal("0.50") * (Decimal(24) / 730)
    assert cost.per_day().usd == 24 * cost.per_hour().usd + share


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end", "months"),
    [
        ("2026-01-31T20:00", "2026-02-01T08:00", 0),
        ("2026-01-31T20:00", "2026-02-01T08:01", 2),
        ("2026-01-02T00:00", "2026-01-30T00:00", 1),
        ("2025-12-20T00:00", "2026-02-01T00:00", 3),
    ],
)
def test_route53_charges_each_month_that_a_zone_sees(start: str, end: str, months: int) -> None:
    assert months_charged(Span(start=moment(start), end=moment(end))) == months


def test_the_actual_cost_is_by_the_second_from_start_to_end() -> None:
    cost = costs_of(cloud_of("feed"), PRICES)
    start = moment("2026-01-02T10:00")
    lived = Span(start=start, end=start + timedelta(seconds=1234))
    assert cost.actual(lived).usd == cost.of_run(1234).usd


def test_a_machine_that_came_later_is_billed_from_then() -> None:
    cost = costs_of(cloud_of("feed=2"), PRICES)
    start = moment("2026-01-02T10:00")
    stack = Span(start=start, end=start + timedelta(hours=2))
    late = Span(start=start + timedelta(hours=1), end=stack.end)
    assert cost.actual(stack, {"feed2": late}).usd == cost.per_hour().usd / 2 * 3
    backwards = Span(start=stack.end, end=start)
    assert cost.actual(stack, {"feed2": backwards}).usd == cost.per_hour().usd


def test_an_unknown_price_makes_every_sum_that_needs_it_unknown() -> None:
    cost = costs_of(cloud_of("backend", "db", "feed"), NOVEMBER_2014)
    unknown = (
        "data volume (gp3, 20 GiB)",
        "instance (t3.micro)",
        "instance (t3.small)",
        "root volume (gp3, 8 GiB)",
    )
    assert cost.per_hour() == usd("0", *unknown)
    assert cost.of_run(600) == usd("0", *unknown)  # a zone of so short a life is free
    assert cost.per_day() == usd("0", *sorted({"hosted zone (private)", *unknown}))


def test_a_region_without_prices_has_no_date() -> None:
    cost = costs_of(replace(cloud_of("feed"), region="mars-1"), PRICES)
    assert (cost.as_of, cost.source) == (None, "")
    assert cost.per_hour().unknown == ("instance (t3.micro)", "root volume (gp3, 8 GiB)")


# Laws.

CLOUD = cloud_of("backend=2", "db", "feed=3")
MAYBE_USD = st.none() | st.decimals(min_value=0, max_value=100, places=6)
SECONDS = st.floats(min_value=0, max_value=10_000_000)


@st.composite
def priced(draw: st.DrawFn) -> Cost:
    """The photo feed at drawn prices, some of them unknown."""
    cost = costs_of(replace(CLOUD, public_addresses=True), PRICES)
    items = []
    for item in cost.items:
        price = draw(MAYBE_USD)
        if price is not None and item.per is Per.HOUR:
            price = hourly_usd(price)
        items.append(replace(item, usd=price))
    return replace(cost, items=tuple(items))


def part_of(cost: Cost, machines: frozenset[str | None]) -> Cost:
    return replace(cost, items=tuple(item for item in cost.items if item.machine in machines))


@settings(max_examples=40)
@given(cost=priced(), chosen=st.sets(st.sampled_from([m.name for m in CLOUD.machines])))
def test_a_cost_is_the_sum_over_its_machines(cost: Cost, chosen: set[str]) -> None:
    everything = frozenset(item.machine for item in cost.items)
    one = part_of(cost, frozenset(chosen))
    other = part_of(cost, everything - chosen)
    assert one.per_hour() + other.per_hour() == cost.per_hour()
    assert one.once() + other.once() == cost.once()
    assert (one.per_day() + other.per_day()).unknown == cost.per_day().unknown
    days_differ = one.per_day().usd + other.per_day().usd - cost.per_day().usd
    assert abs(days_differ) < Decimal("1E-20")


@settings(max_examples=40)
@given(cost=priced())
def test_an_unknown_price_is_never_a_zero(cost: Cost) -> None:
    hourly = [item for item in cost.items if item.per is Per.HOUR]
    assert bool(cost.per_hour().unknown) == any(item.usd is None for item in hourly)
    assert set(cost.per_hour().unknown) == {item.name for item in hourly if item.usd is None}


@settings(max_examples=40)
@given(cost=priced(), seconds=st.tuples(SECONDS, SECONDS))
def test_who_lives_longer_never_pays_less(cost: Cost, seconds: tuple[float, float]) -> None:
    for shorter, longer in combinations(sorted(seconds), 2):
        assert cost.of_run(shorter).usd <= cost.of_run(longer).usd
        for billing in Billing:
            assert billed_hours(shorter, billing) <= billed_hours(longer, billing)
        assert billed_hours(longer) <= max(billed_hours(longer, Billing.BY_HOUR), Decimal(1) / 60)
