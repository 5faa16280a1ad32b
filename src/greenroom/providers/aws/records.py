"""Records of Route53 that no stack knows: machines that may be replaced write their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from greenroom.providers.aws.session import Account

_RECORDS_MAX = "100"
"""Machines that share a name have a record each; an environment has 50 at the most."""


def forget_names(account: Account, names: Sequence[str]) -> None:
    """Delete the A records of these names from every hosted zone that can hold them.

    What is not there is no error. Without names nothing is asked.
    """
    if not names:
        return
    for zone_id, zone in _zones(account).items():
        for name in names:
            if name == zone or name.endswith(f".{zone}"):
                _forget(account, zone_id, name)


def _zones(account: Account) -> dict[str, str]:
    pages = account.pages(
        "route53", "ListHostedZones", about="hosted zones", token=("NextMarker", "Marker")
    )
    return {
        raw["Id"].removeprefix("/hostedzone/"): raw["Name"].rstrip(".")
        for page in pages
        for raw in page.get("HostedZones", [])
    }


def _forget(account: Account, zone_id: str, name: str) -> None:
    reply = account.call(
        "route53",
        "ListResourceRecordSets",
        about=zone_id,
        HostedZoneId=zone_id,
        StartRecordName=name,
        StartRecordType="A",
        MaxItems=_RECORDS_MAX,
    )
    records = [r for r in reply.get("ResourceRecordSets", []) if _is_address_of(r, name)]
    if records:
        changes = [{"Action": "DELETE", "ResourceRecordSet": record} for record in records]
        account.call(
            "route53",
            "ChangeResourceRecordSets",
            about=f"{name} in {zone_id}",
            HostedZoneId=zone_id,
            ChangeBatch={"Changes": changes},
        )


def _is_address_of(record: Mapping[str, Any], name: str) -> bool:
    return bool(record["Type"] == "A" and record["Name"].rstrip(".") == name)
