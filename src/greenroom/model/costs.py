"""What an environment on AWS costs: prices, amounts, and the arithmetic of a bill.

Money is Decimal US dollars without tax. Nothing is rounded before it is shown, except that an
hourly rate is kept to a trillionth of a dollar: so sums are exact, in whatever order.

A price that nobody knows is None, never 0, and an amount tells what it lacks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from enum import StrEnum

HOURS_PER_MONTH = 730
"""What AWS's price pages and calculator take for a month: 365 × 24 / 12."""

HOUR_S = 3600
WORKDAY_H = 8
DAY_H = 24
MINIMUM_S = 60
"""The least that EC2, EBS and a public address bill for, in seconds."""

ZONE_FREE_H = 12
"""A hosted zone that is deleted within so many hours costs nothing (Route53's price page)."""

_RATE_USD = Decimal("1E-12")


class Part(StrEnum):
    """What a price is of."""

    INSTANCE = "instance"
    ROOT_VOLUME = "root volume"
    DATA_VOLUME = "data volume"
    PUBLIC_ADDRESS = "public IPv4 address"
    HOSTED_ZONE = "hosted zone"
    INITIALIZATION = "volume initialization"


class Per(StrEnum):
    """How a part is charged."""

    HOUR = "hour"
    """By the second, from a minimum of 60."""
    MONTH = "month"
    """Whole, once for each calendar month (UTC) in which it exists; free if it lives for less
    than 12 hours. So Route53 charges a hosted zone."""
    ONCE = "once"
    """When it is made."""


class Billing(StrEnum):
    """How time is counted."""

    BY_SECOND = "by the second"
    """Linux on EC2 since October 2017: from 60 seconds on, each second."""
    BY_HOUR = "by the hour"
    """Before that: each hour that began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """A sum of money. With ``unknown`` (sorted names of parts without a price), ``usd`` is only
    what is known of it: at least so much."""

    usd: Decimal
    unknown: tuple[str, ...] = ()

    def __add__(self, other: Amount) -> Amount:
        unknown = tuple(sorted({*self.unknown, *other.unknown}))
        return Amount(usd=self.usd + other.usd, unknown=unknown)


NOTHING = Amount(usd=Decimal(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class CostItem:
    """One line of the bill. ``machine`` None: it belongs to the environment as a whole.

    ``what`` says it to a person (``c3.large``, ``gp3, 20 GiB``); ``usd`` is the price ``per``
    hour, month or once, None if unknown.
    """

    machine: str | None
    part: Part
    what: str
    per: Per
    usd: Decimal | None

    @property
    def name(self) -> str:
        """What an unknown price is called by."""
        return f"{self.part} ({self.what})"

    def times(self, factor: Decimal) -> Amount:
        """The price, ``factor`` times."""
        if self.usd is None:
            return Amount(usd=Decimal(0), unknown=(self.name,))
        return Amount(usd=self.usd * factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From when to when something existed; both aware."""

    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        """Its length, never negative."""
        return max(0.0, (self.end - self.start).total_seconds())


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What an environment costs. ``as_of`` is the day of the prices, None if its region has none.

    ``not_counted`` names what depends on use, which no table foretells.
    """

    region: str
    as_of: date | None
    source: str
    items: tuple[CostItem, ...]
    not_counted: tuple[str, ...]

    def per_hour(self) -> Amount:
        """What each hour costs: instances, volumes and addresses, not the hosted zone."""
        return self._sum(Per.HOUR, Decimal(1))

    def once(self) -> Amount:
        """What each create costs."""
        return self._sum(Per.ONCE, Decimal(1))

    def of_run(self, seconds: float, billing: Billing = Billing.BY_SECOND) -> Amount:
        """Create, ``seconds`` of life, destroy. From 12 hours on it pays the hosted zone's month,
        which is whole from the first day."""
        amount = self.once() + self._sum(Per.HOUR, billed_hours(seconds, billing))
        months = Decimal(1) if seconds > ZONE_FREE_H * HOUR_S else Decimal(0)
        return amount + self._sum(Per.MONTH, months)

    def per_workday(self) -> Amount:
        """A run of 8 hours."""
        return self.of_run(WORKDAY_H * HOUR_S)

    def per_day(self) -> Amount:
        """A day of an environment that is always on: 24 hours, and 24/730 of what is paid by the
        month; without what its create costs."""
        share = Decimal(DAY_H) / HOURS_PER_MONTH
        return self._sum(Per.HOUR, Decimal(DAY_H)) + self._sum(Per.MONTH, share)

    def actual(self, span: Span, machines: Mapping[str, Span] | None = None) -> Amount:
        """What it has cost from ``span.start`` to ``span.end``, by the second.

        ``machines`` tells when each of them ran; one that is not in it ran for the whole span,
        which can only be more than AWS bills.
        """
        spans = machines or {}
        amount = self.once() + self._sum(Per.MONTH, Decimal(months_charged(span)))
        for item in self.items:
            if item.per is Per.HOUR:
                lived = spans.get(item.machine or "", span)
                amount += item.times(billed_hours(lived.seconds))
        return amount

    def _sum(self, per: Per, factor: Decimal) -> Amount:
        """What is charged so, ``factor`` times; zero times nothing is unknown."""
        if factor == 0:
            return NOTHING
        return total(item.times(factor) for item in self.items if item.per is per)


def total(amounts: Iterable[Amount]) -> Amount:
    """The sum; what is unknown of a part is unknown of the whole."""
    return sum(amounts, start=NOTHING)


def billed_hours(seconds: float, billing: Billing = Billing.BY_SECOND) -> Decimal:
    """The hours that AWS bills for something that lived so long: begun seconds, at least 60, or
    begun hours. What never lived is not billed."""
    if seconds <= 0:
        return Decimal(0)
    if billing is Billing.BY_HOUR:
        return (Decimal(seconds) / HOUR_S).to_integral_value(ROUND_CEILING)
    begun_s = Decimal(seconds).to_integral_value(ROUND_CEILING)
    return max(begun_s, Decimal(MINIMUM_S)) / HOUR_S


def months_charged(span: Span) -> int:
    """How often Route53 charges a hosted zone: at its start and at each first of a month (UTC)
    that it sees; not at all if it lives for at most 12 hours."""
    if span.seconds <= ZONE_FREE_H * HOUR_S:
        return 0
    months = (span.end.year - span.start.year) * 12 + span.end.month - span.start.month
    return months + 1


def hourly_usd(usd_per_month: Decimal) -> Decimal:
    """A month's price as an hour's, to a trillionth of a dollar."""
    return (usd_per_month / HOURS_PER_MONTH).quantize(_RATE_USD, ROUND_HALF_UP)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionPrices:
    """Prices of one region. ``as_of`` is the day on which ``source`` gave them.

    ``instances`` maps an instance type to USD an hour (on demand, Linux, shared tenancy);
    ``volumes`` a volume type to USD a GiB-month; ``initialization_gib_usd`` is what a GiB of
    snapshot costs at a provisioned initialization rate.
    """

    as_of: date
    source: str
    instances: Mapping[str, Decimal]
    volumes: Mapping[str, Decimal]
    initialization_gib_usd: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTable:
    """Prices by region, and those that are the same everywhere (None: unknown)."""

    regions: Mapping[str, RegionPrices]
    public_ipv4_hour_usd: Decimal | None
    hosted_zone_month_usd: Decimal | None
