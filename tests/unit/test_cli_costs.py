from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from tests.unit.cost_values import NOVEMBER_2014, PRICES, cloud_of, usd, with_volume

from greenroom.cli.cloud.costs import (
    actual_line,
    cost_json,
    cost_line,
    cost_lines,
    day_words,
)
from greenroom.errors import RefusedError
from greenroom.model.cloud import DataVolume
from greenroom.model.costs import Amount, Cost, PriceTable, Span
from greenroom.money import amount_words
from greenroom.plan.costs import check_limit, costs_of


def photos_cost(prices: PriceTable = PRICES) -> Cost:
    return costs_of(cloud_of("backend", "db", "feed"), prices)


def test_the_price_stands_on_one_line() -> None:
    assert cost_line(photos_cost()) == (
        "$0.0553 an hour · $0.03 for a run of 30 min · $0.44 a workday of 8 h · "
        "$1.34 a day always on (prices of 2026-01-02)"
    )
    assert "$0.01 for a run of 10 min" in cost_line(photos_cost(), run_minutes=10)
    assert day_words(photos_cost()) == "$1.34 a day"


def test_each_part_stands_in_a_table_with_its_price() -> None:
    snapshot = DataVolume(size_gib=50, snapshot="snap-1", initialization_mibps=300, retain=False)
    cloud = with_volume(cloud_of("db"), "db1", snapshot)
    assert cost_lines(costs_of(cloud, PRICES)) == [
        "MACHINE  PART                   WHAT                 PRICE",
        "db1      instance               t3.small             $0.0200 an hour",
        "db1      root volume            gp3, 8 GiB           $0.0010 an hour",
        "db1      data volume            gp3, 50 GiB          $0.0060 an hour",
        "db1      volume initialization  50 GiB at 300 MiB/s  $0.20 once",
        "-        hosted zone            private              $0.50 a month, free for 12 hours",
        "not counted: data transfer, requests to S3 and Route53, storage in S3, "
        "storage of snapshots, surplus CPU credits of burstable instances, taxes",
    ]


def test_a_sum_that_lacks_a_price_is_at_least_the_rest() -> None:
    prices = replace(PRICES, hosted_zone_month_usd=None)
    region = PRICES.regions["eu-west-1"]
    prices = replace(
        prices,
        regions={"eu-west-1": replace(region, instances={"t3.small": Decimal("0.02")})},
    )
    assert cost_line(photos_cost(prices)) == (
        "at least $0.0453 an hour · at least $0.02 for a run of 30 min · "
        "at least $0.36 a workday of 8 h · at least $1.09 a day always on "
        "(prices of 2026-01-02); unknown: hosted zone (private), instance (t3.micro)"
    )


def test_where_no_price_is_known_none_is_shown() -> None:
    cost = photos_cost(NOVEMBER_2014)
    assert "$" not in cost_line(cost)
    assert cost_line(cost).startswith("unknown an hour · unknown for a run of 30 min")
    nowhere = costs_of(replace(cloud_of("feed"), region="mars-1"), PRICES)
    assert cost_line(nowhere) == (
        "cost unknown: there are no prices for mars-1 (greenroom prices refresh --region mars-1)"
    )
    assert day_words(nowhere) == "unknown"
    assert cost_json(nowhere)["per_hour"] == {
        "usd": None,
        "unknown": ["instance (t3.micro)", "root volume (gp3, 8 GiB)"],
    }


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (usd("0"), "$0.00"),
        (usd("0.004"), "under $0.01"),
        (usd("0.005"), "$0.01"),
        (usd("0.735"), "$0.74"),
        (usd("17.640"), "$17.64"),
        (usd("0", "x"), "unknown"),
        (usd("1", "x"), "at least $1.00"),
    ],
)
def test_money_is_rounded_half_up_and_never_to_nothing(amount: Amount, words: str) -> None:
    assert amount_words(amount) == words


def test_a_receipt_says_what_it_has_cost() -> None:
    start = datetime(2026, 1, 2, 10, tzinfo=UTC)
    span = Span(start=start, end=start + timedelta(minutes=10))
    assert actual_line(usd("0.06"), span) == "$0.06 for 10 min 00 s, by the second"
    assert actual_line(usd("0.06", "instance (t3.nano)"), span) == (
        "at least $0.06 for 10 min 00 s, by the second; unknown: instance (t3.nano)"
    )


def test_a_program_gets_exact_money_as_text() -> None:
    document = cost_json(costs_of(cloud_of("feed"), PRICES), run_minutes=60)
    assert document["prices_as_of"] == "2026-01-02"
    assert document["per_hour"] == {"usd": "0.01096", "unknown": []}
    assert document["run"] == {"minutes": 60, "usd": "0.01096", "unknown": []}
    assert document["workday"] == {"hours": 8, "usd": "0.08768", "unknown": []}
    assert document["items"][0] == {
        "machine": "feed1",
        "part": "instance",
        "what": "t3.micro",
        "per": "hour",
        "usd": "0.01",
    }


def test_a_limit_lets_pass_what_costs_at_most_so_much() -> None:
    cost = photos_cost()
    check_limit(cost, cost.per_day().usd)
    with pytest.raises(RefusedError) as raised:
        check_limit(cost, Decimal("1.25"))
    assert raised.value.code == "E_COST_LIMIT"
    assert raised.value.message == (
        "the environment would cost $1.34 a day, and the limit is $1.25 (--max-cost-usd-per-day)"
    )


def test_a_limit_counts_what_a_create_costs() -> None:
    snapshot = DataVolume(size_gib=50, snapshot="snap-1", initialization_mibps=300, retain=False)
    cost = costs_of(with_volume(cloud_of("db"), "db1", snapshot), PRICES)
    with pytest.raises(RefusedError):
        check_limit(cost, cost.per_day().usd + Decimal("0.19"))
    check_limit(cost, cost.per_day().usd + Decimal("0.20"))


def test_a_limit_refuses_a_price_that_it_does_not_know() -> None:
    cost = photos_cost(replace(PRICES, hosted_zone_month_usd=None))
    with pytest.raises(RefusedError) as raised:
        check_limit(cost, Decimal(100))
    assert raised.value.message == (
        "whether the environment stays below $100 a day is not known: in eu-west-1 there is no "
        "price for hosted zone (private); the others come to $1.33"
    )
    assert "greenroom prices refresh --region eu-west-1" in raised.value.hint
