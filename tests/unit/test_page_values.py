"""What the pages make of values: a plot in words, a price that is known or not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.unit.cli_values import environment
from tests.unit.cost_values import PRICES

from greenroom.blueprint.instance_types import DEFAULT_INSTANCE_TYPE
from greenroom.drawing.plot import Point, Series, plot
from greenroom.model.views import EnvironmentStatus
from greenroom.providers.aws.price_table import shipped_table
from greenroom.web.page.costs import PRICED_IN, estimate_of, estimates_of

AT = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)


def test_a_plot_says_its_values_in_words() -> None:
    points = tuple(
        Point(at=AT + timedelta(days=n), seconds=seconds, words="create of <b>")
        for n, seconds in enumerate((0.004, 2.0, 130.0))
    )
    drawn = plot((Series(name="restore", points=points),), "Times")
    assert drawn is not None
    assert "restore: 3 values, median 2.00 s" in drawn
    assert "restore: 2 min 10 s, create of &lt;b&gt;, 2026-11-25 05:00 UTC" in drawn
    for tick in ("1 ms", "1 s", "100 s", "1000 s"):
        assert f">{tick}</text>" in drawn
    assert plot((Series(name="restore", points=()),), "Times") is None


# What it would cost.


@pytest.mark.parametrize(
    ("types", "hour", "unknown"),
    [
        (("t3.small", "t3.micro"), "$0.0300", ()),
        (("t3.small", "m5.large"), "at least $0.0200", ("m5.large",)),
    ],
)
def test_a_price_that_is_not_known_is_said(
    types: tuple[str, ...], hour: str, unknown: tuple[str, ...]
) -> None:
    estimate = estimate_of(environment(machines=types, instance_types=types), PRICES)
    assert estimate is not None
    assert (estimate.hour, estimate.unknown) == (hour, unknown)


def test_nothing_is_told_of_what_costs_nothing_or_has_no_price() -> None:
    stopped = environment(status=EnvironmentStatus.STOPPED)
    assert estimate_of(stopped, PRICES) is None
    assert estimate_of(environment(instance_types=("m5.large",)), PRICES) is None
    running = environment("other")
    assert set(estimates_of([stopped, running], PRICES)) == {"photos/other"}
    nowhere = replace(PRICES, regions={})
    assert estimate_of(environment(), nowhere) is None


def test_the_region_that_is_told_has_prices_in_the_package() -> None:
    assert shipped_table().regions[PRICED_IN].instances[DEFAULT_INSTANCE_TYPE] > 0


# The board.
