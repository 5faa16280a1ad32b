"""Price lists in AWS's two forms, small, for tests: made by hand after the price list guide."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping

COLUMNS = (
    "SKU",
    "OfferTermCode",
    "RateCode",
    "TermType",
    "PriceDescription",
    "EffectiveDate",
    "StartingRange",
    "EndingRange",
    "Unit",
    "PricePerUnit",
    "Currency",
    "Product Family",
    "serviceCode",
    "Location",
    "Location Type",
    "Instance Type",
    "Tenancy",
    "Operating System",
    "usageType",
    "operation",
    "CapacityStatus",
    "MarketOption",
    "Pre Installed S/W",
    "Region Code",
    "Volume API Name",
)
API_NAMES = {
    "Location Type": "locationType",
    "Instance Type": "instanceType",
    "Tenancy": "tenancy",
    "Operating System": "operatingSystem",
    "usageType": "usagetype",
    "operation": "operation",
    "CapacityStatus": "capacitystatus",
    "MarketOption": "marketoption",
    "Pre Installed S/W": "preInstalledSw",
    "Region Code": "regionCode",
    "Volume API Name": "volumeApiName",
}

Row = Mapping[str, str]


def instance(name: str, price: str, region: str = "eu-west-1", **changes: str) -> Row:
    """A plain Linux instance; a keyword changes a column, with _ for a space."""
    row = {
        "TermType": "OnDemand",
        "Unit": "Hrs",
        "PricePerUnit": price,
        "Currency": "USD",
        "Product Family": "Compute Instance",
        "Location Type": "AWS Region",
        "Instance Type": name,
        "Tenancy": "Shared",
        "Operating System": "Linux",
        "usageType": f"EU-BoxUsage:{name}",
        "operation": "RunInstances",
        "CapacityStatus": "Used",
        "MarketOption": "OnDemand",
        "Pre Installed S/W": "NA",
        "Region Code": region,
    }
    return {**row, **{name.replace("_", " "): value for name, value in changes.items()}}


def volume(name: str, price: str, region: str = "eu-west-1", **changes: str) -> Row:
    """The storage of a volume type."""
    row = {
        "TermType": "OnDemand",
        "Unit": "GB-Mo",
        "PricePerUnit": price,
        "Currency": "USD",
        "Product Family": "Storage",
        "Location Type": "AWS Region",
        "usageType": f"EU-EBS:VolumeUsage.{name}",
        "Region Code": region,
        "Volume API Name": name,
    }
    return {**row, **{name.replace("_", " "): value for name, value in changes.items()}}


def csv_text(rows: Iterable[Row], columns: tuple[str, ...] = COLUMNS) -> str:
    """A region's bulk file: five lines about itself, the columns, the rows; every field quoted."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(("FormatVersion", "v1.0"))
    writer.writerow(("Disclaimer", "This pricing list is for informational purposes only."))
    writer.writerow(("Publication Date", "2026-01-02T03:04:05Z"))
    writer.writerow(("Version", "20260102030405"))
    writer.writerow(("OfferCode", "AmazonEC2"))
    writer.writerow(columns)
    for row in rows:
        writer.writerow([row.get(column, "") for column in columns])
    return out.getvalue()


def entry(row: Row) -> str:
    """One entry of GetProducts' PriceList."""
    attributes = {ours: row[theirs] for theirs, ours in API_NAMES.items() if row.get(theirs)}
    dimension = {
        "unit": row["Unit"],
        "beginRange": "0",
        "endRange": "Inf",
        "description": "",
        "appliesTo": [],
        "rateCode": "A.B.C",
        "pricePerUnit": {row["Currency"]: row["PricePerUnit"]},
    }
    document = {
        "product": {
            "productFamily": row["Product Family"],
            "attributes": attributes,
            "sku": "A",
        },
        "serviceCode": "AmazonEC2",
        "terms": {
            row["TermType"]: {
                "A.B": {
                    "priceDimensions": {"A.B.C": dimension},
                    "sku": "A",
                    "effectiveDate": "2026-01-01T00:00:00Z",
                    "offerTermCode": "B",
                    "termAttributes": {},
                }
            }
        },
        "version": "20260102030405",
        "publicationDate": "2026-01-02T03:04:05Z",
    }
    return json.dumps(document)
