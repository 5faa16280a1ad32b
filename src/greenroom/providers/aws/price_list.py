"""AWS's price list: which of its offers are the prices that we mean, in both forms it comes in.

One form is the bulk file of a region (CSV, hundreds of megabytes: read row by row), the other the
entries that the API's GetProducts answers. Guide: "AWS Price List", "Reading the service price
list file" and "Finding services and products using the Price List Query API".
"""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from greenroom.errors import InputError, OperationError
from greenroom.model.costs import RegionPrices

VOLUME_TYPES = ("gp2", "gp3", "io1", "io2", "st1", "sc1", "standard")

_IN_REGION = "AWS Region"
"""Not a Local Zone, a Wavelength Zone or an Outpost, which have prices of their own."""

INSTANCE_FILTERS = {
    "productFamily": "Compute Instance",
    "locationType": _IN_REGION,
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
    "operation": "RunInstances",
}
"""What makes an offer a plain Linux instance by the hour. Without ``capacitystatus`` the unused
hours of a capacity reservation come as well, without ``operation`` BYOL and RHEL."""

_CSV_ATTRIBUTES = {
    "Product Family": "productFamily",
    "Location Type": "locationType",
    "Operating System": "operatingSystem",
    "Tenancy": "tenancy",
    "Pre Installed S/W": "preInstalledSw",
    "CapacityStatus": "capacitystatus",
    "operation": "operation",
    "MarketOption": "marketoption",
    "Instance Type": "instanceType",
    "Volume API Name": "volumeApiName",
    "usageType": "usagetype",
    "Region Code": "regionCode",
}
_CSV_REQUIRED = {"TermType", "Unit", "PricePerUnit", "Currency", *_CSV_ATTRIBUTES} - {
    "MarketOption"
}
_CSV_HEAD_ROWS = 5
"""FormatVersion, Disclaimer, Publication Date, Version and OfferCode stand before the columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One on-demand price: ``attributes`` as the API calls them, with ``productFamily``; ``price``
    in ``currency`` for a ``unit``, as text."""

    attributes: Mapping[str, str]
    unit: str
    price: str
    currency: str


def offers_of_csv(lines: Iterable[str]) -> tuple[date, Iterator[Offer]]:
    """The day on which a region's bulk file was published, and its on-demand offers, one row in
    memory at a time.

    Raises OperationError for a file of another form, for a broken row when it is reached.
    """
    rows = csv.reader(lines)
    head = dict(row[:2] for row in (next(rows, []) for _ in range(_CSV_HEAD_ROWS)) if len(row) > 1)
    columns = next(rows, [])
    missing = sorted(_CSV_REQUIRED - set(columns))
    if head.get("FormatVersion") != "v1.0" or missing:
        raise _bad(f"the file is not a price list of format v1.0 (missing: {', '.join(missing)})")
    try:
        published = datetime.fromisoformat(head.get("Publication Date", "")).date()
    except ValueError as error:
        raise _bad(f"the file has no publication date ({error})") from error
    return published, _on_demand(rows, columns)


def _on_demand(rows: Iterator[list[str]], columns: list[str]) -> Iterator[Offer]:
    for row in rows:
        if len(row) != len(columns):
            raise _bad(f"a row has {len(row)} fields instead of {len(columns)}: {row[:3]}")
        fields = dict(zip(columns, row, strict=True))
        if fields["TermType"] == "OnDemand":
            attributes = {ours: fields.get(theirs, "") for theirs, ours in _CSV_ATTRIBUTES.items()}
            yield Offer(
                attributes=attributes,
                unit=fields["Unit"],
                price=fields["PricePerUnit"],
                currency=fields["Currency"],
            )


