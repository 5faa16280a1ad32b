"""Records of Route53 that no stack knows: machines that may be replaced write their own.

They are multivalue answers, and no resource of a template is one: so what a stack has made, here
or in another region whose zone is called alike, is never taken for a machine's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from greenroom.providers.aws.resources import stack_resources
from greenroom.providers.aws.session import Account

_ZONE = "AWS::Route53::HostedZone"
_GONE = "DELETE_COMPLETE"
_RECORDS_MAX = 100
"""Machines that share a name have a record each; an environment has 50 at the most."""


def forget_names(account: Account, zone: str, names: Sequence[str]) -> None:
    """Delete what machines have written for ``names`` in the zone (id).

    What is not there is no error.
    """
    for name in dict.fromkeys(names):
        start = {"StartRecordName": name, "StartRecordType": "A"}
        found = _page(account, zone, start).get("ResourceRecordSets", ())
        written = (r for r in found if _is_machines(r) and r["Name"].rstrip(".") == name)
        _delete(account, zone, list(written))


def empty_zones(account: Account, stack_id: str) -> None:
    """Delete what machines wrote into the stack's own hosted zones.

    Route53 removes no zone that holds records, so CloudFormation could not remove the stack
    (Route53 API reference, DeleteHostedZone).
    """
    for resource in stack_resources(account, stack_id):
        if resource.type == _ZONE and resource.physical_id and resource.status != _GONE:
            zone = resource.physical_id
            _delete(account, zone, [r for r in _all_records(account, zone) if _is_machines(r)])


def _all_records(account: Account, zone: str) -> list[Mapping[str, Any]]:
    """Each record once: where a page ends within a name that several machines share, the next one
    begins with that name again. A page holds more than one name's records, so each goes further."""
    found: dict[tuple[str, str, str], Mapping[str, Any]] = {}
    start: dict[str, str] = {}
    while True:
        page = _page(account, zone, start)
        for record in page.get("ResourceRecordSets", ()):
            found[record["Name"], record["Type"], record.get("SetIdentifier", "")] = record
        keys = ("RecordName", "RecordType")
        following = {f"Start{key}": page[f"Next{key}"] for key in keys if page.get(f"Next{key}")}
        if not page.get("IsTruncated") or following == start:
            return list(found.values())
        start = following


def _page(account: Account, zone: str, start: Mapping[str, str]) -> Mapping[str, Any]:
    return account.call(
        "route53",
        "ListResourceRecordSets",
        about=zone,
        HostedZoneId=zone,
        MaxItems=str(_RECORDS_MAX),
        **start,
    )


def _delete(account: Account, zone: str, records: Sequence[Mapping[str, Any]]) -> None:
    for start in range(0, len(records), _RECORDS_MAX):
        some = records[start : start + _RECORDS_MAX]
        account.call(
            "route53",
            "ChangeResourceRecordSets",
            about=f"{', '.join(sorted({r['Name'].rstrip('.') for r in some}))} in {zone}",
            HostedZoneId=zone,
            ChangeBatch={
                "Changes": [{"Action": "DELETE", "ResourceRecordSet": record} for record in some]
            },
        )


def _is_machines(record: Mapping[str, Any]) -> bool:
    return bool(record["Type"] == "A" and record.get("MultiValueAnswer"))
