"""Environments on AWS and tables of prices as values, for tests of costs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

from tests.unit.blueprint_values import PHOTOS, blueprint_of, request

from greenroom.model.cloud import CloudStack, DataVolume
from greenroom.model.costs import Amount, PriceTable, RegionPrices
from greenroom.plan.cloud import CloudAsk, plan_cloud

AWS = "aws: {region: eu-west-1, bucket: acme-greenroom, buckets: {code: acme-code, extracts: x-1}}"

NOVEMBER_2014 = PriceTable(
    regions={
        "us-east-1": RegionPrices(
            as_of=date(2014, 11, 1),
            source="AWS's price page of November 2014",
            instances={"c3.large": Decimal("0.105")},
            volumes={},
        ),
        "eu-west-1": RegionPrices(
            as_of=date(2014, 11, 1),
            source="AWS's price page of November 2014",
            instances={"c3.large": Decimal("0.120")},
            volumes={},
        ),
    },
    public_ipv4_hour_usd=None,
    hosted_zone_month_usd=None,
)
"""What the seed's talk reckons with."""

PRICES = PriceTable(
    regions={
        "eu-west-1": RegionPrices(
            as_of=date(2026, 1, 2),
            source="a test",
            instances={"t3.small": Decimal("0.02"), "t3.micro": Decimal("0.01")},
            volumes={"gp3": Decimal("0.0876")},
            initialization_gib_usd=Decimal("0.004"),
        )
    },
    public_ipv4_hour_usd=Decimal("0.005"),
    hosted_zone_month_usd=Decimal("0.50"),
)
"""Round figures, not AWS's."""


def cloud_of(*machines: str, text: str = PHOTOS) -> CloudStack:
    """The photo feed in eu-west-1."""
    ask = CloudAsk(
        agent_sha256="ab" * 32, owner="ann", now=datetime(2026, 1, 2, tzinfo=UTC), taken={}
    )
    return plan_cloud(blueprint_of(text + AWS), request(*machines), ask)


def with_volume(cloud: CloudStack, machine: str, volume: DataVolume) -> CloudStack:
    """``cloud`` with another data volume at ``machine``."""
    machines = tuple(
        replace(each, volume=volume) if each.name == machine else each for each in cloud.machines
    )
    return replace(cloud, machines=machines)


def usd(text: str, *unknown: str) -> Amount:
    """An amount."""
    return Amount(usd=Decimal(text), unknown=unknown)
