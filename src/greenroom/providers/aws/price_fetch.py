"""Prices from AWS's Price List Query API, which needs credentials but no right beyond
``pricing:GetProducts``."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import date

from greenroom.errors import OperationError
from greenroom.model.costs import RegionPrices
from greenroom.providers.aws.price_list import (
    INSTANCE_FILTERS,
    Offer,
    offers_of_entry,
    region_prices,
)
from greenroom.providers.aws.session import Account

API_REGION = "us-east-1"
"""The API answers for all regions, but stands only here, in eu-central-1 and in ap-south-1."""

SOURCE = "AWS Price List API"
LOST_AT_MOST = 0.1
"""The part of the instance types that had a price before that a list may be without: AWS retires
types one by one, but an answer that breaks off loses many."""

_PAGE = 100


def fetch_region(
    account: Account, region: str, *, wanted: Collection[str], today: date
) -> RegionPrices:
    """The prices of ``region`` today; ``account`` must stand in API_REGION. Raises GreenroomError
    for an answer that is bad or not whole."""
    return region_prices(
        region, _offers(account, region), wanted=wanted, as_of=today, source=SOURCE
    )


def check_whole(region: str, new: RegionPrices, old: RegionPrices | None) -> None:
    """Refuse a list that has lost too much of what ``old`` has. Raises OperationError."""
    if old is None:
        return
    lost = sorted(set(old.instances) - set(new.instances))
    if len(lost) > LOST_AT_MOST * len(old.instances):
        raise OperationError(
            "E_PRICES_PARTIAL",
            f"the price list of {region} is not whole: it lacks {len(lost)} of the "
            f"{len(old.instances)} instance types that had a price, {', '.join(lost[:5])} "
            "among them",
            hint="try again; the prices that were known stay",
        )


def _offers(account: Account, region: str) -> Iterator[Offer]:
    for filters in (INSTANCE_FILTERS, {"productFamily": "Storage", "volumeApiName": "gp3"}):
        pages = account.pages(
            "pricing",
            "GetProducts",
            about=f"prices of {region}",
            ServiceCode="AmazonEC2",
            Filters=_filters({**filters, "regionCode": region}),
            FormatVersion="aws_v1",
            MaxResults=_PAGE,
        )
        for page in pages:
            for entry in page.get("PriceList", ()):
                yield from offers_of_entry(entry)


def _filters(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [
        {"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in values.items()
    ]