def offers_of_entry(entry: str) -> Iterator[Offer]:
    """The on-demand offers of one entry of GetProducts' ``PriceList``, which is JSON in a string.

    Raises OperationError for an entry of another form.
    """
    try:
        document = json.loads(entry)
        product = document["product"]
        attributes = {**product["attributes"], "productFamily": product.get("productFamily", "")}
        for term in document["terms"].get("OnDemand", {}).values():
            for dimension in term["priceDimensions"].values():
                yield from _dimension(attributes, dimension)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _bad(f"an entry is not as documented ({error!r}): {entry[:200]}") from error


def _dimension(attributes: Mapping[str, str], dimension: Mapping[str, Any]) -> Iterator[Offer]:
    for currency, price in dimension["pricePerUnit"].items():
        yield Offer(attributes=attributes, unit=dimension["unit"], price=price, currency=currency)


def region_prices(
    region: str, offers: Iterable[Offer], *, wanted: Collection[str], as_of: date, source: str
) -> RegionPrices:
    """The prices of ``region`` for the ``wanted`` instance types.

    Raises InputError if there is nothing for the region. Raises OperationError for two prices of
    one thing, for a price that is no positive amount of dollars, and for offers without a gp3
    volume or any instance: such a list is not whole.
    """
    instances: dict[str, Decimal] = {}
    volumes: dict[str, Decimal] = {}
    for offer in offers:
        if offer.attributes.get("regionCode") != region:
            continue
        if _is_instance(offer) and offer.attributes.get("instanceType") in wanted:
            _keep(instances, offer.attributes["instanceType"], offer)
        elif _is_volume(offer):
            _keep(volumes, offer.attributes["volumeApiName"], offer)
    if not instances and not volumes:
        raise InputError(
            "E_AWS_REGION",
            f"AWS's price list has nothing for the region {region!r}",
            hint="regions are written like eu-west-1",
        )
    if not instances or "gp3" not in volumes:
        raise OperationError(
            "E_PRICES_PARTIAL",
            f"the price list of {region} is not whole: it has prices of {len(instances)} instance "
            f"types and of the volume types {', '.join(sorted(volumes)) or 'none'}",
            hint="try again; the prices that were known stay",
        )
    return RegionPrices(
        as_of=as_of,
        source=source,
        instances=dict(sorted(instances.items())),
        volumes=dict(sorted(volumes.items())),
    )


def _is_instance(offer: Offer) -> bool:
    attributes = offer.attributes
    return (
        all(attributes.get(name) == value for name, value in INSTANCE_FILTERS.items())
        and attributes.get("marketoption", "") in ("", "OnDemand")
        and offer.unit == "Hrs"
    )


def _is_volume(offer: Offer) -> bool:
    """The storage of a volume, not its IOPS or throughput: ``EU-EBS:VolumeUsage.gp3``."""
    name = offer.attributes.get("volumeApiName", "")
    usage = "EBS:VolumeUsage" if name == "standard" else f"EBS:VolumeUsage.{name}"
    if name == "io1":
        usage = "EBS:VolumeUsage.piops"
    return (
        offer.attributes.get("productFamily") == "Storage"
        and offer.attributes.get("locationType") == _IN_REGION
        and name in VOLUME_TYPES
        and offer.attributes.get("usagetype", "").endswith(usage)
        and offer.unit == "GB-Mo"
    )


def _keep(prices: dict[str, Decimal], name: str, offer: Offer) -> None:
    try:
        usd = Decimal(offer.price)
    except (InvalidOperation, TypeError):
        usd = Decimal("NaN")
    if offer.currency != "USD" or not usd.is_finite() or usd <= 0:
        raise _bad(f"{name} has the price {offer.price!r} {offer.currency}")
    usd = _shortest(usd)
    if prices.setdefault(name, usd) != usd:
        raise _bad(f"{name} has two prices, {prices[name]} and {usd} USD")


def _shortest(usd: Decimal) -> Decimal:
    """``0.0208000000`` as ``0.0208``."""
    return Decimal(f"{usd.normalize():f}")


def _bad(what: str) -> OperationError:
    return OperationError(
        "E_PRICES_BAD",
        f"AWS's price list cannot be read: {what}",
        hint="the prices that were known stay; report this with the message",
    )
