"""Known prices for a person and for a program, and fetching them anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from greenroom.blueprint.instance_types import INSTANCE_TYPES
from greenroom.cli.text import count, table
from greenroom.errors import InputError
from greenroom.model.costs import PriceTable, RegionPrices

if TYPE_CHECKING:
    from greenroom.providers.aws.session import Account

_HEAD = ("REGION", "PRICES OF", "INSTANCE TYPES", "VOLUME TYPES", "SOURCE")
_REGION_HEAD = ("WHAT", "PRICE")


def refresh(
    account: Account,
    regions: Sequence[str],
    environment: Mapping[str, str],
    tell: Callable[[str], None],
) -> PriceTable:
    """Fetch ``regions`` (empty: all that have prices) and keep them; what is known after it.

    All regions are fetched before anything is written, so that an answer that is bad or not
    whole changes nothing. Raises GreenroomError.
    """
    from greenroom.providers.aws import price_table
    from greenroom.providers.aws.price_fetch import check_whole, fetch_region

    known = price_table.known_prices(environment)
    today = datetime.now(UTC).date()
    fetched: dict[str, RegionPrices] = {}
    for region in regions or tuple(known.regions):
        prices = fetch_region(account, region, wanted=INSTANCE_TYPES, today=today)
        check_whole(region, prices, known.regions.get(region))
        fetched[region] = prices
        tell(f"{region}: {count(len(prices.instances), 'instance type')}")
    path = price_table.own_path(environment)
    own = price_table.own_table(path)
    price_table.write_own(path, {**(own.regions if own else {}), **fetched})
    tell(f"written to {path}")
    return price_table.known_prices(environment)


def table_lines(prices: PriceTable) -> list[str]:
    """One line for each region, then what costs the same everywhere."""
    rows = [
        (
            name,
            str(region.as_of),
            str(len(region.instances)),
            _volumes(region),
            _short(region.source),
        )
        for name, region in prices.regions.items()
    ]
    return [
        *table(_HEAD, rows),
        f"everywhere: a public IPv4 address {_usd(prices.public_ipv4_hour_usd)} an hour, "
        f"a hosted zone {_usd(prices.hosted_zone_month_usd)} a month",
    ]


def region_lines(prices: PriceTable, region: str) -> list[str]:
    """Every price of ``region``. Raises InputError if it has none."""
    known = _of(prices, region)
    rows = [(name, f"{_usd(usd)} an hour") for name, usd in known.instances.items()]
    rows += [(name, f"{_usd(usd)} a GiB-month") for name, usd in known.volumes.items()]
    rows.append(
        ("volume initialization", f"{_usd(known.initialization_gib_usd)} a GiB of snapshot")
    )
    missing = sorted(set(INSTANCE_TYPES) - set(known.instances))
    lines = [*table(_REGION_HEAD, rows), f"prices of {known.as_of}: {known.source}"]
    return [*lines, f"unknown: {', '.join(missing)}"] if missing else lines


def prices_json(prices: PriceTable, region: str | None) -> dict[str, Any]:
    """All, or those of ``region``; money is text, None is unknown."""
    chosen = prices.regions if region is None else {region: _of(prices, region)}
    return {
        "public_ipv4_hour_usd": _text(prices.public_ipv4_hour_usd),
        "hosted_zone_month_usd": _text(prices.hosted_zone_month_usd),
        "regions": {
            name: {
                "as_of": known.as_of.isoformat(),
                "source": known.source,
                "instances": {key: str(usd) for key, usd in known.instances.items()},
                "volumes": {key: str(usd) for key, usd in known.volumes.items()},
                "initialization_gib_usd": _text(known.initialization_gib_usd),
            }
            for name, known in chosen.items()
        },
    }


def _of(prices: PriceTable, region: str) -> RegionPrices:
    if region not in prices.regions:
        raise InputError(
            "E_PRICES_REGION",
            f"there are no prices for {region}; there are for {', '.join(prices.regions)}",
            hint=f"greenroom prices refresh --region {region} fetches them",
        )
    return prices.regions[region]


def _short(source: str) -> str:
    """Its first clause; a region's own page has the whole."""
    return source.partition(";")[0]


def _volumes(region: RegionPrices) -> str:
    return ", ".join(region.volumes) or "unknown"


def _usd(usd: object) -> str:
    return "unknown" if usd is None else f"${usd}"


def _text(usd: object) -> str | None:
    return None if usd is None else str(usd)
