"""A Stack on AWS and a table of prices to what it costs, item by item."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from greenroom.errors import RefusedError
from greenroom.model.cloud import CloudMachine, CloudStack, DataVolume
from greenroom.model.costs import Cost, CostItem, Part, Per, PriceTable, RegionPrices, hourly_usd

VOLUME_TYPE = "gp3"
"""Of every volume that the template makes, with the throughput and the IOPS that are included."""

NOT_COUNTED = (
    "data transfer",
    "requests to S3 and Route53",
    "storage in S3",
    "storage of snapshots",
    "surplus CPU credits of burstable instances",
    "taxes",
)

_CENT = Decimal("0.01")
_NO_PRICES = RegionPrices(as_of=date.min, source="", instances={}, volumes={})


def costs_of(cloud: CloudStack, prices: PriceTable) -> Cost:
    """What ``cloud`` costs by ``prices``. Pure; what has no price is an item without one."""
    region = prices.regions.get(cloud.region)
    items = [
        item
        for machine in cloud.machines
        for item in _of_machine(cloud, machine, region or _NO_PRICES, prices)
    ]
    if cloud.private_zone is None:
        items.append(
            CostItem(
                machine=None,
                part=Part.HOSTED_ZONE,
                what="private",
                per=Per.MONTH,
                usd=prices.hosted_zone_month_usd,
            )
        )
    return Cost(
        region=cloud.region,
        as_of=region.as_of if region else None,
        source=region.source if region else "",
        items=tuple(items),
        not_counted=NOT_COUNTED,
    )


def instances_cost(instance_types: Iterable[str], region: str, prices: PriceTable) -> Cost:
    """What machines of these types would cost in a region by their instances alone, which is all
    that is known of an environment that was not planned for AWS. Pure."""
    known = prices.regions.get(region)
    items = tuple(
        CostItem(
            machine=None,
            part=Part.INSTANCE,
            what=each,
            per=Per.HOUR,
            usd=(known or _NO_PRICES).instances.get(each),
        )
        for each in instance_types
    )
    return Cost(
        region=region,
        as_of=known.as_of if known else None,
        source=known.source if known else "",
        items=items,
        not_counted=("volumes", "public addresses", *NOT_COUNTED),
    )


def _of_machine(
    cloud: CloudStack, machine: CloudMachine, region: RegionPrices, prices: PriceTable
) -> Iterator[CostItem]:
    instance_type = cloud.stack.machine(machine.name).instance_type
    yield CostItem(
        machine=machine.name,
        part=Part.INSTANCE,
        what=instance_type,
        per=Per.HOUR,
        usd=region.instances.get(instance_type),
    )
    yield _volume(machine.name, Part.ROOT_VOLUME, machine.root_gib, region)
    if machine.volume is not None:
        yield _volume(machine.name, Part.DATA_VOLUME, machine.volume.size_gib, region)
        if machine.volume.initialization_mibps is not None:
            yield _initialization(machine.name, machine.volume, region)
    if cloud.public_addresses:
        yield CostItem(
            machine=machine.name,
            part=Part.PUBLIC_ADDRESS,
            what="in use",
            per=Per.HOUR,
            usd=prices.public_ipv4_hour_usd,
        )


def _volume(machine: str, part: Part, size_gib: int, region: RegionPrices) -> CostItem:
    gib_month_usd = region.volumes.get(VOLUME_TYPE)
    return CostItem(
        machine=machine,
        part=part,
        what=f"{VOLUME_TYPE}, {size_gib} GiB",
        per=Per.HOUR,
        usd=None if gib_month_usd is None else hourly_usd(gib_month_usd * size_gib),
    )


def _initialization(machine: str, volume: DataVolume, region: RegionPrices) -> CostItem:
    """AWS charges for the snapshot's full size, which is not known before it is asked for: the
    volume's size is the most that it can be."""
    gib_usd = region.initialization_gib_usd
    return CostItem(
        machine=machine,
        part=Part.INITIALIZATION,
        what=f"{volume.size_gib} GiB at {volume.initialization_mibps} MiB/s",
        per=Per.ONCE,
        usd=None if gib_usd is None else gib_usd * Decimal(volume.size_gib),
    )


def check_limit(cost: Cost, max_usd_per_day: Decimal) -> None:
    """Refuse what would cost more than ``max_usd_per_day`` if it stayed on, its create included.

    A limit that cannot be checked does not hold, so an unknown price is refused as well. Raises
    RefusedError.
    """
    day = cost.per_day() + cost.once()
    shown = day.usd.quantize(_CENT, ROUND_HALF_UP)
    if day.usd > max_usd_per_day:
        least = "at least " if day.unknown else ""
        raise RefusedError(
            "E_COST_LIMIT",
            f"the environment would cost {least}${shown} a day, and the limit is "
            f"${max_usd_per_day} (--max-cost-usd-per-day)",
            hint="take fewer or smaller machines, or raise the limit",
        )
    if day.unknown:
        raise RefusedError(
            "E_COST_LIMIT",
            f"whether the environment stays below ${max_usd_per_day} a day is not known: in "
            f"{cost.region} there is no price for {', '.join(day.unknown)}; "
            f"the others come to ${shown}",
            hint=f"greenroom prices refresh --region {cost.region} fetches AWS's own, "
            "or leave --max-cost-usd-per-day out",
        )
