"""Records of Route53 that no stack knows: machines that may be replaced write their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from greenroom.providers.aws.resources import stack_resources
from greenroom.providers.aws.session import Account

_ZONE = "AWS::Route53::HostedZone"
_GONE = "DELETE_COMPLETE"
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


def empty_zones(account: Account, stack_id: str) -> None:
    """Delete what machines wrote into the stack's own hosted zones.

    Route53 removes no zone that holds records, so CloudFormation could not remove the stack
    (Route53 API reference, DeleteHostedZone). CloudFormation's own records have no identifier.
    """
    for resource in stack_resources(account, stack_id):
        if resource.type != _ZONE or not resource.physical_id or resource.status == _GONE:
            continue
        pages = account.pages(
            "route53",
            "ListResourceRecordSets",
            about=resource.physical_id,
            token=("NextRecordName", "StartRecordName"),
            HostedZoneId=resource.physical_id,
        )
        records = [record for page in pages for record in page.get("ResourceRecordSets", [])]
        _delete(account, resource.physical_id, [r for r in records if "SetIdentifier" in r])


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
    _delete(account, zone_id, records)


def _delete(account: Account, zone_id: str, records: Sequence[Mapping[str, Any]]) -> None:
    if records:
        names = dict.fromkeys(record["Name"].rstrip(".") for record in records)
        account.call(
            "route53",
            "ChangeResourceRecordSets",
            about=f"{', '.join(names)} in {zone_id}",
            HostedZoneId=zone_id,
            ChangeBatch={
                "Changes": [{"Action": "DELETE", "ResourceRecordSet": record} for record in records]
            },
        )


def _is_address_of(record: Mapping[str, Any], name: str) -> bool:
    return bool(record["Type"] == "A" and record["Name"].rstrip(".") == name)
