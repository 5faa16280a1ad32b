"""What an environment would cost on AWS. Here it runs on this host, which charges nobody."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from greenroom.model.costs import PriceTable
from greenroom.model.views import EnvironmentStatus, EnvironmentView
from greenroom.money import HUNDREDTH_OF_A_CENT, amount_words
from greenroom.plan.costs import instances_cost

PRICED_IN = "eu-west-1"
"""The region whose prices are told: an environment of this host belongs to none of AWS's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """``hour`` and ``workday`` are words such as ``$0.0570``; ``unknown`` names the instance types
    without a price, of which they then hold nothing. ``as_of`` is the day of the prices."""

    region: str
    as_of: str
    hour: str
    workday: str
    unknown: tuple[str, ...]


def estimate_of(view: EnvironmentView, prices: PriceTable) -> Estimate | None:
    """By the instances alone. None for what is stopped, whose instances would cost nothing, and
    where nothing is known."""
    stopped = view.status is EnvironmentStatus.STOPPED
    return None if stopped else _estimate(view.instance_types, prices)


def estimates_of(views: Iterable[EnvironmentView], prices: PriceTable) -> dict[str, Estimate]:
    """By the environments' names. Most branches of a stack have the same machines, which are
    reckoned once: a list of hundreds is shown again at each change."""
    shown = [view for view in views if view.status is not EnvironmentStatus.STOPPED]
    known = {types: _estimate(types, prices) for types in {view.instance_types for view in shown}}
    found = ((view.name, known[view.instance_types]) for view in shown)
    return {name: estimate for name, estimate in found if estimate is not None}


def _estimate(instance_types: tuple[str, ...], prices: PriceTable) -> Estimate | None:
    cost = instances_cost(instance_types, PRICED_IN, prices)
    unknown = tuple(sorted({each.what for each in cost.items if each.usd is None}))
    if cost.as_of is None or len(unknown) == len(set(instance_types)):
        return None
    return Estimate(
        region=cost.region,
        as_of=cost.as_of.isoformat(),
        hour=amount_words(cost.per_hour(), HUNDREDTH_OF_A_CENT),
        workday=amount_words(cost.per_workday()),
        unknown=unknown,
    )
