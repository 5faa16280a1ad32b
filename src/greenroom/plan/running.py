"""What runs in an account and a table of prices to what it costs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

from greenroom.model.cloud_views import Power, SeenInstance, SeenVolume
from greenroom.model.costs import Cost, CostItem, Part, Per, PriceTable, RegionPrices, hourly_usd
from greenroom.plan.costs import NOT_COUNTED

_NO_PRICES = RegionPrices(as_of=date.min, source="", instances={}, volumes={})


def cost_of_seen(
    region: str,
    instances: Iterable[SeenInstance],
    volumes: Iterable[SeenVolume],
    prices: PriceTable,
    *,
    own_zone: bool = False,
) -> Cost:
    """What these instances and volumes cost by ``prices``. Pure.

    A stopped instance costs nothing, its volumes do. Prices are those of gp3 with the throughput
    and the IOPS that are included, which is all that the template asks for.
    """
    known = prices.regions.get(region)
    items = [
        *_instances(instances, known or _NO_PRICES, prices),
        *_volumes(volumes, known or _NO_PRICES),
    ]
    if own_zone:
        usd = prices.hosted_zone_month_usd
        items.append(
            CostItem(machine=None, part=Part.HOSTED_ZONE, what="private", per=Per.MONTH, usd=usd)
        )
    return Cost(
        region=region,
        as_of=known.as_of if known else None,
        source=known.source if known else "",
        items=tuple(items),
        not_counted=NOT_COUNTED,
    )


def _instances(
    instances: Iterable[SeenInstance], region: RegionPrices, prices: PriceTable
) -> Iterator[CostItem]:
    for instance in instances:
        if instance.power not in (Power.PENDING, Power.RUNNING):
            continue
        yield CostItem(
            machine=instance.machine or instance.id,
            part=Part.INSTANCE,
            what=instance.type,
            per=Per.HOUR,
            usd=region.instances.get(instance.type),
        )
        if instance.public_ip:
            yield CostItem(
                machine=instance.machine or instance.id,
                part=Part.PUBLIC_ADDRESS,
                what="in use",
                per=Per.HOUR,
                usd=prices.public_ipv4_hour_usd,
            )


def _volumes(volumes: Iterable[SeenVolume], region: RegionPrices) -> Iterator[CostItem]:
    for volume in volumes:
        usd = region.volumes.get(volume.type)
        yield CostItem(
            machine=volume.machine or volume.id,
            part=Part.ROOT_VOLUME if volume.root else Part.DATA_VOLUME,
            what=f"{volume.type}, {volume.size_gib} GiB",
            per=Per.HOUR,
            usd=None if usd is None else hourly_usd(usd * volume.size_gib),
        )
